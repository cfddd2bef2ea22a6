// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";

/// @title P256Verify
/// @notice ECDSA over P-256 as Intel signs: s may lie in the upper half of the order, which OpenZeppelin's library
///         refuses, so it is brought down first. By the precompile of RIP-7212 and EIP-7951 where the caller found that
///         it works, in Solidity otherwise.
library P256Verify {
    uint256 private constant N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551;

    /// @dev From Wycheproof (ecdsa_secp256r1_sha256_p1363), where r = 5 and s = 1.
    bytes32 private constant HASH = 0xbb5a52f42f9c9261ed4361f59422a1e30036e7c32b270c8807a419feca605023;
    bytes32 private constant X = 0xa71af64de5126a4a4e02b7922d66ce9415ce88a4c9d25514d91082c8725ac957;
    bytes32 private constant Y = 0x5d47723c8fbe580bb369fec9c2665d8e30a435b9932645482e7c9f11e872296b;

    /// @param native Whether to ask the precompile; see `precompileWorks`.
    function isValid(bool native, bytes32 hash, bytes32 r, bytes32 s, bytes32 x, bytes32 y)
        internal
        view
        returns (bool)
    {
        if (uint256(r) >= N || uint256(s) >= N || r == 0 || s == 0) return false;
        if (uint256(s) > N / 2) s = bytes32(N - uint256(s));
        return native ? _ask(hash, r, s, x, y) : P256.verifySolidity(hash, r, s, x, y);
    }

    /// @notice Whether the precompile takes a good signature and refuses bad ones: of another hash, by another key, by
    ///         a point off the curve, and zeros. A chain without it, or with something else at its address, fails.
    function precompileWorks() internal view returns (bool) {
        bytes32 one = bytes32(uint256(1));
        return _ask(HASH, bytes32(uint256(5)), one, X, Y) && !_ask(HASH ^ one, bytes32(uint256(5)), one, X, Y)
            && !_ask(HASH, bytes32(uint256(5)), bytes32(uint256(2)), X, Y)
            && !_ask(HASH, bytes32(uint256(5)), one, X, bytes32(P256.P - uint256(Y)))
            && !_ask(HASH, bytes32(uint256(5)), one, X, Y ^ one) && !_ask(HASH, 0, 0, X, Y) && !_ask(0, 0, 0, 0, 0);
    }

    /// @dev Empty data is a refusal and also what an address without code answers; only 32 bytes that are 1 count.
    function _ask(bytes32 hash, bytes32 r, bytes32 s, bytes32 x, bytes32 y) private view returns (bool valid) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, hash)
            mstore(add(p, 0x20), r)
            mstore(add(p, 0x40), s)
            mstore(add(p, 0x60), x)
            mstore(add(p, 0x80), y)
            if staticcall(gas(), 0x100, p, 0xa0, 0x00, 0x20) {
                valid := and(eq(returndatasize(), 0x20), eq(mload(0x00), 1))
            }
        }
    }
}
