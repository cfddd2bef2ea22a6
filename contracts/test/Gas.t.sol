// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {
    AbortCertificate,
    RejectionCertificate,
    ResultCertificate,
    SessionOffer,
    SessionTerms
} from "../src/interfaces/IFFECoordinator.sol";
import {Fixture} from "./utils/Fixture.sol";
import {PlainToken} from "./utils/Tokens.sol";

/// @notice What calls cost as whole transactions: the base fee of 21 000, the data and the execution.
/// forge-config: default.isolate = true
contract GasTest is Fixture {
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

    function test_gas_openSession() public {
        uint256[2] memory sizes = [uint256(3), 32];
        for (uint256 i; i < sizes.length; ++i) {
            SessionTerms memory t = defaultTerms(sizes[i]);
            SessionOffer memory o = offerFor(t);
            bytes memory data =
                abi.encodeCall(coordinator.openSession, (t, o, enclaveSigns(hasher.offer(o)), RECIPE, MANIFEST));
            transaction(opener, t.fee, data, string.concat("openSession, participants: ", vm.toString(sizes[i])));
        }
    }

    function test_gas_submit() public {
        uint256 id = openDefault(4);
        submit(id, party(0));
        bytes memory key = ownerKey(party(1));
        bytes memory data = abi.encodeCall(coordinator.submit, (id, root(party(1)), key));
        assertLe(transaction(party(1), 1 ether, data, "submit"), 120_000, "submit");
        data = abi.encodeCall(coordinator.submit, (id, root(party(2)), key));
        transaction(party(1), 0, data, "submit, replacing");
        transaction(party(1), 0, abi.encodeCall(coordinator.withdraw, (id)), "withdraw");
        submit(id, party(2));
        vm.warp(coordinator.session(id).submitDeadline);
        transaction(stranger, 0, abi.encodeCall(coordinator.seal, (id)), "seal, contributors: 2");
    }

    function test_gas_submitInTokens() public {
        PlainToken token = new PlainToken();
        SessionTerms memory t = defaultTerms(3);
        t.stakeToken = address(token);
        uint256 id = open(t);
        for (uint256 i; i < 2; ++i) {
            token.mint(party(i), 10 ether);
            vm.prank(party(i));
            token.approve(address(coordinator), type(uint256).max);
        }
        submit(id, party(0));
        bytes memory data = abi.encodeCall(coordinator.submit, (id, root(party(1)), ownerKey(party(1))));
        transaction(party(1), 0, data, "submit, ERC-20 stake");
    }

    /// @dev What the last of 255 pays for the sealing.
    function test_gas_sealBySubmission() public {
        SessionTerms memory t = defaultTerms(255);
        uint256 id = open(t);
        for (uint256 i; i < 254; ++i) {
            submit(id, t.participants[i]);
        }
        address last = t.participants[254];
        bytes memory data = abi.encodeCall(coordinator.submit, (id, root(last), ownerKey(last)));
        transaction(last, 1 ether, data, "submit, sealing 255");
    }

    function test_gas_slash() public {
        uint256 id = sealedSession(3);
        RejectionCertificate memory c = rejectionOf(id, party(0), 1);
        bytes memory data = abi.encodeCall(coordinator.slashWithProof, (id, c, enclaveSigns(hasher.rejection(c))));
        vm.txGasPrice(1 gwei);
        uint256 gas = transaction(stranger, 0, data, "slashWithProof");
        assertLe(coordinator.credit(stranger, address(0)), gas * 1 gwei, "the reward is never more than the gas");
    }

    function test_gas_finalize() public {
        uint256[4] memory sizes = [uint256(2), 8, 32, 255];
        for (uint256 i; i < sizes.length; ++i) {
            uint256 n = sizes[i];
            uint256 id = sealedSession(n);
            ResultCertificate memory c = allAccepted(id);
            bytes memory data = abi.encodeCall(coordinator.finalize, (id, c, enclaveSigns(hasher.result(c))));
            uint256 gas = transaction(stranger, 0, data, string.concat("finalize, owners: ", vm.toString(n)));
            assertLe(gas, 90_000 + 110_000 * n, "finalize");
            // geth's pools take no transaction of more than 128 KiB; its other fields are below 256 bytes.
            assertLe(data.length, 131_072 - 256, "finalize fits a transaction");
        }
    }

    function test_gas_exits() public {
        uint256 id = sealedSession(3);
        AbortCertificate memory c = AbortCertificate(coordinator.session(id).sealHash, 1, 0);
        bytes memory data = abi.encodeCall(coordinator.abort, (id, c, enclaveSigns(hasher.abortion(c))));
        transaction(stranger, 0, data, "abort");
        transaction(party(0), 0, abi.encodeCall(coordinator.claim, (id, party(0))), "claim");
        id = sealedSession(3);
        vm.warp(coordinator.session(id).deliverDeadline + 1);
        transaction(stranger, 0, abi.encodeCall(coordinator.fail, (id)), "fail");
        transaction(stranger, 0, abi.encodeCall(coordinator.collect, (opener, address(0))), "collect");
        transaction(stranger, 0, abi.encodeCall(coordinator.backEnclave, (enclaveId, true)), "backEnclave");
    }
}
