// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DcapVerifier} from "../../src/attestation/DcapVerifier.sol";
import {IDcapVerifier, TcbStatus} from "../../src/interfaces/IDcapVerifier.sol";
import {CertSpec} from "./Pki.sol";
import {Platform} from "./Platform.sol";

/// @notice A verdict that is kept is the verdict that would be reached now: two verifiers hear the same, one of them
///         keeps verdicts, and they never differ (attacks §7.5, §7.6, §7.25, §7.28).
/// forge-config: default.evm_version = "osaka"
/// forge-config: default.fuzz.runs = 32
/// forge-config: ci.evm_version = "osaka"
/// forge-config: ci.fuzz.runs = 64
/// forge-config: long.evm_version = "osaka"
contract VerdictCacheTest is Platform {
    DcapVerifier private plain; // never keeps a verdict
    uint256 private random;
    uint256 private accepted;

    function setUp() public override {
        super.setUp();
        (uint256 x, uint256 y) = avm.publicKeyP256(ROOT);
        plain = new DcapVerifier(bytes32(x), bytes32(y), keccak256(rootName()), true);
        teachAll();
        (verifier, plain) = (plain, verifier);
        teachAll();
    }

    function below(uint256 n) private returns (uint256) {
        random = uint256(keccak256(abi.encode(random)));
        return random % n;
    }

    function both(bytes memory call_) private {
        (bool ok, bytes memory a) = address(verifier).call(call_);
        (bool ok2, bytes memory b) = address(plain).call(call_);
        assertTrue(ok == ok2 && keccak256(a) == keccak256(b), "they heard the same");
    }

    /// @dev A quote on TDX module 1.6, one on 3.3, and one below the floor.
    function compare() private {
        bytes3[3] memory svns = [bytes3(hex"060103"), hex"030303", hex"060102"];
        for (uint256 i; i < 3; ++i) {
            bytes memory quote = quoteOf(region4(put(body(584), 0, abi.encodePacked(svns[i]))));
            (bool ok, bytes memory expected) = address(plain).staticcall(abi.encodeCall(plain.verifyQuote, (quote)));
            bytes[2] memory calls =
                [abi.encodeCall(plain.verifyQuote, (quote)), abi.encodeCall(plain.verifyAndCache, (quote))];
            for (uint256 k; k < 4; ++k) {
                if (k != 1 && below(3) == 0) continue;
                (bool ok2, bytes memory got) = address(verifier).call(calls[k % 2]);
                assertTrue(ok == ok2, ok ? "refused from the cache" : "accepted from the cache");
                assertEq(got, expected, "another result");
            }
            if (ok) ++accepted;
        }
    }

    function step() private {
        uint64 now_ = uint64(block.timestamp);
        uint256 what = below(12);
        if (what < 2) vm.warp(now_ + below(12 days));
        if (what == 2) {
            uint256[4] memory serials = [uint256(0x77), 0x9c, 0x51, 0xca];
            uint256 serial = below(4) == 0 ? serials[below(4)] : 0x77;
            bytes memory der = crlOf(ROOT, rootName(), now_, uint64(now_ + below(60 days)), list(serial));
            both(abi.encodeCall(verifier.updateCrl, (der, 0)));
        }
        if (what == 3) {
            uint256 serial = below(8) == 0 ? 0x9c : 0x77;
            bytes memory der = crlOf(CA, named("Test SGX PCK CA"), now_, uint64(now_ + below(60 days)), list(serial));
            both(abi.encodeCall(verifier.updateCrl, (der, caId)));
        }
        if (what > 3 && what < 7) {
            TcbSpec memory t = tcbSpec();
            (t.issued, t.next) = (now_, uint64(now_ + below(40 days)));
            t.evaluationNumber = 17 + below(2);
            if (below(3) == 0) t.status = below(2) == 0 ? "OutOfDate" : "SWHardeningNeeded";
            if (below(4) == 0) t.modules = string.concat("[", moduleJson("TDX_03", "00", 3, "UpToDate"), "]");
            bytes memory json = tcbJson(t);
            both(abi.encodeCall(verifier.updateTcbInfo, (json, signRaw(SIGNING, json), signingId)));
        }
        if (what > 6 && what < 9) {
            QeSpec memory q = qeSpec();
            (q.issued, q.next, q.svn) = (now_, uint64(now_ + below(40 days)), 4 + below(4));
            bytes memory json = qeJson(q);
            both(abi.encodeCall(verifier.updateQeIdentity, (json, signRaw(SIGNING, json), signingId)));
        }
        if (what == 9) {
            CertSpec memory c = pckSpec();
            (c.serial, c.notAfter) = (0x100 + below(1000), FAR + uint64(below(1000)));
            if (below(3) == 0) c.sgx = sgxExtension(uint8(2 + below(5)), 11, hex"0000", FMSPC);
            both(abi.encodeCall(verifier.addPck, (certificate(c), caId)));
        }
        if (what == 10) {
            bytes memory report = put(qeReport(), 258, abi.encodePacked(uint8(4 + below(4))));
            both(abi.encodeCall(verifier.addAttestationKey, (keyProof(report), pckId)));
        }
    }

    function testFuzz_neverDiffer(uint256 seed) public {
        random = seed;
        compare();
        for (uint256 i; i < 20; ++i) {
            step();
            compare();
        }
    }

    /// @dev What only extends dates leaves verdicts alone; the quote after it is as cheap as before.
    function test_datesAloneKeepIt() public {
        bytes memory quote = quoteOf(region4(body(584)));
        verifier.verifyAndCache(quote);
        uint256 cheap = costOf(quote);
        TcbSpec memory t = tcbSpec();
        (t.issued, t.next, t.evaluationNumber) = (NOW, NOW + 40 days, 18);
        sendTcb(t);
        QeSpec memory q = qeSpec();
        (q.issued, q.next) = (NOW, NOW + 40 days);
        sendQe(q);
        verifier.updateCrl(rootCrl(NOW, list(0x77)), 0);
        verifier.updateCrl(caCrl(NOW, list(0x77)), caId);
        assertLe(costOf(quote), cheap + 1000, "still kept");
        t.status = "SWHardeningNeeded";
        sendTcb(t);
        assertTrue(verifier.verifyQuote(quote).status == TcbStatus.SWHardeningNeeded, "the new status");
        // The kept one ends when the first of its dates does, even though the documents have later ones now.
        verifier.verifyAndCache(quote);
        vm.warp(NOW + 40 days);
        verifier.verifyAndCache(quote);
        vm.warp(NOW + 40 days + 1);
        vm.expectPartialRevert(IDcapVerifier.NotValidNow.selector);
        verifier.verifyAndCache(quote);
    }

    function costOf(bytes memory quote) private view returns (uint256 gas) {
        gas = gasleft();
        verifier.verifyQuote(quote);
        gas -= gasleft();
    }
}
