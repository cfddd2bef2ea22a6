// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ResultCertificate, SessionTerms, State} from "../src/interfaces/IFFECoordinator.sol";
import {Fixture} from "./utils/Fixture.sol";
import {Test} from "./utils/Vm.sol";

/// @notice What the calls cost as whole transactions: the base fee of 21 000, the data and the execution.
/// forge-config: default.isolate = true
contract GasTest is Fixture {
    function test_gas_submit() public {
        uint256 id = openDefault(3);
        submit(id, party(0));
        bytes memory key = ownerKey(party(1));
        bytes memory data = abi.encodeCall(coordinator.submit, (id, root(party(1)), key));
        assertLe(transaction(party(1), 1 ether, data, "submit"), 120_000, "submit");
    }

    function transaction(address from, uint256 value, bytes memory data, string memory name)
        private
        returns (uint256 gas)
    {
        vm.prank(from);
        (bool ok,) = address(coordinator).call{value: value}(data);
        assertTrue(ok, name);
        gas = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue("FFECoordinator", name, gas);
    }

    function test_gas_finalize() public {
        uint256[3] memory sizes = [uint256(2), 8, 32];
        for (uint256 i; i < sizes.length; ++i) {
            uint256 n = sizes[i];
            uint256 id = sealedSession(n);
            ResultCertificate memory c = allAccepted(id);
            bytes memory data = abi.encodeCall(coordinator.finalize, (id, c, enclaveSigns(hasher.result(c))));
            uint256 gas = transaction(stranger, 0, data, string.concat("finalize, owners: ", vm.toString(n)));
            assertLe(gas, 90_000 + 110_000 * n, "finalize");
        }
    }
}
