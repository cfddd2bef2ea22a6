// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DcapParser} from "../../src/attestation/DcapParser.sol";
import {DcapVerifier} from "../../src/attestation/DcapVerifier.sol";
import {IDcapVerifier, TcbStatus, VerifiedQuote} from "../../src/interfaces/IDcapVerifier.sol";
import {Certificate} from "../../src/attestation/X509.sol";
import {Vm} from "../utils/Vm.sol";
import {Collateral} from "./Collateral.sol";
import {lastWord} from "./Pki.sol";

/// @notice Quotes that real machines made, below Intel's root. Not part of the project; skipped where they are absent.
contract AttestationSamplesTest is Collateral {
    string private constant FOLDER = "../../shared/samples/tee/dcap-qvl/";

    function begin(string memory collateral, uint256 time) private {
        avm.skip(!present(), "no real samples in ../../shared/samples/tee");
        vm.warp(time);
        vm.chainId(16_661);
        json = vm.readFile(string.concat(FOLDER, collateral));
        Certificate memory root =
            new DcapParser().certificate(avm.readFileBinary(string.concat(FOLDER, "IntelSGXRootCA.der")));
        verifier = new DcapVerifier(root.x, root.y, root.subjectHash, false);
    }

    /// @dev Forge refuses to look at a folder that it cannot resolve.
    function present() private view returns (bool) {
        try vm.exists(FOLDER) returns (bool there) {
            return there;
        } catch {
            return false;
        }
    }

    function load(string memory name) private view returns (bytes memory) {
        return avm.readFileBinary(string.concat(FOLDER, name));
    }

    /// @dev The n-th certificate of a PEM text.
    function pem(bytes memory text, uint256 n) internal pure returns (bytes memory der) {
        uint256 at;
        for (uint256 skip = n + 1; skip > 0; --skip) {
            while (!startsWith(text, at, "-----BEGIN CERTIFICATE-----")) ++at;
            at += 27;
        }
        der = new bytes(text.length - at);
        uint256 length;
        uint256 word;
        uint256 have;
        for (; text[at] != "-"; ++at) {
            uint8 c = uint8(text[at]);
            if (c == 10 || c == 13 || c == 61) continue;
            uint256 v = c >= 97 ? c - 71 : c >= 65 ? c - 65 : c >= 48 ? c + 4 : c == 43 ? 62 : 63;
            (word, have) = ((word << 6) | v, have + 6);
            if (have >= 8) {
                have -= 8;
                der[length++] = bytes1(uint8(word >> have));
                word &= (1 << have) - 1;
            }
        }
        assembly ("memory-safe") {
            mstore(der, length)
        }
    }

    function startsWith(bytes memory text, uint256 at, bytes memory what) private pure returns (bool) {
        for (uint256 i; i < what.length; ++i) {
            if (text[at + i] != what[i]) return false;
        }
        return true;
    }

    function chainIn(bytes memory quote) private pure returns (bytes memory) {
        uint256 at = signatureAt(quote) + 584;
        at += uint8(quote[at - 2]) + 256 * uint256(uint8(quote[at - 1])) + 6;
        return cut(quote, at, quote.length - at);
    }

    function teach(bytes memory quote) private {
        bytes memory chain = chainIn(quote);
        bytes memory signing = pem(textMember(".", "tcb_info_issuer_chain"), 0);
        teachCollateral(".", pem(chain, 1), signing, pem(chain, 0));
        teachKeyOf(quote);
    }

    /// @dev attack §7.22
    function test_realQuote() public {
        begin("tdx_quote_collateral.json", 1_751_328_000);
        bytes memory quote = load("tdx_quote");
        vm.recordLogs();
        teach(quote);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertGe(logs.length, 8, "events");
        for (uint256 i; i < logs.length; ++i) {
            assertEq(lastWord(logs[i].data), 0, "no development root");
        }
        VerifiedQuote memory q = verifier.verifyQuote(quote);
        assertEq(q.codeHash, 0x43fa25aabb28edc2c45fd335b031dd0dbb0e910abe5a4f8c1ac0c96851b1539e, "workload id");
        assertEq(uint256(q.status), uint256(TcbStatus.UpToDate), "status");
        bytes memory flipped = bytes.concat(quote);
        flipped[300] ^= 0x01;
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.verifyQuote(flipped);
        vm.warp(1_754_006_400);
        vm.expectPartialRevert(IDcapVerifier.NotValidNow.selector);
        verifier.verifyQuote(quote);
    }

    function test_outdatedQuote() public {
        begin("tdx_quote_outdated_collateral.json", 1_772_323_200);
        bytes memory quote = load("tdx_quote_outdated");
        teach(quote);
        vm.expectPartialRevert(IDcapVerifier.TcbNotAccepted.selector);
        verifier.verifyQuote(quote);
    }

    /// @dev A simulated platform's certificates do not pass below Intel's root, nor Intel's below another.
    ///      attack §7.23
    function test_rootsDoNotMix() public {
        begin("tdx_quote_collateral.json", 1_767_225_600);
        string memory development = vm.readFile("../tests/vectors/tee/development.json");
        bytes memory simulated = vm.parseJsonBytes(development, ".intermediate");
        vm.expectRevert(IDcapVerifier.WrongIssuer.selector);
        verifier.addAuthority(simulated);
        vm.chainId(31_337);
        Certificate memory c = new DcapParser().certificate(vm.parseJsonBytes(development, ".root"));
        DcapVerifier other = new DcapVerifier(c.x, c.y, c.subjectHash, true);
        bytes memory real = pem(chainIn(load("tdx_quote")), 1);
        vm.expectRevert(IDcapVerifier.WrongIssuer.selector);
        other.addAuthority(real);
    }
}
