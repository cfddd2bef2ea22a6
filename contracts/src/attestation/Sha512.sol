// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Sha512
/// @notice SHA-512 (FIPS 180-4), for which the EVM has no precompile; about 37 000 gas for each 128 bytes.
/// @dev Words of 64 bits lie in the low bits of 256. Only what is stored is cut to 64 bits; sums may carry more above.
///      A rotation to the right is a shift of the word written twice.
library Sha512 {
    bytes private constant ROUND_CONSTANTS = hex"428a2f98d728ae227137449123ef65cdb5c0fbcfec4d3b2fe9b5dba58189dbbc3956c25bf348b538"
        hex"59f111f1b605d019923f82a4af194f9bab1c5ed5da6d8118d807aa98a303024212835b0145706fbe"
        hex"243185be4ee4b28c550c7dc3d5ffb4e272be5d74f27b896f80deb1fe3b1696b19bdc06a725c71235"
        hex"c19bf174cf692694e49b69c19ef14ad2efbe4786384f25e30fc19dc68b8cd5b5240ca1cc77ac9c65"
        hex"2de92c6f592b02754a7484aa6ea6e4835cb0a9dcbd41fbd476f988da831153b5983e5152ee66dfab"
        hex"a831c66d2db43210b00327c898fb213fbf597fc7beef0ee4c6e00bf33da88fc2d5a79147930aa725"
        hex"06ca6351e003826f142929670a0e6e7027b70a8546d22ffc2e1b21385c26c9264d2c6dfc5ac42aed"
        hex"53380d139d95b3df650a73548baf63de766a0abb3c77b2a881c2c92e47edaee692722c851482353b"
        hex"a2bfe8a14cf10364a81a664bbc423001c24b8b70d0f89791c76c51a30654be30d192e819d6ef5218"
        hex"d69906245565a910f40e35855771202a106aa07032bbd1b819a4c116b8d2d0c81e376c085141ab53"
        hex"2748774cdf8eeb9934b0bcb5e19b48a8391c0cb3c5c95a634ed8aa4ae3418acb5b9cca4f7763e373"
        hex"682e6ff3d6b2b8a3748f82ee5defb2fc78a5636f43172f6084c87814a1f0ab728cc702081a6439ec"
        hex"90befffa23631e28a4506cebde82bde9bef9a3f7b2c67915c67178f2e372532bca273eceea26619c"
        hex"d186b8c721c0c207eada7dd6cde0eb1ef57d4f7fee6ed17806f067aa72176fba0a637dc5a2c898a6"
        hex"113f9804bef90dae1b710b35131c471b28db77f523047d8432caab7b40c724933c9ebe0a15c9bebc"
        hex"431d67c49c100d4c4cc5d4becb3e42b6597f299cfc657e2a5fcb6fab3ad6faec6c44198c4a475817";
    bytes private constant INITIAL = hex"6a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a5f1d36f1"
        hex"510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19137e2179";

    /// @dev Where things lie in the scratch memory, of words of 32 bytes: message schedule(80), states of the rounds, last
    ///      first(80), the state that they begin with(8), chaining value(8).
    uint256 private constant STATES = 80 * 32;
    uint256 private constant BEGIN = 160 * 32;
    uint256 private constant CHAIN = 168 * 32;
    uint256 private constant SCRATCH = 176 * 32;

    /// @return first The first 32 bytes.
    /// @return second The last 32 bytes.
    function hash(bytes calldata text) internal pure returns (bytes32 first, bytes32 second) {
        bytes memory padded = _pad(text);
        bytes memory constants = ROUND_CONSTANTS;
        bytes memory initial = INITIAL;
        uint256 scratch;
        assembly ("memory-safe") {
            scratch := mload(0x40)
            mstore(0x40, add(scratch, SCRATCH))
            for { let i := 0 } lt(i, 8) { i := add(i, 1) } {
                mstore(add(add(scratch, CHAIN), shl(5, i)), shr(192, mload(add(add(initial, 32), shl(3, i)))))
            }
        }
        for (uint256 at = 0; at < padded.length; at += 128) {
            _compress(padded, at, constants, scratch);
        }
        first = _fourWords(scratch + CHAIN);
        second = _fourWords(scratch + CHAIN + 128);
    }

    function _fourWords(uint256 at) private pure returns (bytes32 out) {
        assembly ("memory-safe") {
            out := or(
                or(shl(192, mload(at)), shl(128, mload(add(at, 32)))),
                or(shl(64, mload(add(at, 64))), mload(add(at, 96)))
            )
        }
    }

    /// @dev The text, one bit, zeros, and the text's length in bits as the last 16 bytes.
    function _pad(bytes calldata text) private pure returns (bytes memory padded) {
        padded = new bytes((text.length + 144) / 128 * 128);
        assembly ("memory-safe") {
            let start := add(padded, 32)
            calldatacopy(start, text.offset, text.length)
            mstore8(add(start, text.length), 0x80)
            let last := add(padded, mload(padded))
            mstore(last, or(mload(last), shl(3, text.length)))
        }
    }

    /// @dev One block of 128 bytes, `at` bytes into `padded`. Each round's state (a to h) lies one word below the one
    ///      before, so that six of its eight words are there already. Reads begin 24 bytes before a word of 64 bits; what
    ///      stands above it is cut off with the carries.
    function _compress(bytes memory padded, uint256 at, bytes memory constants, uint256 scratch) private pure {
        assembly ("memory-safe") {
            let m := 0xffffffffffffffff
            let w := scratch
            at := add(add(padded, 8), at)
            for { let end := add(w, 512) } lt(w, end) { w := add(w, 32) } {
                mstore(w, and(mload(at), m))
                at := add(at, 8)
            }
            let end := add(scratch, STATES)
            for {} lt(w, end) { w := add(w, 32) } {
                let x := mload(sub(w, 480))
                let sum := shr(7, x)
                x := mul(x, 0x10000000000000001)
                sum := xor(xor(shr(1, x), shr(8, x)), sum)
                x := mload(sub(w, 64))
                let y := shr(6, x)
                x := mul(x, 0x10000000000000001)
                y := xor(xor(shr(19, x), shr(61, x)), y)
                mstore(w, and(add(add(mload(sub(w, 512)), sum), add(mload(sub(w, 224)), y)), m))
            }
            let p := add(scratch, BEGIN)
            mcopy(p, add(scratch, CHAIN), 256)
            constants := add(constants, 8)
            for { w := scratch } lt(w, end) { w := add(w, 32) } {
                let x := mload(add(p, 128)) // e
                let t := mload(add(p, 192)) // g
                t := xor(t, and(x, xor(mload(add(p, 160)), t)))
                x := mul(x, 0x10000000000000001)
                t := add(t, xor(xor(shr(14, x), shr(18, x)), shr(41, x)))
                t := add(add(t, mload(add(p, 224))), add(mload(constants), mload(w)))
                constants := add(constants, 8)
                x := mload(p) // a
                let y := mload(add(p, 32)) // b
                y := or(and(x, y), and(mload(add(p, 64)), or(x, y)))
                x := mul(x, 0x10000000000000001)
                p := sub(p, 32)
                mstore(add(p, 128), and(add(mload(add(p, 128)), t), m)) // d + t
                mstore(p, and(add(add(t, y), xor(xor(shr(28, x), shr(34, x)), shr(39, x))), m))
            }
            w := add(scratch, CHAIN)
            for { end := add(w, 256) } lt(w, end) { w := add(w, 32) } {
                mstore(w, and(add(mload(w), mload(p)), m))
                p := add(p, 32)
            }
        }
    }
}
