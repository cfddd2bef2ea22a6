// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EnclaveStatus} from "../src/interfaces/IEnclaveRegistry.sol";
import {
    Contribution,
    IFFECoordinator,
    Session,
    SessionOffer,
    SessionTerms,
    State
} from "../src/interfaces/IFFECoordinator.sol";
import {Fixture} from "./utils/Fixture.sol";

contract OpenTest is Fixture {
    function test_open_storesWhatWasAgreed() public {
        SessionTerms memory t = defaultTerms(3);
        SessionOffer memory o = offerFor(t);
        uint256 id = open(t);
        Session memory s = coordinator.session(id);
        assertEq(id, 1, "ids start at 1");
        assertEq(coordinator.sessionCount(), 1, "count");
        assertEq(coordinator.sessionOfTag(o.sessionTag), id, "tag");
        assertEq(coordinator.sessionTagOf(opener, t.salt), o.sessionTag, "tag view");
        assertState(id, State.Open);
        assertEq(s.opener, opener, "opener");
        assertEq(s.payee, payee, "payee");
        assertEq(s.enclaveId, t.enclaveId, "enclave");
        assertEq(s.codeHash, t.codeHash, "code");
        assertEq(s.baseModel, t.baseModel, "model");
        assertEq(s.seedCommitment, o.seedCommitment, "commitment");
        assertEq(s.slashRecipient, DEAD, "recipient");
        assertEq(s.submitDeadline, t.submitDeadline, "deadline");
        assertEq(s.deliverPeriod, t.deliverPeriod, "period");
        assertEq(s.evalPairs, t.gate.evalPairs, "pairs");
        assertEq(s.alphaInverse, t.gate.alphaInverse, "alpha");
        assertEq(s.slashBpsHarmful, t.slashBpsHarmful, "harmful");
        assertEq(s.slashBpsInvalid, t.slashBpsInvalid, "invalid");
        assertEq(s.participants, 3, "participants");
        assertEq(s.quorum, t.quorum, "quorum");
        assertEq(s.minAccepted, t.minAccepted, "minAccepted");
        assertEq(s.stake, t.stake, "stake");
        assertEq(s.fee, t.fee, "fee");
        assertEq(s.operatorBond, t.operatorBond, "bond");
        assertEq(
            s.sessionHash,
            hasher.sessionHash(address(coordinator), id, o.termsHash, o.sessionKey, o.seedCommitment),
            "session hash"
        );
        Contribution memory c = coordinator.contribution(id, t.participants[2]);
        assertTrue(c.participant && c.order == 0 && c.blobRoot == 0, "participant");
        (uint128 total, uint128 locked) = coordinator.bond(payee);
        assertEq(total, 100 ether, "total bond");
        assertEq(locked, 10 ether, "locked bond");
        assertEq(address(coordinator).balance, 100.5 ether, "bond and fee are here");
    }

    function test_open_emitsEverythingThatWillBeTrained() public {
        SessionTerms memory t = defaultTerms(2);
        SessionOffer memory o = offerFor(t);
        bytes memory signature = enclaveSigns(hasher.offer(o));
        bytes32 sessionHash = hasher.sessionHash(address(coordinator), 1, o.termsHash, o.sessionKey, o.seedCommitment);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.SessionOpened(1, opener, enclaveId, payee, sessionHash, t, o, signature, RECIPE, MANIFEST);
        vm.prank(opener);
        coordinator.openSession{value: t.fee}(t, o, signature, RECIPE, MANIFEST);
    }

    function test_open_toTreasury() public {
        SessionTerms memory t = defaultTerms(2);
        t.slashRecipient = treasury;
        assertEq(coordinator.session(open(t)).slashRecipient, treasury, "recipient");
    }

    function test_unknownSession_hasNoRecipientAndNoState() public view {
        Session memory s = coordinator.session(99);
        assertEq(s.slashRecipient, address(0), "recipient");
        assertEq(uint256(s.state), 0, "state");
    }

    // ------------------------------------------------------------------------------------------------ bounds

    function refused(SessionTerms memory t, bytes memory why) private {
        SessionOffer memory o = offerFor(t);
        bytes memory signature = enclaveSigns(hasher.offer(o));
        vm.expectRevert(why);
        vm.prank(opener);
        coordinator.openSession{value: t.fee}(t, o, signature, RECIPE, MANIFEST);
    }

    function badTerms(string memory field) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IFFECoordinator.BadTerms.selector, field);
    }

    function badPolicy(string memory field) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IFFECoordinator.BadPolicy.selector, field);
    }

    function test_open_policyBounds() public {
        SessionTerms memory t = defaultTerms(2);
        t.gate.statistic = 0;
        refused(t, badPolicy("statistic"));
        t.gate.statistic = 3;
        refused(t, badPolicy("statistic"));
        t.gate.statistic = 1;
        t.gate.acceptRule = 2;
        refused(t, badPolicy("acceptRule"));
        t.gate.acceptRule = 1;
        t.gate.evalPairs = 31;
        refused(t, badPolicy("evalPairs"));
        t.gate.evalPairs = 4097;
        refused(t, badPolicy("evalPairs"));
        t.gate.evalPairs = 32;
        t.gate.alphaInverse = 999;
        refused(t, badPolicy("alphaInverse"));
        t.gate.alphaInverse = 1000;
        t.gate.harmToleranceMicro = 49_999;
        refused(t, badPolicy("harmToleranceMicro"));
        t.gate.harmToleranceMicro = 50_000;
        t.gate.relevanceToleranceMicro = 49_999;
        refused(t, badPolicy("relevanceToleranceMicro"));
        t.gate.relevanceToleranceMicro = 50_000;
        t.gate.invalidShareBps = 999;
        refused(t, badPolicy("invalidShareBps"));
        t.gate.invalidShareBps = 10_001;
        refused(t, badPolicy("invalidShareBps"));
        t.gate.invalidShareBps = 10_000;
        t.gate.evalPairs = 4096;
        open(t);
    }

    function test_open_termBounds() public {
        SessionTerms memory t = defaultTerms(3);
        t.submitDeadline = uint64(START);
        refused(t, badTerms("submitDeadline"));
        t.submitDeadline = uint64(START + 90 days + 1);
        refused(t, badTerms("submitDeadline"));
        t.submitDeadline = uint64(START + 90 days);
        t.deliverPeriod = 0;
        refused(t, badTerms("deliverPeriod"));
        t.deliverPeriod = 14 days + 1;
        refused(t, badTerms("deliverPeriod"));
        t.deliverPeriod = 14 days;
        t.quorum = 4;
        refused(t, badTerms("quorum"));
        t.quorum = 2;
        t.minAccepted = 1;
        refused(t, badTerms("minAccepted"));
        t.minAccepted = 3;
        refused(t, badTerms("minAccepted"));
        t.minAccepted = 2;
        t.maxRows = 0;
        refused(t, badTerms("maxRows"));
        t.maxRows = 1;
        t.stakeToken = stranger;
        refused(t, badTerms("stakeToken"));
        t.stakeToken = address(0);
        t.stake = uint256(type(uint128).max) + 1;
        refused(t, badTerms("stake"));
        t.stake = type(uint128).max;
        t.operatorBond = uint256(type(uint128).max) + 1;
        refused(t, badTerms("operatorBond"));
        t.operatorBond = 0;
        t.slashBpsHarmful = 10_001;
        refused(t, badTerms("slashBpsHarmful"));
        t.slashBpsHarmful = 10_000;
        t.slashBpsInvalid = 10_001;
        refused(t, badTerms("slashBpsInvalid"));
        t.slashBpsInvalid = 10_000;
        t.slashRecipient = opener;
        refused(t, badTerms("slashRecipient"));
        t.slashRecipient = payee;
        refused(t, badTerms("slashRecipient"));
        t.slashRecipient = DEAD;
        open(t);
    }

    function test_open_feeBound() public {
        SessionTerms memory t = defaultTerms(2);
        t.fee = uint256(type(uint128).max) + 1;
        vm.deal(opener, t.fee);
        refused(t, badTerms("fee"));
    }

    function test_open_participantCount() public {
        SessionTerms memory t = defaultTerms(1);
        refused(t, badTerms("participants"));
        t = defaultTerms(256);
        refused(t, badTerms("participants"));
        open(defaultTerms(255));
    }

    function test_open_participantsAreDifferentAndNotZero() public {
        SessionTerms memory t = defaultTerms(3);
        t.participants[2] = t.participants[0];
        refused(t, abi.encodeWithSelector(IFFECoordinator.BadParticipant.selector, t.participants[0]));
        t.participants[2] = address(0);
        refused(t, abi.encodeWithSelector(IFFECoordinator.BadParticipant.selector, address(0)));
    }

    /// @dev `free` says which fields keep the fuzzer's value; the others are pulled to just around their bounds.
    function testFuzz_open_onlyWithinBounds(SessionTerms memory t, uint16 free) public {
        t.enclaveId = enclaveId;
        t.codeHash = CODE;
        t.recipe = keccak256(bytes(RECIPE));
        t.baseModel = keccak256(bytes(MANIFEST));
        t.stakeToken = address(0);
        t.participants = parties(1 + t.maxRows % 6);
        t.fee = bound(t.fee, 0, 1e6 ether);
        if (free & 1 == 0) t.gate.statistic = uint8(bound(t.gate.statistic, 1, 2));
        if (free & 2 == 0) t.gate.acceptRule = uint8(bound(t.gate.acceptRule, 0, 1));
        if (free & 4 == 0) t.gate.evalPairs = uint16(bound(t.gate.evalPairs, 32, 4096));
        if (free & 8 == 0) t.gate.alphaInverse = uint32(bound(t.gate.alphaInverse, 1000, type(uint32).max));
        if (free & 16 == 0) t.gate.harmToleranceMicro = uint32(bound(t.gate.harmToleranceMicro, 50_000, 1e9));
        if (free & 32 == 0) {
            t.gate.relevanceToleranceMicro = uint32(bound(t.gate.relevanceToleranceMicro, 50_000, 1e9));
        }
        if (free & 64 == 0) t.gate.invalidShareBps = uint16(bound(t.gate.invalidShareBps, 1000, 10_000));
        if (free & 128 == 0) t.submitDeadline = uint64(bound(t.submitDeadline, START, START + 90 days));
        if (free & 256 == 0) t.deliverPeriod = uint32(bound(t.deliverPeriod, 0, 14 days));
        if (free & 512 == 0) t.quorum = uint16(bound(t.quorum, 2, 6));
        if (free & 1024 == 0) t.minAccepted = uint16(bound(t.minAccepted, 1, 4));
        if (free & 2048 == 0) t.stake = bound(t.stake, 0, type(uint128).max);
        if (free & 4096 == 0) t.operatorBond = bound(t.operatorBond, 0, 101 ether);
        if (free & 8192 == 0) t.slashBpsHarmful = uint16(bound(t.slashBpsHarmful, 0, 10_001));
        if (free & 16_384 == 0) t.slashBpsInvalid = uint16(bound(t.slashBpsInvalid, 0, 10_001));
        if (free & 32_768 == 0) t.slashRecipient = t.maxRows % 2 == 0 ? DEAD : treasury;
        SessionOffer memory o = offerFor(t);
        bytes memory signature = enclaveSigns(hasher.offer(o));
        vm.prank(opener);
        try coordinator.openSession{value: t.fee}(t, o, signature, RECIPE, MANIFEST) returns (uint256 id) {
            Session memory s = coordinator.session(id);
            assertTrue(s.minAccepted >= 2 && s.minAccepted <= s.quorum && s.quorum <= s.participants, "counts");
            assertTrue(s.alphaInverse >= 1000 && s.evalPairs >= 32 && s.evalPairs <= 4096, "policy");
            assertTrue(s.submitDeadline > block.timestamp, "deadline");
            assertTrue(s.slashRecipient == DEAD || s.slashRecipient == treasury, "recipient");
        } catch {
            assertEq(coordinator.sessionCount(), 0, "nothing happened");
        }
    }

    // ------------------------------------------------------------------------------------------- the consent

    function test_open_refusesAnotherValue() public {
        SessionTerms memory t = defaultTerms(2);
        SessionOffer memory o = offerFor(t);
        bytes memory signature = enclaveSigns(hasher.offer(o));
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.WrongValue.selector, t.fee, t.fee + 1));
        vm.prank(opener);
        coordinator.openSession{value: t.fee + 1}(t, o, signature, RECIPE, MANIFEST);
    }

    function test_open_refusesOtherTexts() public {
        SessionTerms memory t = defaultTerms(2);
        SessionOffer memory o = offerFor(t);
        bytes memory signature = enclaveSigns(hasher.offer(o));
        vm.startPrank(opener);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.RecipeMismatch.selector, t.recipe, keccak256("{}")));
        coordinator.openSession{value: t.fee}(t, o, signature, "{}", MANIFEST);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.ManifestMismatch.selector, t.baseModel, keccak256("{}")));
        coordinator.openSession{value: t.fee}(t, o, signature, RECIPE, "{}");
    }

    function test_open_refusesAnEnclaveThatIsNotActive() public {
        SessionTerms memory t = defaultTerms(2);
        bytes memory why = abi.encodeWithSelector(IFFECoordinator.EnclaveNotActive.selector, enclaveId);
        registry.set(enclaveId, EnclaveStatus.Expired);
        refused(t, why);
        registry.set(enclaveId, EnclaveStatus.Retired);
        refused(t, why);
        registry.set(enclaveId, EnclaveStatus.Revoked);
        refused(t, why);
        t.enclaveId = keccak256("unknown");
        refused(t, abi.encodeWithSelector(IFFECoordinator.EnclaveNotActive.selector, t.enclaveId));
    }

    function test_open_refusesOtherCode() public {
        SessionTerms memory t = defaultTerms(2);
        t.codeHash = keccak256("other");
        refused(t, abi.encodeWithSelector(IFFECoordinator.CodeHashMismatch.selector, t.codeHash, CODE));
    }

    function test_open_refusesAnOfferForOtherTermsOrOpener() public {
        SessionTerms memory t = defaultTerms(2);
        SessionOffer memory o = offerFor(t);
        bytes memory signature = enclaveSigns(hasher.offer(o));
        t.stake += 1;
        vm.expectRevert(
            abi.encodeWithSelector(IFFECoordinator.TermsHashMismatch.selector, hasher.termsHash(t), o.termsHash)
        );
        vm.prank(opener);
        coordinator.openSession{value: t.fee}(t, o, signature, RECIPE, MANIFEST);

        t.stake -= 1;
        bytes32 tag = coordinator.sessionTagOf(stranger, t.salt);
        vm.deal(stranger, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.SessionTagMismatch.selector, tag, o.sessionTag));
        vm.prank(stranger);
        coordinator.openSession{value: t.fee}(t, o, signature, RECIPE, MANIFEST);
    }

    function test_open_anOfferWorksOnce() public {
        SessionTerms memory t = defaultTerms(2);
        uint256 id = open(t);
        vm.prank(opener);
        coordinator.cancel(id);
        refused(t, abi.encodeWithSelector(IFFECoordinator.SessionTagUsed.selector, offerFor(t).sessionTag));
    }

    function test_open_refusesAnotherSigner() public {
        SessionTerms memory t = defaultTerms(2);
        SessionOffer memory o = offerFor(t);
        uint256 otherKey = uint256(keccak256("other"));
        bytes memory signature = sign(otherKey, digest(hasher.offer(o)));
        vm.expectRevert(
            abi.encodeWithSelector(IFFECoordinator.InvalidSignature.selector, vm.addr(enclaveKey), vm.addr(otherKey))
        );
        vm.prank(opener);
        coordinator.openSession{value: t.fee}(t, o, signature, RECIPE, MANIFEST);
    }

    function testFuzz_open_refusesAnyOtherSignature(bytes memory signature) public {
        SessionTerms memory t = defaultTerms(2);
        SessionOffer memory o = offerFor(t);
        vm.assume(keccak256(signature) != keccak256(enclaveSigns(hasher.offer(o))));
        vm.expectPartialRevert(IFFECoordinator.InvalidSignature.selector);
        vm.prank(opener);
        coordinator.openSession{value: t.fee}(t, o, signature, RECIPE, MANIFEST);
    }

    function test_open_refusesAnOfferMadeForAnotherChainOrContract() public {
        SessionTerms memory t = defaultTerms(2);
        SessionOffer memory o = offerFor(t);
        bytes memory signature = enclaveSigns(hasher.offer(o));
        vm.chainId(16_661);
        o.sessionTag = hasher.tag(address(coordinator), opener, t.salt);
        vm.expectPartialRevert(IFFECoordinator.InvalidSignature.selector);
        vm.prank(opener);
        coordinator.openSession{value: t.fee}(t, o, signature, RECIPE, MANIFEST);

        vm.chainId(31_337);
        IFFECoordinator other = IFFECoordinator(
            vm.deployCode("FFECoordinator.sol:FFECoordinator", abi.encode(registry, verifier, treasury))
        );
        o.sessionTag = hasher.tag(address(other), opener, t.salt);
        vm.expectPartialRevert(IFFECoordinator.InvalidSignature.selector);
        vm.prank(opener);
        other.openSession{value: t.fee}(t, o, signature, RECIPE, MANIFEST);
    }

    // --------------------------------------------------------------------------------------------- the bond

    function test_open_needsAFreeBond() public {
        SessionTerms memory t = defaultTerms(2);
        t.operatorBond = 60 ether;
        open(t);
        t.salt = keccak256("again");
        refused(t, abi.encodeWithSelector(IFFECoordinator.BondTooSmall.selector, 60 ether, 40 ether));
    }

    function test_open_fixesThePayee() public {
        uint256 id = openDefault(2);
        registry.setPayee(enclaveId, stranger);
        assertEq(coordinator.session(id).payee, payee, "payee");
    }

    function test_constructor_refusesZero() public {
        bytes memory code = vm.getCode("FFECoordinator.sol:FFECoordinator");
        address[3] memory args = [address(registry), address(verifier), treasury];
        for (uint256 i; i < 3; ++i) {
            address[3] memory a = args;
            a[i] = address(0);
            bytes memory init = abi.encodePacked(code, abi.encode(a[0], a[1], a[2]));
            address created;
            assembly ("memory-safe") {
                created := create(0, add(init, 32), mload(init))
            }
            assertEq(created, address(0), "constructor");
        }
        assertEq(address(coordinator.registry()), address(registry), "registry");
        assertEq(coordinator.treasury(), treasury, "treasury");
    }

    function test_contractsFitTheSizeLimit() public view {
        assertLe(address(coordinator).code.length, 24_576, "coordinator");
        assertLe(address(inft).code.length, 24_576, "inft");
        assertLe(vm.getCode("FFECoordinator.sol:FFECoordinator").length + 96, 49_152, "init code");
    }
}
