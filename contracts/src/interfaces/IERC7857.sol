// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

// The final ERC-7857. Declarations that ERC-721 also has (Approval, ApprovalForAll, approve, setApprovalForAll,
// ownerOf, getApproved, isApprovedForAll, name, symbol) come from ERC-721: solc refuses to see them twice, and the ABI
// is the same.

/// @notice Who attests that a key was sealed for the receiver.
enum OracleType {
    TEE,
    ZKP
}

/// @notice The receiver's consent: it can fetch the data and wants the key for `encryptedPubKey`.
struct AccessProof {
    bytes32 oldDataHash;
    bytes32 newDataHash;
    bytes nonce;
    bytes encryptedPubKey;
    bytes proof;
}

/// @notice The oracle's statement: `sealedKey` is the data's key, sealed for `encryptedPubKey`.
struct OwnershipProof {
    OracleType oracleType;
    bytes32 oldDataHash;
    bytes32 newDataHash;
    bytes sealedKey;
    bytes encryptedPubKey;
    bytes nonce;
    bytes proof;
}

struct TransferValidityProof {
    AccessProof accessProof;
    OwnershipProof ownershipProof;
}

struct TransferValidityProofOutput {
    bytes32 oldDataHash;
    bytes32 newDataHash;
    bytes sealedKey;
    bytes encryptedPubKey;
    bytes wantedKey;
    address accessAssistant;
    bytes accessProofNonce;
    bytes ownershipProofNonce;
}

/// @notice One piece of data behind a token.
struct IntelligentData {
    string dataDescription;
    bytes32 dataHash;
}

/// @title IERC7857DataVerifier
/// @notice Checks the proofs of a transfer and uses them up.
interface IERC7857DataVerifier {
    /// @notice Verifies each proof, or reverts; a proof verifies once.
    function verifyTransferValidity(TransferValidityProof[] calldata _proofs)
        external
        returns (TransferValidityProofOutput[] memory);
}

/// @title IERC7857Metadata
interface IERC7857Metadata {
    /// @notice The data behind the token.
    function intelligentDataOf(uint256 _tokenId) external view returns (IntelligentData[] memory);
}

/// @title IERC7857
/// @notice An NFT whose owner also holds the key to private data.
interface IERC7857 {
    event Authorization(address indexed _from, address indexed _to, uint256 indexed _tokenId);
    event AuthorizationRevoked(address indexed _from, address indexed _to, uint256 indexed _tokenId);
    event Transferred(uint256 _tokenId, address indexed _from, address indexed _to);
    event Cloned(uint256 indexed _tokenId, uint256 indexed _newTokenId, address _from, address _to);
    event PublishedSealedKey(address indexed _to, uint256 indexed _tokenId, bytes[] _sealedKeys);
    event DelegateAccess(address indexed _user, address indexed _assistant);

    /// @notice The contract that checks transfer proofs.
    function verifier() external view returns (IERC7857DataVerifier);

    /// @notice Transfers the token together with its key, sealed for the receiver.
    function iTransfer(address _to, uint256 _tokenId, TransferValidityProof[] calldata _proofs) external;

    /// @notice Makes a second token of the same data for `_to`.
    function iClone(address _to, uint256 _tokenId, TransferValidityProof[] calldata _proofs)
        external
        returns (uint256 _newTokenId);

    /// @notice Lets `_user` use the data through a sealed executor, without seeing it.
    function authorizeUsage(uint256 _tokenId, address _user) external;

    /// @notice Takes such a permission back.
    function revokeAuthorization(uint256 _tokenId, address _user) external;

    /// @notice Lets `_assistant` sign access proofs for the caller.
    function delegateAccess(address _assistant) external;

    /// @notice Who may use the data.
    function authorizedUsersOf(uint256 _tokenId) external view returns (address[] memory);

    /// @notice Who signs access proofs for `_user`.
    function getDelegateAccess(address _user) external view returns (address);
}
