// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title TappRuntime
/// @notice The text that 0G Tapp (0.4 and newer) hashes into a quote's report data:
///         {"nonce":"0x…","signer":"0x…"} and possibly more members; hexadecimal in lower case, nothing between the parts.
library TappRuntime {
    /// @notice Whether the text begins with this nonce of 32 bytes and this signer.
    /// @dev The service fixes the order of the members and what stands between them; whoever asks for evidence chooses the
    ///      nonce's bytes alone.
    function names(bytes calldata text, bytes32 nonce, address signer) internal pure returns (bool) {
        bytes memory expected = abi.encodePacked(
            '{"nonce":"0x',
            _hex(bytes16(nonce)),
            _hex(bytes16(nonce << 128)),
            '","signer":"0x',
            _hex(bytes16(bytes20(signer))),
            bytes8(_hex(bytes16(bytes20(signer) << 128))),
            '"'
        );
        return text.length > expected.length && keccak256(text[:expected.length]) == keccak256(expected);
    }

    /// @dev 16 bytes as 32 hexadecimal digits: the half-bytes are spread out, then all turned into text at once.
    function _hex(bytes16 value) private pure returns (bytes32) {
        uint256 x = uint128(value);
        x = (x | x << 64) & 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff;
        x = (x | x << 32) & 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
        x = (x | x << 16) & 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;
        x = (x | x << 8) & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
        x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
        uint256 ones = type(uint256).max / 0xff;
        uint256 letters = (x + 6 * ones) >> 4 & ones; // 1 where the digit is a letter
        return bytes32(x + 0x30 * ones + 0x27 * letters);
    }
}
