// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AbortCertificate,
    Owner,
    RejectionCertificate,
    ResultCertificate,
    SessionOffer,
    SessionTerms,
    Verdict
} from "../interfaces/IFFECoordinator.sol";

/// @title SessionHash
/// @notice The hashes that Solidity, C++ and TypeScript agree on. The functions named after a struct return its EIP-712
///         struct hash.
library SessionHash {
    bytes32 internal constant SESSION_DOMAIN = keccak256("ffe.session.v1");

    bytes32 internal constant OFFER_TYPEHASH =
        keccak256("SessionOffer(bytes32 sessionTag,bytes32 sessionKey,bytes32 seedCommitment,bytes32 termsHash)");

    bytes32 internal constant REJECTION_TYPEHASH = keccak256(
        "RejectionCertificate(bytes32 sealHash,address contributor,bytes32 blobRoot,uint8 reason,uint32 evalPairs,"
        "int64 harmMicroNats,int64 relevanceLostMicroNats,uint128 evidence,bytes32 gateRoot)"
    );

    bytes32 internal constant RESULT_TYPEHASH = keccak256(
        "ResultCertificate(bytes32 sealHash,bytes32 artifactRoot,bytes32 gateRoot,bytes32 reportRoot,bytes32 seed,"
        "Verdict[] verdicts,Owner[] owners,uint32 baseLossMicroNats,uint32 jointLossMicroNats)"
        "Owner(address owner,bytes32 ownerKeyHash,bytes sealedKey)"
        "Verdict(address contributor,bytes32 blobRoot,uint8 verdict,uint8 reason,uint128 evidence)"
    );

    bytes32 internal constant VERDICT_TYPEHASH =
        keccak256("Verdict(address contributor,bytes32 blobRoot,uint8 verdict,uint8 reason,uint128 evidence)");

    bytes32 internal constant OWNER_TYPEHASH = keccak256("Owner(address owner,bytes32 ownerKeyHash,bytes sealedKey)");

    bytes32 internal constant ABORT_TYPEHASH =
        keccak256("AbortCertificate(bytes32 sealHash,uint8 reason,bytes32 gateRoot)");

    function tag(address coordinator, address opener, bytes32 salt) internal view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, coordinator, opener, salt));
    }

    function termsHash(SessionTerms calldata terms) internal pure returns (bytes32) {
        return keccak256(abi.encode(terms));
    }

    function sessionHash(
        address coordinator,
        uint256 sessionId,
        bytes32 terms,
        bytes32 sessionKey,
        bytes32 seedCommitment
    ) internal view returns (bytes32) {
        return keccak256(
            abi.encode(SESSION_DOMAIN, block.chainid, coordinator, sessionId, terms, sessionKey, seedCommitment)
        );
    }

    function sealHash(
        bytes32 session,
        address[] memory contributors,
        bytes32[] memory blobRoots,
        bytes32[] memory ownerKeyHashes
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(session, contributors, blobRoots, ownerKeyHashes));
    }

    function offer(SessionOffer calldata o) internal pure returns (bytes32) {
        return keccak256(abi.encode(OFFER_TYPEHASH, o.sessionTag, o.sessionKey, o.seedCommitment, o.termsHash));
    }

    function rejection(RejectionCertificate calldata cert) internal pure returns (bytes32) {
        return keccak256(abi.encode(REJECTION_TYPEHASH, cert));
    }

    function abortion(AbortCertificate calldata cert) internal pure returns (bytes32) {
        return keccak256(abi.encode(ABORT_TYPEHASH, cert));
    }

    function result(ResultCertificate calldata cert) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                RESULT_TYPEHASH,
                cert.sealHash,
                cert.artifactRoot,
                cert.gateRoot,
                cert.reportRoot,
                cert.seed,
                verdicts(cert.verdicts),
                owners(cert.owners),
                cert.baseLossMicroNats,
                cert.jointLossMicroNats
            )
        );
    }

    function verdicts(Verdict[] calldata list) internal pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](list.length);
        for (uint256 i; i < list.length; ++i) {
            hashes[i] = keccak256(abi.encode(VERDICT_TYPEHASH, list[i]));
        }
        return keccak256(abi.encodePacked(hashes));
    }

    function owners(Owner[] calldata list) internal pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](list.length);
        for (uint256 i; i < list.length; ++i) {
            Owner calldata o = list[i];
            hashes[i] = keccak256(abi.encode(OWNER_TYPEHASH, o.owner, o.ownerKeyHash, keccak256(o.sealedKey)));
        }
        return keccak256(abi.encodePacked(hashes));
    }
}
