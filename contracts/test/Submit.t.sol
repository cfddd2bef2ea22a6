// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EnclaveStatus} from "../src/interfaces/IEnclaveRegistry.sol";
import {Contribution, IFFECoordinator, Session, SessionTerms, State} from "../src/interfaces/IFFECoordinator.sol";
import {Fixture} from "./utils/Fixture.sol";
import {FeeToken, MoodyToken, PlainToken, SilentToken} from "./utils/Tokens.sol";

contract SubmitTest is Fixture {
    bytes32 private constant X25519 = bytes32(uint256(9));

    // ----------------------------------------------------------------------------------------------- submit

    function test_submit_takesStakeAndKeepsOrder() public {
        uint256 id = openDefault(3);
        bytes memory key = ownerKey(party(1));
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.Submitted(id, party(1), root(party(1)), key, 1);
        submit(id, party(1));
        submit(id, party(0));
        Contribution memory c = coordinator.contribution(id, party(1));
        assertEq(c.order, 1, "first");
        assertEq(c.blobRoot, root(party(1)), "root");
        assertEq(c.ownerKeyHash, keccak256(key), "key");
        assertEq(party(1).balance, 999 ether, "stake paid");
        address[] memory order = coordinator.contributors(id);
        assertEq(order.length, 2, "two");
        assertEq(order[0], party(1), "order of first submission");
        assertEq(order[1], party(0), "order of first submission");
    }

    function test_submit_replacesWithoutASecondStake() public {
        uint256 id = openDefault(3);
        submit(id, party(0));
        submit(id, party(1));
        vm.startPrank(party(0));
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.WrongValue.selector, 0, 1 ether));
        coordinator.submit{value: 1 ether}(id, keccak256("new"), abi.encode(X25519));
        coordinator.submit(id, keccak256("new"), abi.encode(X25519));
        vm.stopPrank();
        Contribution memory c = coordinator.contribution(id, party(0));
        assertEq(c.blobRoot, keccak256("new"), "root");
        assertEq(c.ownerKeyHash, keccak256(abi.encode(X25519)), "key");
        assertEq(c.order, 1, "order stays");
        assertEq(coordinator.session(id).submitted, 2, "count stays");
    }

    function test_submit_refusals() public {
        uint256 id = openDefault(2);
        bytes memory key = ownerKey(party(0));
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.UnknownSession.selector, 77));
        coordinator.submit(77, root(party(0)), key);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.NotParticipant.selector, stranger));
        vm.prank(stranger);
        coordinator.submit(id, root(party(0)), key);
        vm.startPrank(party(0));
        vm.expectRevert(IFFECoordinator.BadBlobRoot.selector);
        coordinator.submit{value: 1 ether}(id, 0, key);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.WrongValue.selector, 1 ether, 1 ether - 1));
        coordinator.submit{value: 1 ether - 1}(id, root(party(0)), key);
    }

    function test_submit_ownerKeyIsTheSendersOrX25519() public {
        uint256 id = openDefault(3);
        bytes memory others = ownerKey(party(1));
        bytes memory own = ownerKey(party(0));
        bytes[5] memory bad;
        bad[0] = others;
        bad[1] = abi.encodePacked(own, bytes1(0));
        bad[2] = new bytes(64);
        bad[3] = "";
        bad[4] = abi.encodePacked(bytes1(0x02), own);
        vm.startPrank(party(0));
        for (uint256 i; i < 5; ++i) {
            vm.expectRevert(IFFECoordinator.BadOwnerKey.selector);
            coordinator.submit{value: 1 ether}(id, root(party(0)), bad[i]);
        }
        own[0] = 0x03;
        vm.expectRevert(IFFECoordinator.BadOwnerKey.selector);
        coordinator.submit{value: 1 ether}(id, root(party(0)), own);
        coordinator.submit{value: 1 ether}(id, root(party(0)), abi.encode(X25519));
    }

    function testFuzz_submit_refusesForeignKeys(bytes memory key) public {
        uint256 id = openDefault(2);
        vm.assume(key.length != 32);
        vm.assume(keccak256(key) != keccak256(ownerKey(party(0))));
        address a = party(0);
        vm.expectRevert(IFFECoordinator.BadOwnerKey.selector);
        vm.prank(a);
        coordinator.submit{value: 1 ether}(id, root(a), key);
    }

    function test_submit_endsAtTheDeadline() public {
        uint256 id = openDefault(3);
        uint64 deadline = coordinator.session(id).submitDeadline;
        vm.warp(deadline - 1);
        submit(id, party(0));
        vm.warp(deadline);
        bytes memory key = ownerKey(party(1));
        address a = party(1);
        bytes memory why = abi.encodeWithSelector(IFFECoordinator.SubmitClosed.selector, id, deadline);
        vm.expectRevert(why);
        vm.prank(a);
        coordinator.submit{value: 1 ether}(id, root(a), key);
        vm.expectRevert(why);
        vm.prank(party(0));
        coordinator.withdraw(id);
    }

    function test_submit_notAfterSealing() public {
        uint256 id = sealedSession(2);
        bytes memory why = abi.encodeWithSelector(IFFECoordinator.WrongState.selector, id, State.Sealed);
        address a = party(0);
        vm.startPrank(a);
        vm.expectRevert(why);
        coordinator.submit(id, keccak256("new"), abi.encode(X25519));
        vm.expectRevert(why);
        coordinator.withdraw(id);
    }

    // --------------------------------------------------------------------------------------------- withdraw

    function test_withdraw_returnsTheStakeAndKeepsThePlace() public {
        uint256 id = openDefault(3);
        submit(id, party(0));
        submit(id, party(1));
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.Withdrawn(id, party(0));
        vm.prank(party(0));
        coordinator.withdraw(id);
        assertEq(party(0).balance, 1000 ether, "stake is back");
        assertEq(coordinator.session(id).submitted, 1, "one left");
        assertEq(coordinator.contributors(id).length, 1, "one left");
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.NotSubmitted.selector, party(0)));
        vm.prank(party(0));
        coordinator.withdraw(id);

        submit(id, party(0));
        address[] memory order = coordinator.contributors(id);
        assertEq(order[0], party(0), "place of the first submission");
        assertEq(order[1], party(1), "place of the first submission");
        assertEq(party(0).balance, 999 ether, "stake paid again");
    }

    function test_withdraw_sealsWithoutTheWithdrawn() public {
        uint256 id = openDefault(4);
        for (uint256 i; i < 3; ++i) {
            submit(id, party(i));
        }
        vm.prank(party(1));
        coordinator.withdraw(id);
        vm.warp(coordinator.session(id).submitDeadline);
        coordinator.seal(id);
        address[] memory order = coordinator.contributors(id);
        assertEq(order.length, 2, "two sealed");
        assertEq(order[1], party(2), "the withdrawn one's place is empty");
        finalize(id, resultOf(id, verdicts(1, 1)));
        assertEq(inft.ownerOf(inft.tokenIdOf(id, 2)), party(2), "second owner");
        assertEq(inft.tokensOf(id).length, 2, "two tokens");
    }

    // -------------------------------------------------------------------------------------------------- seal

    function sealHashOf(uint256 id) private view returns (bytes32) {
        address[] memory order = coordinator.contributors(id);
        bytes32[] memory roots = new bytes32[](order.length);
        bytes32[] memory keys = new bytes32[](order.length);
        for (uint256 i; i < order.length; ++i) {
            Contribution memory c = coordinator.contribution(id, order[i]);
            (roots[i], keys[i]) = (c.blobRoot, c.ownerKeyHash);
        }
        return keccak256(abi.encode(coordinator.session(id).sessionHash, order, roots, keys));
    }

    function test_seal_byItselfWhenAllSubmitted() public {
        uint256 id = openDefault(3);
        submit(id, party(2));
        submit(id, party(0));
        assertState(id, State.Open);
        vm.warp(START + 100);
        submit(id, party(1));
        Session memory s = coordinator.session(id);
        assertState(id, State.Sealed);
        assertEq(s.sealHash, sealHashOf(id), "seal hash");
        assertEq(s.deliverDeadline, START + 100 + 2 days, "delivery");
    }

    function test_seal_byAnyoneWithTheQuorumInTheHourAfter() public {
        uint256 id = openDefault(3);
        submit(id, party(0));
        submit(id, party(1));
        uint64 deadline = coordinator.session(id).submitDeadline;
        vm.warp(deadline - 1);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.SealNotOpen.selector, deadline));
        coordinator.seal(id);
        vm.warp(deadline + 1 hours + 1);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.SealClosed.selector, deadline + 1 hours));
        coordinator.seal(id);
        vm.warp(deadline + 1 hours);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.QuorumReached(id, sealHashOf(id));
        vm.prank(stranger);
        coordinator.seal(id);
        assertState(id, State.Sealed);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.WrongState.selector, id, State.Sealed));
        coordinator.seal(id);
    }

    function test_seal_needsTheQuorum() public {
        SessionTerms memory t = defaultTerms(4);
        t.quorum = 3;
        uint256 id = open(t);
        submit(id, party(0));
        submit(id, party(1));
        vm.warp(t.submitDeadline);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.QuorumNotReached.selector, 3, 2));
        coordinator.seal(id);
    }

    function test_seal_waitsForTheEnclave() public {
        uint256 id = openDefault(2);
        submit(id, party(0));
        registry.set(enclaveId, EnclaveStatus.Expired);
        submit(id, party(1));
        assertState(id, State.Open);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.EnclaveNotActive.selector, enclaveId));
        coordinator.seal(id);
        registry.set(enclaveId, EnclaveStatus.Active);
        coordinator.seal(id);
        assertState(id, State.Sealed);
    }

    function test_seal_255() public {
        SessionTerms memory t = defaultTerms(255);
        uint256 id = open(t);
        for (uint256 i; i < 254; ++i) {
            submit(id, t.participants[i]);
        }
        bytes memory key = ownerKey(t.participants[254]);
        vm.prank(t.participants[254]);
        coordinator.submit{value: 1 ether}(id, root(t.participants[254]), key);
        assertState(id, State.Sealed);
        assertEq(coordinator.session(id).sealHash, sealHashOf(id), "seal hash");
        uint256 before = gasleft();
        finalize(id, allAccepted(id));
        // Far below a block, signature and hashing of the test included.
        assertLe(before - gasleft(), 45_000_000, "finalize with 255 owners");
        assertEq(inft.tokensOf(id).length, 255, "tokens");
        assertEq(inft.ownerOf(inft.tokenIdOf(id, 255)), t.participants[254], "last owner");
    }

    // ------------------------------------------------------------------------------------------------ ERC-20

    function openToken(address token) private returns (uint256) {
        SessionTerms memory t = defaultTerms(3);
        t.stakeToken = token;
        return open(t);
    }

    function submitToken(uint256 id, address token, address a) private {
        PlainToken(token).mint(a, 10 ether);
        // Low level, because not every token returns something.
        vm.prank(a);
        (bool ok,) = token.call(abi.encodeWithSignature("approve(address,uint256)", coordinator, type(uint256).max));
        assertTrue(ok, "approve");
        submit(id, a);
    }

    function test_token_stakeAndWithdraw() public {
        PlainToken token = new PlainToken();
        uint256 id = openToken(address(token));
        submitToken(id, address(token), party(0));
        assertEq(token.balanceOf(address(coordinator)), 1 ether, "stake is here");
        assertEq(coordinator.held(address(token)), 1 ether, "held");
        vm.prank(party(0));
        coordinator.withdraw(id);
        assertEq(token.balanceOf(party(0)), 10 ether, "stake is back");
        assertEq(coordinator.held(address(token)), 0, "held");
    }

    function test_token_refusesNativeValue() public {
        PlainToken token = new PlainToken();
        uint256 id = openToken(address(token));
        address a = party(0);
        bytes memory key = ownerKey(a);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.WrongValue.selector, 0, 1));
        vm.prank(a);
        coordinator.submit{value: 1}(id, root(a), key);
    }

    function test_token_thatReturnsNothing() public {
        SilentToken token = new SilentToken();
        uint256 id = openToken(address(token));
        submitToken(id, address(token), party(0));
        vm.prank(party(0));
        coordinator.withdraw(id);
        assertEq(token.balanceOf(party(0)), 10 ether, "stake is back");
    }

    function test_token_refusesFeeOnTransfer() public {
        FeeToken token = new FeeToken();
        uint256 id = openToken(address(token));
        address a = party(0);
        bytes memory key = ownerKey(a);
        token.mint(a, 10 ether);
        vm.startPrank(a);
        token.approve(address(coordinator), type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.TokenNotExact.selector, address(token)));
        coordinator.submit(id, root(a), key);
    }

    function test_token_refusesOneWhoseBalancesShrank() public {
        MoodyToken token = new MoodyToken();
        uint256 id = openToken(address(token));
        submitToken(id, address(token), party(0));
        token.shrink(address(coordinator), 1);
        address a = party(1);
        bytes memory key = ownerKey(a);
        token.mint(a, 10 ether);
        vm.startPrank(a);
        token.approve(address(coordinator), type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.TokenNotExact.selector, address(token)));
        coordinator.submit(id, root(a), key);
    }

    function test_token_ignoresDonations() public {
        PlainToken token = new PlainToken();
        uint256 id = openToken(address(token));
        token.mint(address(coordinator), 5);
        submitToken(id, address(token), party(0));
        assertEq(coordinator.held(address(token)), 1 ether, "held");
    }
}
