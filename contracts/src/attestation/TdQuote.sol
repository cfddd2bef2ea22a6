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
    /// @return regionEnd Where it and the signed part end. Signature and attestation key that follow are there, too.
    function layout(bytes calldata quote) internal pure returns (uint256 bodyAt, uint256 regionEnd) {
        if (quote.length < HEADER + 584 + SIGNATURE) revert IDcapVerifier.BadQuote("length");
        if (bytes16(word(quote, 12, 0)) != INTEL_QE_VENDOR) revert IDcapVerifier.BadQuote("vendor");
        bytes8 head = bytes8(word(quote, 0, 0)); // version, key type ECDSA-P256, TEE type TDX; the rest is free
        if (head == hex"0400020081000000") return (HEADER, HEADER + 584);
        if (head != hex"0500020081000000") revert IDcapVerifier.BadQuote("header");
        bytes6 kind = bytes6(word(quote, HEADER, 0));
        bodyAt = HEADER + 6;
        if (kind == hex"020048020000") regionEnd = bodyAt + 584;
        else if (kind == hex"030088020000") regionEnd = bodyAt + 648;
        else revert IDcapVerifier.BadQuote("body type");
        if (quote.length < regionEnd + SIGNATURE) revert IDcapVerifier.BadQuote("length");
    }

    /// @notice The 32 bytes at `base + at`, of which the caller knows that they are there: `layout` checked the length.
    function word(bytes calldata quote, uint256 base, uint256 at) internal pure returns (bytes32 w) {
        assembly ("memory-safe") {
            w := calldataload(add(add(quote.offset, base), at))
        }
    }

    function checkBody(bytes calldata quote, uint256 at, uint256 end) internal pure {
        if (word(quote, at, 64) != 0 || bytes16(word(quote, at, 96)) != 0) {
            revert IDcapVerifier.BadQuote("module signer");
        }
        bytes16 attributes = bytes16(word(quote, at, 112)); // the module's(8), the TD's(8)
        if (bytes8(attributes) != 0) revert IDcapVerifier.BadQuote("module attributes");
        // SEPT_VE_DISABLE must be set; PKS, KL and PERFMON may be; DEBUG and all others must not.
        if (attributes & ~bytes16(uint128(0x000000d000000080)) != 0) revert IDcapVerifier.BadQuote("TD attributes");
        if (attributes & bytes16(uint128(0x0000001000000000)) == 0) revert IDcapVerifier.BadQuote("SEPT_VE_DISABLE");
        if (end - at == 648 && (word(quote, at, 600) != 0 || bytes16(word(quote, at, 632)) != 0)) {
            revert IDcapVerifier.BadQuote("service TD");
        }
    }

    /// @param at Where the TD report begins.
    /// @return id keccak256(MRTD ‖ RTMR0..3 ‖ MRCONFIGID ‖ XFAM ‖ TDATTRIBUTES).
    function workloadId(bytes calldata quote, uint256 at) internal pure returns (bytes32 id) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            let body := add(quote.offset, at)
            calldatacopy(p, add(body, 136), 48)
            calldatacopy(add(p, 48), add(body, 328), 192)
            calldatacopy(add(p, 240), add(body, 184), 48)
            calldatacopy(add(p, 288), add(body, 128), 8)
            calldatacopy(add(p, 296), add(body, 120), 8)
            id := keccak256(p, 304)
        }
    }

    /// @param at Where the TD report begins.
    /// @return id keccak256(MRTD ‖ RTMR0..2 ‖ MRCONFIGID ‖ XFAM ‖ TDATTRIBUTES): the code without RTMR3.
    function platformHash(bytes calldata quote, uint256 at) internal pure returns (bytes32 id) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            let body := add(quote.offset, at)
            calldatacopy(p, add(body, 136), 48)
            calldatacopy(add(p, 48), add(body, 328), 144)
            calldatacopy(add(p, 192), add(body, 184), 48)
            calldatacopy(add(p, 240), add(body, 128), 8)
            calldatacopy(add(p, 248), add(body, 120), 8)
            id := keccak256(p, 256)
        }
    }

    function reportData(bytes calldata quote, uint256 at) internal pure returns (bytes32, bytes32) {
        return (word(quote, at, 520), word(quote, at, 552));
    }
}
