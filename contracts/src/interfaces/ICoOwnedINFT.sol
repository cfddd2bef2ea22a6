// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC2981} from "@openzeppelin/contracts/interfaces/IERC2981.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/token/ERC721/extensions/IERC721Metadata.sol";

import {IERC7857, IERC7857Metadata, IntelligentData, TransferValidityProof} from "./IERC7857.sol";
import {Owner} from "./IFFECoordinator.sol";

/// @notice The model that one session produced.
/// @param sessionId The session.
/// @param artifactRoot The 0G Storage root of the encrypted adapter; every token's data hash.
/// @param sessionHash What the owners' keys are bound to.
/// @param codeHash The enclave code that trained the model, and that may seal its key for a buyer.
/// @param baseModel Hash of the base model's manifest.
/// @param opener Who opened the session.
/// @param owners How many tokens there are: numbers 1 to `owners`.
struct Artifact {
    uint256 sessionId;
    bytes32 artifactRoot;
    bytes32 sessionHash;
    bytes32 codeHash;
    bytes32 baseModel;
    address opener;
    uint8 owners;
}

/// @title ICoOwnedINFT
/// @notice One ERC-721 token with the final ERC-7857 interface per accepted contributor; all tokens of a session share
///         one encrypted model, each has its own sealed key. Token id = sessionId * 1000 + owner number.
interface ICoOwnedINFT is IERC721Metadata, IERC2981, IERC7857, IERC7857Metadata {
    /// @notice A session's model was minted to its owners as tokens `firstTokenId` to `firstTokenId + owners - 1`.
    event ArtifactMinted(uint256 indexed sessionId, bytes32 indexed artifactRoot, uint256 firstTokenId, uint256 owners);
    /// @notice The token moved without its key: the new owner has none until one is sealed for it.
    event KeyBecameStale(uint256 indexed tokenId, address indexed from, address indexed to);
    /// @notice ERC-4906: name, image or attributes changed (the state of the key is among them).
    event MetadataUpdate(uint256 _tokenId);
    /// @notice All permissions to use the token ended because it moved, or because its owner ended them.
    event AuthorizationCleared(address indexed from, uint256 indexed tokenId);

    error NotCoordinator();
    error AlreadyMinted(uint256 sessionId);
    error NothingToMint();
    error UnknownArtifact(uint256 sessionId);
    error CloningDisabled();
    error NotTokenOwner(uint256 tokenId, address caller);
    error ProofCountMismatch(uint256 expected, uint256 given);
    error DataHashMismatch(bytes32 expected, bytes32 given);
    error ProofForOtherToken(uint256 expected, uint256 given);
    error ProofForOtherReceiver(address expected, address given);
    error AccessSignerMismatch(address receiver, address signer);
    error ReceiverKeyMismatch();
    error BadSealedKey(uint256 length);
    error BadUser(address user);
    error AlreadyAuthorized(uint256 tokenId, address user);
    error NotAuthorized(uint256 tokenId, address user);
    error TooManyUsers(uint256 tokenId);

    /// @notice Mints one token per owner, in order. Coordinator only, once per session.
    function mint(uint256 sessionId, bytes32 artifactRoot, Owner[] calldata owners) external;

    /// @notice Publishes a key sealed for the token's present owner, who brings it; proofs as for `iTransfer`.
    function resealKey(uint256 tokenId, TransferValidityProof[] calldata proofs) external;

    /// @notice `authorizeUsage` for each of `users`. By the token's owner.
    function batchAuthorizeUsage(uint256 tokenId, address[] calldata users) external;

    /// @notice Ends all permissions to use the token. By its owner.
    function clearAuthorizedUsers(uint256 tokenId) external;

    /// @notice True if the token moved without its key and none has been sealed for the owner since.
    function keyStale(uint256 tokenId) external view returns (bool);
    /// @notice keccak256 of the key sealed for the owner; 0 while `keyStale`.
    function sealedKeyHash(uint256 tokenId) external view returns (bytes32);
    /// @notice keccak256 of the owner's public key that it is sealed for; 0 while `keyStale`.
    function ownerKeyHash(uint256 tokenId) external view returns (bytes32);
    /// @notice The code hash an enclave must have to seal this token's key for somebody.
    function codeHashOf(uint256 tokenId) external view returns (bytes32);
    /// @notice The enclave that made this token's model.
    function enclaveOf(uint256 tokenId) external view returns (bytes32);
    /// @notice The model a session produced.
    function artifact(uint256 sessionId) external view returns (Artifact memory);
    /// @notice The model behind a token.
    function artifactOf(uint256 tokenId) external view returns (Artifact memory);
    /// @notice All tokens of a session's model.
    function tokensOf(uint256 sessionId) external view returns (uint256[] memory);
    /// @notice The token of owner `number`, counted from 1.
    function tokenIdOf(uint256 sessionId, uint256 number) external pure returns (uint256);
    /// @notice True for the token's owner and for those it authorized.
    function isAuthorized(uint256 tokenId, address user) external view returns (bool);
    /// @notice `intelligentDataOf` by the name that 0G's own contracts use.
    function intelligentDatasOf(uint256 tokenId) external view returns (IntelligentData[] memory);
    /// @notice Who made the token's model possible: the session's opener (asked for by 0G's market).
    function creatorOf(uint256 tokenId) external view returns (address);
    /// @notice The only minter.
    function coordinator() external view returns (address);
}
