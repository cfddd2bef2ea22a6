// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Settlement
/// @notice How stakes and bonds are divided, apart from storage so that it can be proven for every input
///         (test/proofs/Settlement.t.sol). All divisions round down; what is left over is named, never lost.
library Settlement {
    uint256 internal constant BPS = 10_000;
    /// @dev At most this part of a slashed native stake pays the gas of whoever brought the certificate.
    uint256 internal constant REWARD_DIVISOR = 100;

    /// @notice What a slash takes from a stake; the rest returns to its contributor.
    function slashed(uint128 stake, uint16 bps) internal pure returns (uint256) {
        return uint256(stake) * bps / BPS;
    }

    /// @notice Divides a slashed amount between whoever brought the certificate, for `gasCost` wei of gas, and the
    ///         session's slash recipient.
    function reward(uint256 amount, uint256 gasCost) internal pure returns (uint256 bringer, uint256 recipient) {
        bringer = Math.min(gasCost, amount / REWARD_DIVISOR);
        recipient = amount - bringer;
    }

    /// @notice Divides a forfeited bond: an equal `share` to each of `sealed_ - slashed_` contributors, the shares of the
    ///         slashed and what does not divide (`rest`) to the slash recipient.
    function split(uint128 bond, uint8 sealed_, uint8 slashed_) internal pure returns (uint128 share, uint256 rest) {
        share = bond / sealed_;
        rest = bond - uint256(share) * (sealed_ - slashed_);
    }

    /// @notice Least evidence for a harmful contribution: the union bound over all sealed contributors.
    function neededEvidence(uint8 sealed_, uint32 alphaInverse) internal pure returns (uint256) {
        return uint256(sealed_) * alphaInverse;
    }
}
