// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICoOwnedINFT} from "../src/interfaces/ICoOwnedINFT.sol";
import {Contribution, IFFECoordinator, Session, State} from "../src/interfaces/IFFECoordinator.sol";
import {Handler} from "./utils/Handler.sol";
import {PlainToken} from "./utils/Tokens.sol";
import {Test} from "./utils/Vm.sol";

/// @notice What holds after any sequence of calls by honest and hostile actors.
abstract contract Invariants is Test {
    Handler private handler;
    IFFECoordinator private coordinator;
    ICoOwnedINFT private inft;
    PlainToken private token;
    address private payee;

    // The sums of one pass over all sessions.
    uint256 private owedNative;
    uint256 private owedToken;
    uint256 private lockedBonds;

    function withTokens() internal pure virtual returns (bool);

    function setUp() public {
        start(8);
    }

    function start(uint256 maxSessions) private {
        handler = new Handler(withTokens(), maxSessions);
        handler.setUp();
        (address c, address n, address p, address t) = handler.parts();
        (coordinator, inft, payee, token) = (IFFECoordinator(c), ICoOwnedINFT(n), p, PlainToken(t));
        handler.open(0x0305, 10 ether, 1 ether, 5 ether);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev One outside sender; the handler takes its actors' parts itself. Left to itself the fuzzer sends from any address
    ///      it has seen, the coordinator's too, and pays the gas that was not used into it.
    function targetSenders() public pure returns (address[] memory senders) {
        senders = new address[](1);
        senders[0] = address(0xF00D);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory s = new bytes4[](28);
        s[0] = Handler.open.selector;
        s[1] = Handler.submit.selector;
        s[2] = Handler.submit.selector;
        s[3] = Handler.submit.selector;
        s[4] = Handler.submit.selector;
        s[5] = Handler.submit.selector;
        s[6] = Handler.withdraw.selector;
        s[7] = Handler.seal.selector;
        s[8] = Handler.seal.selector;
        s[9] = Handler.slash.selector;
        s[10] = Handler.slash.selector;
        s[11] = Handler.forge.selector;
        s[12] = Handler.finalize.selector;
        s[13] = Handler.abort.selector;
        s[14] = Handler.cancel.selector;
        s[15] = Handler.expire.selector;
        s[16] = Handler.fail.selector;
        s[17] = Handler.claim.selector;
        s[18] = Handler.claim.selector;
        s[19] = Handler.collect.selector;
        s[20] = Handler.depositBond.selector;
        s[21] = Handler.withdrawBond.selector;
        s[22] = Handler.enclave.selector;
        s[23] = Handler.wait_.selector;
        s[24] = Handler.moveToken.selector;
        s[25] = Handler.hijack.selector;
        s[26] = Handler.finalizeBadly.selector;
        s[27] = Handler.intrude.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), s);
    }

    function invariant_moneyStatesSlashesAndTokens() public {
        (owedNative, owedToken, lockedBonds) = (0, 0, 0);
        for (uint256 id = 1; id <= handler.sessions(); ++id) {
            checkSession(id);
        }
        for (uint256 i; i < handler.accountCount(); ++i) {
            owedNative += coordinator.credit(handler.accounts(i), address(0));
            owedToken += coordinator.credit(handler.accounts(i), address(token));
        }
        (uint128 total, uint128 locked) = coordinator.bond(payee);
        assertEq(address(coordinator).balance, owedNative + total, "native value is conserved");
        assertEq(coordinator.held(address(token)), owedToken, "the token's books are right");
        assertEq(token.balanceOf(address(coordinator)), owedToken, "the token's value is conserved");
        assertEq(locked, lockedBonds, "locked is what open and sealed sessions need");
        assertEq(handler.forgeriesAccepted(), 0, "no forged or weak certificate did anything");
        assertEq(handler.backwardSteps(), 0, "states only move forward");
    }

    function checkSession(uint256 id) private {
        Session memory s = coordinator.session(id);
        bool ended = uint256(s.state) > uint256(State.Sealed);
        if (!ended) {
            owedNative += s.fee;
            lockedBonds += s.operatorBond;
        }
        uint256 slashed;
        uint256 submitted;
        for (uint256 i; i < 6; ++i) {
            address a = handler.accounts(i);
            Contribution memory c = coordinator.contribution(id, a);
            assertEq(c.slashReason, handler.provenReason(id, a), "slashed if and only if it was proven");
            if (c.slashReason != 0) ++slashed;
            if (c.blobRoot == 0) continue;
            ++submitted;
            (uint256 stake, uint256 bond) = coordinator.claimable(id, a);
            if (!ended) {
                assertEq(stake + bond, 0, "nothing to claim before the end");
                stake = s.stake - slashOf(s, c.slashReason);
            }
            if (ended && c.slashReason == 0 && !c.claimed) assertEq(stake, s.stake, "the honest get their stake");
            if (s.stakeToken == address(0)) owedNative += stake;
            else owedToken += stake;
            owedNative += bond;
        }
        assertEq(s.submitted, submitted, "submissions are counted");
        assertEq(s.slashed, slashed, "slashes are counted");
        checkTokens(id, s);
    }

    function slashOf(Session memory s, uint8 reason) private pure returns (uint256) {
        if (reason == 0) return 0;
        return s.stake * (reason == 1 ? s.slashBpsHarmful : s.slashBpsInvalid) / 10_000;
    }

    function checkTokens(uint256 id, Session memory s) private {
        (,,,,, bool minted, uint256 owners) = handler.books(id - 1);
        if (!minted) {
            vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.UnknownArtifact.selector, id));
            inft.tokensOf(id);
            return;
        }
        assertTrue(s.state == State.Settled, "only settled sessions have a model");
        assertEq(s.accepted, owners, "one token per accepted owner");
        uint256[] memory tokens = inft.tokensOf(id);
        assertEq(tokens.length, owners, "one token per accepted owner");
        for (uint256 i; i < tokens.length; ++i) {
            assertTrue(inft.ownerOf(tokens[i]) != address(0), "every token has an owner");
        }
    }

    function afterInvariant() public {
        handler.drain();
        assertEq(address(coordinator).balance, 0, "every wei could leave");
        assertEq(token.balanceOf(address(coordinator)), 0, "every token could leave");
        assertEq(coordinator.held(address(token)), 0, "nothing is held");
    }

    /// @dev A campaign proves something only if it gets everywhere.
    function test_theCampaignReachesEveryExit() public {
        start(80);
        bytes4[] memory selectors = targetSelectors()[0].selectors;
        for (uint256 i; i < 3000; ++i) {
            uint256 r = uint256(keccak256(abi.encode(i)));
            bytes4 selector = selectors[r % selectors.length];
            (bool ok,) = address(handler)
                .call(
                    abi.encodePacked(selector, abi.encode(r >> 8, uint96(r >> 40) >> 8, uint96(r >> 48) >> 8, r >> 200))
                );
            // Words that do not fit a narrower argument are refused by the decoder.
            if (!ok) {
                (ok,) = address(handler).call(abi.encodePacked(selector, abi.encode(uint256(uint32(r)), 1, 1e18)));
            }
            assertTrue(ok, "the handler never reverts");
        }
        string[12] memory names = [
            "open",
            "submit",
            "withdraw",
            "seal",
            "slash",
            "finalize",
            "finalizeBadly",
            "abort",
            "cancel",
            "expire",
            "fail",
            "claim"
        ];
        for (uint256 i; i < names.length; ++i) {
            assertGt(handler.calls(bytes32(bytes(names[i]))), 0, names[i]);
        }
        invariant_moneyStatesSlashesAndTokens();
        afterInvariant();
    }
}

contract InvariantsNativeTest is Invariants {
    function withTokens() internal pure override returns (bool) {
        return false;
    }
}

contract InvariantsTokenTest is Invariants {
    function withTokens() internal pure override returns (bool) {
        return true;
    }
}
