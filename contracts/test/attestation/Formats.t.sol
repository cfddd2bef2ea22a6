// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Der} from "../../src/attestation/Der.sol";
import {Json} from "../../src/attestation/Json.sol";
import {QeIdentity, TcbDocument, TcbInfo} from "../../src/attestation/TcbDocument.sol";
import {Certificate} from "../../src/attestation/X509.sol";
import {CertSpec} from "./Pki.sol";
import {Platform} from "./Platform.sol";

contract DerReader {
    function read(bytes calldata d, uint256 at) external pure returns (Der.Tlv memory) {
        return Der.read(d, at);
    }

    function toUint(bytes calldata d) external pure returns (uint256) {
        return Der.toUint(d, Der.read(d, 0));
    }

    function toTime(bytes calldata d) external pure returns (uint64) {
        return Der.toTime(d, Der.read(d, 0));
    }

    function skip(bytes calldata d) external pure returns (uint256) {
        return Json.skip(d, 0);
    }

    function number(bytes calldata d) external pure returns (uint256 n) {
        (n,) = Json.number(d, 0);
    }

    function jsonTime(bytes calldata d) external pure returns (uint64 t) {
        (t,) = Json.time(d, 0);
    }

    function hexBytes(bytes calldata d, uint256 n) external pure returns (bytes32 b) {
        (b,) = Json.hexBytes(d, 0, n);
    }
}

