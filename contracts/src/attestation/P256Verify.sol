// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";

/// @title P256Verify
/// @notice ECDSA over P-256 as Intel signs: s may lie in the upper half of the order, which OpenZeppelin's library
///         refuses, so it is brought down first. Uses the RIP-7212 precompile where the chain has one.
library P256Verify {
    uint256 private constant N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551;

    function isValid(bytes32 hash, bytes32 r, bytes32 s, bytes32 x, bytes32 y) internal view returns (bool) {
        if (uint256(s) >= N) return false;
        if (uint256(s) > N / 2) s = bytes32(N - uint256(s));
        return P256.verify(hash, r, s, x, y);
    }
}
