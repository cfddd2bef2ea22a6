// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {EnclaveStatus} from "../src/interfaces/IEnclaveRegistry.sol";
import {IFFECoordinator, SessionOffer, SessionTerms, State} from "../src/interfaces/IFFECoordinator.sol";
import {Fixture} from "./utils/Fixture.sol";
import {MoodyToken, ReenteringToken} from "./utils/Tokens.sol";

/// @notice A contributor that is a contract, and can be told to refuse money or to call back when it comes.
contract Party {
    IFFECoordinator private immutable _coordinator;
    bool public refuses;
    bytes public payload;
    bytes public answer;

    constructor(IFFECoordinator coordinator) {
        _coordinator = coordinator;
    }

    function setRefuses(bool yes) external {
        refuses = yes;
    }

    function setPayload(bytes calldata data) external {
        payload = data;
    }

    function call(uint256 value, bytes calldata data) external {
        (bool ok, bytes memory result) = address(_coordinator).call{value: value}(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
    }

    receive() external payable {
        require(!refuses, "no money, please");
        if (payload.length == 0) return;
        (bool ok, bytes memory result) = address(_coordinator).call(payload);
        require(!ok, "came back in");
        answer = result;
    }
}

contract MoneyTest is Fixture {
    function claim(uint256 id, address a) private {
        vm.prank(a);
        coordinator.claim(id, a);
    }

    // ------------------------------------------------------------------------------------------------- bond

    function test_bond_depositAndWithdraw() public {
        vm.deal(stranger, 3 ether);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.BondDeposited(payee, stranger, 3 ether);
        vm.prank(stranger);
        coordinator.depositBond{value: 3 ether}(payee);
        openDefault(2);
        vm.startPrank(payee);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.BondTooSmall.selector, 93 ether + 1, 93 ether));
        coordinator.withdrawBond(93 ether + 1, payee);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.BondWithdrawn(payee, stranger, 93 ether);
        coordinator.withdrawBond(93 ether, stranger);
        assertEq(stranger.balance, 93 ether, "paid to whom the payee said");
        vm.expectRevert(IFFECoordinator.ZeroAddress.selector);
        coordinator.withdrawBond(0, address(0));
        vm.stopPrank();
        vm.expectRevert(IFFECoordinator.ZeroAddress.selector);
        coordinator.depositBond{value: 0}(address(0));
    }

    function testFuzz_bond_onlyTheFreePartLeaves(uint256 deposit, uint256 amount, uint256 locked) public {
        deposit = bound(deposit, 0, 1e5 ether);
        vm.prank(payee);
        coordinator.depositBond{value: deposit}(payee);
        SessionTerms memory t = defaultTerms(2);
        t.operatorBond = bound(locked, 0, 100 ether + deposit);
        open(t);
        uint256 free = 100 ether + deposit - t.operatorBond;
        vm.prank(payee);
        if (amount > free) vm.expectRevert();
        coordinator.withdrawBond(amount, payee);
    }

    /// @dev Anyone can run an enclave and register it with somebody else as payee, then let a session of his own accounts
    ///      fail to divide that payee's bond. The payee has to back the enclave first.
    function test_bond_nobodyElsesEnclaveCanLockIt() public {
        enclaveKey = uint256(keccak256("thief's enclave"));
        enclaveId = registry.add(vm.addr(enclaveKey), CODE, payee);
        SessionTerms memory t = defaultTerms(2);
        bytes memory why = abi.encodeWithSelector(IFFECoordinator.EnclaveNotBacked.selector, payee, enclaveId);
        this.openRefused(t, why);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.EnclaveBacked(stranger, enclaveId, true);
        vm.prank(stranger);
        coordinator.backEnclave(enclaveId, true);
        this.openRefused(t, why);

        // A session that locks nothing needs nobody's word.
        t.operatorBond = 0;
        uint256 id = open(t);
        vm.warp(t.submitDeadline);
        coordinator.expire(id);
        (uint128 total, uint128 locked) = coordinator.bond(payee);
        assertEq(total, 100 ether, "untouched");
        assertEq(locked, 0, "untouched");
    }

    function test_bond_backingEndsForFurtherSessionsOnly() public {
        assertTrue(coordinator.backs(payee, enclaveId), "backed");
        uint256 id = sealedSession(2);
        vm.prank(payee);
        coordinator.backEnclave(enclaveId, false);
        SessionTerms memory t = defaultTerms(2);
        this.openRefused(t, abi.encodeWithSelector(IFFECoordinator.EnclaveNotBacked.selector, payee, enclaveId));
        vm.warp(coordinator.session(id).deliverDeadline + 1);
        coordinator.fail(id);
        (uint128 total,) = coordinator.bond(payee);
        assertEq(total, 90 ether, "the earlier session keeps its claim");
    }

    function openRefused(SessionTerms memory t, bytes memory why) external {
        SessionOffer memory o = offerFor(t);
        bytes memory signature = enclaveSigns(hasher.offer(o));
        vm.expectRevert(why);
        vm.prank(opener);
        coordinator.openSession{value: t.fee}(t, o, signature, RECIPE, MANIFEST);
    }

    // ----------------------------------------------------------------------------------------------- exits

    function test_cancel() public {
        uint256 id = openDefault(3);
        submit(id, party(0));
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.NotOpener.selector, stranger));
        vm.prank(stranger);
        coordinator.cancel(id);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.Cancelled(id);
        vm.prank(opener);
        coordinator.cancel(id);
        assertState(id, State.Cancelled);
        assertEq(coordinator.credit(opener, address(0)), 0.5 ether, "fee");
        (, uint128 locked) = coordinator.bond(payee);
        assertEq(locked, 0, "unlocked");
        claim(id, party(0));
        assertEq(party(0).balance, 1000 ether, "stake");
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.WrongState.selector, id, State.Cancelled));
        vm.prank(party(0));
        coordinator.withdraw(id);
    }

    function test_cancel_notAtTheDeadlineAndNotSealed() public {
        uint256 id = openDefault(2);
        vm.warp(coordinator.session(id).submitDeadline);
        vm.expectPartialRevert(IFFECoordinator.SubmitClosed.selector);
        vm.prank(opener);
        coordinator.cancel(id);
        uint256 other = sealedSession(2);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.WrongState.selector, other, State.Sealed));
        vm.prank(opener);
        coordinator.cancel(other);
    }

    function test_expire_atOnceWithoutTheQuorum() public {
        uint256 id = openDefault(3);
        submit(id, party(0));
        uint64 deadline = coordinator.session(id).submitDeadline;
        vm.warp(deadline - 1);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.NotExpired.selector, deadline));
        coordinator.expire(id);
        vm.warp(deadline);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.Expired(id);
        vm.prank(stranger);
        coordinator.expire(id);
        assertState(id, State.Expired);
        assertEq(coordinator.credit(opener, address(0)), 0.5 ether, "fee");
        claim(id, party(0));
        assertEq(party(0).balance, 1000 ether, "stake");
    }

    function test_expire_afterTheHourWithTheQuorum() public {
        uint256 id = openDefault(3);
        submit(id, party(0));
        submit(id, party(1));
        uint64 deadline = coordinator.session(id).submitDeadline;
        vm.warp(deadline + 1 hours);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.NotExpired.selector, deadline + 1 hours + 1));
        coordinator.expire(id);
        vm.warp(deadline + 1 hours + 1);
        coordinator.expire(id);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.WrongState.selector, id, State.Expired));
        coordinator.expire(id);
    }

    function test_fail_splitsTheBondAndReturnsTheFee() public {
        uint256 id = sealedSession(3);
        vm.txGasPrice(0);
        slash(id, party(0), 2);
        vm.warp(coordinator.session(id).deliverDeadline + 1);
        uint256 share = uint256(10 ether) / 3;
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.Failed(id, false, share);
        vm.prank(stranger);
        coordinator.fail(id);
        assertEq(coordinator.credit(opener, address(0)), 0.5 ether, "fee");
        (uint128 total, uint128 locked) = coordinator.bond(payee);
        assertEq(total, 90 ether, "bond lost");
        assertEq(locked, 0, "nothing locked");
        assertEq(coordinator.credit(DEAD, address(0)), 0.5 ether + 10 ether - 2 * share, "share of the slashed");
        claim(id, party(0));
        claim(id, party(1));
        claim(id, party(2));
        assertEq(party(0).balance, 999.5 ether, "half of a stake");
        assertEq(party(1).balance, 1000 ether + share, "stake and share");
        assertEq(party(2).balance, 1000 ether + share, "stake and share");
        coordinator.collect(DEAD, address(0));
        coordinator.collect(opener, address(0));
        assertEq(address(coordinator).balance, 90 ether, "to the wei");
    }

    function test_fail_retirementAndLapseExcuseNothing() public {
        uint256 id = sealedSession(2);
        registry.set(enclaveId, EnclaveStatus.Retired);
        vm.expectPartialRevert(IFFECoordinator.NotFailed.selector);
        coordinator.fail(id);
        vm.warp(coordinator.session(id).deliverDeadline + 1);
        coordinator.fail(id);
        (uint128 total,) = coordinator.bond(payee);
        assertEq(total, 90 ether, "bond lost");
    }

    function test_fail_aRevocationEndsItAtOnceAndExcuses() public {
        uint256 id = sealedSession(2);
        registry.set(enclaveId, EnclaveStatus.Revoked);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.Failed(id, true, 0);
        coordinator.fail(id);
        (uint128 total, uint128 locked) = coordinator.bond(payee);
        assertEq(total, 100 ether, "bond stays");
        assertEq(locked, 0, "unlocked");
        assertEq(coordinator.credit(opener, address(0)), 0.5 ether, "fee");
        claim(id, party(0));
        assertEq(party(0).balance, 1000 ether, "stake");
    }

    function test_fail_aRevocationAfterTheDeadlineExcusesNothing() public {
        uint256 id = sealedSession(2);
        vm.warp(coordinator.session(id).deliverDeadline + 1);
        registry.set(enclaveId, EnclaveStatus.Revoked);
        coordinator.fail(id);
        (uint128 total,) = coordinator.bond(payee);
        assertEq(total, 90 ether, "bond lost");
    }

    function test_fail_onlyASealedSession() public {
        uint256 id = openDefault(2);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.WrongState.selector, id, State.Open));
        coordinator.fail(id);
    }

    function testFuzz_fail_conservesTheBond(uint256 bond, uint8 contributors, uint8 slashed, uint8 slashedLater)
        public
    {
        uint256 n = bound(contributors, 2, 20);
        SessionTerms memory t = defaultTerms(n);
        t.operatorBond = bound(bond, 0, 100 ether);
        uint256 id = sealedWith(t);
        vm.txGasPrice(0);
        uint256 early = bound(slashed, 0, n);
        for (uint256 i; i < early; ++i) {
            slash(id, t.participants[i], 1);
        }
        vm.warp(coordinator.session(id).deliverDeadline + 1);
        coordinator.fail(id);
        uint256 late = bound(slashedLater, early, n);
        for (uint256 i = early; i < late; ++i) {
            slash(id, t.participants[i], 2);
        }
        uint256 sum = coordinator.credit(DEAD, address(0)) + coordinator.credit(opener, address(0));
        for (uint256 i; i < n; ++i) {
            (uint256 a, uint256 b) = coordinator.claimable(id, t.participants[i]);
            assertTrue(i >= late || b == 0, "no share for the slashed");
            sum += a + b;
        }
        assertEq(sum, n * t.stake + t.operatorBond + t.fee, "conserved to the wei");
    }

    // ----------------------------------------------------------------------------------------------- claim

    function test_claim_refusals() public {
        uint256 id = openDefault(2);
        submit(id, party(0));
        vm.startPrank(party(0));
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.UnknownSession.selector, 9));
        coordinator.claim(9, party(0));
        vm.expectRevert(IFFECoordinator.ZeroAddress.selector);
        coordinator.claim(id, address(0));
        vm.expectRevert(IFFECoordinator.NothingToClaim.selector);
        coordinator.claim(id, party(0));
        vm.stopPrank();
        vm.prank(opener);
        coordinator.cancel(id);
        vm.expectRevert(IFFECoordinator.NothingToClaim.selector);
        vm.prank(party(1));
        coordinator.claim(id, party(1));
        claim(id, party(0));
        vm.expectRevert(IFFECoordinator.NothingToClaim.selector);
        vm.prank(party(0));
        coordinator.claim(id, party(0));
        vm.expectRevert(IFFECoordinator.NothingToClaim.selector);
        coordinator.collect(party(0), address(0));
    }

    function test_claim_paysTheOpenerItsFee() public {
        uint256 id = openDefault(2);
        vm.prank(opener);
        coordinator.cancel(id);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.Paid(opener, address(0), stranger, 0.5 ether);
        vm.prank(opener);
        coordinator.claim(id, stranger);
        assertEq(stranger.balance, 0.5 ether, "fee");
    }

    function test_claim_paysTheOpenerItsFeeWhereStakesAreTokens() public {
        uint256 id = failedInTokens(new MoodyToken());
        uint256 before = opener.balance;
        claim(id, opener);
        assertEq(opener.balance, before + coordinator.session(id).fee, "fee");
    }

    function test_claim_emitsWhatItBooked() public {
        uint256 id = sealedSession(2);
        vm.warp(coordinator.session(id).deliverDeadline + 1);
        coordinator.fail(id);
        vm.expectEmit(address(coordinator));
        emit IFFECoordinator.Claimed(id, party(0), 1 ether, 5 ether);
        claim(id, party(0));
    }

    function test_claim_inTokens() public {
        MoodyToken token = new MoodyToken();
        uint256 id = failedInTokens(token);
        claim(id, party(0));
        assertEq(token.balanceOf(party(0)), 10 ether, "stake");
        assertEq(party(0).balance, 1005 ether, "share of the bond");
        assertEq(coordinator.held(address(token)), 1 ether, "one stake is left");
    }

    function test_claim_aTokenThatRefusesHoldsUpNothingElse() public {
        MoodyToken token = new MoodyToken();
        uint256 id = failedInTokens(token);
        token.refuse(party(0), true);
        claim(id, party(0));
        assertEq(party(0).balance, 1005 ether, "share of the bond");
        assertEq(coordinator.credit(party(0), address(token)), 1 ether, "credit stays");
        assertEq(coordinator.held(address(token)), 2 ether, "held");
        vm.expectRevert(bytes("refused"));
        coordinator.collect(party(0), address(token));
        token.refuse(party(0), false);
        vm.prank(stranger);
        coordinator.collect(party(0), address(token));
        assertEq(token.balanceOf(party(0)), 10 ether, "stake");
        assertEq(coordinator.held(address(token)), 1 ether, "held");
    }

    function test_claim_aTokenThatBurnsAllGasHoldsUpNothingElse() public {
        MoodyToken token = new MoodyToken();
        uint256 id = failedInTokens(token);
        token.burnGas(true);
        vm.prank(party(0));
        coordinator.claim{gas: 15_000_000}(id, party(0));
        assertEq(party(0).balance, 1005 ether, "share of the bond");
        assertEq(coordinator.credit(party(0), address(token)), 1 ether, "credit stays");
    }

    function test_slash_inTokensPaysNoReward() public {
        MoodyToken token = new MoodyToken();
        uint256 id = sealedInTokens(token);
        vm.txGasPrice(100 gwei);
        slash(id, party(0), 1);
        assertEq(coordinator.credit(DEAD, address(token)), 1 ether, "all of it");
        assertEq(coordinator.credit(stranger, address(0)), 0, "no reward");
        coordinator.collect(DEAD, address(token));
        assertEq(token.balanceOf(DEAD), 1 ether, "gone");
    }

    function sealedInTokens(MoodyToken token) private returns (uint256 id) {
        SessionTerms memory t = defaultTerms(2);
        t.stakeToken = address(token);
        id = open(t);
        for (uint256 i; i < 2; ++i) {
            token.mint(party(i), 10 ether);
            vm.prank(party(i));
            token.approve(address(coordinator), type(uint256).max);
            submit(id, party(i));
        }
    }

    function failedInTokens(MoodyToken token) private returns (uint256 id) {
        id = sealedInTokens(token);
        vm.warp(coordinator.session(id).deliverDeadline + 1);
        coordinator.fail(id);
    }

    // ------------------------------------------------------------------------------------- hostile receivers

    function sessionWith(Party p) private returns (uint256 id) {
        SessionTerms memory t = defaultTerms(3);
        t.participants[2] = address(p);
        id = open(t);
        vm.deal(address(p), 5 ether);
        p.call(1 ether, abi.encodeCall(coordinator.submit, (id, keccak256("p"), abi.encode(bytes32(uint256(9))))));
    }

    function test_hostile_aRefusingContributorHurtsOnlyItself() public {
        Party p = new Party(coordinator);
        uint256 id = sessionWith(p);
        submit(id, party(0));
        p.setRefuses(true);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.PaymentFailed.selector, address(p)));
        p.call(0, abi.encodeCall(coordinator.withdraw, (id)));
        vm.prank(opener);
        coordinator.cancel(id);
        claim(id, party(0));
        assertEq(party(0).balance, 1000 ether, "others are paid");
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.PaymentFailed.selector, address(p)));
        p.call(0, abi.encodeCall(coordinator.claim, (id, address(p))));
        p.call(0, abi.encodeCall(coordinator.claim, (id, stranger)));
        assertEq(stranger.balance, 1 ether, "and it can name another receiver");
    }

    function test_hostile_nothingCanBeReentered() public {
        Party p = new Party(coordinator);
        bytes4 why = ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
        bytes[4] memory payloads;
        uint256 id = sessionWith(p);
        payloads[0] = abi.encodeCall(coordinator.withdraw, (id));
        payloads[1] = abi.encodeCall(coordinator.claim, (id, address(p)));
        payloads[2] = abi.encodeCall(coordinator.submit, (id, keccak256("again"), abi.encode(bytes32(uint256(9)))));
        payloads[3] = abi.encodeCall(coordinator.withdrawBond, (0, address(p)));
        for (uint256 i; i < 4; ++i) {
            p.setPayload(payloads[i]);
            p.call(0, abi.encodeCall(coordinator.withdraw, (id)));
            assertEq(bytes32(p.answer()), bytes32(why), "guard");
            assertEq(address(p).balance, 5 ether, "one stake");
            p.call(1 ether, abi.encodeCall(coordinator.submit, (id, keccak256("p"), abi.encode(bytes32(uint256(9))))));
        }
        vm.prank(opener);
        coordinator.cancel(id);
        p.setPayload(abi.encodeCall(coordinator.collect, (opener, address(0))));
        p.call(0, abi.encodeCall(coordinator.claim, (id, address(p))));
        assertEq(bytes32(p.answer()), bytes32(why), "guard");
        assertEq(address(p).balance, 5 ether, "one stake");
    }

    function test_hostile_aReenteringToken() public {
        ReenteringToken token = new ReenteringToken();
        SessionTerms memory t = defaultTerms(3);
        t.stakeToken = address(token);
        uint256 id = open(t);
        token.mint(party(0), 10 ether);
        vm.prank(party(0));
        token.approve(address(coordinator), type(uint256).max);
        token.arm(address(coordinator), abi.encodeCall(coordinator.claim, (id, address(token))));
        submit(id, party(0));
        assertFalse(token.succeeded(), "guard");
        assertEq(coordinator.held(address(token)), 1 ether, "one stake");
    }

    function test_hostile_aRefusingContractStillGetsItsToken() public {
        Party p = new Party(coordinator);
        uint256 id = sessionWith(p);
        p.setRefuses(true);
        submit(id, party(0));
        submit(id, party(1));
        finalize(id, allAccepted(id));
        assertEq(inft.ownerOf(inft.tokenIdOf(id, 1)), address(p), "minted without a callback");
    }

    function test_frontRunning_aCertificateBroughtByAnotherDoesTheSame() public {
        uint256 id = sealedSession(2);
        slash(id, party(0), 1);
        // Whoever was second loses nothing but the gas.
        vm.expectPartialRevert(IFFECoordinator.AlreadySlashed.selector);
        this.slashAgain(id, party(0));
    }

    function slashAgain(uint256 id, address a) external {
        slash(id, a, 1);
    }
}
