// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Der} from "./Der.sol";

/// @title Json
/// @notice Reads compact JSON (no white space, no escapes) as Intel signs it, member by member. The text's signature
///         is checked before it is read, so this guards against surprises rather than against attackers.
library Json {
    error Unexpected(uint256 offset);

    /// @notice Steps into an object or array at `at`; `open` is "{" or "[".
    function enter(bytes calldata d, uint256 at, bytes1 open) internal pure returns (uint256) {
        if (d[at] != open) revert Unexpected(at);
        return at + 1;
    }

    /// @notice Whether another element follows, and where it begins. `close` is "}" or "]".
    function more(bytes calldata d, uint256 at, bytes1 close) internal pure returns (bool, uint256) {
        if (d[at] == close) return (false, at + 1);
        return (true, d[at] == "," ? at + 1 : at);
    }

    /// @notice A member's name, hashed, and where its value begins.
    function key(bytes calldata d, uint256 at) internal pure returns (bytes32 name, uint256 value) {
        uint256 start;
        uint256 end;
        (start, end, at) = text(d, at);
        if (d[at] != ":") revert Unexpected(at);
        return (keccak256(d[start:end]), at + 1);
    }

    function text(bytes calldata d, uint256 at) internal pure returns (uint256 start, uint256 end, uint256 next) {
        if (d[at] != '"') revert Unexpected(at);
        start = at + 1;
        end = start;
        while (d[end] != '"') {
            if (d[end] == "\\") revert Unexpected(end);
            ++end;
        }
        next = end + 1;
    }

    function textHash(bytes calldata d, uint256 at) internal pure returns (bytes32 hash, uint256 next) {
        uint256 start;
        uint256 end;
        (start, end, next) = text(d, at);
        hash = keccak256(d[start:end]);
    }

    /// @notice A whole number below 2^32.
    function number(bytes calldata d, uint256 at) internal pure returns (uint256 value, uint256 next) {
        next = at;
        while (uint8(d[next]) >= 48 && uint8(d[next]) <= 57) {
            value = value * 10 + uint8(d[next]) - 48;
            ++next;
        }
        if (next == at || next - at > 10 || value > type(uint32).max) revert Unexpected(at);
    }

    /// @notice Hexadecimal text of exactly `n` bytes (at most 32), left-aligned.
    function hexBytes(bytes calldata d, uint256 at, uint256 n) internal pure returns (bytes32 value, uint256 next) {
        uint256 start;
        uint256 end;
        (start, end, next) = text(d, at);
        if (end - start != 2 * n) revert Unexpected(at);
        uint256 v;
        for (uint256 i = start; i < end; ++i) {
            v = (v << 4) | digit(d, i);
        }
        value = bytes32(v << (8 * (32 - n)));
    }

    /// @notice Whether the text at `at` is hexadecimal zeros.
    function zeros(bytes calldata d, uint256 at) internal pure returns (bool all, uint256 next) {
        uint256 start;
        uint256 end;
        (start, end, next) = text(d, at);
        all = true;
        for (uint256 i = start; i < end; ++i) {
            if (d[i] != "0") all = false;
        }
    }

    /// @notice "2025-06-19T10:16:03Z" as unix seconds.
    function time(bytes calldata d, uint256 at) internal pure returns (uint64 value, uint256 next) {
        uint256 start;
        uint256 end;
        (start, end, next) = text(d, at);
        if (
            end - start != 20 || d[start + 4] != "-" || d[start + 7] != "-" || d[start + 10] != "T"
                || d[start + 13] != ":" || d[start + 16] != ":" || d[start + 19] != "Z"
        ) revert Unexpected(at);
        value = Der.unixTime(
            _two(d, start) * 100 + _two(d, start + 2),
            _two(d, start + 5),
            _two(d, start + 8),
            _two(d, start + 11),
            _two(d, start + 14),
            _two(d, start + 17)
        );
    }

    /// @notice Where the value at `at` ends.
    function skip(bytes calldata d, uint256 at) internal pure returns (uint256) {
        bytes1 c = d[at];
        if (c == '"') {
            (,, at) = text(d, at);
            return at;
        }
        if (c == "{" || c == "[") {
            uint256 depth;
            do {
                c = d[at];
                if (c == '"') {
                    (,, at) = text(d, at);
                    continue;
                }
                if (c == "{" || c == "[") ++depth;
                if (c == "}" || c == "]") --depth;
                ++at;
            } while (depth != 0);
            return at;
        }
        while (d[at] != "," && d[at] != "}" && d[at] != "]") ++at;
        return at;
    }

    /// @notice One hexadecimal digit.
    function digit(bytes calldata d, uint256 at) internal pure returns (uint256) {
        uint8 c = uint8(d[at]);
        if (c >= 48 && c <= 57) return c - 48;
        if (c >= 65 && c <= 70) return c - 55;
        if (c >= 97 && c <= 102) return c - 87;
        revert Unexpected(at);
    }

    function _two(bytes calldata d, uint256 at) private pure returns (uint256) {
        uint256 tens = digit(d, at);
        uint256 ones = digit(d, at + 1);
        if (tens > 9 || ones > 9) revert Unexpected(at);
        return tens * 10 + ones;
    }
}
