// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DcapVerifier} from "../../src/attestation/DcapVerifier.sol";
import {DcapParser} from "../../src/attestation/DcapParser.sol";
import {Certificate} from "../../src/attestation/X509.sol";
import {Test} from "../utils/Vm.sol";
import {AttestationVm} from "./Pki.sol";

/// @notice Brings a quote's collateral, as C++ keeps it in a JSON file, to a verifier.
abstract contract Collateral is Test {
    AttestationVm internal constant avm = AttestationVm(address(vm));

    DcapVerifier internal verifier;
    string internal json;
    bytes32 internal signingId;
    bytes32 internal authorityId;
    bytes32 internal pckId;

    function teachCollateral(string memory at, bytes memory authority, bytes memory signing, bytes memory pck)
        internal
    {
        authorityId = verifier.addAuthority(authority);
        signingId = verifier.addAuthority(signing);
        verifier.updateCrl(hexMember(at, "root_ca_crl"), 0);
        verifier.updateCrl(hexMember(at, "pck_crl"), authorityId);
        verifier.updateTcbInfo(textMember(at, "tcb_info"), hexMember(at, "tcb_info_signature"), signingId);
        verifier.updateQeIdentity(textMember(at, "qe_identity"), hexMember(at, "qe_identity_signature"), signingId);
        pckId = verifier.addPck(pck, authorityId);
    }

    function hexMember(string memory at, string memory name) internal view returns (bytes memory) {
        return avm.parseBytes(string.concat("0x", vm.parseJsonString(json, string.concat(at, name))));
    }

    function textMember(string memory at, string memory name) internal view returns (bytes memory) {
        return bytes(vm.parseJsonString(json, string.concat(at, name)));
    }

    function teachKeyOf(bytes memory quote) internal {
        verifier.addAttestationKey(proofIn(quote), pckId);
    }

    function idIn(bytes memory der) internal returns (bytes32) {
        Certificate memory c = new DcapParser().certificate(der);
        return keccak256(abi.encode(c.x, c.y));
    }

    function cut(bytes memory from, uint256 at, uint256 n) internal pure returns (bytes memory out) {
        require(at + n <= from.length, "beyond the end");
        out = new bytes(n);
        for (uint256 i; i < n; ++i) {
            out[i] = from[at + i];
        }
    }

    /// @dev Where the signature section begins, behind its length.
    function signatureAt(bytes memory quote) internal pure returns (uint256) {
        return quote[0] == 0x04 ? 636 : quote[48] == 0x02 ? 642 : 706;
    }

    /// @dev key ‖ QE report ‖ its signature ‖ authentication data, out of the signature section.
    function proofIn(bytes memory quote) internal pure returns (bytes memory) {
        uint256 at = signatureAt(quote);
        uint256 auth = uint8(quote[at + 582]) + 256 * uint256(uint8(quote[at + 583]));
        return bytes.concat(cut(quote, at + 64, 64), cut(quote, at + 134, 448), cut(quote, at + 584, auth));
    }
}
