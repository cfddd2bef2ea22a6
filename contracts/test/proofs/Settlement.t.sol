// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Settlement} from "../../src/libraries/Settlement.sol";
import {Test} from "../utils/Vm.sol";

/// @notice The arithmetic of settlement. `make prove-contracts` proves each `check_` for every input with Halmos; the
///         other statements divide 256-bit numbers in a way that solvers do not finish, and are tried on random inputs.
contract SettlementProofs is Test {
    // ------------------------------------------------------------------------------------------------ slashes

    function holds_slashed_isBetweenNothingAndTheStake(uint128 stake, uint16 bps) private pure {
        if (bps > 10_000) return; // TermsCheck
        uint256 amount = Settlement.slashed(stake, bps);
        assert(amount <= stake);
        assert(bps != 10_000 || amount == stake);
        assert(bps != 0 || amount == 0);
    }

    /// @dev Rounded down by less than one wei: the contributor never pays for the rounding.
    function holds_slashed_roundsDown(uint128 stake, uint16 bps) private pure {
        if (bps > 10_000) return;
        uint256 amount = Settlement.slashed(stake, bps);
        uint256 exact = uint256(stake) * bps;
        assert(amount * 10_000 <= exact && exact - amount * 10_000 < 10_000);
    }

    function holds_reward_conservesAndIsBounded(uint128 amount, uint256 gasCost) private pure {
        (uint256 bringer, uint256 recipient) = Settlement.reward(amount, gasCost);
        assert(bringer + recipient == amount);
        assert(bringer <= gasCost);
        assert(bringer * 100 <= amount);
    }

    // -------------------------------------------------------------------------------------------------- bonds

    /// @dev The shares of all that were not slashed and the rest are the bond, to the wei.
    function check_split_conserves(uint128 bond, uint8 sealed_, uint8 slashed_) public pure {
        if (sealed_ < 2 || slashed_ > sealed_) return; // a sealed session
        (uint128 share, uint256 rest) = Settlement.split(bond, sealed_, slashed_);
        assert(uint256(share) * (sealed_ - slashed_) + rest == bond);
    }

    /// @dev What goes to the slash recipient beside the shares of the slashed is less than one wei a contributor.
    function holds_split_isFair(uint128 bond, uint8 sealed_, uint8 slashed_) private pure {
        if (sealed_ < 2 || slashed_ > sealed_) return;
        (uint128 share, uint256 rest) = Settlement.split(bond, sealed_, slashed_);
        uint256 ofTheSlashed = uint256(share) * slashed_;
        assert(rest >= ofTheSlashed && rest - ofTheSlashed < sealed_);
    }

    // ------------------------------------------------------------------------------------------------ sessions

    /// @dev One contributor's stake in any exit: what returns to it, what the recipient and the bringer get.
    function check_stake_isConserved(uint128 stake, uint16 bps, uint256 gasCost) public pure {
        if (bps > 10_000) return;
        uint256 amount = Settlement.slashed(stake, bps);
        (uint256 bringer, uint256 recipient) = Settlement.reward(amount, gasCost);
        assert(uint256(stake) - amount + bringer + recipient == stake);
    }

    /// @dev The number of sealed contributors is between 2 and 255: no evidence is needed that 128 bits cannot hold.
    function check_neededEvidence_fitsACertificate(uint8 sealed_, uint32 alphaInverse) public pure {
        if (sealed_ < 2 || alphaInverse < 1000) return;
        uint256 needed = Settlement.neededEvidence(sealed_, alphaInverse);
        assert(needed >= 2000 && needed <= type(uint128).max);
        assert(needed / sealed_ == alphaInverse);
    }

    // ------------------------------------------------------------------------------------- the same, at random

    function testFuzz_slashes(uint128 stake, uint16 bps, uint256 gasCost) public pure {
        bps = bps % 10_001;
        holds_slashed_isBetweenNothingAndTheStake(stake, bps);
        holds_slashed_roundsDown(stake, bps);
        holds_reward_conservesAndIsBounded(stake, gasCost);
        check_stake_isConserved(stake, bps, gasCost);
    }

    function testFuzz_bonds(uint128 bond, uint8 sealed_, uint8 slashed_, uint32 alphaInverse) public pure {
        check_split_conserves(bond, sealed_, slashed_);
        holds_split_isFair(bond, sealed_, slashed_);
        check_neededEvidence_fitsACertificate(sealed_, alphaInverse);
    }
}
