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
        bytes32 platformId = verifier.platformId(verifier.verifyQuote(quote).platform);
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

    /// @dev attack §7.12
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

    /// @dev attack §7.2
    function test_register_anOlderQuoteCannotFollow() public {
        registerAt(999);
        bytes memory ext = extFor(signer, address(registry), 998);
        bytes memory quote = quoteFor(ext);
        bytes memory signature = signEth(SIGNER_KEY, registerDigest(quote, ext, payee));
        vm.expectPartialRevert(EnclaveRegistry.QuoteUsed.selector);
        registry.register(quote, ext, payee, signature);
    }

    /// @dev attack §7.1
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

    /// @dev attack §7.2
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
    ///      attack §7.3
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

    /// @dev attack §7.1
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

    function renewal(uint256 blockNumber) private returns (bytes memory quote) {
        return quoteFor(extFor(signer, address(registry), blockNumber));
    }

    function test_renew_byAnyoneWithAFreshQuote() public {
        bytes32 id = registerAt(990);
        vm.warp(NOW + PERIOD + 1);
        assertStatus(id, EnclaveStatus.Expired);
        bytes memory quote = renewal(991);
        vm.expectEmit(address(registry));
        emit IEnclaveRegistry.EnclaveRenewed(id, NOW + 2 * PERIOD + 1, true);
        vm.prank(address(0xbeef));
        assertEq(registry.renew(quote, keccak256("app"), 991), id, "enclave id");
        Enclave memory e = registry.enclave(id);
        assertEq(e.payee, payee, "the payee stays");
        assertEq(e.validUntil, NOW + 2 * PERIOD + 1, "validUntil");
        assertEq(e.registeredAt, NOW, "registeredAt");
        assertStatus(id, EnclaveStatus.Active);
    }

    /// @dev attack §7.2 and §7.12: a quote counts once, in any form, and no older one after it.
    function test_renew_replay() public {
        registerAt(990);
        bytes memory quote = renewal(991);
        registry.renew(quote, keccak256("app"), 991);
        vm.expectPartialRevert(EnclaveRegistry.QuoteUsed.selector);
        registry.renew(quote, keccak256("app"), 991);
        highS = true;
        bytes memory other = renewal(991);
        vm.expectPartialRevert(EnclaveRegistry.QuoteUsed.selector);
        registry.renew(other, keccak256("app"), 991);
        quote = renewal(989);
        vm.expectPartialRevert(EnclaveRegistry.QuoteUsed.selector);
        registry.renew(quote, keccak256("app"), 989);
    }

    /// @dev attack §7.1: another block, application, chain or registry is another report data.
    function test_renew_binding() public {
        registerAt(990);
        bytes memory quote = renewal(991);
        avm.setBlockhash(992, nonceOf(992));
        vm.expectRevert(EnclaveRegistry.ReportDataMismatch.selector);
        registry.renew(quote, keccak256("app"), 992);
        vm.expectRevert(EnclaveRegistry.ReportDataMismatch.selector);
        registry.renew(quote, keccak256("another app"), 991);
        bytes memory elsewhere = quoteFor(extFor(signer, address(this), 991));
        vm.expectRevert(EnclaveRegistry.ReportDataMismatch.selector);
        registry.renew(elsewhere, keccak256("app"), 991);
        vm.chainId(16_661);
        vm.expectRevert(EnclaveRegistry.ReportDataMismatch.selector);
        registry.renew(quote, keccak256("app"), 991);
        vm.chainId(31_337);
        uint256[3] memory blocks = [block.number, block.number + 5, type(uint256).max];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.StaleNonce.selector, blocks[i]));
            registry.renew(quote, keccak256("app"), blocks[i]);
        }
        vm.roll(991 + 257);
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.StaleNonce.selector, 991));
        registry.renew(quote, keccak256("app"), 991);
    }

    function test_renew_onlyWhatIsRegistered() public {
        bytes memory quote = renewal(991);
        bytes32 id = keccak256(abi.encode(signer, verifier.verifyQuote(quote).codeHash));
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.UnknownEnclave.selector, id));
        registry.renew(quote, keccak256("app"), 991);
        registerAt(990);
        vm.prank(payee);
        registry.retire(id);
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.EnclaveEnded.selector, id));
        registry.renew(quote, keccak256("app"), 991);
    }

    /// @dev Another TDX module, quoting enclave or machine needs a registration, whose quote clients read.
    function test_renew_onlyOnTheSamePlatform() public {
        bytes32 id = registerAt(990);
        bytes memory ext = extFor(signer, address(registry), 991);
        bytes memory report = put(put(body(584), 520, reportDataFor(signer, ext)), 0, hex"0303");
        bytes memory quote = quoteOf(region4(report));
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.PlatformChanged.selector, id));
        registry.renew(quote, keccak256("app"), 991);
        assertEq(
            registry.register(quote, ext, payee, signEth(SIGNER_KEY, registerDigest(quote, ext, payee))), id, "the same"
        );
        ext = extFor(signer, address(registry), 992);
        quote = quoteOf(region4(put(put(body(584), 520, reportDataFor(signer, ext)), 0, hex"0303")));
        assertEq(registry.renew(quote, keccak256("app"), 992), id, "on the new one");
        verifier.addAttestationKey(keyProof(put(qeReport(), 258, hex"07")), pckId);
        ext = extFor(signer, address(registry), 993);
        quote = quoteOf(region4(put(put(body(584), 520, reportDataFor(signer, ext)), 0, hex"0303")));
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.PlatformChanged.selector, id));
        registry.renew(quote, keccak256("app"), 993);
    }

    /// @dev attack §7.25 and §7.28: what is known about platform and TCB counts at once, kept verdict or not.
    function test_renew_notOfARevokedPlatform() public {
        registerAt(990);
        bytes memory quote = renewal(991);
        verifier.updateCrl(caCrl(NOW, list(0x9c)), caId);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.CertificateRevoked.selector, 0x9c));
        registry.renew(quote, keccak256("app"), 991);
    }

    function test_renew_showsTheLatestTcb() public {
        bytes32 id = registerAt(990);
        TcbSpec memory t = tcbSpec();
        (t.evaluationNumber, t.status) = (18, "SWHardeningNeeded");
        sendTcb(t);
        registry.renew(renewal(991), keccak256("app"), 991);
        assertEq(registry.enclave(id).tcbStatus, 2, "SWHardeningNeeded");
        t.status = "OutOfDate";
        sendTcb(t);
        bytes memory quote = renewal(992);
        vm.expectPartialRevert(IDcapVerifier.TcbNotAccepted.selector);
        registry.renew(quote, keccak256("app"), 992);
    }

    function test_register_untilWordsEnd() public {
        vm.roll(uint256(type(uint32).max) + 10);
        uint256 blockNumber = uint256(type(uint32).max) + 1;
        refused(
            extFor(signer, address(registry), blockNumber), abi.encodeWithSelector(EnclaveRegistry.TooLate.selector)
        );
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

    /// @dev attack §7.28
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
    ///      attack §7.25
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
    ///      attack §7.14 and §7.28
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

    // ------------------------------------------------------------------------------------------------ lifecycle

    uint256 private random;

    function below(uint256 n) private returns (uint256) {
        random = uint256(keccak256(abi.encode(random)));
        return random % n;
    }

    struct Model {
        bool known;
        bool retired;
        uint256 validUntil;
        uint256 revokedAt;
        uint256 nonceBlock;
        address payee;
    }

    /// @dev Any order of register, renew, retire, invalidate, a revocation, and time: the registry is where the rules
    ///      say. Revoked is final, retired ends only in revoked, and nothing is valid beyond a period from its quote.
    /// forge-config: default.fuzz.runs = 16
    /// forge-config: ci.fuzz.runs = 16
    function testFuzz_lifecycle(uint256 seed) public {
        random = seed;
        bytes32 id = keccak256(abi.encode(signer, verifier.verifyQuote(renewal(990)).codeHash));
        Model memory m;
        bool platformRevoked;
        for (uint256 i; i < 24; ++i) {
            vm.roll(block.number + 1 + below(3));
            vm.warp(block.timestamp + below(2 days));
            verifier.updateCrl(rootCrl(uint64(block.timestamp), list()), 0);
            uint256[] memory serials = platformRevoked || below(24) == 0 ? list(0x9c) : list();
            verifier.updateCrl(caCrl(uint64(block.timestamp), serials), caId);
            platformRevoked = serials.length != 0;
            TcbSpec memory t = tcbSpec();
            (t.issued, t.next) = (uint64(block.timestamp), uint64(block.timestamp + 30 days));
            sendTcb(t);
            QeSpec memory q = qeSpec();
            (q.issued, q.next) = (t.issued, t.next);
            sendQe(q);
            act(id, m, platformRevoked);
            check(id, m);
        }
    }

    function act(bytes32 id, Model memory m, bool platformRevoked) private {
        uint256 what = below(8);
        uint256 blockNumber = block.number - 1 - below(4);
        bool open = !m.retired && m.revokedAt == 0 && !platformRevoked;
        bool newer = !m.known || blockNumber > m.nonceBlock;
        if (what < 3) {
            address to = address(uint160(0xfee0 + below(2)));
            bool ok = tryRegister(blockNumber, to);
            assertTrue(ok == (open && newer), "register");
            if (ok) (m.known, m.validUntil, m.nonceBlock, m.payee) = (true, block.timestamp + PERIOD, blockNumber, to);
        } else if (what < 6) {
            bytes memory call_ = abi.encodeCall(registry.renew, (renewal(blockNumber), keccak256("app"), blockNumber));
            (bool ok,) = address(registry).call(call_);
            assertTrue(ok == (open && newer && m.known), "renew");
            if (ok) (m.validUntil, m.nonceBlock) = (block.timestamp + PERIOD, blockNumber);
        } else if (what == 6 && below(3) == 0) {
            vm.prank(below(2) == 0 ? signer : m.payee);
            (bool ok,) = address(registry).call(abi.encodeCall(registry.retire, (id)));
            assertTrue(ok == (m.known && !m.retired && m.revokedAt == 0), "retire");
            m.retired = m.retired || ok;
        } else if (what == 7) {
            (bool ok,) = address(registry).call(abi.encodeCall(registry.invalidate, (id, "")));
            assertTrue(ok == (m.known && m.revokedAt == 0 && platformRevoked), "invalidate");
            if (ok) m.revokedAt = block.timestamp;
        }
    }

    function tryRegister(uint256 blockNumber, address to) private returns (bool ok) {
        bytes memory ext = extFor(signer, address(registry), blockNumber);
        bytes memory quote = quoteFor(ext);
        bytes memory signature = signEth(SIGNER_KEY, registerDigest(quote, ext, to));
        (ok,) = address(registry).call(abi.encodeCall(registry.register, (quote, ext, to, signature)));
    }

    function check(bytes32 id, Model memory m) private view {
        Enclave memory e = registry.enclave(id);
        assertEq(e.validUntil, m.validUntil, "validUntil");
        assertEq(e.revokedAt, m.revokedAt, "revokedAt");
        assertEq(e.payee, m.payee, "payee");
        EnclaveStatus expected = EnclaveStatus.Active;
        if (!m.known) expected = EnclaveStatus.Unknown;
        else if (m.revokedAt != 0) expected = EnclaveStatus.Revoked;
        else if (m.retired) expected = EnclaveStatus.Retired;
        else if (block.timestamp > m.validUntil) expected = EnclaveStatus.Expired;
        assertEq(uint256(e.status), uint256(expected), "status");
    }

    /// @dev Anything at all: never a registration, never a renewal.
    function testFuzz_anything(bytes calldata quote, bytes calldata ext, address to, bytes calldata signature) public {
        (bool ok,) = address(registry).call(abi.encodeCall(registry.register, (quote, ext, to, signature)));
        assertFalse(ok, "register");
        (ok,) = address(registry).call(abi.encodeCall(registry.renew, (quote, bytes32(ext), block.number - 1)));
        assertFalse(ok, "renew");
        (ok,) = address(registry).call(abi.encodeCall(registry.invalidate, (bytes32(ext), quote)));
        assertFalse(ok, "invalidate");
        (ok,) = address(registry).call(abi.encodeCall(registry.retire, (bytes32(ext))));
        assertFalse(ok, "retire");
    }
}
