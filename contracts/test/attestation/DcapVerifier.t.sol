// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DcapParser} from "../../src/attestation/DcapParser.sol";
import {DcapVerifier} from "../../src/attestation/DcapVerifier.sol";
import {Der} from "../../src/attestation/Der.sol";
import {IDcapVerifier, PlatformTcb, TcbStatus, VerifiedQuote} from "../../src/interfaces/IDcapVerifier.sol";
import {Vm} from "../utils/Vm.sol";
import {CertSpec, lastWord} from "./Pki.sol";
import {Platform} from "./Platform.sol";

/// @notice Every check of the verifier, reached by input that passes all checks before it.
contract DcapVerifierTest is Platform {
    function refusesQuote(bytes memory region, string memory what) private {
        bytes memory quote = quoteOf(region);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.BadQuote.selector, what));
        verifier.verifyQuote(quote);
    }

    function notAccepted(TcbStatus status) private {
        bytes memory quote = quoteOf(region4(body(584)));
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.TcbNotAccepted.selector, status));
        verifier.verifyQuote(quote);
    }

    // -------------------------------------------------------------------------------------------- constructor

    /// @dev attack §7.23
    function test_constructor_developmentOnlyOnItsChain() public {
        vm.chainId(16_661);
        vm.expectRevert(IDcapVerifier.WrongChain.selector);
        new DcapVerifier(bytes32(uint256(1)), bytes32(uint256(2)), 0, true);
        vm.expectRevert(IDcapVerifier.WrongRoot.selector);
        new DcapVerifier(bytes32(uint256(1)), bytes32(uint256(2)), 0, false);
    }

    function test_constructor_intelsRootIsNotADevelopmentOne() public {
        bytes32 x = 0x0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5;
        bytes32 y = 0x67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394;
        vm.expectRevert(IDcapVerifier.WrongRoot.selector);
        new DcapVerifier(x, y, 0, true);
        assertFalse(new DcapVerifier(x, y, 0, false).development(), "production");
    }

    /// @dev attack §7.23: who reads the log alone sees it, too.
    function test_events_sayThatTheRootIsADevelopmentOne() public {
        vm.recordLogs();
        teachAll();
        verifier.updateCrl(rootCrl(NOW, list(0x51)), 0);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        bytes32[8] memory kinds = [
            IDcapVerifier.AuthorityAdded.selector,
            IDcapVerifier.CrlUpdated.selector,
            IDcapVerifier.TcbInfoUpdated.selector,
            IDcapVerifier.QeIdentityUpdated.selector,
            IDcapVerifier.PckAdded.selector,
            IDcapVerifier.AttestationKeyAdded.selector,
            IDcapVerifier.SerialRevoked.selector,
            IDcapVerifier.DocumentsForgotten.selector
        ];
        for (uint256 k; k < kinds.length; ++k) {
            bool seen;
            for (uint256 i; i < logs.length; ++i) {
                seen = seen || logs[i].topics[0] == kinds[k];
                assertEq(lastWord(logs[i].data), 1, "marked");
            }
            assertTrue(seen, "each kind of event");
        }
    }

    // -------------------------------------------------------------------------------------------- authorities

    function test_authority_isKept() public {
        teachAuthorities();
        (,, bytes32 subject, uint64 notAfter, bool signs, uint256 serial) = verifier.authority(caId);
        assertEq(subject, keccak256(named("Test SGX PCK CA")), "subject");
        assertEq(notAfter, FAR, "notAfter");
        assertEq(serial, 0xca, "serial");
        assertTrue(signs, "signs certificates");
        (,,,, signs,) = verifier.authority(signingId);
        assertFalse(signs, "signs documents");
    }

    /// @dev attack §7.8
    function test_authority_wrongIssuerOrRoot() public {
        CertSpec memory c = caSpec();
        c.issuer = named("Test SGX Root CB");
        bytes memory der = certificate(c);
        vm.expectRevert(IDcapVerifier.WrongIssuer.selector);
        verifier.addAuthority(der);
        c = caSpec();
        c.signer = CA; // right name, wrong key
        der = certificate(c);
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.addAuthority(der);
        c = caSpec();
        (c.subject, c.key) = (rootName(), ROOT); // the root itself
        der = certificate(c);
        vm.expectRevert(IDcapVerifier.WrongIssuer.selector);
        verifier.addAuthority(der);
    }

    function test_authority_keyUsage() public {
        uint8[3] memory bad = [0x02, 0x04, 0x80];
        for (uint256 i; i < 3; ++i) {
            CertSpec memory c = caSpec();
            c.keyUsage = bad[i];
            bytes memory der = certificate(c);
            vm.expectRevert(IDcapVerifier.WrongKeyUsage.selector);
            verifier.addAuthority(der);
        }
        CertSpec memory s = signingSpec();
        s.keyUsage = 0x40;
        bytes memory signing = certificate(s);
        vm.expectRevert(IDcapVerifier.WrongKeyUsage.selector);
        verifier.addAuthority(signing);
    }

    function test_authority_dates() public {
        CertSpec memory c = caSpec();
        c.notAfter = NOW - 1;
        bytes memory der = certificate(c);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.NotValidNow.selector, NOW - 1000, NOW - 1));
        verifier.addAuthority(der);
        c.notBefore = NOW + 1;
        c.notAfter = NOW + 2;
        der = certificate(c);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.NotValidNow.selector, NOW + 1, NOW + 2));
        verifier.addAuthority(der);
    }

    function test_authority_afterItsRevocation() public {
        verifier.updateCrl(rootCrl(NOW - 100, list(0xca)), 0);
        bytes memory der = certificate(caSpec());
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.CertificateRevoked.selector, 0xca));
        verifier.addAuthority(der);
    }

    function test_authority_onlyANewerCertificateReplaces() public {
        teachAuthorities();
        CertSpec memory c = caSpec();
        c.notAfter = FAR - 1;
        bytes memory der = certificate(c);
        vm.expectRevert(IDcapVerifier.OlderThanKnown.selector);
        verifier.addAuthority(der);
        c.notAfter = FAR + 1000 days; // beyond 2050: GeneralizedTime
        c.serial = 0xcb;
        verifier.addAuthority(certificate(c));
        (,,, uint64 notAfter,, uint256 serial) = verifier.authority(caId);
        assertEq(notAfter, FAR + 1000 days, "notAfter");
        assertEq(serial, 0xcb, "serial");
        // The old certificate's revocation reaches the key, and no certificate brings it back.
        verifier.updateCrl(rootCrl(NOW - 100, list(0xca)), 0);
        der = certificate(c);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.CertificateRevoked.selector, 0xcb));
        verifier.addAuthority(der);
    }

    // -------------------------------------------------------------------------------------------------- lists

    /// @dev attack §7.10
    function test_crl_signedByItsIssuerOnly() public {
        teachAuthorities();
        bytes memory der = crlOf(CA, rootName(), NOW, NOW + 1, list());
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.updateCrl(der, 0);
        der = caCrl(NOW, list());
        vm.expectRevert(IDcapVerifier.WrongIssuer.selector);
        verifier.updateCrl(der, 0);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.UnknownId.selector, signingId));
        verifier.updateCrl(der, signingId);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.UnknownId.selector, bytes32(uint256(5))));
        verifier.updateCrl(der, bytes32(uint256(5)));
    }

    /// @dev attack §7.6 and §7.10
    function test_crl_datesAndRollback() public {
        bytes memory der = crlOf(ROOT, rootName(), NOW - 20, NOW - 10, list());
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.NotValidNow.selector, NOW - 20, NOW - 10));
        verifier.updateCrl(der, 0);
        der = rootCrl(NOW + 1, list());
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.NotValidNow.selector, NOW + 1, NOW + 1 + 60 days));
        verifier.updateCrl(der, 0);
        verifier.updateCrl(rootCrl(NOW, list()), 0);
        verifier.updateCrl(rootCrl(NOW, list()), 0); // the same again changes nothing
        der = rootCrl(NOW - 1, list());
        vm.expectRevert(IDcapVerifier.OlderThanKnown.selector);
        verifier.updateCrl(der, 0);
        (uint64 from, uint64 until) = verifier.crl(0);
        assertEq(from, NOW, "thisUpdate");
        assertEq(until, NOW + 60 days, "nextUpdate");
    }

    /// @dev attack §7.10
    function test_crl_missingOrExpired() public {
        teachAuthorities();
        bytes memory der = certificate(pckSpec());
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.CrlMissing.selector, bytes32(0)));
        verifier.addPck(der, caId);
        verifier.updateCrl(rootCrl(NOW - 100, list()), 0);
        verifier.addPck(der, caId); // its own list is asked for when the key is used
        teachDocuments();
        bytes memory proof = keyProof(qeReport());
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.CrlMissing.selector, caId));
        verifier.addAttestationKey(proof, pckId);
        verifier.updateCrl(caCrl(NOW - 100, list()), caId);
        verifier.addAttestationKey(proof, pckId);
        bytes memory quote = quoteOf(region4(body(584)));
        verifier.verifyQuote(quote);
        vm.warp(NOW - 100 + 60 days + 1);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.NotValidNow.selector, 0, NOW - 100 + 60 days));
        verifier.verifyQuote(quote);
        // A fresh list of the root is not enough: the authority's has expired too.
        verifier.updateCrl(rootCrl(uint64(block.timestamp), list()), 0);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.NotValidNow.selector, 0, NOW - 100 + 60 days));
        verifier.verifyQuote(quote);
    }

    /// @dev attack §7.10 and §7.28
    function test_crl_revokesTheIntermediate() public {
        teachAll();
        verifier.updateCrl(rootCrl(NOW, list(0xca)), 0);
        assertFalse(verifier.stillAccepted(platformOf(1, 6, hex"060103")), "still accepted");
        bytes memory quote = quoteOf(region4(body(584)));
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.CertificateRevoked.selector, 0xca));
        verifier.verifyQuote(quote);
        // Once revoked, always revoked: a list that no longer names it changes nothing.
        verifier.updateCrl(rootCrl(NOW, list()), 0);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.CertificateRevoked.selector, 0xca));
        verifier.verifyQuote(quote);
        bytes memory der = certificate(pckSpec());
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.CertificateRevoked.selector, 0xca));
        verifier.addPck(der, caId);
    }

    /// @dev attack §7.10 and §7.28
    function test_crl_revokesThePck() public {
        teachAll();
        assertTrue(verifier.stillAccepted(platformOf(1, 6, hex"060103")), "accepted before");
        uint256[] memory serials = new uint256[](3);
        (serials[0], serials[1], serials[2]) = (1, 0x9c, type(uint160).max);
        verifier.updateCrl(caCrl(NOW, serials), caId);
        assertTrue(verifier.revoked(caId, type(uint160).max), "the list's last");
        assertFalse(verifier.revoked(0, 0x9c), "of its issuer only");
        assertFalse(verifier.stillAccepted(platformOf(1, 6, hex"060103")), "still accepted");
        bytes memory quote = quoteOf(region4(body(584)));
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.CertificateRevoked.selector, 0x9c));
        verifier.verifyQuote(quote);
        bytes memory proof = keyProof(qeReport());
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.CertificateRevoked.selector, 0x9c));
        verifier.addAttestationKey(proof, pckId);
        CertSpec memory c = pckSpec();
        bytes memory der = certificate(c);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.CertificateRevoked.selector, 0x9c));
        verifier.addPck(der, caId);
        c.serial = 0x9d; // a new certificate for the revoked key
        der = certificate(c);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.CertificateRevoked.selector, 0x9c));
        verifier.addPck(der, caId);
    }

    /// @dev Whoever had a TCB signer's key could have written anything, up to the highest evaluation number.
    ///      attack §7.10
    function test_crl_revokesTheTcbSigner() public {
        teachAll();
        TcbSpec memory forged = tcbSpec();
        (forged.evaluationNumber, forged.next) = (type(uint32).max, FAR);
        sendTcb(forged);
        verifier.updateCrl(rootCrl(NOW, list(0x51)), 0);
        (uint64 issued, uint64 next, uint32 number,) = verifier.tcbState(FMSPC);
        assertEq(uint256(issued) + next + number, 0, "nothing is known any more");
        bytes memory quote = quoteOf(region4(body(584)));
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.TcbInfoMissing.selector, FMSPC));
        verifier.verifyQuote(quote);
        assertTrue(verifier.stillAccepted(platformOf(1, 6, hex"060103")), "not knowing says nothing against it");
        bytes memory json = tcbJson(tcbSpec());
        bytes memory signature = signRaw(SIGNING, json);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.CertificateRevoked.selector, 0x51));
        verifier.updateTcbInfo(json, signature, signingId);

        uint256 fresh = uint256(keccak256("new signer")) >> 1;
        CertSpec memory c = signingSpec();
        (c.key, c.serial) = (fresh, 0x52);
        bytes32 id = verifier.addAuthority(certificate(c));
        verifier.updateTcbInfo(json, signRaw(fresh, json), id);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.TcbInfoMissing.selector, FMSPC));
        verifier.verifyQuote(quote);
        json = qeJson(qeSpec());
        verifier.updateQeIdentity(json, signRaw(fresh, json), id);
        verifier.verifyQuote(quote);
    }

    // ---------------------------------------------------------------------------------------------------- PCK

    /// @dev attack §7.8
    function test_pck_issuer() public {
        teachAuthorities();
        teachLists();
        bytes memory der = certificate(pckSpec());
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.UnknownId.selector, signingId));
        verifier.addPck(der, signingId); // a TCB signer signs no certificates
        CertSpec memory c = pckSpec();
        c.issuer = rootName();
        der = certificate(c);
        vm.expectRevert(IDcapVerifier.WrongIssuer.selector);
        verifier.addPck(der, caId);
        c = pckSpec();
        c.signer = PCK;
        der = certificate(c);
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.addPck(der, caId);
    }

    /// @dev attack §7.8
    function test_pck_isNoAuthorityAndSigns() public {
        teachAuthorities();
        teachLists();
        CertSpec memory c = pckSpec();
        c.ca = true;
        bytes memory der = certificate(c);
        vm.expectRevert(IDcapVerifier.WrongKeyUsage.selector);
        verifier.addPck(der, caId);
        c = pckSpec();
        c.keyUsage = 0x06;
        der = certificate(c);
        vm.expectRevert(IDcapVerifier.WrongKeyUsage.selector);
        verifier.addPck(der, caId);
    }

    function test_pck_dates() public {
        teachAuthorities();
        teachLists();
        CertSpec memory c = pckSpec();
        c.notAfter = NOW - 1;
        bytes memory der = certificate(c);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.NotValidNow.selector, NOW - 1000, NOW - 1));
        verifier.addPck(der, caId);
        c.notAfter = NOW + 10;
        verifier.addPck(certificate(c), caId);
        teachDocuments();
        verifier.addAttestationKey(keyProof(qeReport()), pckId);
        bytes memory quote = quoteOf(region4(body(584)));
        vm.warp(NOW + 10);
        verifier.verifyQuote(quote);
        vm.warp(NOW + 11);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.NotValidNow.selector, 0, NOW + 10));
        verifier.verifyQuote(quote);
    }

    function test_pck_itsAuthorityExpires() public {
        CertSpec memory c = caSpec();
        c.notAfter = NOW + 10;
        verifier.addAuthority(certificate(c));
        verifier.addAuthority(certificate(signingSpec()));
        teachLists();
        teachDocuments();
        teachMachine();
        vm.warp(NOW + 11);
        bytes memory quote = quoteOf(region4(body(584)));
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.NotValidNow.selector, 0, NOW + 10));
        verifier.verifyQuote(quote);
        assertTrue(verifier.stillAccepted(platformOf(1, 6, hex"060103")), "expiry says nothing against it");
    }

    function test_pck_extension() public {
        teachAuthorities();
        teachLists();
        bytes memory ppid = sgxMember(1, tlv(0x04, new bytes(16)));
        bytes memory tcb = sgxMember(2, seq(sgxTcb(5, 11)));
        bytes memory pceId = sgxMember(3, hex"04020000");
        bytes memory fmspc = sgxMember(4, tlv(0x04, new bytes(6)));
        bytes[] memory bad = new bytes[](9);
        bad[0] = bytes.concat(tcb, pceId, fmspc); // no PPID
        bad[1] = bytes.concat(ppid, pceId, fmspc);
        bad[2] = bytes.concat(ppid, tcb, fmspc);
        bad[3] = bytes.concat(ppid, tcb, pceId);
        bad[4] = bytes.concat(ppid, tcb, pceId, fmspc, fmspc); // twice
        bad[5] = bytes.concat(ppid, sgxMember(2, seq("")), pceId, fmspc); // no SVNs
        bad[6] = bytes.concat(ppid, tcb, sgxMember(3, hex"0403000000"), fmspc); // too long
        bad[7] = bytes.concat(ppid, tcb, pceId, seq(hex"0605551d130401050400")); // another OID
        bad[8] = bytes.concat(ppid, sgxMember(2, tlv(0x31, sgxTcb(5, 11))), pceId, fmspc);
        for (uint256 i; i < bad.length; ++i) {
            CertSpec memory c = pckSpec();
            c.sgx = seq(bad[i]);
            bytes memory der = certificate(c);
            vm.expectRevert(DcapParser.BadSgxExtension.selector);
            verifier.addPck(der, caId);
        }
        CertSpec memory none = pckSpec();
        none.sgx = "";
        bytes memory without = certificate(none);
        vm.expectRevert(DcapParser.BadSgxExtension.selector);
        verifier.addPck(without, caId);
    }

    function test_pck_onlyANewerCertificateReplaces() public {
        teachAll();
        CertSpec memory c = pckSpec();
        c.notAfter = FAR - 1;
        c.sgx = sgxExtension(1, 1, hex"0000", FMSPC); // an older TCB level of the same key
        bytes memory der = certificate(c);
        vm.expectRevert(IDcapVerifier.OlderThanKnown.selector);
        verifier.addPck(der, caId);
    }

    // ------------------------------------------------------------------------------------------ TCB documents

    function test_documents_signature() public {
        teachAuthorities();
        bytes memory json = tcbJson(tcbSpec());
        bytes memory signature = signRaw(SIGNING, json);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.CrlMissing.selector, bytes32(0)));
        verifier.updateTcbInfo(json, signature, signingId);
        teachLists();
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.UnknownId.selector, bytes32(uint256(5))));
        verifier.updateTcbInfo(json, signature, bytes32(uint256(5)));
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.UnknownId.selector, bytes32(0)));
        verifier.updateTcbInfo(json, signature, 0);
        bytes memory byCa = signRaw(CA, json);
        vm.expectRevert(IDcapVerifier.WrongKeyUsage.selector);
        verifier.updateTcbInfo(json, byCa, caId);
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.updateTcbInfo(json, byCa, signingId);
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.updateTcbInfo(json, bytes.concat(signature, hex"00"), signingId);
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.updateTcbInfo(bytes.concat(json, " "), signature, signingId);
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.updateQeIdentity(json, byCa, signingId);
        verifier.updateTcbInfo(json, signature, signingId);
    }

    /// @dev attack §7.22
    function test_documents_highS() public {
        highS = true;
        teachAll();
        verifier.verifyQuote(quoteOf(region4(body(584))));
    }

    /// @dev attack §7.7
    function test_documents_oneIsNotTheOther() public {
        teachAuthorities();
        teachLists();
        bytes memory tcb = tcbJson(tcbSpec());
        bytes memory qe = qeJson(qeSpec());
        bytes memory s = signRaw(SIGNING, qe);
        vm.expectRevert();
        verifier.updateTcbInfo(qe, s, signingId);
        s = signRaw(SIGNING, tcb);
        vm.expectRevert();
        verifier.updateQeIdentity(tcb, s, signingId);
    }

    /// @dev attack §7.6
    function test_tcbInfo_datesAndRollback() public {
        teachAuthorities();
        teachLists();
        TcbSpec memory t = tcbSpec();
        t.next = NOW - 1;
        bytes memory json = tcbJson(t);
        bytes memory s = signRaw(SIGNING, json);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.NotValidNow.selector, NOW - 500, NOW - 1));
        verifier.updateTcbInfo(json, s, signingId);
        sendTcb(tcbSpec());
        t = tcbSpec();
        t.evaluationNumber = 16;
        json = tcbJson(t);
        s = signRaw(SIGNING, json);
        vm.expectRevert(IDcapVerifier.OlderThanKnown.selector);
        verifier.updateTcbInfo(json, s, signingId);
        t = tcbSpec();
        t.issued -= 1;
        json = tcbJson(t);
        s = signRaw(SIGNING, json);
        vm.expectRevert(IDcapVerifier.OlderThanKnown.selector);
        verifier.updateTcbInfo(json, s, signingId);
        (uint64 issued, uint64 next, uint32 number, bytes2 pceId) = verifier.tcbState(FMSPC);
        assertEq(issued, NOW - 500, "issueDate");
        assertEq(next, NOW + 30 days, "nextUpdate");
        assertEq(number, 17, "evaluation number");
        assertEq(pceId, bytes2(0), "PCE id");
    }

    function test_qeIdentity_datesAndRollback() public {
        teachAuthorities();
        teachLists();
        QeSpec memory q = qeSpec();
        q.next = NOW - 1;
        bytes memory json = qeJson(q);
        bytes memory s = signRaw(SIGNING, json);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.NotValidNow.selector, NOW - 500, NOW - 1));
        verifier.updateQeIdentity(json, s, signingId);
        sendQe(qeSpec());
        q = qeSpec();
        q.evaluationNumber = 16;
        json = qeJson(q);
        s = signRaw(SIGNING, json);
        vm.expectRevert(IDcapVerifier.OlderThanKnown.selector);
        verifier.updateQeIdentity(json, s, signingId);
        q = qeSpec();
        q.issued -= 1;
        json = qeJson(q);
        s = signRaw(SIGNING, json);
        vm.expectRevert(IDcapVerifier.OlderThanKnown.selector);
        verifier.updateQeIdentity(json, s, signingId);
    }

    /// @dev attack §7.6
    function test_documents_expire() public {
        teachAll();
        bytes memory quote = quoteOf(region4(body(584)));
        vm.warp(NOW + 30 days);
        verifier.verifyQuote(quote);
        vm.warp(NOW + 30 days + 1);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.NotValidNow.selector, 0, NOW + 30 days));
        verifier.verifyQuote(quote);
        TcbSpec memory t = tcbSpec();
        (t.issued, t.next) = (NOW, NOW + 50 days);
        sendTcb(t);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.NotValidNow.selector, 0, NOW + 30 days));
        verifier.verifyQuote(quote);
        bytes memory proof = keyProof(qeReport());
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.NotValidNow.selector, 0, NOW + 30 days));
        verifier.addAttestationKey(proof, pckId);
        QeSpec memory q = qeSpec();
        (q.issued, q.next) = (NOW, NOW + 40 days);
        sendQe(q);
        verifier.verifyQuote(quote);
    }

    // --------------------------------------------------------------------------------------- attestation keys

    function refusesQe(bytes memory report, string memory what) private {
        bytes memory proof = keyProof(report);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.BadQeReport.selector, what));
        verifier.addAttestationKey(proof, pckId);
    }

    /// @dev attack §7.14
    function test_attestationKey_proof() public {
        teachAuthorities();
        teachLists();
        bytes memory proof = keyProof(qeReport());
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.UnknownId.selector, pckId));
        verifier.addAttestationKey(proof, pckId);
        verifier.addPck(certificate(pckSpec()), caId);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.BadQeReport.selector, "no identity known"));
        verifier.addAttestationKey(proof, pckId);
        sendQe(qeSpec());
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.BadQeReport.selector, "length"));
        verifier.addAttestationKey(new bytes(511), pckId);
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.BadQeReport.selector, "length"));
        verifier.addAttestationKey(new bytes(1025), pckId);
        bytes memory other = bytes.concat(proof);
        other[0] ^= 0x01; // the key is not the one that the report binds
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.BadQeReport.selector, "key"));
        verifier.addAttestationKey(other, pckId);
        other = bytes.concat(proof, hex"00"); // authentication data is bound too
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.BadQeReport.selector, "key"));
        verifier.addAttestationKey(other, pckId);
        other = bytes.concat(proof);
        other[64] ^= 0x01;
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.addAttestationKey(other, pckId);
        verifier.addAttestationKey(proof, pckId);
    }

    /// @dev attack §7.15
    function test_attestationKey_report() public {
        teachAuthorities();
        teachLists();
        teachDocuments();
        verifier.addPck(certificate(pckSpec()), caId);
        refusesQe(put(qeReport(), 320, hex"00"), "key");
        refusesQe(put(qeReport(), 383, hex"01"), "report data");
        refusesQe(put(qeReport(), 16, hex"01"), "misc select");
        refusesQe(put(qeReport(), 48, hex"17"), "attributes"); // debug
        refusesQe(put(qeReport(), 48, hex"14"), "attributes"); // not initialised
        refusesQe(put(qeReport(), 159, hex"00"), "signer");
        refusesQe(put(qeReport(), 256, hex"01"), "product"); // the SGX quoting enclave
        refusesQe(put(qeReport(), 257, hex"01"), "product");
        refusesQe(put(qeReport(), 258, hex"03"), "svn");
        verifier.addAttestationKey(keyProof(put(qeReport(), 48, hex"11")), pckId); // masked out
        verifier.addAttestationKey(keyProof(put(qeReport(), 258, hex"0001")), pckId); // 256
        bytes memory older = keyProof(qeReport());
        vm.expectRevert(IDcapVerifier.OlderThanKnown.selector);
        verifier.addAttestationKey(older, pckId);
    }

    // -------------------------------------------------------------------------------------------------- quotes

    function test_quote_versions() public {
        teachAll();
        bytes memory report = put(body(584), 184, hex"aa"); // MRCONFIGID
        VerifiedQuote memory q = verifier.verifyQuote(quoteOf(region4(report)));
        assertEq(q.quoteHash, sha256(region4(report)), "quote hash");
        assertEq(PlatformTcb.unwrap(q.platform), PlatformTcb.unwrap(platformOf(1, 6, hex"060103")), "platform");
        assertEq(uint256(q.status), uint256(TcbStatus.UpToDate), "status");
        bytes32 machine = keccak256(abi.encodePacked(hex"000102030405060708090a0b0c0d0e0f", FMSPC));
        assertEq(verifier.platformId(q.platform), machine, "machine");
        bytes memory data;
        for (uint256 i = 520; i < 584; ++i) {
            data = bytes.concat(data, report[i]);
        }
        assertEq(abi.encodePacked(q.reportData0, q.reportData1), data, "report data");
        assertEq(verifier.verifyQuote(quoteOf(region5(report))).codeHash, q.codeHash, "version 5");
        bytes memory long = put(body(648), 184, hex"aa");
        assertEq(verifier.verifyQuote(quoteOf(region5(long))).codeHash, q.codeHash, "TD report 1.5");
        // What follows the key is not read.
        assertEq(verifier.verifyQuote(bytes.concat(quoteOf(region4(report)), "tail")).codeHash, q.codeHash, "tail");
    }

    /// @dev Each register is in the code hash, MROWNER is not.
    function test_quote_codeHash() public {
        teachAll();
        bytes32 code = verifier.verifyQuote(quoteOf(region4(body(584)))).codeHash;
        uint256[8] memory measured = [uint256(136), 183, 184, 231, 328, 375, 471, 519];
        for (uint256 i; i < measured.length; ++i) {
            bytes memory b = body(584);
            b[measured[i]] ^= 0x01;
            assertTrue(verifier.verifyQuote(quoteOf(region4(b))).codeHash != code, "measured");
        }
        assertTrue(verifier.verifyQuote(quoteOf(region4(put(body(584), 128, hex"e7")))).codeHash == code, "same");
        assertTrue(verifier.verifyQuote(quoteOf(region4(put(body(584), 128, hex"e3")))).codeHash != code, "XFAM");
        assertTrue(
            verifier.verifyQuote(quoteOf(region4(put(body(584), 123, hex"50")))).codeHash != code, "TD attributes"
        );
        assertEq(verifier.verifyQuote(quoteOf(region4(put(body(584), 232, hex"01")))).codeHash, code, "MROWNER");
    }

    /// @dev attack §7.11 and §7.17
    function test_quote_header() public {
        teachAll();
        bytes memory r = region4(body(584));
        refusesQuote(put(bytes.concat(r), 0, hex"0300"), "header");
        refusesQuote(put(bytes.concat(r), 0, hex"0600"), "header");
        refusesQuote(put(bytes.concat(r), 2, hex"03"), "header"); // ECDSA P-384
        refusesQuote(put(bytes.concat(r), 4, hex"00"), "header"); // SGX
        refusesQuote(put(bytes.concat(r), 12, hex"00"), "vendor");
        bytes memory five = region5(body(584));
        refusesQuote(put(bytes.concat(five), 48, hex"0100"), "body type"); // SGX
        refusesQuote(put(bytes.concat(five), 48, hex"0300"), "body type"); // size of the other
        refusesQuote(put(bytes.concat(five), 50, hex"49"), "body type");
        // A version 5 body read as version 4 has shifted fields, whoever signed it.
        bytes memory confused = quoteOf(put(bytes.concat(five), 0, hex"04"));
        vm.expectRevert();
        verifier.verifyQuote(confused);
    }

    /// @dev attack §7.11
    function test_quote_truncated() public {
        teachAll();
        bytes[2] memory quotes = [quoteOf(region4(body(584))), quoteOf(region5(body(648)))];
        for (uint256 k; k < 2; ++k) {
            for (uint256 n; n < quotes[k].length; n += n < 740 ? 37 : 1) {
                bytes memory cut = new bytes(n);
                for (uint256 i; i < n; ++i) {
                    cut[i] = quotes[k][i];
                }
                (bool ok, bytes memory why) = address(verifier).call(abi.encodeCall(verifier.verifyQuote, (cut)));
                assertFalse(ok, "accepted");
                assertEq(why, abi.encodeWithSelector(IDcapVerifier.BadQuote.selector, "length"), "reason");
            }
        }
    }

    /// @dev attack §7.4, §7.16 and §7.17
    function test_quote_body() public {
        teachAll();
        refusesQuote(region4(put(body(584), 64, hex"01")), "module signer");
        refusesQuote(region4(put(body(584), 111, hex"01")), "module signer");
        refusesQuote(region4(put(body(584), 112, hex"01")), "module attributes");
        refusesQuote(region4(put(body(584), 120, hex"01")), "TD attributes"); // DEBUG
        refusesQuote(region4(put(body(584), 120, hex"02")), "TD attributes");
        refusesQuote(region4(put(body(584), 123, hex"30")), "TD attributes"); // MIGRATABLE
        refusesQuote(region4(put(body(584), 127, hex"01")), "TD attributes");
        refusesQuote(region4(put(body(584), 123, hex"00")), "SEPT_VE_DISABLE");
        verifier.verifyQuote(quoteOf(region4(put(body(584), 123, hex"d000000080")))); // PKS, KL, PERFMON
        refusesQuote(region5(put(body(648), 600, hex"01")), "service TD");
        refusesQuote(region5(put(body(648), 647, hex"01")), "service TD");
    }

    /// @dev attack §7.12 and §7.13
    function test_quote_signatureAndKey() public {
        bytes memory quote = quoteOf(region4(body(584)));
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.UnknownId.selector, idOf(AK)));
        verifier.verifyQuote(quote);
        teachAll();
        bytes memory bad = bytes.concat(quote);
        bad[600] ^= 0x01;
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.verifyQuote(bad);
        bad = put(bytes.concat(quote), 636, new bytes(64)); // r = s = 0
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.verifyQuote(bad);
        bad = put(bytes.concat(quote), 668, abi.encodePacked(ORDER));
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.verifyQuote(bad);
        bad = put(bytes.concat(quote), 636, abi.encodePacked(ORDER));
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.verifyQuote(bad);
        bad = bytes.concat(quote);
        bad[700] ^= 0x01;
        vm.expectPartialRevert(IDcapVerifier.UnknownId.selector);
        verifier.verifyQuote(bad);
        highS = true; // another blob, the same quote
        assertEq(
            verifier.verifyQuote(quoteOf(region4(body(584)))).quoteHash, verifier.verifyQuote(quote).quoteHash, "hash"
        );
    }

    // ---------------------------------------------------------------------------------------------- TCB levels

    /// @dev attack §7.7
    function test_tcb_unknownPlatform() public {
        teachAuthorities();
        teachLists();
        TcbSpec memory t = tcbSpec();
        t.fmspc = "00DE50000001";
        sendTcb(t);
        sendQe(qeSpec());
        teachMachine();
        bytes memory quote = quoteOf(region4(body(584)));
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.TcbInfoMissing.selector, FMSPC));
        verifier.verifyQuote(quote);
        t = tcbSpec();
        t.pceId = "0001";
        sendTcb(t);
        notAccepted(TcbStatus.None);
    }

    /// @dev attack §7.16
    function test_tcb_module() public {
        teachAll();
        bytes memory quote = quoteOf(region4(put(body(584), 0, hex"0501"))); // below the newest of version 1
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.TcbNotAccepted.selector, TcbStatus.OutOfDate));
        verifier.verifyQuote(quote);
        verifier.verifyQuote(quoteOf(region4(put(body(584), 0, hex"0303"))));
        quote = quoteOf(region4(put(body(584), 0, hex"ff02"))); // unknown version
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.TcbNotAccepted.selector, TcbStatus.OutOfDate));
        verifier.verifyQuote(quote);
        verifier.verifyQuote(quoteOf(region4(put(body(584), 0, hex"0000")))); // version 0 has no identity
        // A module that a newer document no longer names is no longer accepted.
        TcbSpec memory t = tcbSpec();
        t.modules = string.concat("[", moduleJson("TDX_03", "00", 3, "UpToDate"), "]");
        t.evaluationNumber = 18;
        sendTcb(t);
        notAccepted(TcbStatus.OutOfDate);
        // Nor one of another signer, nor one whose newest level is not up to date.
        t.modules = string.concat("[", moduleJson("TDX_01", "01", 3, "UpToDate"), "]");
        sendTcb(t);
        notAccepted(TcbStatus.OutOfDate);
        t.modules = string.concat("[", moduleJson("TDX_01", "00", 6, "OutOfDate"), "]");
        sendTcb(t);
        notAccepted(TcbStatus.OutOfDate);
    }

    /// @dev attack §7.5
    function test_tcb_statuses() public {
        teachAll();
        TcbSpec memory t = tcbSpec();
        t.status = "SWHardeningNeeded";
        sendTcb(t);
        VerifiedQuote memory q = verifier.verifyQuote(quoteOf(region4(body(584))));
        assertEq(uint256(q.status), uint256(TcbStatus.SWHardeningNeeded), "status");
        string[6] memory words = [
            "ConfigurationNeeded",
            "ConfigurationAndSWHardeningNeeded",
            "OutOfDate",
            "OutOfDateConfigurationNeeded",
            "Revoked",
            "NeverHeardOf"
        ];
        for (uint256 i; i < words.length; ++i) {
            t.status = words[i];
            sendTcb(t);
            notAccepted(i == 5 ? TcbStatus.None : TcbStatus(i + 3));
            assertFalse(verifier.stillAccepted(platformOf(1, 6, hex"060103")), "still accepted");
        }
    }

    /// @dev attack §7.5
    function test_tcb_levels() public {
        teachAll();
        bytes memory quote = quoteOf(region4(put(body(584), 2, hex"02"))); // the SEAM loader's SVN
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.TcbNotAccepted.selector, TcbStatus.OutOfDate));
        verifier.verifyQuote(quote);
        quote = quoteOf(region4(put(body(584), 2, hex"01")));
        vm.expectRevert(abi.encodeWithSelector(IDcapVerifier.TcbNotAccepted.selector, TcbStatus.None));
        verifier.verifyQuote(quote);
    }

    /// @dev A PCK certificate below the highest level: of its components, or of its PCE alone.
    function test_tcb_levelOfThePck() public {
        teachAuthorities();
        teachLists();
        teachDocuments();
        bytes[3] memory extensions = [
            sgxExtension(4, 11, hex"0000", FMSPC),
            sgxExtension(9, 10, hex"0000", FMSPC),
            sgxExtension(1, 11, hex"0000", FMSPC)
        ];
        TcbStatus[3] memory expected = [TcbStatus.Revoked, TcbStatus.Revoked, TcbStatus.None];
        for (uint256 i; i < 3; ++i) {
            CertSpec memory c = pckSpec();
            (c.sgx, c.serial) = (extensions[i], i + 1);
            verifier.addPck(certificate(c), caId);
            verifier.addAttestationKey(keyProof(qeReport()), pckId);
            notAccepted(expected[i]);
        }
    }

    /// @dev attack §7.15 and §7.25
    function test_tcb_qe() public {
        teachAll();
        QeSpec memory q = qeSpec();
        q.svn = 7; // the QE fell behind after its key was added
        sendQe(q);
        notAccepted(TcbStatus.OutOfDate);
        assertFalse(verifier.stillAccepted(platformOf(1, 6, hex"060103")), "still accepted");
        assertTrue(verifier.stillAccepted(platformOf(1, 7, hex"060103")), "a newer one is");
    }

    /// @dev The comparison of sixteen SVNs at once, against the obvious one.
    function testFuzz_tcb_comparison(bytes16 have, uint8 index, uint8 less) public {
        teachAuthorities();
        teachLists();
        teachDocuments();
        index = uint8(bound(index, 0, 15));
        bytes memory tcb;
        for (uint8 i = 1; i <= 16; ++i) {
            uint256 svn = i - 1 == index ? less : uint256(uint8(have[i - 1])) % 251 + 5;
            tcb = bytes.concat(
                tcb, seq(bytes.concat(tlv(0x06, abi.encodePacked(hex"2a864886f84d010d0102", i)), integer(svn)))
            );
        }
        tcb = bytes.concat(tcb, seq(bytes.concat(tlv(0x06, hex"2a864886f84d010d010211"), integer(11))));
        CertSpec memory c = pckSpec();
        c.sgx = seq(
            bytes.concat(
                sgxMember(1, tlv(0x04, new bytes(16))),
                sgxMember(2, seq(tcb)),
                sgxMember(3, hex"04020000"),
                sgxMember(4, tlv(0x04, abi.encodePacked(FMSPC)))
            )
        );
        verifier.addPck(certificate(c), caId);
        assertEq(verifier.stillAccepted(platformOf(1, 6, hex"060103")), less >= 5, "meets the level");
    }

    function assertEq(bool a, bool b, string memory m) private pure {
        vm.assertEq(a, b, m);
    }

    function test_stillAccepted_unknown() public view {
        assertFalse(verifier.stillAccepted(platformOf(1, 6, hex"060103")), "unknown");
    }
}
