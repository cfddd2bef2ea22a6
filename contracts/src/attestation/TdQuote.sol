// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IDcapVerifier} from "../interfaces/IDcapVerifier.sol";

/// @title TdQuote
/// @notice Where things lie in a TDX quote, and what a TD report must say whoever signed it.
library TdQuote {
    bytes16 private constant INTEL_QE_VENDOR = hex"939a7233f79c4ca9940a0db3957f0607";
    uint256 private constant HEADER = 48;
    /// @dev What follows the signed part and is read: length(4), signature(64), attestation key(64).
    uint256 private constant SIGNATURE = 4 + 128;

    /// @notice Version 4: header, TD report 1.0. Version 5: header, body type and size, TD report 1.0 or 1.5.
    /// @return bodyAt Where the TD report begins.
    /// @return regionEnd Where it and the signed part end.
    function layout(bytes calldata quote) internal pure returns (uint256 bodyAt, uint256 regionEnd) {
        if (quote.length < HEADER + 584 + SIGNATURE) revert IDcapVerifier.BadQuote("length");
        if (bytes16(quote[12:28]) != INTEL_QE_VENDOR) revert IDcapVerifier.BadQuote("vendor");
        bytes8 head = bytes8(quote[:8]); // version, key type ECDSA-P256, TEE type TDX; the rest is free
        if (head == hex"0400020081000000") {
            (bodyAt, regionEnd) = (HEADER, HEADER + 584);
        } else if (head == hex"0500020081000000") {
            bytes6 kind = bytes6(quote[HEADER:HEADER + 6]);
            bodyAt = HEADER + 6;
            if (kind == hex"020048020000") regionEnd = bodyAt + 584;
            else if (kind == hex"030088020000") regionEnd = bodyAt + 648;
            else revert IDcapVerifier.BadQuote("body type");
        } else {
            revert IDcapVerifier.BadQuote("header");
        }
        if (quote.length < regionEnd + SIGNATURE) revert IDcapVerifier.BadQuote("length");
    }

    function checkBody(bytes calldata body) internal pure {
        if (bytes32(body[64:96]) != 0 || bytes16(body[96:112]) != 0) revert IDcapVerifier.BadQuote("module signer");
        if (bytes8(body[112:120]) != 0) revert IDcapVerifier.BadQuote("module attributes");
        bytes8 attributes = bytes8(body[120:128]);
        // SEPT_VE_DISABLE must be set; PKS, KL and PERFMON may be; DEBUG and all others must not.
        if (attributes & ~bytes8(hex"000000d000000080") != 0) revert IDcapVerifier.BadQuote("TD attributes");
        if (attributes & hex"0000001000000000" == 0) revert IDcapVerifier.BadQuote("SEPT_VE_DISABLE");
        if (body.length == 648 && (bytes32(body[600:632]) != 0 || bytes16(body[632:648]) != 0)) {
            revert IDcapVerifier.BadQuote("service TD");
        }
    }

    /// @notice keccak256(MRTD ‖ RTMR0..3 ‖ MRCONFIGID ‖ XFAM ‖ TDATTRIBUTES).
    function workloadId(bytes calldata body) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(body[136:184], body[328:520], body[184:232], body[128:136], body[120:128]));
    }

    function reportData(bytes calldata body) internal pure returns (bytes32, bytes32) {
        return (bytes32(body[520:552]), bytes32(body[552:584]));
    }
}
