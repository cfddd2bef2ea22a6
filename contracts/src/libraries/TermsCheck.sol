// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GatePolicy, IFFECoordinator, SessionTerms} from "../interfaces/IFFECoordinator.sol";

/// @title TermsCheck
/// @notice The bounds that keep an opener from choosing terms which slash the honest or hold anybody's money for ever.
library TermsCheck {
    uint256 internal constant MAX_SUBMIT_PERIOD = 90 days;
    uint256 internal constant MAX_DELIVER_PERIOD = 14 days;
    uint256 internal constant MAX_PARTICIPANTS = 255;
    uint256 internal constant BPS = 10_000;
    address internal constant DEAD = 0x000000000000000000000000000000000000dEaD;

    function check(SessionTerms calldata terms, address treasury) internal view {
        checkGate(terms.gate);

        if (terms.submitDeadline <= block.timestamp || terms.submitDeadline > block.timestamp + MAX_SUBMIT_PERIOD) {
            revert IFFECoordinator.BadTerms("submitDeadline");
        }
        if (terms.deliverPeriod == 0 || terms.deliverPeriod > MAX_DELIVER_PERIOD) {
            revert IFFECoordinator.BadTerms("deliverPeriod");
        }

        uint256 participants = terms.participants.length;
        if (participants < 2 || participants > MAX_PARTICIPANTS) revert IFFECoordinator.BadTerms("participants");
        if (terms.quorum > participants) revert IFFECoordinator.BadTerms("quorum");
        if (terms.minAccepted < 2 || terms.minAccepted > terms.quorum) revert IFFECoordinator.BadTerms("minAccepted");
        if (terms.maxRows == 0) revert IFFECoordinator.BadTerms("maxRows");

        if (terms.stakeToken != address(0) && terms.stakeToken.code.length == 0) {
            revert IFFECoordinator.BadTerms("stakeToken");
        }
        if (terms.stake > type(uint128).max) revert IFFECoordinator.BadTerms("stake");
        if (terms.fee > type(uint128).max) revert IFFECoordinator.BadTerms("fee");
        if (terms.operatorBond > type(uint128).max) revert IFFECoordinator.BadTerms("operatorBond");
        if (terms.slashBpsHarmful > BPS) revert IFFECoordinator.BadTerms("slashBpsHarmful");
        if (terms.slashBpsInvalid > BPS) revert IFFECoordinator.BadTerms("slashBpsInvalid");
        if (terms.slashRecipient != DEAD && terms.slashRecipient != treasury) {
            revert IFFECoordinator.BadTerms("slashRecipient");
        }
    }

    function checkGate(GatePolicy calldata gate) internal pure {
        if (gate.statistic != 1 && gate.statistic != 2) revert IFFECoordinator.BadPolicy("statistic");
        if (gate.acceptRule > 1) revert IFFECoordinator.BadPolicy("acceptRule");
        if (gate.evalPairs < 32 || gate.evalPairs > 4096) revert IFFECoordinator.BadPolicy("evalPairs");
        if (gate.alphaInverse < 1000) revert IFFECoordinator.BadPolicy("alphaInverse");
        if (gate.harmToleranceMicro < 50_000) revert IFFECoordinator.BadPolicy("harmToleranceMicro");
        if (gate.relevanceToleranceMicro < 50_000) revert IFFECoordinator.BadPolicy("relevanceToleranceMicro");
        if (gate.invalidShareBps < 1000 || gate.invalidShareBps > BPS) {
            revert IFFECoordinator.BadPolicy("invalidShareBps");
        }
    }
}
