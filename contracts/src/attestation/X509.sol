// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Der} from "./Der.sol";

/// @notice What is read of a certificate; offsets are into the DER bytes.
struct Certificate {
    bytes32 tbsHash; // SHA-256 of the signed part
    bytes32 r; // its signature
    bytes32 s;
    uint256 serial;
    bytes32 issuerHash; // keccak256 of the issuer's and the subject's name, DER
    bytes32 subjectHash;
    uint64 notBefore;
    uint64 notAfter;
    bytes32 x; // P-256 public key
    bytes32 y;
    bool isCa; // basicConstraints
    uint16 keyUsage; // first byte of the BIT STRING: 0x80 digitalSignature, 0x04 keyCertSign, 0x02 cRLSign
    uint256 sgxStart; // Intel's SGX extension value, [start, end); zero if absent
    uint256 sgxEnd;
}

/// @notice What is read of a revocation list.
struct RevocationList {
    bytes32 tbsHash;
    bytes32 r;
    bytes32 s;
    bytes32 issuerHash;
    uint64 thisUpdate;
    uint64 nextUpdate;
    uint256 entriesStart; // revokedCertificates, [start, end); equal if there are none
    uint256 entriesEnd;
}

/// @title X509
/// @notice The part of RFC 5280 that Intel's SGX certificates and lists use: version 3, ecdsa-with-SHA256, P-256.
///         Any other algorithm is refused.
library X509 {
    /// @dev AlgorithmIdentifier of ecdsa-with-SHA256.
    bytes12 private constant ECDSA_SHA256 = hex"300a06082a8648ce3d040302";
    /// @dev SubjectPublicKeyInfo of an uncompressed P-256 key up to the point's coordinates.
    bytes27 private constant P256_KEY = hex"3059301306072a8648ce3d020106082a8648ce3d03010703420004";
    bytes5 private constant OID_BASIC_CONSTRAINTS = hex"0603551d13";
    bytes5 private constant OID_KEY_USAGE = hex"0603551d0f";
    /// @dev 1.2.840.113741.1.13.1
    bytes11 private constant OID_SGX = hex"06092a864886f84d010d01";

    function parseCertificate(bytes calldata der) internal pure returns (Certificate memory cert) {
        Der.Tlv memory outer = Der.expect(der, 0, 0x30, der.length);
        if (outer.end != der.length) revert Der.Malformed(outer.end);
        Der.Tlv memory tbs = Der.expect(der, outer.start, 0x30, outer.end);
        cert.tbsHash = sha256(der[outer.start:tbs.end]);
        (cert.r, cert.s) = _signature(der, tbs.end, outer.end);

        Der.Tlv memory t = Der.expect(der, tbs.start, 0xa0, tbs.end);
        if (bytes3(der[t.start:t.end]) != hex"020102" || t.end - t.start != 3) revert Der.Malformed(t.start);
        t = Der.expect(der, t.end, 0x02, tbs.end);
        cert.serial = Der.toUint(der, t);
        uint256 at = _algorithm(der, t.end, tbs.end);
        t = Der.expect(der, at, 0x30, tbs.end);
        cert.issuerHash = keccak256(der[at:t.end]);
        t = Der.expect(der, t.end, 0x30, tbs.end);
        Der.Tlv memory time = Der.read(der, t.start);
        cert.notBefore = Der.toTime(der, time);
        time = Der.read(der, time.end);
        cert.notAfter = Der.toTime(der, time);
        if (time.end != t.end) revert Der.Malformed(time.end);
        at = t.end;
        t = Der.expect(der, at, 0x30, tbs.end);
        cert.subjectHash = keccak256(der[at:t.end]);
        at = t.end;
        t = Der.expect(der, at, 0x30, tbs.end);
        if (t.end - at != 91 || bytes27(der[at:at + 27]) != P256_KEY) revert Der.Malformed(at);
        cert.x = bytes32(der[at + 27:at + 59]);
        cert.y = bytes32(der[at + 59:at + 91]);
        t = Der.expect(der, t.end, 0xa3, tbs.end);
        if (t.end != tbs.end) revert Der.Malformed(t.end);
        Der.Tlv memory extensions = Der.expect(der, t.start, 0x30, t.end);
        _extensions(der, extensions, cert);
    }

    function _extensions(bytes calldata der, Der.Tlv memory all, Certificate memory cert) private pure {
        for (uint256 at = all.start; at < all.end;) {
            Der.Tlv memory one = Der.expect(der, at, 0x30, all.end);
            Der.Tlv memory oid = Der.expect(der, one.start, 0x06, one.end);
            Der.Tlv memory value = Der.read(der, oid.end);
            if (value.tag == 0x01) value = Der.read(der, value.end); // the critical flag
            if (value.tag != 0x04 || value.end != one.end) revert Der.Malformed(oid.end);
            bytes calldata name = der[one.start:oid.end];
            if (name.length == 5 && bytes5(name) == OID_BASIC_CONSTRAINTS) {
                // SEQUENCE { BOOLEAN TRUE, … } for an authority, an empty SEQUENCE otherwise.
                Der.Tlv memory seq = Der.expect(der, value.start, 0x30, value.end);
                cert.isCa = seq.end - seq.start >= 3 && bytes3(der[seq.start:seq.start + 3]) == hex"0101ff";
            } else if (name.length == 5 && bytes5(name) == OID_KEY_USAGE) {
                Der.Tlv memory bits = Der.expect(der, value.start, 0x03, value.end);
                if (bits.end - bits.start < 2) revert Der.Malformed(bits.start);
                cert.keyUsage = uint8(der[bits.start + 1]);
            } else if (name.length == 11 && bytes11(name) == OID_SGX) {
                if (cert.sgxStart != 0) revert Der.Malformed(one.start);
                (cert.sgxStart, cert.sgxEnd) = (value.start, value.end);
            }
            at = one.end;
        }
    }

    function parseCrl(bytes calldata der) internal pure returns (RevocationList memory crl) {
        Der.Tlv memory outer = Der.expect(der, 0, 0x30, der.length);
        if (outer.end != der.length) revert Der.Malformed(outer.end);
        Der.Tlv memory tbs = Der.expect(der, outer.start, 0x30, outer.end);
        crl.tbsHash = sha256(der[outer.start:tbs.end]);
        (crl.r, crl.s) = _signature(der, tbs.end, outer.end);

        Der.Tlv memory t = Der.expect(der, tbs.start, 0x02, tbs.end);
        if (Der.toUint(der, t) != 1) revert Der.Malformed(t.start); // version 2
        uint256 at = _algorithm(der, t.end, tbs.end);
        t = Der.expect(der, at, 0x30, tbs.end);
        crl.issuerHash = keccak256(der[at:t.end]);
        t = Der.read(der, t.end);
        crl.thisUpdate = Der.toTime(der, t);
        t = Der.read(der, t.end);
        crl.nextUpdate = Der.toTime(der, t);
        if (t.end < tbs.end && der[t.end] == 0x30) {
            t = Der.expect(der, t.end, 0x30, tbs.end);
            (crl.entriesStart, crl.entriesEnd) = (t.start, t.end);
        }
    }

    /// @notice The serial number of the list's entry at `at`, and where the next one begins.
    function crlEntry(bytes calldata der, uint256 at, uint256 end)
        internal
        pure
        returns (uint256 serial, uint256 next)
    {
        Der.Tlv memory entry = Der.expect(der, at, 0x30, end);
        Der.Tlv memory number = Der.expect(der, entry.start, 0x02, entry.end);
        return (Der.toUint(der, number), entry.end);
    }

    function _algorithm(bytes calldata der, uint256 at, uint256 end) private pure returns (uint256) {
        if (at + 12 > end || bytes12(der[at:at + 12]) != ECDSA_SHA256) revert Der.Malformed(at);
        return at + 12;
    }

    function _signature(bytes calldata der, uint256 at, uint256 end) private pure returns (bytes32 r, bytes32 s) {
        at = _algorithm(der, at, end);
        Der.Tlv memory bits = Der.expect(der, at, 0x03, end);
        if (bits.end != end || der[bits.start] != 0) revert Der.Malformed(at);
        Der.Tlv memory seq = Der.expect(der, bits.start + 1, 0x30, bits.end);
        Der.Tlv memory number = Der.expect(der, seq.start, 0x02, seq.end);
        r = bytes32(Der.toUint(der, number));
        number = Der.expect(der, number.end, 0x02, seq.end);
        s = bytes32(Der.toUint(der, number));
        if (number.end != seq.end || seq.end != bits.end) revert Der.Malformed(seq.start);
    }
}
