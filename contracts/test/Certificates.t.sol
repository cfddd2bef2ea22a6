// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EnclaveStatus} from "../src/interfaces/IEnclaveRegistry.sol";
import {
    AbortCertificate,
    IFFECoordinator,
    Owner,
    RejectionCertificate,
    ResultCertificate,
    SessionTerms,
    State
} from "../src/interfaces/IFFECoordinator.sol";
import {Fixture} from "./utils/Fixture.sol";

contract CertificatesTest is Fixture {
    // ------------------------------------------------------------------------------------------------ slash

    function refusedSlash(uint256 id, RejectionCertificate memory c, bytes memory why) private {
        bytes memory signature = enclaveSigns(hasher.rejection(c));
        vm.expectRevert(why);
        coordinator.slashWithProof(id, c, signature);
    }

    function test_slash_harmful() public {
        uint256 id = sealedSession(3);
        RejectionCertificate memory c = rejectionOf(id, party(1), 1);
        bytes memory signature = enclaveSigns(hasher.rejection(c));
        vm.txGasPrice(0);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.Slashed(id, party(1), 1, 3000, 1 ether, 0, c.gateRoot);
        vm.prank(stranger);
        coordinator.slashWithProof(id, c, signature);
        assertEq(coordinator.contribution(id, party(1)).slashReason, 1, "reason");
        assertEq(coordinator.session(id).slashed, 1, "count");
        assertEq(coordinator.credit(DEAD, address(0)), 1 ether, "recipient");
    }

    function test_slash_invalidCostsItsShare() public {
        uint256 id = sealedSession(2);
        slash(id, party(0), 2);
        assertEq(coordinator.credit(DEAD, address(0)), 0.5 ether, "half");
    }

    function test_slash_rewardIsGasAndAtMostOnePercent() public {
        uint256 id = sealedSession(3);
        vm.txGasPrice(1 gwei);
        slash(id, party(0), 1);
        uint256 reward = coordinator.credit(stranger, address(0));
        assertGt(reward, 50_000 gwei, "some gas");
        assertLe(reward, 160_000 gwei, "no more than the gas");
        assertEq(coordinator.credit(DEAD, address(0)) + reward, 1 ether, "conserved");
        vm.txGasPrice(1 ether);
        slash(id, party(1), 1);
        assertEq(coordinator.credit(stranger, address(0)), reward + 0.01 ether, "one percent");
        assertEq(coordinator.credit(DEAD, address(0)) + reward + 0.01 ether, 2 ether, "conserved");
    }

    function test_slash_refusals() public {
        uint256 id = sealedSession(3);
        RejectionCertificate memory c = rejectionOf(id, party(1), 1);
        bytes32 sealHash = c.sealHash;
        c.sealHash = keccak256("other");
        refusedSlash(id, c, abi.encodeWithSelector(IFFECoordinator.SealHashMismatch.selector, sealHash, c.sealHash));
        c.sealHash = sealHash;
        c.contributor = stranger;
        refusedSlash(id, c, abi.encodeWithSelector(IFFECoordinator.NotContributor.selector, stranger));
        c.contributor = party(1);
        bytes32 blob = c.blobRoot;
        c.blobRoot = keccak256("other");
        refusedSlash(id, c, abi.encodeWithSelector(IFFECoordinator.BlobRootMismatch.selector, blob, c.blobRoot));
        c.blobRoot = blob;
        c.evalPairs = 95;
        refusedSlash(id, c, abi.encodeWithSelector(IFFECoordinator.EvalPairsMismatch.selector, 96, 95));
        c.evalPairs = 96;
        c.evidence = 2999;
        refusedSlash(id, c, abi.encodeWithSelector(IFFECoordinator.EvidenceTooSmall.selector, 3000, 2999));
        c.evidence = type(uint128).max;
        c.reason = 3;
        refusedSlash(id, c, abi.encodeWithSelector(IFFECoordinator.BadReason.selector, 3));
        c.reason = 0;
        refusedSlash(id, c, abi.encodeWithSelector(IFFECoordinator.BadReason.selector, 0));
        c.reason = 1;
        bytes memory signature = enclaveSigns(hasher.rejection(c));
        coordinator.slashWithProof(id, c, signature);
        refusedSlash(id, c, abi.encodeWithSelector(IFFECoordinator.AlreadySlashed.selector, party(1)));
        c.reason = 2;
        refusedSlash(id, c, abi.encodeWithSelector(IFFECoordinator.AlreadySlashed.selector, party(1)));
    }

    function test_slash_onlyWhileSealedOrFailed() public {
        uint256 id = openDefault(2);
        RejectionCertificate memory c = rejectionOf(id, party(0), 1);
        refusedSlash(99, c, abi.encodeWithSelector(IFFECoordinator.UnknownSession.selector, 99));
        refusedSlash(id, c, abi.encodeWithSelector(IFFECoordinator.WrongState.selector, id, State.Open));
        submit(id, party(0));
        submit(id, party(1));
        c = rejectionOf(id, party(0), 1);
        finalize(id, allAccepted(id));
        refusedSlash(id, c, abi.encodeWithSelector(IFFECoordinator.WrongState.selector, id, State.Settled));
    }

    function test_slash_anExpiredOrRetiredEnclaveStillSlashes_aRevokedOneDoesNot() public {
        uint256 id = sealedSession(4);
        registry.set(enclaveId, EnclaveStatus.Expired);
        slash(id, party(0), 1);
        registry.set(enclaveId, EnclaveStatus.Retired);
        slash(id, party(1), 1);
        registry.set(enclaveId, EnclaveStatus.Revoked);
        refusedSlash(
            id, rejectionOf(id, party(2), 1), abi.encodeWithSelector(IFFECoordinator.EnclaveRevoked.selector, enclaveId)
        );
    }

    function test_slash_afterFailureUntilClaimed() public {
        uint256 id = sealedSession(3);
        RejectionCertificate memory late = rejectionOf(id, party(2), 1);
        vm.warp(coordinator.session(id).deliverDeadline + 1);
        coordinator.fail(id);
        uint256 share = coordinator.session(id).bondShare;
        vm.txGasPrice(0);
        uint256 before = coordinator.credit(DEAD, address(0));
        slash(id, party(0), 1);
        assertEq(coordinator.credit(DEAD, address(0)) - before, 1 ether + share, "stake and share");
        (uint256 stake, uint256 bond) = coordinator.claimable(id, party(0));
        assertEq(stake + bond, 0, "nothing is left");
        vm.prank(party(2));
        coordinator.claim(id, party(2));
        refusedSlash(id, late, abi.encodeWithSelector(IFFECoordinator.AlreadyClaimed.selector, party(2)));
    }

    // ------------------------------------------------------------------------------------------- signatures

    function test_signature_isNotMalleable() public {
        uint256 id = sealedSession(2);
        RejectionCertificate memory c = rejectionOf(id, party(0), 1);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(enclaveKey, digest(hasher.rejection(c)));
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes[4] memory bad;
        bad[0] = abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        bad[1] = abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255))); // the 64-byte form
        bad[2] = abi.encodePacked(r, s, v - 27);
        bad[3] = abi.encodePacked(r, s, v, bytes1(0));
        for (uint256 i; i < 4; ++i) {
            vm.expectPartialRevert(IFFECoordinator.InvalidSignature.selector);
            coordinator.slashWithProof(id, c, bad[i]);
        }
        coordinator.slashWithProof(id, c, abi.encodePacked(r, s, v));
    }

    function testFuzz_signature_ofAnyOtherKeyIsRefused(uint256 key) public {
        uint256 id = sealedSession(2);
        key = bound(key, 1, 1 << 250);
        vm.assume(key != enclaveKey);
        RejectionCertificate memory c = rejectionOf(id, party(0), 1);
        bytes memory signature = sign(key, digest(hasher.rejection(c)));
        vm.expectRevert(
            abi.encodeWithSelector(IFFECoordinator.InvalidSignature.selector, vm.addr(enclaveKey), vm.addr(key))
        );
        coordinator.slashWithProof(id, c, signature);
    }

    function testFuzz_signature_coversEveryFieldOfARejection(uint8 field, uint256 x) public {
        uint256 id = sealedSession(2);
        RejectionCertificate memory c = rejectionOf(id, party(0), 1);
        bytes memory signature = enclaveSigns(hasher.rejection(c));
        bytes32 before = keccak256(abi.encode(c));
        field = uint8(bound(field, 0, 8));
        if (field == 0) c.sealHash = bytes32(x);
        if (field == 1) c.contributor = address(uint160(x));
        if (field == 2) c.blobRoot = bytes32(x);
        if (field == 3) c.reason = uint8(x);
        if (field == 4) c.evalPairs = uint32(x);
        if (field == 5) c.harmMicroNats = int64(uint64(x));
        if (field == 6) c.relevanceLostMicroNats = int64(uint64(x));
        if (field == 7) c.evidence = uint128(x);
        if (field == 8) c.gateRoot = bytes32(x);
        vm.assume(keccak256(abi.encode(c)) != before);
        vm.expectRevert();
        coordinator.slashWithProof(id, c, signature);
    }

    function test_replay_onAnotherSessionChainOrContract() public {
        uint256 id = sealedSession(2);
        uint256 other = sealedSession(2);
        RejectionCertificate memory c = rejectionOf(id, party(0), 1);
        bytes memory signature = enclaveSigns(hasher.rejection(c));
        vm.expectPartialRevert(IFFECoordinator.SealHashMismatch.selector);
        coordinator.slashWithProof(other, c, signature);
        c.sealHash = coordinator.session(other).sealHash;
        vm.expectPartialRevert(IFFECoordinator.InvalidSignature.selector);
        coordinator.slashWithProof(other, c, signature);

        c.sealHash = coordinator.session(id).sealHash;
        vm.chainId(16_661);
        vm.expectPartialRevert(IFFECoordinator.InvalidSignature.selector);
        coordinator.slashWithProof(id, c, signature);
        vm.chainId(31_337);
        coordinator.slashWithProof(id, c, signature);
    }

    // --------------------------------------------------------------------------------------------- finalize

    function refused(uint256 id, ResultCertificate memory c, bytes memory why) private {
        bytes memory signature = enclaveSigns(hasher.result(c));
        vm.expectRevert(why);
        coordinator.finalize(id, c, signature);
    }

    function test_finalize_settlesPaysAndMints() public {
        uint256 id = sealedSession(4);
        ResultCertificate memory c = resultOf(id, verdicts(1, 2, 3, 1));
        bytes memory signature = enclaveSigns(hasher.result(c));
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.VerdictGiven(id, party(0), 1, 0, 0);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.VerdictGiven(id, party(1), 2, 16, 0);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.Slashed(id, party(2), 1, 4000, 1 ether, 0, c.gateRoot);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.VerdictGiven(id, party(2), 3, 1, 4000);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.Finalized(
            id, c.artifactRoot, c.gateRoot, c.reportRoot, SEED, 2, c.baseLossMicroNats, c.jointLossMicroNats
        );
        vm.prank(stranger);
        coordinator.finalize(id, c, signature);

        assertState(id, State.Settled);
        (uint128 total, uint128 locked) = coordinator.bond(payee);
        assertEq(total, 100.5 ether, "bond and fee");
        assertEq(locked, 0, "unlocked");
        assertEq(coordinator.credit(DEAD, address(0)), 1 ether, "slashed");
        assertEq(coordinator.session(id).accepted, 2, "accepted");
        assertEq(inft.ownerOf(inft.tokenIdOf(id, 1)), party(0), "owner 1");
        assertEq(inft.ownerOf(inft.tokenIdOf(id, 2)), party(3), "owner 2");
        for (uint256 i; i < 4; ++i) {
            (uint256 stake, uint256 bond) = coordinator.claimable(id, party(i));
            assertEq(stake, i == 2 ? 0 : 1 ether, "stake");
            assertEq(bond, 0, "bond");
        }
    }

    function test_finalize_withoutAModel() public {
        uint256 id = sealedSession(3);
        ResultCertificate memory c = resultOf(id, verdicts(1, 2, 2));
        finalize(id, c);
        assertState(id, State.Settled);
        (uint128 total,) = coordinator.bond(payee);
        assertEq(total, 100.5 ether, "the operator is paid");
        assertEq(inft.balanceOf(party(0)), 0, "no token");
        (uint256 stake,) = coordinator.claimable(id, party(0));
        assertEq(stake, 1 ether, "stake returns");
    }

    function test_finalize_agreesWithEarlierSlashes() public {
        uint256 id = sealedSession(3);
        vm.txGasPrice(0);
        slash(id, party(1), 2);
        refused(
            id,
            resultOf(id, verdicts(1, 1, 1)),
            abi.encodeWithSelector(IFFECoordinator.SlashDisagreement.selector, party(1), 2, 0)
        );
        refused(
            id,
            resultOf(id, verdicts(1, 2, 1)),
            abi.encodeWithSelector(IFFECoordinator.SlashDisagreement.selector, party(1), 2, 16)
        );
        ResultCertificate memory c = resultOf(id, verdicts(1, 3, 1));
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.SlashDisagreement.selector, party(1), 2, 1));
        c.verdicts[1].reason = 2;
        finalize(id, c);
        assertEq(coordinator.credit(DEAD, address(0)), 0.5 ether, "slashed once");
        assertEq(coordinator.session(id).slashed, 1, "slashed once");
    }

    function test_finalize_verdictsEntryByEntry() public {
        uint256 id = sealedSession(3);
        ResultCertificate memory c = resultOf(id, verdicts(1, 1, 3));
        c.verdicts[2].evidence = 2999;
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.EvidenceTooSmall.selector, 3000, 2999));
        c.verdicts[2].evidence = 3000;
        c.verdicts[2].reason = 17;
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.BadReason.selector, 17));
        c.verdicts[2].reason = 1;
        c.verdicts[2].verdict = 4;
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.BadVerdict.selector, 4));
        c.verdicts[2].verdict = 0;
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.BadVerdict.selector, 0));
        c.verdicts[2].verdict = 2;
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.BadReason.selector, 1));
        c.verdicts[2].verdict = 3;
        c.verdicts[0].reason = 16;
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.BadReason.selector, 16));
        c.verdicts[0].reason = 0;
        (c.verdicts[0], c.verdicts[1]) = (c.verdicts[1], c.verdicts[0]);
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.VerdictOrder.selector, 0, party(0), party(1)));
        (c.verdicts[0], c.verdicts[1]) = (c.verdicts[1], c.verdicts[0]);
        c.verdicts[1].blobRoot = keccak256("other");
        refused(
            id, c, abi.encodeWithSelector(IFFECoordinator.BlobRootMismatch.selector, root(party(1)), keccak256("other"))
        );
        ResultCertificate memory d = resultOf(id, verdicts(1, 1, 3));
        assembly ("memory-safe") {
            mstore(mload(add(d, 160)), 2) // one verdict fewer
        }
        refused(id, d, abi.encodeWithSelector(IFFECoordinator.VerdictCountMismatch.selector, 3, 2));
    }

    function test_finalize_ownersEntryByEntry() public {
        uint256 id = sealedSession(3);
        ResultCertificate memory c = resultOf(id, verdicts(1, 2, 1));
        c.owners[1].owner = party(1);
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.OwnerMismatch.selector, 1, party(2), party(1)));
        c = resultOf(id, verdicts(1, 2, 1));
        bytes32 right = c.owners[0].ownerKeyHash;
        c.owners[0].ownerKeyHash = 0;
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.OwnerKeyMismatch.selector, 0, right, bytes32(0)));
        c.owners[0].ownerKeyHash = right;
        c.owners[0].sealedKey = "";
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.BadSealedKey.selector, 0));
        c.owners[0].sealedKey = new bytes(513);
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.BadSealedKey.selector, 0));
        c.owners[0].sealedKey = new bytes(512);
        c.artifactRoot = 0;
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.BadArtifactRoot.selector));
        c.artifactRoot = keccak256("artifact");

        Owner[] memory owners = c.owners;
        c.owners = new Owner[](0);
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.OwnerCountMismatch.selector, 2, 0));
        c.owners = new Owner[](1);
        c.owners[0] = owners[0];
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.OwnerCountMismatch.selector, 2, 1));
        c.owners = new Owner[](3);
        (c.owners[0], c.owners[1], c.owners[2]) = (owners[0], owners[1], owners[0]);
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.OwnerCountMismatch.selector, 2, 3));
        c.owners = owners;
        finalize(id, c);
    }

    function test_finalize_noModelForTooFew() public {
        uint256 id = sealedSession(3);
        ResultCertificate memory c = resultOf(id, verdicts(1, 2, 2));
        c.artifactRoot = keccak256("artifact");
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.BadArtifactRoot.selector));
        c.owners = new Owner[](1);
        c.owners[0] = Owner({
            owner: party(0),
            ownerKeyHash: coordinator.contribution(id, party(0)).ownerKeyHash,
            sealedKey: sealedKey(party(0))
        });
        refused(id, c, abi.encodeWithSelector(IFFECoordinator.OwnerCountMismatch.selector, 0, 1));
    }

    function test_finalize_seed() public {
        uint256 id = sealedSession(2);
        ResultCertificate memory c = allAccepted(id);
        c.seed = keccak256("other seed");
        refused(
            id,
            c,
            abi.encodeWithSelector(
                IFFECoordinator.SeedMismatch.selector, keccak256(abi.encode(SEED)), keccak256(abi.encode(c.seed))
            )
        );
    }

    function test_finalize_countsUpToAndIncludingTheDeadline() public {
        uint256 id = sealedSession(2);
        uint64 deadline = coordinator.session(id).deliverDeadline;
        vm.warp(deadline + 1);
        refused(id, allAccepted(id), abi.encodeWithSelector(IFFECoordinator.DeliveryClosed.selector, deadline));
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.NotFailed.selector, deadline));
        coordinator.fail(id);
        finalize(id, allAccepted(id));
        assertState(id, State.Settled);
        refused(id, allAccepted(id), abi.encodeWithSelector(IFFECoordinator.WrongState.selector, id, State.Settled));
    }

    function test_finalize_needsAnActiveEnclave() public {
        uint256 id = sealedSession(2);
        registry.set(enclaveId, EnclaveStatus.Expired);
        refused(id, allAccepted(id), abi.encodeWithSelector(IFFECoordinator.EnclaveNotActive.selector, enclaveId));
        registry.set(enclaveId, EnclaveStatus.Retired);
        refused(id, allAccepted(id), abi.encodeWithSelector(IFFECoordinator.EnclaveNotActive.selector, enclaveId));
        registry.set(enclaveId, EnclaveStatus.Revoked);
        refused(id, allAccepted(id), abi.encodeWithSelector(IFFECoordinator.EnclaveRevoked.selector, enclaveId));
        registry.set(enclaveId, EnclaveStatus.Active);
        finalize(id, allAccepted(id));
    }

    function test_finalize_signatureCoversKeysAndLosses() public {
        uint256 id = sealedSession(2);
        ResultCertificate memory c = allAccepted(id);
        bytes memory signature = enclaveSigns(hasher.result(c));
        c.owners[0].sealedKey[5] ^= 0x01;
        vm.expectPartialRevert(IFFECoordinator.InvalidSignature.selector);
        coordinator.finalize(id, c, signature);
        c.owners[0].sealedKey[5] ^= 0x01;
        c.jointLossMicroNats -= 1;
        vm.expectPartialRevert(IFFECoordinator.InvalidSignature.selector);
        coordinator.finalize(id, c, signature);
        c.jointLossMicroNats += 1;
        c.verdicts[0].evidence = 1;
        vm.expectPartialRevert(IFFECoordinator.InvalidSignature.selector);
        coordinator.finalize(id, c, signature);
    }

    /// @dev Any assignment of verdicts settles, and the money adds up.
    function testFuzz_finalize_anyVerdicts(uint8[6] memory picks, uint128 stake, uint16 bps) public {
        SessionTerms memory t = defaultTerms(6);
        t.stake = bound(stake, 0, 1000 ether);
        t.slashBpsHarmful = uint16(bound(bps, 0, 10_000));
        uint256 id = sealedWith(t);
        uint8[] memory v = new uint8[](6);
        uint256 rejected;
        for (uint256 i; i < 6; ++i) {
            v[i] = uint8(picks[i] % 3) + 1;
            if (v[i] == 3) ++rejected;
        }
        finalize(id, resultOf(id, v));
        uint256 each = t.stake * t.slashBpsHarmful / 10_000;
        assertEq(coordinator.credit(DEAD, address(0)), rejected * each, "slashed");
        uint256 back;
        for (uint256 i; i < 6; ++i) {
            (uint256 s,) = coordinator.claimable(id, t.participants[i]);
            assertEq(s, v[i] == 3 ? t.stake - each : t.stake, "stake");
            back += s;
        }
        assertEq(back + rejected * each, 6 * t.stake, "conserved");
        assertEq(address(coordinator).balance, 6 * t.stake + 100.5 ether, "all of it is here");
    }

    // ------------------------------------------------------------------------------------------------ abort

    function test_abort_returnsStakesAndPaysTheOperator() public {
        uint256 id = sealedSession(2);
        AbortCertificate memory c = AbortCertificate(coordinator.session(id).sealHash, 1, 0);
        bytes memory signature = enclaveSigns(hasher.abortion(c));
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.Aborted(id, 1, 0);
        coordinator.abort(id, c, signature);
        assertState(id, State.Aborted);
        (uint128 total, uint128 locked) = coordinator.bond(payee);
        assertEq(total, 100.5 ether, "paid");
        assertEq(locked, 0, "unlocked");
        (uint256 stake, uint256 bond) = coordinator.claimable(id, party(1));
        assertEq(stake, 1 ether, "stake");
        assertEq(bond, 0, "no share");
    }

    function test_abort_refusals() public {
        uint256 id = sealedSession(2);
        AbortCertificate memory c = AbortCertificate(keccak256("other"), 1, 0);
        bytes memory signature = enclaveSigns(hasher.abortion(c));
        vm.expectPartialRevert(IFFECoordinator.SealHashMismatch.selector);
        coordinator.abort(id, c, signature);
        c = AbortCertificate(coordinator.session(id).sealHash, 3, 0);
        signature = enclaveSigns(hasher.abortion(c));
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.BadReason.selector, 3));
        coordinator.abort(id, c, signature);
        c.reason = 2;
        vm.expectPartialRevert(IFFECoordinator.InvalidSignature.selector);
        coordinator.abort(id, c, signature);
        signature = enclaveSigns(hasher.abortion(c));
        registry.set(enclaveId, EnclaveStatus.Retired);
        vm.expectPartialRevert(IFFECoordinator.EnclaveNotActive.selector);
        coordinator.abort(id, c, signature);
        registry.set(enclaveId, EnclaveStatus.Active);
        vm.warp(coordinator.session(id).deliverDeadline + 1);
        vm.expectPartialRevert(IFFECoordinator.DeliveryClosed.selector);
        coordinator.abort(id, c, signature);
        vm.warp(coordinator.session(id).deliverDeadline);
        coordinator.abort(id, c, signature);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.WrongState.selector, id, State.Aborted));
        coordinator.abort(id, c, signature);
    }
}
