// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EnclaveRegistry} from "../../src/attestation/EnclaveRegistry.sol";
import {IDcapVerifier} from "../../src/interfaces/IDcapVerifier.sol";
import {Enclave, EnclaveStatus, IEnclaveRegistry} from "../../src/interfaces/IEnclaveRegistry.sol";
import {CertSpec} from "./Pki.sol";
import {Platform} from "./Platform.sol";

/// @notice Registration of real quotes: freshness, binding, ownership, and every way out.
contract EnclaveRegistryTest is Platform {
    function setUp() public override {
        super.setUp();
        teachAll();
    }

    function status(bytes32 id) private view returns (EnclaveStatus) {
        return registry.enclave(id).status;
    }

    function assertStatus(bytes32 id, EnclaveStatus expected) private view {
        assertEq(uint256(status(id)), uint256(expected), "status");
    }

    /// @dev Tries with this ext in the quote's report data and as the argument.
    function refused(bytes memory ext, bytes memory reason) private {
        bytes memory quote = quoteFor(ext);
        bytes memory signature = signEth(SIGNER_KEY, registerDigest(quote, ext, payee));
        vm.expectRevert(reason);
        registry.register(quote, ext, payee, signature);
    }

    function badExt(string memory member) private pure returns (bytes memory) {
        return abi.encodeWithSelector(EnclaveRegistry.BadExt.selector, member);
    }

    // ------------------------------------------------------------------------------------------- registration

    function test_register_keepsWhatWasProven() public {
        bytes memory ext = extFor(signer, address(registry), 999);
        bytes memory quote = quoteFor(ext);
        bytes32 code = verifier.verifyQuote(quote).codeHash;
        bytes32 id = keccak256(abi.encode(signer, code));
        bytes32 platformId = verifier.verifyQuote(quote).platformId;
        bytes memory signature = signEth(SIGNER_KEY, registerDigest(quote, ext, payee));
        vm.expectEmit(address(registry));
        emit IEnclaveRegistry.EnclaveRegistered(id, signer, payee, code, platformId, 1, NOW + PERIOD, true, true);
        vm.prank(address(0xbeef)); // anyone may bring it
        assertEq(registry.register(quote, ext, payee, signature), id, "enclave id");
        Enclave memory e = registry.enclave(id);
        assertEq(e.signer, signer, "signer");
        assertEq(e.payee, payee, "payee");
        assertEq(e.codeHash, code, "code hash");
        assertEq(e.platformId, platformId, "platform");
        assertEq(e.registeredAt, NOW, "registeredAt");
        assertEq(e.validUntil, NOW + PERIOD, "validUntil");
        assertEq(e.revokedAt, 0, "revokedAt");
        assertEq(e.tcbStatus, 1, "TCB status");
        assertTrue(e.development && e.applicationProven, "flags");
        assertStatus(id, EnclaveStatus.Active);
        assertStatus(bytes32(uint256(1)), EnclaveStatus.Unknown);
    }

    function test_register_cutAndWholeQuotesAreOneQuote() public {
        bytes memory ext = extFor(signer, address(registry), 999);
        bytes memory quote = quoteFor(ext);
        registry.register(quote, ext, payee, signEth(SIGNER_KEY, registerDigest(quote, ext, payee)));
        bytes memory more = bytes.concat(quote, "anything");
        bytes memory signature = signEth(SIGNER_KEY, registerDigest(more, ext, payee));
        bytes memory used = abi.encodeWithSelector(
            EnclaveRegistry.QuoteUsed.selector, sha256(region4(put(body(584), 520, reportDataFor(signer, ext))))
        );
        vm.expectRevert(used);
        registry.register(more, ext, payee, signature);
        highS = true;
        bytes memory other = quoteFor(ext); // r ‖ N - s
        assertTrue(keccak256(other) != keccak256(quote), "another blob");
        signature = signEth(SIGNER_KEY, registerDigest(other, ext, payee));
        vm.expectRevert(used);
        registry.register(other, ext, payee, signature);
    }

    function test_register_anOlderQuoteCannotFollow() public {
        registerAt(999);
        bytes memory ext = extFor(signer, address(registry), 998);
        bytes memory quote = quoteFor(ext);
        bytes memory signature = signEth(SIGNER_KEY, registerDigest(quote, ext, payee));
        vm.expectPartialRevert(EnclaveRegistry.QuoteUsed.selector);
        registry.register(quote, ext, payee, signature);
    }

    function test_register_ext() public {
        bytes memory good = extFor(signer, address(registry), 999);
        refused(bytes.concat(good, hex"00"), badExt("length"));
        refused("", badExt("length"));
        refused(put(bytes.concat(good), 0, hex"00"), badExt("tag"));
        refused(put(bytes.concat(good), 62, hex"0001"), badExt("chainid"));
        refused(put(bytes.concat(good), 30 + 32, hex"4115"), badExt("chainid")); // 16661
        refused(extFor(signer, address(this), 999), badExt("registry"));
        refused(extFor(address(0), address(registry), 999), badExt("signer"));
        refused(put(bytes.concat(good), 64, hex"01"), ""); // no address
    }

    function test_register_nonce() public {
        bytes memory wrong = extFor(signer, address(registry), 999);
        wrong[223] ^= 0x01;
        refused(wrong, abi.encodeWithSelector(EnclaveRegistry.StaleNonce.selector, 999));
        refused(
            extFor(signer, address(registry), 1000), abi.encodeWithSelector(EnclaveRegistry.StaleNonce.selector, 1000)
        );
        bytes memory old = extFor(signer, address(registry), 744); // 256 blocks ago
        vm.roll(1001);
        refused(old, abi.encodeWithSelector(EnclaveRegistry.StaleNonce.selector, 744));
        // An unknown block's hash reads as zero; a nonce of zero is not fresh.
        bytes memory zero = abi.encode(
            keccak256("ffe.enclave.v1"), block.chainid, address(registry), signer, bytes32(0), uint256(5000), bytes32(0)
        );
        refused(zero, abi.encodeWithSelector(EnclaveRegistry.StaleNonce.selector, 5000));
        zero = abi.encode(
            keccak256("ffe.enclave.v1"),
            block.chainid,
            address(registry),
            signer,
            bytes32(0),
            type(uint256).max,
            bytes32(0)
        );
        refused(zero, abi.encodeWithSelector(EnclaveRegistry.StaleNonce.selector, type(uint256).max));
    }

    /// @dev A genuine quote of one enclave, registered as another's: cuckoo and relay.
    function test_register_anothersQuote() public {
        uint256 thiefKey = uint256(keccak256("thief"));
        address thief = vm.addr(thiefKey);
        bytes memory ext = extFor(signer, address(registry), 999);
        bytes memory quote = quoteFor(ext);
        bytes memory forged = extFor(thief, address(registry), 999);
        bytes memory signature = signEth(thiefKey, registerDigest(quote, forged, payee));
        vm.expectRevert(EnclaveRegistry.ReportDataMismatch.selector);
        registry.register(quote, forged, payee, signature);
        // The right ext, signed by someone else.
        signature = signEth(thiefKey, registerDigest(quote, ext, payee));
        vm.expectRevert(EnclaveRegistry.BadSignature.selector);
        registry.register(quote, ext, payee, signature);
    }

    function test_register_reportDataEndsInZeros() public {
        bytes memory ext = extFor(signer, address(registry), 999);
        bytes memory data = abi.encodePacked(signer, keccak256(ext), bytes12(uint96(1)));
        bytes memory quote = quoteOf(region4(put(body(584), 520, data)));
        bytes memory signature = signEth(SIGNER_KEY, registerDigest(quote, ext, payee));
        vm.expectRevert(EnclaveRegistry.ReportDataMismatch.selector);
        registry.register(quote, ext, payee, signature);
    }

    /// @dev Someone sees the transaction and puts in his own payee, or shortens the quote.
    function test_register_frontRun() public {
        bytes memory ext = extFor(signer, address(registry), 999);
        bytes memory quote = quoteFor(ext);
        bytes memory signature = signEth(SIGNER_KEY, registerDigest(quote, ext, payee));
        vm.expectRevert(EnclaveRegistry.BadSignature.selector);
        registry.register(quote, ext, address(0xbad), signature);
        vm.expectRevert(EnclaveRegistry.BadSignature.selector);
        registry.register(bytes.concat(quote, hex"00"), ext, payee, signature);
        vm.expectRevert(EnclaveRegistry.ZeroPayee.selector);
        registry.register(quote, ext, address(0), signature);
        vm.expectRevert(EnclaveRegistry.BadSignature.selector);
        registry.register(quote, ext, payee, bytes.concat(signature, hex"00"));
        vm.expectRevert(EnclaveRegistry.BadSignature.selector);
        registry.register(quote, ext, payee, "");
        registry.register(quote, ext, payee, signature);
    }

    function test_register_badQuoteReachesTheCaller() public {
        bytes memory ext = extFor(signer, address(registry), 999);
        bytes memory report = put(body(584), 520, reportDataFor(signer, ext));
        bytes memory quote = quoteOf(region4(put(report, 120, hex"01")));
        bytes memory signature = signEth(SIGNER_KEY, registerDigest(quote, ext, payee));
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.BadQuote.selector, "TD attributes"));
        registry.register(quote, ext, payee, signature);
    }

    function test_constructor_period() public {
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.BadPeriod.selector, 0));
        new EnclaveRegistry(verifier, 0);
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.BadPeriod.selector, 366 days + 1));
        new EnclaveRegistry(verifier, 366 days + 1);
        assertEq(new EnclaveRegistry(verifier, 366 days).period(), 366 days, "period");
    }

    // --------------------------------------------------------------------------------- renewal and the way out

    function test_renew_afterExpiry() public {
        bytes32 id = registerAt(990);
        vm.warp(NOW + PERIOD);
        assertStatus(id, EnclaveStatus.Active);
        vm.warp(NOW + PERIOD + 1);
        assertStatus(id, EnclaveStatus.Expired);
        vm.roll(1200);
        payee = address(0xfee2);
        assertEq(registerAt(1100), id, "the same enclave");
        assertStatus(id, EnclaveStatus.Active);
        Enclave memory e = registry.enclave(id);
        assertEq(e.payee, payee, "new payee");
        assertEq(e.registeredAt, NOW, "first registration");
        assertEq(e.validUntil, NOW + 2 * PERIOD + 1, "validUntil");
    }

    function test_retire() public {
        bytes32 id = registerAt(990);
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.NotSignerOrPayee.selector, address(this)));
        registry.retire(id);
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.UnknownEnclave.selector, bytes32(uint256(1))));
        registry.retire(bytes32(uint256(1)));
        vm.expectEmit(address(registry));
        emit IEnclaveRegistry.EnclaveRetired(id, payee, true);
        vm.prank(payee);
        registry.retire(id);
        assertStatus(id, EnclaveStatus.Retired);
        vm.prank(signer);
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.EnclaveEnded.selector, id));
        registry.retire(id);
        refused(
            extFor(signer, address(registry), 999), abi.encodeWithSelector(EnclaveRegistry.EnclaveEnded.selector, id)
        );
    }

    function test_retire_byTheSigner() public {
        bytes32 id = registerAt(990);
        vm.prank(signer);
        registry.retire(id);
        assertStatus(id, EnclaveStatus.Retired);
    }

    // ------------------------------------------------------------------------------------------- invalidation

    function test_invalidate_withARevokingListAsEvidence() public {
        bytes32 id = registerAt(990);
        bytes memory evidence = abi.encodeCall(verifier.updateCrl, (caCrl(NOW, list(0x9c)), caId));
        vm.expectEmit(address(registry));
        emit IEnclaveRegistry.EnclaveRevoked(id, address(0xbeef), true);
        vm.prank(address(0xbeef)); // anyone
        registry.invalidate(id, evidence);
        assertStatus(id, EnclaveStatus.Revoked);
        assertEq(registry.enclave(id).revokedAt, NOW, "revokedAt");
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.EnclaveEnded.selector, id));
        registry.invalidate(id, "");
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.EnclaveEnded.selector, id));
        registry.retire(id);
        // The platform cannot come back.
        bytes memory ext = extFor(signer, address(registry), 999);
        refused(ext, abi.encodeWithSelector(IDcapVerifier.CertificateRevoked.selector, 0x9c));
    }

    function test_invalidate_whatTheVerifierKnowsAlready() public {
        bytes32 id = registerAt(990);
        verifier.updateCrl(rootCrl(NOW, list(0xca)), 0);
        assertStatus(id, EnclaveStatus.Active); // until somebody says so
        registry.invalidate(id, "");
        assertStatus(id, EnclaveStatus.Revoked);
    }

    /// @dev TCB recovery: the new document puts the level that the machine has below the floor.
    function test_invalidate_afterTcbRecovery() public {
        bytes32 id = registerAt(990);
        TcbSpec memory t = tcbSpec();
        (t.evaluationNumber, t.status) = (18, "OutOfDate");
        bytes memory json = tcbJson(t);
        registry.invalidate(id, abi.encodeCall(verifier.updateTcbInfo, (json, signRaw(SIGNING, json), signingId)));
        assertStatus(id, EnclaveStatus.Revoked);
        assertEq(registry.enclave(id).tcbStatus, 1, "what it was when it registered");
    }

    function test_invalidate_ofTheQuotingEnclave() public {
        bytes32 id = registerAt(990);
        QeSpec memory q = qeSpec();
        (q.evaluationNumber, q.svn) = (18, 7);
        bytes memory json = qeJson(q);
        registry.invalidate(id, abi.encodeCall(verifier.updateQeIdentity, (json, signRaw(SIGNING, json), signingId)));
        assertStatus(id, EnclaveStatus.Revoked);
    }

    function test_invalidate_aRetiredOne() public {
        bytes32 id = registerAt(990);
        vm.prank(signer);
        registry.retire(id);
        verifier.updateCrl(caCrl(NOW, list(0x9c)), caId);
        registry.invalidate(id, "");
        assertStatus(id, EnclaveStatus.Revoked);
    }

    function test_invalidate_notWithoutReason() public {
        bytes32 id = registerAt(990);
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.StillAccepted.selector, id));
        registry.invalidate(id, "");
        bytes memory evidence = abi.encodeCall(verifier.updateCrl, (caCrl(NOW, list(0x77)), caId)); // another machine
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.StillAccepted.selector, id));
        registry.invalidate(id, evidence);
        // Expired collateral is no proof.
        vm.warp(NOW + 100 days);
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.StillAccepted.selector, id));
        registry.invalidate(id, "");
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.UnknownEnclave.selector, bytes32(uint256(1))));
        registry.invalidate(bytes32(uint256(1)), "");
    }

    function test_invalidate_forgedEvidence() public {
        bytes32 id = registerAt(990);
        bytes memory forged = crlOf(AK, named("Test SGX PCK CA"), NOW, NOW + 1, list(0x9c));
        bytes memory evidence = abi.encodeCall(verifier.updateCrl, (forged, caId));
        vm.expectRevert(
            abi.encodeWithSelector(
                EnclaveRegistry.EvidenceRejected.selector, abi.encodeWithSelector(IDcapVerifier.BadSignature.selector)
            )
        );
        registry.invalidate(id, evidence);
        vm.expectPartialRevert(EnclaveRegistry.EvidenceRejected.selector);
        registry.invalidate(id, hex"deadbeef");
        assertStatus(id, EnclaveStatus.Active);
    }

    /// @dev The same key, certified by another (later revoked) machine, does not drag the enclave along.
    function test_invalidate_notThroughAnotherPlatformsClaim() public {
        bytes32 id = registerAt(990);
        uint256 otherPck = uint256(keccak256("other pck")) >> 1;
        CertSpec memory c = pckSpec();
        (c.key, c.serial) = (otherPck, 0x66);
        bytes32 other = verifier.addPck(certificate(c), caId);
        bytes memory report = qeReport();
        verifier.addAttestationKey(bytes.concat(point(AK), report, signRaw(otherPck, report), QE_AUTH), other);
        verifier.updateCrl(caCrl(NOW, list(0x66)), caId);
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.StillAccepted.selector, id));
        registry.invalidate(id, "");
        // Its own machine certifies the key again, and it renews.
        verifier.addAttestationKey(keyProof(report), pckId);
        assertEq(registerAt(995), id, "renewed");
    }
}
