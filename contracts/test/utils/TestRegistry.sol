// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Enclave, EnclaveStatus, IEnclaveRegistry} from "../../src/interfaces/IEnclaveRegistry.sol";

/// @notice Stands in for the registry in tests of its neighbours: who is registered is set by the test, no quote is
///         looked at.
contract TestRegistry is IEnclaveRegistry {
    mapping(bytes32 => Enclave) private _enclaves;

    function add(address signer, bytes32 codeHash, address payee) external returns (bytes32 enclaveId) {
        enclaveId = keccak256(abi.encode(signer, codeHash));
        Enclave storage e = _enclaves[enclaveId];
        e.signer = signer;
        e.codeHash = codeHash;
        e.payee = payee;
        e.registeredAt = uint64(block.timestamp);
        e.validUntil = type(uint64).max;
        e.status = EnclaveStatus.Active;
        e.development = true;
        e.applicationProven = true;
    }

    function set(bytes32 enclaveId, EnclaveStatus status) external {
        Enclave storage e = _enclaves[enclaveId];
        e.status = status;
        e.revokedAt = status == EnclaveStatus.Revoked ? uint64(block.timestamp) : 0;
    }

    function setApplicationProven(bytes32 enclaveId, bool proven) external {
        _enclaves[enclaveId].applicationProven = proven;
    }

    function setPayee(bytes32 enclaveId, address payee) external {
        _enclaves[enclaveId].payee = payee;
    }

    function enclave(bytes32 enclaveId) external view returns (Enclave memory) {
        return _enclaves[enclaveId];
    }

    function development() external pure returns (bool) {
        return true;
    }

    function register(bytes calldata, bytes calldata, address, bytes calldata) external pure returns (bytes32) {
        revert("TestRegistry: use add");
    }

    function registerTapp(bytes calldata, bytes calldata, bytes calldata, address, bytes calldata)
        external
        pure
        returns (bytes32)
    {
        revert("TestRegistry: use add");
    }

    function renew(bytes calldata, bytes32, uint256) external pure returns (bytes32) {
        revert("TestRegistry: use set");
    }

    function retire(bytes32) external pure {
        revert("TestRegistry: use set");
    }

    function invalidate(bytes32, bytes calldata) external pure {
        revert("TestRegistry: use set");
    }
}
