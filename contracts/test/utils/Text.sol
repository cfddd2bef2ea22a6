// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What tests read out of texts.
library Text {
    /// @dev The Base64 of `uri` behind its first `skip` letters.
    function decoded(string memory uri, uint256 skip) internal pure returns (string memory) {
        bytes memory b = bytes(uri);
        bytes memory out = new bytes((b.length - skip) / 4 * 3);
        uint256 n;
        for (uint256 i = skip; i + 3 < b.length; i += 4) {
            uint256 word;
            uint256 pad;
            for (uint256 j; j < 4; ++j) {
                (uint256 v, bool padding) = digit(b[i + j]);
                word = (word << 6) | v;
                if (padding) ++pad;
            }
            for (uint256 j; j < 3 - pad; ++j) {
                out[n++] = bytes1(uint8(word >> (16 - 8 * j)));
            }
        }
        assembly ("memory-safe") {
            mstore(out, n)
        }
        return string(out);
    }

    function digit(bytes1 c) private pure returns (uint256, bool) {
        uint8 x = uint8(c);
        if (c == "=") return (0, true);
        if (c == "+") return (62, false);
        if (c == "/") return (63, false);
        if (x <= 57) return (x + 4, false);
        if (x <= 90) return (x - 65, false);
        return (x - 71, false);
    }

    function contains(string memory text, string memory part) internal pure returns (bool) {
        return find(text, part) != type(uint256).max;
    }

    /// @dev Where `part` begins first; the largest number if nowhere.
    function find(string memory text, string memory part) internal pure returns (uint256) {
        bytes memory a = bytes(text);
        bytes memory b = bytes(part);
        for (uint256 i; i + b.length <= a.length; ++i) {
            uint256 j;
            while (j < b.length && a[i + j] == b[j]) ++j;
            if (j == b.length) return i;
        }
        return type(uint256).max;
    }
}
