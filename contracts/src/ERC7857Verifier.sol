// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {ICoOwnedINFT} from "./interfaces/ICoOwnedINFT.sol";
import {
    AccessProof,
    IERC7857DataVerifier,
    OracleType,
    OwnershipProof,
    TransferValidityProof,
    TransferValidityProofOutput
} from "./interfaces/IERC7857.sol";
import {Enclave, EnclaveStatus, IEnclaveRegistry} from "./interfaces/IEnclaveRegistry.sol";

/// @title ERC7857Verifier
/// @notice Checks that the receiver of a token asked for its key and that an active enclave with the code that made the
///         model sealed it. Both proofs are EIP-712 (name "FFE", version "1", this contract) and bound to the calling
///         token contract, token, receiver, receiver's key, data and deadline; each is usable once.
/// @dev Both nonces are abi.encode(uint256 tokenId, address receiver, uint64 deadline, bytes32 salt), 128 bytes, which
///      keeps what the final ERC-7857 has no fields for inside its ABI.
contract ERC7857Verifier is IERC7857DataVerifier, EIP712 {
    bytes32 public constant ACCESS_TYPEHASH = keccak256(
        "AccessProof(address nft,uint256 tokenId,address receiver,bytes32 oldDataHash,bytes32 newDataHash,"
        "bytes encryptedPubKey,uint64 deadline,bytes32 salt)"
    );
    bytes32 public constant OWNERSHIP_TYPEHASH = keccak256(
        "OwnershipProof(address nft,uint256 tokenId,address receiver,bytes32 oldDataHash,bytes32 newDataHash,"
        "bytes sealedKey,bytes encryptedPubKey,uint64 deadline,bytes32 salt)"
    );

    struct Nonce {
        uint256 tokenId;
        address receiver;
        uint64 deadline;
        bytes32 salt;
    }

    /// @notice Whose enclaves may seal keys.
    IEnclaveRegistry public immutable registry;
    /// @notice Nonces that were used, by keccak256(abi.encode(typehash, token contract, nonce)).
    mapping(bytes32 key => bool) public used;

    event ProofUsed(address indexed nft, uint256 indexed tokenId, address indexed receiver, bytes32 enclaveId);

    error ZeroAddress();
    error UnsupportedOracle(OracleType oracleType);
    error ProofsDisagree();
    error BadNonce();
    error ProofExpired(uint64 deadline);
    error ProofUsedBefore();
    error BadAccessSignature();
    error BadOwnershipSignature();
    error EnclaveNotActive(bytes32 enclaveId);
    error ApplicationNotProven(bytes32 enclaveId);

    constructor(IEnclaveRegistry registry_) EIP712("FFE", "1") {
        if (address(registry_) == address(0)) revert ZeroAddress();
        registry = registry_;
    }

    /// @inheritdoc IERC7857DataVerifier
    function verifyTransferValidity(TransferValidityProof[] calldata proofs)
        external
        returns (TransferValidityProofOutput[] memory outputs)
    {
        outputs = new TransferValidityProofOutput[](proofs.length);
        for (uint256 i; i < proofs.length; ++i) {
            AccessProof calldata access = proofs[i].accessProof;
            OwnershipProof calldata ownership = proofs[i].ownershipProof;
            outputs[i] = TransferValidityProofOutput({
                oldDataHash: ownership.oldDataHash,
                newDataHash: ownership.newDataHash,
                sealedKey: ownership.sealedKey,
                encryptedPubKey: ownership.encryptedPubKey,
                wantedKey: access.encryptedPubKey,
                accessAssistant: _verify(access, ownership),
                accessProofNonce: access.nonce,
                ownershipProofNonce: ownership.nonce
            });
        }
    }

    /// @notice EIP-712 domain separator.
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function _verify(AccessProof calldata access, OwnershipProof calldata ownership)
        private
        returns (address assistant)
    {
        if (ownership.oracleType != OracleType.TEE) {
            revert UnsupportedOracle(ownership.oracleType);
        }
        Nonce memory wanted = _use(ACCESS_TYPEHASH, access.nonce);
        Nonce memory sealed_ = _use(OWNERSHIP_TYPEHASH, ownership.nonce);
        if (
            access.oldDataHash != ownership.oldDataHash || access.newDataHash != ownership.newDataHash
                || wanted.tokenId != sealed_.tokenId || wanted.receiver != sealed_.receiver
        ) revert ProofsDisagree();

        assistant = _accessSigner(_accessDigest(access, wanted), access.proof);
        bytes32 enclaveId = _requireEnclave(sealed_.tokenId, _ownershipDigest(ownership, sealed_), ownership.proof);
        emit ProofUsed(msg.sender, sealed_.tokenId, sealed_.receiver, enclaveId);
    }

    /// @dev The enclave need not be the one that made the model, but must run the same code. Where the chain has only its
    ///      signer's word for that, it must be the very one: the session's parties checked it themselves.
    function _requireEnclave(uint256 tokenId, bytes32 digest, bytes calldata signature)
        private
        view
        returns (bytes32 enclaveId)
    {
        // slither-disable-next-line unused-return
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (err != ECDSA.RecoverError.NoError) revert BadOwnershipSignature();
        // slither-disable-start calls-loop
        enclaveId = keccak256(abi.encode(signer, ICoOwnedINFT(msg.sender).codeHashOf(tokenId)));
        Enclave memory e = registry.enclave(enclaveId);
        if (e.status != EnclaveStatus.Active) revert EnclaveNotActive(enclaveId);
        if (!e.applicationProven && ICoOwnedINFT(msg.sender).enclaveOf(tokenId) != enclaveId) {
            revert ApplicationNotProven(enclaveId);
        }
        // slither-disable-end calls-loop
    }

    /// @dev 65 bytes: an ordinary signature. Otherwise a contract's: its address (20 bytes), then what its ERC-1271
    ///      expects.
    function _accessSigner(bytes32 digest, bytes calldata proof) private view returns (address signer) {
        if (proof.length == 65) {
            ECDSA.RecoverError err;
            // slither-disable-next-line unused-return
            (signer, err,) = ECDSA.tryRecoverCalldata(digest, proof);
            if (err != ECDSA.RecoverError.NoError) revert BadAccessSignature();
        } else {
            if (proof.length < 20) revert BadAccessSignature();
            signer = address(bytes20(proof[:20]));
            if (!SignatureChecker.isValidERC1271SignatureNowCalldata(signer, digest, proof[20:])) {
                revert BadAccessSignature();
            }
        }
    }

    function _use(bytes32 typehash, bytes calldata encoded) private returns (Nonce memory nonce) {
        if (encoded.length != 128) revert BadNonce();
        nonce = abi.decode(encoded, (Nonce));
        if (block.timestamp > nonce.deadline) revert ProofExpired(nonce.deadline);
        bytes32 key = keccak256(abi.encode(typehash, msg.sender, nonce));
        if (used[key]) revert ProofUsedBefore();
        used[key] = true;
    }

    function _accessDigest(AccessProof calldata p, Nonce memory n) private view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    ACCESS_TYPEHASH,
                    msg.sender,
                    n.tokenId,
                    n.receiver,
                    p.oldDataHash,
                    p.newDataHash,
                    keccak256(p.encryptedPubKey),
                    n.deadline,
                    n.salt
                )
            )
        );
    }

    function _ownershipDigest(OwnershipProof calldata p, Nonce memory n) private view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    OWNERSHIP_TYPEHASH,
                    msg.sender,
                    n.tokenId,
                    n.receiver,
                    p.oldDataHash,
                    p.newDataHash,
                    keccak256(p.sealedKey),
                    keccak256(p.encryptedPubKey),
                    n.deadline,
                    n.salt
                )
            )
        );
    }
}