/// @notice The readers of DER and JSON on anything at all: a value or a revert with a reason, within the gas that the
///         length of the input explains.
contract FormatsTest is Platform {
    DerReader private reader = new DerReader();
    uint256 private constant GAS = 12_000_000;

    /// @dev Ends by itself: by returning or by a revert that says something, never by running out of gas.
    function ends(address target, bytes memory call_) private view returns (bool ok) {
        bytes memory out;
        uint256 before = gasleft();
        (ok, out) = target.staticcall{gas: GAS}(call_);
        assertLe(before - gasleft(), GAS / 2, "gas");
        assertTrue(ok || out.length >= 4, "a reason");
    }

    function malformed(bytes memory der) private {
        vm.expectPartialRevert(Der.Malformed.selector);
        reader.read(der, 0);
    }

    function test_der_lengths() public {
        malformed("");
        malformed(hex"30");
        malformed(hex"3080"); // indefinite
        malformed(hex"308101"); // long form of a short length
        malformed(abi.encodePacked(hex"30817f", new bytes(127)));
        malformed(abi.encodePacked(hex"30820080", new bytes(128))); // leading zero
        malformed(abi.encodePacked(hex"3084000000ff", new bytes(255)));
        malformed(hex"3003ffff"); // beyond the end
        malformed(hex"3082ffff");
        assertEq(reader.read(abi.encodePacked(hex"308180", new bytes(128)), 0).end, 131, "128");
        vm.expectPartialRevert(Der.Malformed.selector);
        reader.read(hex"3000", type(uint256).max - 5); // no wrapping around
    }

    function expectMalformed() private {
        vm.expectPartialRevert(Der.Malformed.selector);
    }

    function test_der_numbers() public {
        assertEq(reader.toUint(hex"020100"), 0, "0");
        assertEq(reader.toUint(hex"02020080"), 128, "128");
        assertEq(reader.toUint(abi.encodePacked(hex"022100", type(uint256).max)), type(uint256).max, "largest");
        expectMalformed();
        reader.toUint(hex"0200");
        expectMalformed();
        reader.toUint(hex"020180"); // negative
        expectMalformed();
        reader.toUint(hex"02020001"); // a zero too many
        expectMalformed();
        reader.toUint(abi.encodePacked(hex"022101", bytes32(0)));
    }

    function test_times() public {
        assertEq(reader.toTime(tlv(0x17, "270115080000Z")), NOW, "UTCTime");
        assertEq(reader.toTime(tlv(0x18, "20270115080000Z")), NOW, "GeneralizedTime");
        assertEq(reader.toTime(tlv(0x17, "000229000000Z")), 951_782_400, "leap day");
        assertEq(reader.toTime(tlv(0x17, "700101000000Z")), 0, "1970");
        assertEq(reader.jsonTime('"2027-01-15T08:00:00Z"'), NOW, "JSON");
        string[7] memory bad = [
            "271315080000Z",
            "270132080000Z",
            "270015080000Z",
            "270100080000Z",
            "270115240000Z",
            "270115086000Z",
            "690101000000Z"
        ];
        for (uint256 i; i < bad.length; ++i) {
            bytes memory der = tlv(0x17, bytes(bad[i]));
            expectMalformed();
            reader.toTime(der);
        }
        expectMalformed();
        reader.toTime(hex"170d32373031313530383030303030"); // an offset in place of Z
        string[4] memory texts =
            ['"2027-01-15T08:00:00"', '"2027-01-15T08:00:000"', '"2027/01/15T08:00:00Z"', '"2027-01-15 08:00:00Z"'];
        for (uint256 i; i < texts.length; ++i) {
            vm.expectPartialRevert(Json.Unexpected.selector);
            reader.jsonTime(bytes(texts[i]));
        }
    }

    function testFuzz_times(uint64 t) public view {
        t = uint64(bound(t, 0, 253_402_300_799));
        if (t < 2_524_608_000) assertEq(reader.toTime(derTime(t)), t, "DER");
        assertEq(reader.jsonTime(abi.encodePacked('"', isoTime(t), '"')), t, "JSON");
    }

    function test_json_values() public {
        assertEq(reader.number("4294967295,"), type(uint32).max, "largest");
        string[4] memory bad = ["4294967296,", "-1,", ",", "99999999999999999999999999,"];
        for (uint256 i; i < bad.length; ++i) {
            vm.expectPartialRevert(Json.Unexpected.selector);
            reader.number(bytes(bad[i]));
        }
        assertEq(reader.hexBytes('"aBcD"', 2), bytes32(hex"abcd"), "hex");
        string[3] memory texts = ['"abc"', '"abcde0"', '"ab:d"'];
        for (uint256 i; i < texts.length; ++i) {
            vm.expectPartialRevert(Json.Unexpected.selector);
            reader.hexBytes(bytes(texts[i]), 2);
        }
        assertEq(reader.skip('{"a":[{"}]":1},"]"],"b":{}},'), 27, "nested");
        vm.expectPartialRevert(Json.Unexpected.selector);
        reader.skip('"a\\"b"'); // escapes are not read
    }

    function test_documents_members() public view {
        bytes memory good = tcbJson(tcbSpec());
        TcbInfo memory info = parser.tcbInfo(good);
        assertEq(info.levels.length, 3, "levels");
        assertEq(bytes32(info.levels[0].tdx), bytes32(bytes16(hex"000003")), "TDX SVNs");
        assertEq(info.modules.length, 2, "modules");
        assertEq(info.modules[1].version, 1, "version");
        assertEq(info.modules[1].acceptedFrom, 6, "accepted from");
        // Every member that counts must be there: renaming one refuses the document.
        string[9] memory names = [
            '"id"',
            '"version"',
            '"issueDate"',
            '"nextUpdate"',
            '"fmspc"',
            '"pceId"',
            '"tcbType"',
            '"tcbLevels"',
            '"pcesvn"'
        ];
        for (uint256 i; i < names.length; ++i) {
            refusesDocument(parser.tcbInfo.selector, renamed(good, bytes(names[i])));
        }
        refusesDocument(parser.tcbInfo.selector, renamed(good, '"tcbEvaluationDataNumber"'));
        refusesDocument(parser.tcbInfo.selector, renamed(good, '"tdxtcbcomponents"'));
        refusesDocument(parser.tcbInfo.selector, renamed(good, '"isvsvn"'));
        refusesDocument(parser.tcbInfo.selector, bytes.concat(good, "}"));
        refusesDocument(parser.tcbInfo.selector, bytes.concat(good, " "));
        bytes memory qe = qeJson(qeSpec());
        assertEq(parser.qeIdentity(qe).acceptedFrom, 4, "QE accepted from");
        string[6] memory members =
            ['"miscselect"', '"miscselectMask"', '"attributes"', '"attributesMask"', '"mrsigner"', '"isvprodid"'];
        for (uint256 i; i < members.length; ++i) {
            refusesDocument(parser.qeIdentity.selector, renamed(qe, bytes(members[i])));
        }
    }

    function test_documents_levelsDescend() public view {
        TcbSpec memory t = tcbSpec();
        t.modules = string.concat("[", moduleJson("TDX_01", "00", 2, "UpToDate"), "]"); // 2 and 2
        refusesDocument(parser.tcbInfo.selector, tcbJson(t));
        t.modules = string.concat("[", moduleJson("TDX_1g", "00", 6, "UpToDate"), "]");
        refusesDocument(parser.tcbInfo.selector, tcbJson(t));
        t.modules = string.concat("[", moduleJson("TDX_0:", "00", 6, "UpToDate"), "]");
        refusesDocument(parser.tcbInfo.selector, tcbJson(t));
        t.modules = "[]";
        assertEq(parser.tcbInfo(tcbJson(t)).modules.length, 0, "none");
    }

    function refusesDocument(bytes4 selector, bytes memory json) private view {
        assertFalse(ends(address(parser), abi.encodeWithSelector(selector, json)), string(json));
    }

    /// @dev With the first letter of the member's first occurrence changed.
    function renamed(bytes memory json, bytes memory name) private pure returns (bytes memory out) {
        out = bytes.concat(json);
        for (uint256 i; i + name.length <= json.length; ++i) {
            bool same = true;
            for (uint256 j; same && j < name.length; ++j) {
                same = json[i + j] == name[j];
            }
            if (same) {
                out[i + 1] = "_";
                return out;
            }
        }
        revert(string(name));
    }

    function test_certificate_fields() public view {
        Certificate memory c = parser.certificate(certificate(caSpec()));
        assertTrue(c.isCa, "CA");
        assertEq(c.keyUsage, 0x06, "key usage");
        assertEq(c.serial, 0xca, "serial");
        assertEq(c.notAfter, FAR, "notAfter");
        assertEq(c.issuerHash, keccak256(rootName()), "issuer");
        assertEq(keccak256(abi.encode(c.x, c.y)), idOf(CA), "key");
    }

    /// @dev Another algorithm, another curve, or something after the end.
    function test_certificate_otherForms() public view {
        bytes memory der = certificate(caSpec());
        refusesDocument(parser.certificate.selector, bytes.concat(der, hex"00"));
        bytes[3] memory from = [bytes(hex"2a8648ce3d040302"), hex"2a8648ce3d030107", hex"020102"];
        for (uint256 i; i < from.length; ++i) {
            bytes memory other = bytes.concat(der);
            uint256 at;
            while (keccak256(slice(other, at, from[i].length)) != keccak256(from[i])) ++at;
            other[at + from[i].length - 1] ^= 0x01;
            refusesDocument(parser.certificate.selector, other);
        }
    }

    function slice(bytes memory b, uint256 at, uint256 n) private pure returns (bytes memory out) {
        out = new bytes(n);
        for (uint256 i; i < n; ++i) {
            out[i] = b[at + i];
        }
    }

    // ----------------------------------------------------------------------------------------------- anything

    function testFuzz_anyBytes(bytes memory data) public view {
        ends(address(parser), abi.encodeCall(parser.certificate, (data)));
        ends(address(parser), abi.encodeCall(parser.pckCertificate, (data)));
        ends(address(parser), abi.encodeCall(parser.revocationList, (data)));
        ends(address(parser), abi.encodeCall(parser.tcbInfo, (data)));
        ends(address(parser), abi.encodeCall(parser.qeIdentity, (data)));
        ends(address(reader), abi.encodeCall(reader.skip, (data)));
    }

    /// @dev Valid documents with some bytes changed: deep into every reader.
    function testFuzz_changedBytes(uint256 seed, uint8 which, uint8 count) public view {
        bytes memory data;
        bytes4 selector;
        which %= 4;
        if (which == 0) (data, selector) = (certificate(pckSpec()), parser.pckCertificate.selector);
        if (which == 1) (data, selector) = (caCrl(NOW, list(0x9c)), parser.revocationList.selector);
        if (which == 2) (data, selector) = (tcbJson(tcbSpec()), parser.tcbInfo.selector);
        if (which == 3) (data, selector) = (qeJson(qeSpec()), parser.qeIdentity.selector);
        bytes memory alphabet = '{}[]",:0f\x00\x80\x81\x82\xff\x30\x02';
        for (uint256 i; i <= count % 4; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            data[(seed >> 128) % data.length] =
                seed & 1 == 0 ? alphabet[(seed >> 8) % alphabet.length] : bytes1(uint8(seed >> 8));
        }
        ends(address(parser), abi.encodeWithSelector(selector, data));
    }

    /// @dev Cut anywhere: never a value.
    function testFuzz_truncated(uint256 n, uint8 which) public view {
        which %= 4;
        bytes memory data = which == 0
            ? certificate(pckSpec())
            : which == 1 ? caCrl(NOW, list(0x9c)) : which == 2 ? tcbJson(tcbSpec()) : qeJson(qeSpec());
        bytes4 selector = [
            parser.pckCertificate.selector,
            parser.revocationList.selector,
            parser.tcbInfo.selector,
            parser.qeIdentity.selector
        ][which];
        n = bound(n, 0, data.length - 1);
        assembly ("memory-safe") {
            mstore(data, n)
        }
        assertFalse(ends(address(parser), abi.encodeWithSelector(selector, data)), "a value");
    }
}
