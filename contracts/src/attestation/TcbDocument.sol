// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Json} from "./Json.sol";
import {TcbStatus} from "../interfaces/IDcapVerifier.sol";

/// @notice One TCB level: the SVNs it asks for, and its status.
struct TcbLevel {
    bytes16 sgx;
    bytes16 tdx;
    uint16 pceSvn;
    TcbStatus status;
}

/// @notice A TDX module of one major version.
struct ModuleIdentity {
    uint8 version;
    uint32 acceptedFrom; // lowest SVN that is UpToDate; 65536 if none is
}

struct TcbInfo {
    bytes6 fmspc;
    bytes2 pceId;
    uint64 issueDate;
    uint64 nextUpdate;
    uint32 evaluationNumber;
    TcbLevel[] levels; // descending, as published
    ModuleIdentity[] modules;
}

struct QeIdentity {
    uint64 issueDate;
    uint64 nextUpdate;
    uint32 evaluationNumber;
    bytes4 miscSelect;
    bytes4 miscSelectMask;
    bytes16 attributes;
    bytes16 attributesMask;
    bytes32 mrSigner;
    uint16 isvProdId;
    uint32 acceptedFrom; // lowest SVN that is UpToDate; 65536 if none is
}

/// @title TcbDocument
/// @notice Reads Intel's TCB info (version 3, TDX) and QE identity (version 2, TD_QE).
library TcbDocument {
    error BadMember(uint256 offset);

    uint256 private constant MAX_LEVELS = 64;

    function parseTcbInfo(bytes calldata d) internal pure returns (TcbInfo memory info) {
        TcbLevel[] memory levels = new TcbLevel[](MAX_LEVELS);
        uint256 count;
        uint256 seen;
        uint256 at = Json.enter(d, 0, "{");
        while (true) {
            bool more;
            (more, at) = Json.more(d, at, "}");
            if (!more) break;
            bytes32 name;
            uint256 v;
            (name, v) = Json.key(d, at);
            if (name == keccak256("id")) {
                at = _word(d, v, "TDX");
                seen |= 1;
            } else if (name == keccak256("version")) {
                at = _numberIs(d, v, 3);
                seen |= 2;
            } else if (name == keccak256("issueDate")) {
                (info.issueDate, at) = Json.time(d, v);
                seen |= 4;
            } else if (name == keccak256("nextUpdate")) {
                (info.nextUpdate, at) = Json.time(d, v);
                seen |= 8;
            } else if (name == keccak256("fmspc")) {
                (v, at) = _hex(d, v, 6);
                info.fmspc = bytes6(bytes32(v));
                seen |= 16;
            } else if (name == keccak256("pceId")) {
                (v, at) = _hex(d, v, 2);
                info.pceId = bytes2(bytes32(v));
                seen |= 32;
            } else if (name == keccak256("tcbType")) {
                at = _numberIs(d, v, 0);
                seen |= 64;
            } else if (name == keccak256("tcbEvaluationDataNumber")) {
                (v, at) = Json.number(d, v);
                info.evaluationNumber = uint32(v);
                seen |= 128;
            } else if (name == keccak256("tdxModuleIdentities")) {
                (info.modules, at) = _modules(d, v);
            } else if (name == keccak256("tcbLevels")) {
                at = Json.enter(d, v, "[");
                while (true) {
                    (more, at) = Json.more(d, at, "]");
                    if (!more) break;
                    if (count == MAX_LEVELS) revert BadMember(at);
                    at = _level(d, at, levels[count++]);
                }
                seen |= 256;
            } else {
                at = Json.skip(d, v);
            }
        }
        if (seen != 511 || at != d.length || count == 0) revert BadMember(at);
        assembly ("memory-safe") {
            mstore(levels, count)
        }
        info.levels = levels;
    }

    function parseQeIdentity(bytes calldata d) internal pure returns (QeIdentity memory qe) {
        uint256 seen;
        uint256 at = Json.enter(d, 0, "{");
        while (true) {
            bool more;
            (more, at) = Json.more(d, at, "}");
            if (!more) break;
            bytes32 name;
            uint256 v;
            (name, v) = Json.key(d, at);
            if (name == keccak256("id")) {
                at = _word(d, v, "TD_QE");
                seen |= 1;
            } else if (name == keccak256("version")) {
                at = _numberIs(d, v, 2);
                seen |= 2;
            } else if (name == keccak256("issueDate")) {
                (qe.issueDate, at) = Json.time(d, v);
                seen |= 4;
            } else if (name == keccak256("nextUpdate")) {
                (qe.nextUpdate, at) = Json.time(d, v);
                seen |= 8;
            } else if (name == keccak256("tcbEvaluationDataNumber")) {
                (v, at) = Json.number(d, v);
                qe.evaluationNumber = uint32(v);
                seen |= 16;
            } else if (name == keccak256("miscselect")) {
                (v, at) = _hex(d, v, 4);
                qe.miscSelect = bytes4(bytes32(v));
                seen |= 32;
            } else if (name == keccak256("miscselectMask")) {
                (v, at) = _hex(d, v, 4);
                qe.miscSelectMask = bytes4(bytes32(v));
                seen |= 64;
            } else if (name == keccak256("attributes")) {
                (v, at) = _hex(d, v, 16);
                qe.attributes = bytes16(bytes32(v));
                seen |= 128;
            } else if (name == keccak256("attributesMask")) {
                (v, at) = _hex(d, v, 16);
                qe.attributesMask = bytes16(bytes32(v));
                seen |= 256;
            } else if (name == keccak256("mrsigner")) {
                (v, at) = _hex(d, v, 32);
                qe.mrSigner = bytes32(v);
                seen |= 512;
            } else if (name == keccak256("isvprodid")) {
                (v, at) = Json.number(d, v);
                if (v > type(uint16).max) revert BadMember(at);
                qe.isvProdId = uint16(v);
                seen |= 1024;
            } else if (name == keccak256("tcbLevels")) {
                (qe.acceptedFrom, at) = _acceptedFrom(d, v);
                seen |= 2048;
            } else {
                at = Json.skip(d, v);
            }
        }
        if (seen != 4095 || at != d.length) revert BadMember(at);
    }

    /// @dev [{"id":"TDX_03","mrsigner":"00…","attributes":"00…","attributesMask":"FF…","tcbLevels":[…]},…]. Only
    ///      modules signed by Intel (all-zero signer) count: quotes of others are refused anyway.
    function _modules(bytes calldata d, uint256 at) private pure returns (ModuleIdentity[] memory modules, uint256) {
        modules = new ModuleIdentity[](MAX_LEVELS);
        uint256 count;
        at = Json.enter(d, at, "[");
        while (true) {
            bool more;
            (more, at) = Json.more(d, at, "]");
            if (!more) break;
            if (count == MAX_LEVELS) revert BadMember(at);
            bool intel;
            (intel, at) = _module(d, Json.enter(d, at, "{"), modules[count]);
            if (intel) ++count;
        }
        assembly ("memory-safe") {
            mstore(modules, count)
        }
        return (modules, at);
    }

    function _module(bytes calldata d, uint256 at, ModuleIdentity memory identity)
        private
        pure
        returns (bool intel, uint256)
    {
        uint256 seen;
        intel = true;
        bool zero;
        while (true) {
            bool more;
            (more, at) = Json.more(d, at, "}");
            if (!more) break;
            bytes32 name;
            uint256 v;
            (name, v) = Json.key(d, at);
            if (name == keccak256("id")) {
                (identity.version, at) = _moduleVersion(d, v);
                seen |= 1;
            } else if (name == keccak256("mrsigner")) {
                (zero, at) = Json.zeros(d, v);
                intel = intel && zero;
                seen |= 2;
            } else if (name == keccak256("attributes")) {
                (zero, at) = Json.zeros(d, v);
                intel = intel && zero;
                seen |= 4;
            } else if (name == keccak256("tcbLevels")) {
                (identity.acceptedFrom, at) = _acceptedFrom(d, v);
                seen |= 8;
            } else {
                at = Json.skip(d, v);
            }
        }
        if (seen != 15) revert BadMember(at);
        return (intel, at);
    }

    /// @dev "TDX_01": the module's major version, two hexadecimal digits.
    function _moduleVersion(bytes calldata d, uint256 at) private pure returns (uint8 version, uint256 next) {
        uint256 start;
        uint256 end;
        (start, end, next) = Json.text(d, at);
        if (end - start != 6 || bytes4(d[start:start + 4]) != "TDX_") revert BadMember(at);
        version = uint8(Json.digit(d, start + 4) * 16 + Json.digit(d, start + 5));
    }

    /// @dev {"tcb":{"sgxtcbcomponents":[{"svn":2,…}×16],"pcesvn":11,"tdxtcbcomponents":[…]},"tcbDate":…,
    ///      "tcbStatus":"UpToDate","advisoryIDs":[…]}
    function _level(bytes calldata d, uint256 at, TcbLevel memory level) private pure returns (uint256) {
        uint256 seen;
        at = Json.enter(d, at, "{");
        while (true) {
            bool more;
            (more, at) = Json.more(d, at, "}");
            if (!more) break;
            bytes32 name;
            uint256 v;
            (name, v) = Json.key(d, at);
            if (name == keccak256("tcb")) {
                at = _tcb(d, Json.enter(d, v, "{"), level);
                seen |= 1;
            } else if (name == keccak256("tcbStatus")) {
                (level.status, at) = _status(d, v);
                seen |= 2;
            } else {
                at = Json.skip(d, v);
            }
        }
        if (seen != 3) revert BadMember(at);
        return at;
    }

    function _tcb(bytes calldata d, uint256 at, TcbLevel memory level) private pure returns (uint256) {
        uint256 seen;
        while (true) {
            bool more;
            (more, at) = Json.more(d, at, "}");
            if (!more) break;
            bytes32 name;
            uint256 v;
            (name, v) = Json.key(d, at);
            if (name == keccak256("sgxtcbcomponents")) {
                (level.sgx, at) = _components(d, v);
                seen |= 1;
            } else if (name == keccak256("tdxtcbcomponents")) {
                (level.tdx, at) = _components(d, v);
                seen |= 2;
            } else if (name == keccak256("pcesvn")) {
                (v, at) = Json.number(d, v);
                if (v > type(uint16).max) revert BadMember(at);
                level.pceSvn = uint16(v);
                seen |= 4;
            } else {
                at = Json.skip(d, v);
            }
        }
        if (seen != 7) revert BadMember(at);
        return at;
    }

    /// @dev Sixteen objects, each with a member "svn" below 256.
    function _components(bytes calldata d, uint256 at) private pure returns (bytes16 packed, uint256) {
        uint256 value;
        at = Json.enter(d, at, "[");
        for (uint256 i; i < 16; ++i) {
            bool more;
            (more, at) = Json.more(d, at, "]");
            if (!more) revert BadMember(at);
            uint256 svn;
            (svn, at) = _svnOf(d, at, keccak256("svn"));
            if (svn > 255) revert BadMember(at);
            value = (value << 8) | svn;
        }
        if (d[at] != "]") revert BadMember(at);
        return (bytes16(uint128(value)), at + 1);
    }

    /// @dev The number under `member` of the object at `at`.
    function _svnOf(bytes calldata d, uint256 at, bytes32 member) private pure returns (uint256 svn, uint256) {
        bool found;
        at = Json.enter(d, at, "{");
        while (true) {
            bool more;
            (more, at) = Json.more(d, at, "}");
            if (!more) break;
            bytes32 name;
            uint256 v;
            (name, v) = Json.key(d, at);
            if (name == member) {
                (svn, at) = Json.number(d, v);
                found = true;
            } else {
                at = Json.skip(d, v);
            }
        }
        if (!found) revert BadMember(at);
        return (svn, at);
    }

    /// @dev [{"tcb":{"isvsvn":4},"tcbDate":…,"tcbStatus":"UpToDate"},…], SVNs descending. The lowest SVN of the levels
    ///      that are UpToDate, as long as none above them is not.
    function _acceptedFrom(bytes calldata d, uint256 at) private pure returns (uint32 from, uint256) {
        from = 65_536;
        uint256 last = 65_536;
        bool open = true;
        at = Json.enter(d, at, "[");
        while (true) {
            bool more;
            (more, at) = Json.more(d, at, "]");
            if (!more) break;
            uint256 svn;
            TcbStatus status;
            (svn, status, at) = _svnLevel(d, Json.enter(d, at, "{"));
            if (svn >= last) revert BadMember(at);
            last = svn;
            open = open && status == TcbStatus.UpToDate;
            if (open) from = uint32(svn);
        }
        return (from, at);
    }

    function _svnLevel(bytes calldata d, uint256 at) private pure returns (uint256 svn, TcbStatus status, uint256) {
        uint256 seen;
        while (true) {
            bool more;
            (more, at) = Json.more(d, at, "}");
            if (!more) break;
            bytes32 name;
            uint256 v;
            (name, v) = Json.key(d, at);
            if (name == keccak256("tcb")) {
                (svn, at) = _svnOf(d, v, keccak256("isvsvn"));
                if (svn > type(uint16).max) revert BadMember(at);
                seen |= 1;
            } else if (name == keccak256("tcbStatus")) {
                (status, at) = _status(d, v);
                seen |= 2;
            } else {
                at = Json.skip(d, v);
            }
        }
        if (seen != 3) revert BadMember(at);
        return (svn, status, at);
    }

    function _status(bytes calldata d, uint256 at) private pure returns (TcbStatus status, uint256 next) {
        bytes32 word;
        (word, next) = Json.textHash(d, at);
        if (word == keccak256("UpToDate")) {
            status = TcbStatus.UpToDate;
        } else if (word == keccak256("SWHardeningNeeded")) {
            status = TcbStatus.SWHardeningNeeded;
        } else if (word == keccak256("ConfigurationNeeded")) {
            status = TcbStatus.ConfigurationNeeded;
        } else if (word == keccak256("ConfigurationAndSWHardeningNeeded")) {
            status = TcbStatus.ConfigurationAndSWHardeningNeeded;
        } else if (word == keccak256("OutOfDate")) {
            status = TcbStatus.OutOfDate;
        } else if (word == keccak256("OutOfDateConfigurationNeeded")) {
            status = TcbStatus.OutOfDateConfigurationNeeded;
        } else if (word == keccak256("Revoked")) {
            status = TcbStatus.Revoked;
        }
    }

    function _word(bytes calldata d, uint256 at, bytes memory expected) private pure returns (uint256 next) {
        bytes32 word;
        (word, next) = Json.textHash(d, at);
        if (word != keccak256(expected)) revert BadMember(at);
    }

    function _numberIs(bytes calldata d, uint256 at, uint256 expected) private pure returns (uint256 next) {
        uint256 value;
        (value, next) = Json.number(d, at);
        if (value != expected) revert BadMember(at);
    }

    function _hex(bytes calldata d, uint256 at, uint256 n) private pure returns (uint256 value, uint256 next) {
        bytes32 word;
        (word, next) = Json.hexBytes(d, at, n);
        return (uint256(word), next);
    }
}
