// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Der
/// @notice Strict reading of DER (ITU-T X.690) out of calldata: definite minimal lengths of at most three bytes,
///         nothing beyond the data.
library Der {
    error Malformed(uint256 offset);

    /// @notice One element: its tag, its content `[start, end)`; the next element begins at `end`.
    struct Tlv {
        uint8 tag;
        uint256 start;
        uint256 end;
    }

    function read(bytes calldata data, uint256 offset) internal pure returns (Tlv memory tlv) {
        if (offset + 2 > data.length) revert Malformed(offset);
        tlv.tag = uint8(data[offset]);
        uint256 length = uint8(data[offset + 1]);
        uint256 start = offset + 2;
        if (length >= 0x80) {
            uint256 n = length & 0x7f;
            if (n == 0 || n > 3 || start + n > data.length) revert Malformed(offset);
            length = 0;
            for (uint256 i; i < n; ++i) {
                length = (length << 8) | uint8(data[start + i]);
            }
            start += n;
            // The shortest form only: one byte above 127, no leading zeros.
            if (length < 0x80 || (n > 1 && length >> (8 * (n - 1)) == 0)) revert Malformed(offset);
        }
        tlv.start = start;
        tlv.end = start + length;
        if (tlv.end > data.length) revert Malformed(offset);
    }

    /// @notice As `read`, for an element that must have this tag and end by `limit`.
    function expect(bytes calldata data, uint256 offset, uint8 tag, uint256 limit)
        internal
        pure
        returns (Tlv memory tlv)
    {
        tlv = read(data, offset);
        if (tlv.tag != tag || tlv.end > limit) revert Malformed(offset);
    }

    /// @notice A non-negative INTEGER's content of at most 32 bytes.
    function toUint(bytes calldata data, Tlv memory tlv) internal pure returns (uint256) {
        uint256 start = tlv.start;
        if (start == tlv.end || uint8(data[start]) >= 0x80) revert Malformed(start);
        if (data[start] == 0 && tlv.end - start > 1) {
            // A leading zero only where the number would be negative without it.
            if (uint8(data[++start]) < 0x80) revert Malformed(start);
        }
        uint256 length = tlv.end - start;
        if (length > 32) revert Malformed(start);
        return uint256(bytes32(data[start:tlv.end])) >> (8 * (32 - length));
    }

    /// @notice UTCTime or GeneralizedTime in the forms that RFC 5280 allows, as unix seconds.
    function toTime(bytes calldata data, Tlv memory tlv) internal pure returns (uint64) {
        uint256 year;
        uint256 at = tlv.start;
        if (tlv.tag == 0x17 && tlv.end - at == 13) {
            year = _two(data, at);
            year += year < 50 ? 2000 : 1900;
            at += 2;
        } else if (tlv.tag == 0x18 && tlv.end - at == 15) {
            year = _two(data, at) * 100 + _two(data, at + 2);
            at += 4;
        } else {
            revert Malformed(at);
        }
        if (data[tlv.end - 1] != "Z") revert Malformed(at);
        return
            unixTime(
                year, _two(data, at), _two(data, at + 2), _two(data, at + 4), _two(data, at + 6), _two(data, at + 8)
            );
    }

    /// @notice Days-from-civil (proleptic Gregorian calendar) and the time of day, as unix seconds.
    function unixTime(uint256 year, uint256 month, uint256 day, uint256 hour, uint256 minute, uint256 second)
        internal
        pure
        returns (uint64)
    {
        if (
            year < 1970 || year > 9999 || month == 0 || month > 12 || day == 0 || day > 31 || hour > 23 || minute > 59
                || second > 60
        ) revert Malformed(0);
        // March is the first month, so that the leap day comes last.
        uint256 y = month <= 2 ? year - 1 : year;
        uint256 m = month <= 2 ? month + 9 : month - 3;
        uint256 dayOfYear = (153 * m + 2) / 5 + day - 1;
        uint256 dayNumber = 365 * y + y / 4 - y / 100 + y / 400 + dayOfYear - 719_468;
        return uint64(dayNumber * 86_400 + hour * 3600 + minute * 60 + second);
    }

    function _two(bytes calldata data, uint256 at) private pure returns (uint256) {
        uint256 tens = uint256(uint8(data[at])) - 48;
        uint256 ones = uint256(uint8(data[at + 1])) - 48;
        if (tens > 9 || ones > 9) revert Malformed(at);
        return tens * 10 + ones;
    }
}
