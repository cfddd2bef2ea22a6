// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "../utils/Vm.sol";

/// @notice Cheatcodes that only these tests need.
/// @dev Of an event's data: whether the root is a development one.
function lastWord(bytes memory data) pure returns (uint256 word) {
    assembly ("memory-safe") {
        word := mload(add(data, mload(data)))
    }
}

interface AttestationVm {
    function toString(bytes calldata value) external pure returns (string memory);
    function signP256(uint256 privateKey, bytes32 digest) external pure returns (bytes32 r, bytes32 s);
    function publicKeyP256(uint256 privateKey) external pure returns (uint256 x, uint256 y);
    function setBlockhash(uint256 blockNumber, bytes32 blockHash) external;
    function readFileBinary(string calldata path) external view returns (bytes memory);
    function skip(bool really, string calldata reason) external;
    function parseBytes(string calldata text) external pure returns (bytes memory);
    function parseJsonBool(string calldata json, string calldata key) external pure returns (bool);
    function setEvmVersion(string calldata evm) external;
    function envOr(string calldata name, uint256 otherwise) external view returns (uint256);
}

/// @notice What a certificate of the test PKI says, and who signs it.
struct CertSpec {
    uint256 key; // the private key whose public half it holds
    uint256 signer;
    bytes subject; // names in DER
    bytes issuer;
    uint256 serial;
    uint64 notBefore;
    uint64 notAfter;
    bool ca;
    uint8 keyUsage;
    bytes sgx; // value of Intel's extension; empty: none
}

