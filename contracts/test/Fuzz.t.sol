// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EnclaveStatus} from "../src/interfaces/IEnclaveRegistry.sol";
import {
    AbortCertificate,
    IFFECoordinator,
    RejectionCertificate,
    ResultCertificate,
    Session,
    SessionTerms,
    State
} from "../src/interfaces/IFFECoordinator.sol";
import {Fixture} from "./utils/Fixture.sol";

/// @notice Every external function of the coordinator, by anybody, at any time, whatever its enclave has become: it does
///         what protocol and documentation say, or nothing. (`openSession`: Open.t.sol.)
contract FuzzTest is Fixture {
    uint256 private constant HORIZON = 40 days;

    function status(uint8 pick) private returns (EnclaveStatus s) {
        s = EnclaveStatus(1 + pick % 4);
        registry.set(enclaveId, s);
    }

    /// @dev An open session of 2 to 5 participants of whom `submissions` submitted.
    function opened(uint8 participants, uint8 quorum, uint8 submissions) private returns (uint256 id) {
        SessionTerms memory t = defaultTerms(bound(participants, 2, 5));
        t.quorum = uint16(bound(quorum, 2, t.participants.length));
        id = open(t);
        submissions = uint8(bound(submissions, 0, t.participants.length - 1));
        for (uint256 i; i < submissions; ++i) {
            submit(id, t.participants[i]);
        }
    }

    // ------------------------------------------------------------------------------------------------- bond

    function testFuzz_depositBond(address from, address to, uint96 amount) public {
        vm.assume(from != address(0) && to != address(0) && to != payee);
        vm.deal(from, amount);
        vm.prank(from);
        coordinator.depositBond{value: amount}(to);
        (uint128 total, uint128 locked) = coordinator.bond(to);
        assertEq(total, amount, "total");
        assertEq(locked, 0, "locked");
    }

    function testFuzz_withdrawBond_ofNobodyElse(address thief, uint256 amount) public {
        vm.assume(thief != payee && thief != address(0));
        amount = bound(amount, 1, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(IFFECoordinator.BondTooSmall.selector, amount, 0));
        vm.prank(thief);
        coordinator.withdrawBond(amount, thief);
    }

    function testFuzz_backEnclave_isOnesOwnWord(address who, bytes32 enclave, bool yes) public {
        vm.assume(who != payee);
        vm.prank(who);
        coordinator.backEnclave(enclave, yes);
        assertEq(coordinator.backs(who, enclave) ? 1 : 0, yes ? 1 : 0, "backs");
        assertTrue(coordinator.backs(payee, enclaveId), "the payee's word is its own");
    }

    // ----------------------------------------------------------------------------------------- open sessions

    function testFuzz_submit_anybodyAnyTime(uint256 who, uint256 time, uint256 value, bytes32 blob) public {
        uint256 id = openDefault(3);
        Session memory s = coordinator.session(id);
        address a = party(who % 5); // two of the five are not on the list
        bytes memory key = ownerKey(a);
        value = bound(value, 0, 2 ether);
        vm.warp(bound(time, START, START + 2 days));
        bool good = who % 5 < 3 && block.timestamp < s.submitDeadline && blob != 0 && value == s.stake;
        vm.prank(a);
        try coordinator.submit{value: value}(id, blob, key) {
            assertTrue(good, "a submission that should not count");
            assertEq(coordinator.contribution(id, a).blobRoot, blob, "root");
            assertEq(a.balance, 999 ether, "stake");
        } catch {
            assertFalse(good, "a submission that should count");
            assertEq(a.balance, 1000 ether, "nothing taken");
        }
    }

    function testFuzz_withdraw_anybodyAnyTime(uint256 who, uint256 time) public {
        uint256 id = opened(4, 2, 2);
        address a = party(who % 5);
        vm.warp(bound(time, START, START + 2 days));
        bool good = who % 5 < 2 && block.timestamp < coordinator.session(id).submitDeadline;
        vm.prank(a);
        try coordinator.withdraw(id) {
            assertTrue(good, "a withdrawal that should not count");
            assertEq(coordinator.session(id).submitted, 1, "one left");
        } catch {
            assertFalse(good, "a withdrawal that should count");
        }
        assertEq(a.balance, who % 5 < 2 && !good ? 999 ether : 1000 ether, "stake");
    }

    function testFuzz_cancel_anybodyAnyTime(address who, uint256 time, bool asOpener) public {
        uint256 id = opened(3, 2, 1);
        if (asOpener) who = opener;
        vm.warp(bound(time, START, START + 2 days));
        bool good = who == opener && block.timestamp < coordinator.session(id).submitDeadline;
        vm.prank(who);
        try coordinator.cancel(id) {
            assertTrue(good, "a cancellation that should not count");
            assertEq(coordinator.credit(opener, address(0)), 0.5 ether, "fee");
        } catch {
            assertFalse(good, "a cancellation that should count");
        }
    }

    /// @dev From the deadline on, an open session has at most one of its two ways on, and from an hour later always one.
    function testFuzz_open_hasExactlyOneWayOn(
        uint8 participants,
        uint8 quorum,
        uint8 submissions,
        uint256 time,
        uint8 enclave
    ) public {
        uint256 id = opened(participants, quorum, submissions);
        Session memory s = coordinator.session(id);
        EnclaveStatus e = status(enclave);
        vm.warp(bound(time, START, START + HORIZON));
        bool reached = s.submitted >= s.quorum;
        bool inTheHour = block.timestamp >= s.submitDeadline && block.timestamp <= s.submitDeadline + 1 hours;
        bool seals = reached && inTheHour && e == EnclaveStatus.Active;
        bool expires = block.timestamp >= s.submitDeadline && (!reached || !inTheHour);
        uint256 snapshot = vm.snapshotState();
        vm.prank(stranger);
        try coordinator.seal(id) {
            assertTrue(seals, "sealed too early, too late or without a quorum");
            assertState(id, State.Sealed);
        } catch {
            assertFalse(seals, "could not be sealed");
        }
        vm.revertToState(snapshot);
        vm.prank(stranger);
        try coordinator.expire(id) {
            assertTrue(expires, "expired too early");
            assertState(id, State.Expired);
        } catch {
            assertFalse(expires, "could not be expired");
        }
        assertFalse(seals && expires, "never both");
    }

    // --------------------------------------------------------------------------------------- sealed sessions

    function testFuzz_finalizeAndAbort_byTimeAndEnclave(uint256 time, uint8 enclave, uint8 reason, address who) public {
        uint256 id = sealedSession(3);
        uint256 deadline = coordinator.session(id).deliverDeadline;
        vm.warp(bound(time, START, START + HORIZON));
        bool good = status(enclave) == EnclaveStatus.Active && block.timestamp <= deadline;
        uint256 snapshot = vm.snapshotState();
        ResultCertificate memory result = allAccepted(id);
        bytes memory signature = enclaveSigns(hasher.result(result));
        vm.prank(who);
        try coordinator.finalize(id, result, signature) {
            assertTrue(good, "a result that should not count");
        } catch {
            assertFalse(good, "a result that should count");
        }
        vm.revertToState(snapshot);
        AbortCertificate memory abortion = AbortCertificate(coordinator.session(id).sealHash, reason, 0);
        signature = enclaveSigns(hasher.abortion(abortion));
        good = good && (reason == 1 || reason == 2);
        vm.prank(who);
        try coordinator.abort(id, abortion, signature) {
            assertTrue(good, "an abort that should not count");
        } catch {
            assertFalse(good, "an abort that should count");
        }
    }

    function testFuzz_slash_byEvidenceReasonAndEnclave(uint128 evidence, uint8 reason, uint8 enclave, uint256 time)
        public
    {
        uint256 id = sealedSession(3);
        RejectionCertificate memory c = rejectionOf(id, party(1), 1);
        (c.evidence, c.reason) = (evidence, reason % 4);
        vm.warp(bound(time, START, START + HORIZON));
        bool proven = c.reason == 2 || (c.reason == 1 && evidence >= 3000);
        bool good = proven && status(enclave) != EnclaveStatus.Revoked;
        bytes memory signature = enclaveSigns(hasher.rejection(c));
        try coordinator.slashWithProof(id, c, signature) {
            assertTrue(good, "a slash that should not count");
        } catch {
            assertFalse(good, "a slash that should count");
        }
        assertEq(coordinator.contribution(id, party(1)).slashReason, good ? c.reason : 0, "reason");
        assertEq(coordinator.contribution(id, party(0)).slashReason, 0, "nobody else");
    }

    function testFuzz_fail_byTimeAndRevocation(uint256 time, uint256 revokedAt, bool revoked) public {
        uint256 id = sealedSession(2);
        uint256 deadline = coordinator.session(id).deliverDeadline;
        revokedAt = bound(revokedAt, START, START + HORIZON);
        if (revoked) {
            vm.warp(revokedAt);
            registry.set(enclaveId, EnclaveStatus.Revoked);
        }
        vm.warp(bound(time, revoked ? revokedAt : START, START + HORIZON));
        bool excused = revoked && revokedAt <= deadline;
        bool good = excused || block.timestamp > deadline;
        vm.prank(stranger);
        try coordinator.fail(id) {
            assertTrue(good, "failed too early");
            (uint128 total, uint128 locked) = coordinator.bond(payee);
            assertEq(total, excused ? 100 ether : 90 ether, "bond");
            assertEq(locked, 0, "nothing locked");
        } catch {
            assertFalse(good, "could not be failed");
        }
    }

    // ------------------------------------------------------------------------------------------------- money

    function testFuzz_claim_paysOnlyTheCallersDues(address who, address to, uint8 exit) public {
        vm.assume(uint160(to) > 0x10000 && to.code.length == 0 && who != address(0));
        uint256 id = sealedSession(2);
        exit = exit % 2;
        if (exit == 0) finalize(id, allAccepted(id));
        vm.warp(coordinator.session(id).deliverDeadline + 1);
        if (exit == 1) coordinator.fail(id);
        uint256 owed = who == opener && exit == 1 ? 0.5 ether : 0;
        if (who == party(0) || who == party(1)) owed = exit == 0 ? 1 ether : 6 ether;
        uint256 before = to.balance;
        vm.prank(who);
        if (owed == 0) vm.expectRevert(IFFECoordinator.NothingToClaim.selector);
        coordinator.claim(id, to);
        assertEq(to.balance - before, owed, "paid");

        uint256 contributor = party(0).balance;
        vm.prank(party(0));
        coordinator.claim(id, party(0));
        assertEq(party(0).balance - contributor, exit == 0 ? 1 ether : 6 ether, "untouched by others");
    }

    function testFuzz_collect_paysTheAccountItself(address by, address account) public {
        uint256 id = openDefault(2);
        vm.prank(opener);
        coordinator.cancel(id);
        if (account != opener) {
            vm.expectRevert(IFFECoordinator.NothingToClaim.selector);
            coordinator.collect(account, address(0));
        }
        uint256 before = opener.balance;
        vm.prank(by);
        coordinator.collect(opener, address(0));
        assertEq(opener.balance - before, 0.5 ether, "to the opener, whoever asked");
        vm.expectRevert(IFFECoordinator.NothingToClaim.selector);
        coordinator.collect(opener, address(0));
    }

    // ------------------------------------------------------------------------------------ griefing, front-running

    /// @dev A copied root gains nothing on chain (and opens for nobody: the blob is bound to its contributor).
    function test_frontRunning_aCopiedRootTakesNoPlaceAndNoMoney() public {
        uint256 id = openDefault(3);
        bytes memory key = ownerKey(party(1));
        vm.prank(party(1));
        coordinator.submit{value: 1 ether}(id, root(party(0)), key);
        submit(id, party(0));
        assertEq(coordinator.contribution(id, party(0)).blobRoot, root(party(0)), "the victim's commit stands");
        assertEq(coordinator.session(id).submitted, 2, "both count");
    }

    /// @dev Whoever withdraws and returns again and again makes nothing dearer for the others.
    function test_griefing_comingAndGoingLeavesSealingAsCheap() public {
        SessionTerms memory t = defaultTerms(20);
        uint256 calm = open(t);
        t.salt = keccak256("busy");
        uint256 busy = open(t);
        for (uint256 i; i < 20; ++i) {
            if (i != 19) submit(calm, t.participants[i]);
            if (i != 19) submit(busy, t.participants[i]);
        }
        for (uint256 i; i < 50; ++i) {
            vm.prank(t.participants[0]);
            coordinator.withdraw(busy);
            submit(busy, t.participants[0]);
        }
        vm.warp(t.submitDeadline);
        uint256 before = gasleft();
        coordinator.seal(calm);
        uint256 gas = before - gasleft();
        before = gasleft();
        coordinator.seal(busy);
        assertLe(before - gasleft(), gas + gas / 10, "as cheap as without");
        assertEq(coordinator.contributors(busy).length, 19, "nobody twice");
    }
}
