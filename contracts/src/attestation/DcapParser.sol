// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Der} from "./Der.sol";
import {QeIdentity, TcbDocument, TcbInfo} from "./TcbDocument.sol";
import {Certificate, RevocationList, X509} from "./X509.sol";

/// @notice What Intel's extension of a PCK certificate says about the machine.
struct SgxFields {
    bytes16 ppid;
    bytes16 components; // TCB component SVNs 1 to 16
    uint16 pceSvn;
    bytes2 pceId;
    bytes6 fmspc;
}

/// @title DcapParser
/// @notice Certificates, revocation lists and TCB documents as values. Checks their form, not their signatures.
contract DcapParser {
    error BadSgxExtension();

    function certificate(bytes calldata der) external pure returns (Certificate memory) {
        return X509.parseCertificate(der);
    }

    function pckCertificate(bytes calldata der) external pure returns (Certificate memory cert, SgxFields memory sgx) {
        cert = X509.parseCertificate(der);
        sgx = _sgxFields(der, cert);
    }

    /// @return list The list without its entries.
    /// @return serials The revoked serial numbers.
    function revocationList(bytes calldata der)
        external
        pure
        returns (RevocationList memory list, uint256[] memory serials)
    {
        list = X509.parseCrl(der);
        uint256 count;
        for (uint256 at = list.entriesStart; at < list.entriesEnd; ++count) {
            (, at) = X509.crlEntry(der, at, list.entriesEnd);
        }
        serials = new uint256[](count);
        uint256 next = list.entriesStart;
        for (uint256 i; i < count; ++i) {
            (serials[i], next) = X509.crlEntry(der, next, list.entriesEnd);
        }
    }

    function tcbInfo(bytes calldata json) external pure returns (TcbInfo memory) {
        return TcbDocument.parseTcbInfo(json);
    }

    function qeIdentity(bytes calldata json) external pure returns (QeIdentity memory) {
        return TcbDocument.parseQeIdentity(json);
    }

    /// @dev The value of 1.2.840.113741.1.13.1: a SEQUENCE of SEQUENCE { OID …1.13.1.n, value } with n = 1 PPID, 2 TCB,
    ///      3 PCE-ID, 4 FMSPC; TCB again is such a sequence: 1 to 16 component SVNs, 17 PCE SVN.
    function _sgxFields(bytes calldata der, Certificate memory cert) private pure returns (SgxFields memory p) {
        if (cert.sgxStart == 0) revert BadSgxExtension();
        Der.Tlv memory all = Der.expect(der, cert.sgxStart, 0x30, cert.sgxEnd);
        uint256 seen;
        for (uint256 at = all.start; at < all.end;) {
            (uint256 n, Der.Tlv memory value, uint256 next) = _sgxMember(der, at, all.end, 10);
            if (n == 1) {
                if (value.tag != 0x04 || value.end - value.start != 16) revert BadSgxExtension();
                p.ppid = bytes16(der[value.start:value.end]);
            } else if (n == 2) {
                if (value.tag != 0x30) revert BadSgxExtension();
                (p.components, p.pceSvn) = _readTcb(der, value);
            } else if (n == 3) {
                if (value.tag != 0x04 || value.end - value.start != 2) revert BadSgxExtension();
                p.pceId = bytes2(der[value.start:value.end]);
            } else if (n == 4) {
                if (value.tag != 0x04 || value.end - value.start != 6) revert BadSgxExtension();
                p.fmspc = bytes6(der[value.start:value.end]);
            }
            if (n <= 4) {
                if (seen & (1 << n) != 0) revert BadSgxExtension();
                seen |= 1 << n;
            }
            at = next;
        }
        if (seen != 0x1e) revert BadSgxExtension();
    }

    function _readTcb(bytes calldata der, Der.Tlv memory all) private pure returns (bytes16 components, uint16 pceSvn) {
        uint256 packed;
        uint256 seen;
        for (uint256 at = all.start; at < all.end;) {
            (uint256 n, Der.Tlv memory value, uint256 next) = _sgxMember(der, at, all.end, 11);
            if (n >= 1 && n <= 17) {
                if (value.tag != 0x02 || seen & (1 << n) != 0) revert BadSgxExtension();
                uint256 svn = Der.toUint(der, value);
                if (svn > (n == 17 ? type(uint16).max : type(uint8).max)) revert BadSgxExtension();
                if (n == 17) pceSvn = uint16(svn);
                else packed |= svn << (8 * (16 - n));
                seen |= 1 << n;
            }
            at = next;
        }
        if (seen != 0x3fffe) revert BadSgxExtension();
        components = bytes16(uint128(packed));
    }

    /// @dev The last arc of a member's OID, its value, and where the next member begins.
    function _sgxMember(bytes calldata der, uint256 at, uint256 end, uint256 oidLength)
        private
        pure
        returns (uint256 n, Der.Tlv memory value, uint256 next)
    {
        Der.Tlv memory member = Der.expect(der, at, 0x30, end);
        Der.Tlv memory oid = Der.expect(der, member.start, 0x06, member.end);
        if (oid.end - oid.start < 10 || bytes9(der[oid.start:oid.start + 9]) != hex"2a864886f84d010d01") {
            revert BadSgxExtension();
        }
        // Members of other depths (configuration) are passed over.
        n = oid.end - oid.start == oidLength ? uint8(der[oid.end - 1]) : type(uint256).max;
        value = Der.read(der, oid.end);
        if (value.end != member.end) revert BadSgxExtension();
        next = member.end;
    }
}