/// @notice A PKI in the forms that Intel uses, made in the test, so that every field can be wrong with a signature that
///         is right: certificates, lists, TCB documents, QE reports and quotes.
abstract contract Pki is Test {
    AttestationVm internal constant avm = AttestationVm(address(vm));

    uint64 internal constant NOW = 1_800_000_000; // January 2027
    uint64 internal constant FAR = 2_500_000_000; // March 2049, so UTCTime
    uint256 internal constant ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551;
    bytes6 internal constant FMSPC = hex"00de50000000";

    uint256 internal constant ROOT = uint256(keccak256("root")) >> 1;
    uint256 internal constant CA = uint256(keccak256("ca")) >> 1;
    uint256 internal constant SIGNING = uint256(keccak256("signing")) >> 1;
    uint256 internal constant PCK = uint256(keccak256("pck")) >> 1;
    uint256 internal constant AK = uint256(keccak256("ak")) >> 1;

    /// @dev Signatures with s in the upper half of the order, as Intel makes half of its own.
    bool internal highS;

    // ---------------------------------------------------------------------------------------------------- keys

    function point(uint256 key) internal pure returns (bytes memory) {
        (uint256 x, uint256 y) = avm.publicKeyP256(key);
        return abi.encodePacked(x, y);
    }

    function idOf(uint256 key) internal pure returns (bytes32) {
        return keccak256(point(key));
    }

    function signRaw(uint256 key, bytes memory data) internal view returns (bytes memory) {
        (bytes32 r, bytes32 s) = avm.signP256(key, sha256(data));
        uint256 v = uint256(s);
        if (highS != (v > ORDER / 2)) v = ORDER - v;
        return abi.encodePacked(r, v);
    }

    // ----------------------------------------------------------------------------------------------------- DER

    function tlv(uint8 tag, bytes memory content) internal pure returns (bytes memory) {
        uint256 n = content.length;
        if (n < 128) return abi.encodePacked(tag, uint8(n), content);
        if (n < 256) return abi.encodePacked(tag, uint8(0x81), uint8(n), content);
        return abi.encodePacked(tag, uint8(0x82), uint16(n), content);
    }

    function seq(bytes memory content) internal pure returns (bytes memory) {
        return tlv(0x30, content);
    }

    function integer(uint256 value) internal pure returns (bytes memory) {
        uint256 n = 1;
        while (n < 32 && value >> (8 * n) != 0) ++n;
        bytes memory b = new bytes(n);
        for (uint256 i; i < n; ++i) {
            b[i] = bytes1(uint8(value >> (8 * (n - 1 - i))));
        }
        return tlv(0x02, b[0] >= 0x80 ? bytes.concat(hex"00", b) : b);
    }

    function named(string memory cn) internal pure returns (bytes memory) {
        return seq(tlv(0x31, seq(abi.encodePacked(hex"0603550403", tlv(0x0c, bytes(cn))))));
    }

    struct Date {
        uint256 year;
        uint256 month;
        uint256 day;
        uint256 rest;
    }

    function date(uint64 time) internal pure returns (Date memory d) {
        uint256 z = uint256(time) / 86_400 + 719_468;
        uint256 era = z / 146_097;
        uint256 doe = z % 146_097;
        uint256 yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        uint256 doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        uint256 mp = (5 * doy + 2) / 153;
        d.day = doy - (153 * mp + 2) / 5 + 1;
        d.month = mp < 10 ? mp + 3 : mp - 9;
        d.year = yoe + era * 400 + (d.month <= 2 ? 1 : 0);
        d.rest = uint256(time) % 86_400;
    }

    function two(uint256 n) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(48 + n / 10 % 10), uint8(48 + n % 10));
    }

    function derTime(uint64 time) internal pure returns (bytes memory) {
        Date memory d = date(time);
        bytes memory tail = bytes.concat(
            two(d.year), two(d.month), two(d.day), two(d.rest / 3600), two(d.rest / 60 % 60), two(d.rest % 60), "Z"
        );
        return d.year < 2050 ? tlv(0x17, tail) : tlv(0x18, bytes.concat(two(d.year / 100), tail));
    }

    function isoTime(uint64 time) internal pure returns (string memory) {
        Date memory d = date(time);
        bytes memory day = bytes.concat(two(d.year / 100), two(d.year), "-", two(d.month), "-", two(d.day));
        return
            string(bytes.concat(day, "T", two(d.rest / 3600), ":", two(d.rest / 60 % 60), ":", two(d.rest % 60), "Z"));
    }

    bytes internal constant ALGORITHM = hex"300a06082a8648ce3d040302";

    /// @dev SEQUENCE { signed part, algorithm, BIT STRING { SEQUENCE { r, s } } }
    function signedDer(bytes memory tbs, uint256 signer) internal view returns (bytes memory) {
        bytes memory s = signRaw(signer, tbs);
        (uint256 r, uint256 v) = abi.decode(s, (uint256, uint256));
        return
            seq(
                bytes.concat(
                    tbs, ALGORITHM, tlv(0x03, bytes.concat(hex"00", seq(bytes.concat(integer(r), integer(v)))))
                )
            );
    }

    function extension(bytes memory oid, bool critical, bytes memory value) internal pure returns (bytes memory) {
        return seq(bytes.concat(tlv(0x06, oid), critical ? bytes(hex"0101ff") : bytes(""), tlv(0x04, value)));
    }

    function tbsOf(CertSpec memory c) internal pure returns (bytes memory) {
        bytes memory extensions = bytes.concat(
            extension(hex"551d0f", true, abi.encodePacked(hex"030206", c.keyUsage)),
            extension(hex"551d13", true, c.ca ? bytes(hex"30060101ff020100") : bytes(hex"3000"))
        );
        if (c.sgx.length != 0) {
            extensions = bytes.concat(extensions, extension(hex"2a864886f84d010d01", false, c.sgx));
        }
        bytes memory head = bytes.concat(
            hex"a003020102",
            integer(c.serial),
            ALGORITHM,
            c.issuer,
            seq(bytes.concat(derTime(c.notBefore), derTime(c.notAfter)))
        );
        bytes memory key = bytes.concat(hex"3059301306072a8648ce3d020106082a8648ce3d03010703420004", point(c.key));
        return seq(bytes.concat(head, c.subject, key, tlv(0xa3, seq(extensions))));
    }

    function certificate(CertSpec memory c) internal view returns (bytes memory) {
        return signedDer(tbsOf(c), c.signer);
    }

    function rootName() internal pure returns (bytes memory) {
        return named("Test SGX Root CA");
    }

    function caSpec() internal pure returns (CertSpec memory) {
        return CertSpec(CA, ROOT, named("Test SGX PCK CA"), rootName(), 0xca, NOW - 1000, FAR, true, 0x06, "");
    }

    function signingSpec() internal pure returns (CertSpec memory) {
        return
            CertSpec(SIGNING, ROOT, named("Test SGX TCB Signing"), rootName(), 0x51, NOW - 1000, FAR, false, 0xc0, "");
    }

    function pckSpec() internal pure returns (CertSpec memory) {
        return CertSpec(
            PCK,
            CA,
            named("Test SGX PCK Certificate"),
            named("Test SGX PCK CA"),
            0x9c,
            NOW - 1000,
            FAR,
            false,
            0xc0,
            sgxExtension(5, 11, hex"0000", FMSPC)
        );
    }

    function sgxMember(uint8 n, bytes memory value) internal pure returns (bytes memory) {
        return seq(bytes.concat(tlv(0x06, abi.encodePacked(hex"2a864886f84d010d01", n)), value));
    }

    function sgxTcb(uint8 svn, uint16 pceSvn) internal pure returns (bytes memory tcb) {
        for (uint8 i = 1; i <= 18; ++i) {
            bytes memory value = i == 18 ? tlv(0x04, new bytes(16)) : integer(i == 17 ? pceSvn : svn);
            tcb = bytes.concat(tcb, seq(bytes.concat(tlv(0x06, abi.encodePacked(hex"2a864886f84d010d0102", i)), value)));
        }
    }

    function sgxExtension(uint8 svn, uint16 pceSvn, bytes2 pceId, bytes6 fmspc) internal pure returns (bytes memory) {
        return seq(
            bytes.concat(
                sgxMember(1, tlv(0x04, hex"000102030405060708090a0b0c0d0e0f")),
                sgxMember(2, seq(sgxTcb(svn, pceSvn))),
                sgxMember(3, tlv(0x04, abi.encodePacked(pceId))),
                sgxMember(4, tlv(0x04, abi.encodePacked(fmspc))),
                sgxMember(5, hex"0a0101")
            )
        );
    }

    function crlOf(uint256 signer, bytes memory issuer, uint64 from, uint64 until, uint256[] memory serials)
        internal
        view
        returns (bytes memory)
    {
        bytes memory entries;
        for (uint256 i; i < serials.length; ++i) {
            entries = bytes.concat(entries, seq(bytes.concat(integer(serials[i]), derTime(from))));
        }
        bytes memory tbs = bytes.concat(hex"020101", ALGORITHM, issuer, derTime(from), derTime(until));
        if (serials.length != 0) tbs = bytes.concat(tbs, seq(entries));
        tbs = bytes.concat(tbs, tlv(0xa0, seq(extension(hex"551d14", false, hex"020101"))));
        return signedDer(seq(tbs), signer);
    }

    function list() internal pure returns (uint256[] memory) {
        return new uint256[](0);
    }

    function list(uint256 serial) internal pure returns (uint256[] memory one) {
        one = new uint256[](1);
        one[0] = serial;
    }

    // ----------------------------------------------------------------------------------------------- documents

    struct TcbSpec {
        uint64 issued;
        uint64 next;
        uint256 evaluationNumber;
        string fmspc;
        string pceId;
        string status; // of the highest level
        string modules;
    }

    function tcbSpec() internal pure returns (TcbSpec memory) {
        return TcbSpec(
            NOW - 500,
            NOW + 30 days,
            17,
            "00DE50000000",
            "0000",
            "UpToDate",
            string.concat(
                "[", moduleJson("TDX_03", "00", 3, "UpToDate"), ",", moduleJson("TDX_01", "00", 6, "UpToDate"), "]"
            )
        );
    }

    function svnLevel(uint256 svn, string memory status) internal pure returns (string memory) {
        return string.concat(
            '{"tcb":{"isvsvn":', vm.toString(svn), '},"tcbDate":"2024-03-13T00:00:00Z","tcbStatus":"', status, '"}'
        );
    }

    function moduleJson(string memory id, string memory signer, uint256 svn, string memory status)
        internal
        pure
        returns (string memory)
    {
        return string.concat(
            '{"id":"',
            id,
            '","mrsigner":"',
            signer,
            '","attributes":"0000","attributesMask":"FFFF","tcbLevels":[',
            svnLevel(svn, status),
            ",",
            svnLevel(2, "OutOfDate"),
            "]}"
        );
    }

    function components(uint256 svn, uint256 first) internal pure returns (string memory out) {
        for (uint256 i; i < 16; ++i) {
            out = string.concat(
                out, i == 0 ? '[{"svn":' : '{"svn":', vm.toString(i == 2 ? first : svn), i == 15 ? "}]" : "},"
            );
        }
    }

    /// @dev A machine has SGX SVNs of `sgx` and in TEE_TCB_SVN[2] at least `tdx`.
    function level(uint256 sgx, uint256 tdx, uint256 pceSvn, string memory status)
        internal
        pure
        returns (string memory)
    {
        return string.concat(
            '{"tcb":{"sgxtcbcomponents":',
            components(sgx, sgx),
            ',"pcesvn":',
            vm.toString(pceSvn),
            ',"tdxtcbcomponents":',
            components(0, tdx),
            '},"tcbDate":"2024-03-13T00:00:00Z","tcbStatus":"',
            status,
            '","advisoryIDs":["INTEL-SA-00001"]}'
        );
    }

    function tcbJson(TcbSpec memory t) internal pure returns (bytes memory) {
        string memory head = string.concat(
            '{"id":"TDX","version":3,"issueDate":"',
            isoTime(t.issued),
            '","nextUpdate":"',
            isoTime(t.next),
            '","fmspc":"',
            t.fmspc,
            '","pceId":"',
            t.pceId,
            '","tcbType":0,"tcbEvaluationDataNumber":',
            vm.toString(t.evaluationNumber)
        );
        return bytes(
            string.concat(
                head,
                ',"tdxModule":{"mrsigner":"00","attributes":"00","attributesMask":"FF"},"tdxModuleIdentities":',
                t.modules,
                ',"tcbLevels":[',
                level(5, 3, 11, t.status),
                ",",
                level(5, 2, 11, "OutOfDate"),
                ",",
                level(2, 2, 5, "Revoked"),
                "]}"
            )
        );
    }

    struct QeSpec {
        uint64 issued;
        uint64 next;
        uint256 evaluationNumber;
        uint256 svn;
    }

    function qeSpec() internal pure returns (QeSpec memory) {
        return QeSpec(NOW - 500, NOW + 30 days, 17, 4);
    }

    function qeJson(QeSpec memory q) internal pure returns (bytes memory) {
        string memory head = string.concat(
            '{"id":"TD_QE","version":2,"issueDate":"',
            isoTime(q.issued),
            '","nextUpdate":"',
            isoTime(q.next),
            '","tcbEvaluationDataNumber":',
            vm.toString(q.evaluationNumber),
            ',"miscselect":"00000000","miscselectMask":"FFFFFFFF","attributes":"11000000000000000000000000000000"'
        );
        return bytes(
            string.concat(
                head,
                ',"attributesMask":"FBFFFFFFFFFFFFFF0000000000000000",',
                '"mrsigner":"DEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDEDE","isvprodid":2,"tcbLevels":[',
                svnLevel(q.svn, "UpToDate"),
                ",",
                svnLevel(1, "OutOfDate"),
                "]}"
            )
        );
    }

    // ------------------------------------------------------------------------------------------------- quotes

    bytes internal constant QE_AUTH = hex"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    function put(bytes memory to, uint256 at, bytes memory what) internal pure returns (bytes memory) {
        for (uint256 i; i < what.length; ++i) {
            to[at + i] = what[i];
        }
        return to;
    }

    /// @dev A QE report that binds the attestation key, as the identity above wants it.
    function qeReport() internal pure returns (bytes memory r) {
        r = new bytes(384);
        put(r, 48, hex"1500000000000000e700000000000000");
        for (uint256 i = 128; i < 160; ++i) {
            r[i] = 0xde;
        }
        r[256] = 0x02;
        r[258] = 0x06;
        put(r, 320, abi.encodePacked(sha256(abi.encodePacked(point(AK), QE_AUTH))));
    }

    function keyProof(bytes memory report) internal view returns (bytes memory) {
        return bytes.concat(point(AK), report, signRaw(PCK, report), QE_AUTH);
    }

    /// @dev A TD report: 584 bytes, or 648 for TD 1.5.
    function body(uint256 length) internal pure returns (bytes memory b) {
        b = new bytes(length);
        put(b, 0, hex"060103");
        put(b, 120, hex"0000001000000000");
        put(b, 128, hex"e702060000000000");
        for (uint256 i = 136; i < 184; ++i) {
            b[i] = bytes1(uint8(i)); // MRTD
        }
        for (uint256 i = 328; i < 520; ++i) {
            b[i] = bytes1(uint8(i)); // RTMR0 to 3
        }
        for (uint256 i = 520; i < 572; ++i) {
            b[i] = bytes1(uint8(i)); // report data
        }
    }

    bytes internal constant VENDOR = hex"939a7233f79c4ca9940a0db3957f0607";

    function region4(bytes memory report) internal pure returns (bytes memory) {
        return bytes.concat(hex"040002008100000000000000", VENDOR, new bytes(20), report);
    }

    function region5(bytes memory report) internal pure returns (bytes memory) {
        return bytes.concat(
            hex"050002008100000000000000",
            VENDOR,
            new bytes(20),
            report.length == 584 ? bytes(hex"020048020000") : bytes(hex"030088020000"),
            report
        );
    }

    /// @dev As far as the contract reads: length, signature, attestation key.
    function quoteOf(bytes memory region) internal view returns (bytes memory) {
        return bytes.concat(region, hex"80000000", signRaw(AK, region), point(AK));
    }
}
