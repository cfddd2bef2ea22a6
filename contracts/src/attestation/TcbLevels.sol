// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ModuleIdentity, TcbInfo, TcbLevel} from "./TcbDocument.sol";
import {TcbStatus} from "../interfaces/IDcapVerifier.sol";

/// @title TcbLevels
/// @notice The part of a TCB info that judges quotes, as the code of a contract of its own: reading all of it costs less
///         than two words of storage, and a newer document replaces every trace of an older one.
///
///         STOP ‖ pceId(2) ‖ m(1) ‖ m × (module version(1) ‖ acceptedFrom(2)) ‖
///         n × (SGX SVNs(16) ‖ TDX SVNs(16) ‖ PCE SVN(2) ‖ status(1))
library TcbLevels {
    error StoreFailed();

    uint256 private constant HEAD = 4;
    uint256 private constant MODULE = 3;
    uint256 private constant LEVEL = 35;
    uint256 private constant LANES = 0x00ff00ff00ff00ff00ff00ff00ff00ff;
    uint256 private constant CARRY = 0x01000100010001000100010001000100;

    /// @param known Where a document was stored before, if any: returned if it has the same levels.
    function store(TcbInfo memory info, address known) internal returns (address at) {
        bytes memory data = abi.encodePacked(bytes1(0), info.pceId, uint8(info.modules.length));
        for (uint256 i; i < info.modules.length; ++i) {
            ModuleIdentity memory m = info.modules[i];
            // An SVN of a module is one byte, so this keeps "none".
            uint16 from = m.acceptedFrom > type(uint16).max ? type(uint16).max : uint16(m.acceptedFrom);
            data = bytes.concat(data, abi.encodePacked(m.version, from));
        }
        for (uint256 i; i < info.levels.length; ++i) {
            TcbLevel memory l = info.levels[i];
            data = bytes.concat(data, abi.encodePacked(l.sgx, l.tdx, l.pceSvn, uint8(l.status)));
        }
        if (known != address(0) && known.codehash == keccak256(data)) return known;
        // PUSH2 length, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN: deploys what follows.
        bytes memory init = abi.encodePacked(hex"61", uint16(data.length), hex"80600a5f395ff3", data);
        assembly ("memory-safe") {
            at := create(0, add(init, 32), mload(init))
        }
        if (at == address(0)) revert StoreFailed();
    }

    function pceId(address at) internal view returns (bytes2) {
        return at == address(0) ? bytes2(0) : _pceId(at.code);
    }

    function _pceId(bytes memory d) private pure returns (bytes2) {
        return bytes2(_word(d, 1));
    }

    /// @notice Intel's level matching: the first level whose SGX part the platform meets, then from there the first
    ///         whose TDX part it meets too. A TDX module of a major version (not 0) must be at an accepted level of its
    ///         own, and then SVNs 0 and 1 belong to it.
    function status(address at, bytes16 components, uint16 pceSvn, bytes2 pce, bytes16 svn)
        internal
        view
        returns (TcbStatus)
    {
        bytes memory d = at.code;
        if (_pceId(d) != pce) return TcbStatus.None;
        uint256 modulesEnd = HEAD + MODULE * uint8(d[HEAD - 1]);
        if (svn[1] != 0) {
            if (uint8(svn[0]) < _acceptedFrom(d, svn[1], modulesEnd)) return TcbStatus.OutOfDate;
            svn |= bytes16(hex"ffff");
        }
        for (uint256 i = modulesEnd; i < d.length; i += LEVEL) {
            bytes32 need = _word(d, i);
            if (!_meets(components, bytes16(need))) continue;
            bytes3 rest = bytes3(_word(d, i + 32));
            if (pceSvn < uint16(bytes2(rest))) continue;
            if (_meets(svn, bytes16(need << 128))) return TcbStatus(uint8(rest[2]));
        }
        return TcbStatus.None;
    }

    function _acceptedFrom(bytes memory d, bytes1 version, uint256 end) private pure returns (uint256) {
        for (uint256 i = HEAD; i < end; i += MODULE) {
            bytes3 module = bytes3(_word(d, i));
            if (module[0] == version) return uint16(bytes2(module << 8));
        }
        return type(uint256).max;
    }

    /// @dev Whether each of sixteen bytes is at least its counterpart: even and odd bytes in lanes of 16 bits, where a
    ///      bit above the byte survives the subtraction only if the byte is not smaller.
    function _meets(bytes16 have, bytes16 need) private pure returns (bool) {
        uint256 h = uint128(have);
        uint256 n = uint128(need);
        uint256 even = ((h & LANES) | CARRY) - (n & LANES);
        uint256 odd = (((h >> 8) & LANES) | CARRY) - ((n >> 8) & LANES);
        return even & odd & CARRY == CARRY;
    }

    /// @dev The 32 bytes from `i`, of which the caller uses those within `d`.
    function _word(bytes memory d, uint256 i) private pure returns (bytes32 w) {
        assembly ("memory-safe") {
            w := mload(add(add(d, 32), i))
        }
    }
}
