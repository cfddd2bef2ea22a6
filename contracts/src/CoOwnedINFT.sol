// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC165, IERC2981} from "@openzeppelin/contracts/interfaces/IERC2981.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/token/ERC721/extensions/IERC721Metadata.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import {Artifact, ICoOwnedINFT} from "./interfaces/ICoOwnedINFT.sol";
import {
    IERC7857,
    IERC7857DataVerifier,
    IERC7857Metadata,
    IntelligentData,
    TransferValidityProof,
    TransferValidityProofOutput
} from "./interfaces/IERC7857.sol";
import {IFFECoordinator, Owner, Session} from "./interfaces/IFFECoordinator.sol";
import {TokenText} from "./libraries/TokenText.sol";

/// @title CoOwnedINFT
/// @notice See `ICoOwnedINFT`. ERC-721 is untouched: wallets and markets that know nothing else keep working, and a
///         transfer by them makes the key stale instead of failing. Nobody can change a model's data or mint a copy.
contract CoOwnedINFT is ERC721, ICoOwnedINFT, ReentrancyGuardTransient {
    using EnumerableSet for EnumerableSet.AddressSet;

    /// @notice ERC-165 id of the final ERC-7857: all 13 functions of its `IERC7857`.
    bytes4 public constant IERC7857_ID = 0xee5a526e;
    /// @notice ERC-165 id of its `IERC7857Metadata`: name, symbol and intelligentDataOf.
    bytes4 public constant IERC7857_METADATA_ID = 0xaa18b754;
    /// @notice ERC-165 id of ERC-4906, which has events only.
    bytes4 public constant IERC4906_ID = 0x49064906;
    /// @notice What 0G's agent contracts call metadata: `intelligentDatasOf`.
    bytes4 public constant ZERO_G_METADATA_ID = 0x40fbd72f;
    /// @notice What they call usage: `authorizeUsage`, `revokeAuthorization`, `authorizedUsersOf`.
    bytes4 public constant ZERO_G_AUTHORIZE_ID = 0x2309ab96;
    /// @notice The same with `batchAuthorizeUsage` and `clearAuthorizedUsers`, as its present contracts register it.
    bytes4 public constant ZERO_G_AUTHORIZE_ALL_ID = 0xdf597d99;
    /// @notice Most users that one token can authorize.
    uint256 public constant MAX_AUTHORIZED_USERS = 100;
    /// @notice Share of a sale that ERC-2981 suggests for the session's opener, in basis points.
    uint256 public constant ROYALTY_BPS = 250;

    uint256 private constant TOKENS_PER_SESSION = 1000;

    IFFECoordinator private immutable _coordinator;
    IERC7857DataVerifier private immutable _verifier;

    mapping(uint256 sessionId => bytes32) private _artifactRoot;
    /// @dev 0 once a token moved without its key.
    mapping(uint256 tokenId => bytes32) private _sealedKeyHash;
    /// @dev Set when a key is sealed anew; until then the owner is the contributor, whose key the coordinator knows.
    mapping(uint256 tokenId => bytes32) private _ownerKeyHash;
    /// @dev The set of the present epoch counts; moving the token starts a new one, at a cost that no list drives up.
    mapping(uint256 tokenId => uint256) private _epoch;
    mapping(uint256 tokenId => mapping(uint256 epoch => EnumerableSet.AddressSet)) private _users;
    mapping(address user => address) private _assistant;

    constructor(IFFECoordinator coordinator_, IERC7857DataVerifier verifier_) ERC721("FFE Co-owned Model", "FFE") {
        _coordinator = coordinator_;
        _verifier = verifier_;
    }

    // --------------------------------------------------------------------------------------------- minting

    /// @inheritdoc ICoOwnedINFT
    function mint(uint256 sessionId, bytes32 artifactRoot, Owner[] calldata owners) external {
        if (msg.sender != address(_coordinator)) revert NotCoordinator();
        if (_artifactRoot[sessionId] != 0) revert AlreadyMinted(sessionId);
        if (artifactRoot == 0 || owners.length == 0 || owners.length >= TOKENS_PER_SESSION) revert NothingToMint();

        _artifactRoot[sessionId] = artifactRoot;
        uint256 tokenId = tokenIdOf(sessionId, 1);
        emit ArtifactMinted(sessionId, artifactRoot, tokenId, owners.length);
        for (uint256 i; i < owners.length; ++i) {
            Owner calldata o = owners[i];
            // Without a callback: one owner that refuses tokens must not keep the others from theirs.
            _mint(o.owner, tokenId);
            _publish(o.owner, tokenId, o.sealedKey);
            ++tokenId;
        }
    }

    // ------------------------------------------------------------------------------- transfers with the key

    /// @inheritdoc IERC7857
    function iTransfer(address to, uint256 tokenId, TransferValidityProof[] calldata proofs) external nonReentrant {
        address from = _requireOwned(tokenId);
        _checkAuthorized(from, msg.sender, tokenId);
        if (to == address(0)) revert ERC721InvalidReceiver(to);

        (bytes memory sealedKey, bytes32 keyHash) = _verifiedKey(to, tokenId, proofs);
        _endUsage(from, tokenId);
        // Past the override below, which is for moves without a key.
        ERC721._update(to, tokenId, address(0));
        _ownerKeyHash[tokenId] = keyHash;
        emit Transferred(tokenId, from, to);
        _publish(to, tokenId, sealedKey);
        emit MetadataUpdate(tokenId);
    }

    /// @inheritdoc ICoOwnedINFT
    // slither-disable-next-line reentrancy-benign
    function resealKey(uint256 tokenId, TransferValidityProof[] calldata proofs) external nonReentrant {
        address owner = _requireOwner(tokenId);
        (bytes memory sealedKey, bytes32 keyHash) = _verifiedKey(owner, tokenId, proofs);
        _ownerKeyHash[tokenId] = keyHash;
        _publish(owner, tokenId, sealedKey);
        emit MetadataUpdate(tokenId);
    }

    /// @inheritdoc IERC7857
    /// @dev One owner could otherwise copy the model to the world; `authorizeUsage` serves the honest need.
    function iClone(address, uint256, TransferValidityProof[] calldata) external pure returns (uint256) {
        revert CloningDisabled();
    }

    /// @dev A move without a key: the one sealed for the former owner is no longer this token's.
    function _update(address to, uint256 tokenId, address auth) internal override returns (address from) {
        from = super._update(to, tokenId, auth);
        if (from == address(0) || from == to) return from;
        _endUsage(from, tokenId);
        if (_sealedKeyHash[tokenId] != 0) {
            // slither-disable-start costly-loop
            delete _sealedKeyHash[tokenId];
            delete _ownerKeyHash[tokenId];
            // slither-disable-end costly-loop
            emit KeyBecameStale(tokenId, from, to);
            emit MetadataUpdate(tokenId);
        }
    }

    /// @dev The data never changes, so both hashes must be the model's; token and receiver are in the nonces.
    function _verifiedKey(address to, uint256 tokenId, TransferValidityProof[] calldata proofs)
        private
        returns (bytes memory sealedKey, bytes32 keyHash)
    {
        if (proofs.length != 1) revert ProofCountMismatch(1, proofs.length);
        TransferValidityProofOutput[] memory outputs = _verifier.verifyTransferValidity(proofs);
        if (outputs.length != 1) revert ProofCountMismatch(1, outputs.length);
        TransferValidityProofOutput memory o = outputs[0];

        bytes32 root = _artifactRoot[tokenId / TOKENS_PER_SESSION];
        if (o.oldDataHash != root) revert DataHashMismatch(root, o.oldDataHash);
        if (o.newDataHash != root) revert DataHashMismatch(root, o.newDataHash);
        _requireNonce(o.accessProofNonce, tokenId, to);
        _requireNonce(o.ownershipProofNonce, tokenId, to);
        if (o.accessAssistant == address(0) || (o.accessAssistant != to && o.accessAssistant != _assistant[to])) {
            revert AccessSignerMismatch(to, o.accessAssistant);
        }
        if (o.sealedKey.length == 0 || o.sealedKey.length > 512) revert BadSealedKey(o.sealedKey.length);
        return (o.sealedKey, _receiverKeyHash(to, o.encryptedPubKey, o.wantedKey));
    }

    /// @dev No wanted key means the receiver's Ethereum key (64 bytes, without the leading 4); otherwise the key is an
    ///      owner key as submitted to a session: 65 bytes secp256k1 or 32 bytes X25519.
    function _receiverKeyHash(address to, bytes memory key, bytes memory wanted) private pure returns (bytes32) {
        if (wanted.length == 0) {
            if (key.length != 64 || address(uint160(uint256(keccak256(key)))) != to) revert ReceiverKeyMismatch();
            return keccak256(abi.encodePacked(bytes1(0x04), key));
        }
        if ((wanted.length != 32 && wanted.length != 65) || keccak256(wanted) != keccak256(key)) {
            revert ReceiverKeyMismatch();
        }
        return keccak256(key);
    }

    function _requireNonce(bytes memory nonce, uint256 tokenId, address to) private pure {
        (uint256 token, address receiver,,) = abi.decode(nonce, (uint256, address, uint64, bytes32));
        if (token != tokenId) revert ProofForOtherToken(tokenId, token);
        if (receiver != to) revert ProofForOtherReceiver(to, receiver);
    }

    function _publish(address owner, uint256 tokenId, bytes memory sealedKey) private {
        _sealedKeyHash[tokenId] = keccak256(sealedKey);
        bytes[] memory keys = new bytes[](1);
        keys[0] = sealedKey;
        emit PublishedSealedKey(owner, tokenId, keys);
    }

    // --------------------------------------------------------------------------------------------- usage

    /// @inheritdoc IERC7857
    function authorizeUsage(uint256 tokenId, address user) external {
        _requireOwner(tokenId);
        _authorize(tokenId, user);
    }

    /// @inheritdoc ICoOwnedINFT
    function batchAuthorizeUsage(uint256 tokenId, address[] calldata users) external {
        _requireOwner(tokenId);
        for (uint256 i; i < users.length; ++i) {
            _authorize(tokenId, users[i]);
        }
    }

    function _authorize(uint256 tokenId, address user) private {
        if (user == address(0)) revert BadUser(user);
        EnumerableSet.AddressSet storage users = _users[tokenId][_epoch[tokenId]];
        if (users.length() >= MAX_AUTHORIZED_USERS) revert TooManyUsers(tokenId);
        if (!users.add(user)) revert AlreadyAuthorized(tokenId, user);
        emit Authorization(msg.sender, user, tokenId);
    }

    /// @inheritdoc IERC7857
    function revokeAuthorization(uint256 tokenId, address user) external {
        _requireOwner(tokenId);
        if (!_users[tokenId][_epoch[tokenId]].remove(user)) revert NotAuthorized(tokenId, user);
        emit AuthorizationRevoked(msg.sender, user, tokenId);
    }

    /// @inheritdoc ICoOwnedINFT
    function clearAuthorizedUsers(uint256 tokenId) external {
        _endUsage(_requireOwner(tokenId), tokenId);
    }

    /// @inheritdoc IERC7857
    function delegateAccess(address assistant) external {
        _assistant[msg.sender] = assistant;
        emit DelegateAccess(msg.sender, assistant);
    }

    function _endUsage(address owner, uint256 tokenId) private {
        if (_users[tokenId][_epoch[tokenId]].length() == 0) return;
        ++_epoch[tokenId];
        emit AuthorizationCleared(owner, tokenId);
    }

    function _requireOwner(uint256 tokenId) private view returns (address owner) {
        owner = _requireOwned(tokenId);
        if (owner != msg.sender) revert NotTokenOwner(tokenId, msg.sender);
    }

    // --------------------------------------------------------------------------------------------- views

    /// @inheritdoc ICoOwnedINFT
    function coordinator() external view returns (address) {
        return address(_coordinator);
    }

    /// @inheritdoc IERC7857
    function verifier() external view returns (IERC7857DataVerifier) {
        return _verifier;
    }

    /// @inheritdoc IERC7857
    function authorizedUsersOf(uint256 tokenId) external view returns (address[] memory) {
        _requireOwned(tokenId);
        return _users[tokenId][_epoch[tokenId]].values();
    }

    /// @inheritdoc ICoOwnedINFT
    function isAuthorized(uint256 tokenId, address user) external view returns (bool) {
        return _requireOwned(tokenId) == user || _users[tokenId][_epoch[tokenId]].contains(user);
    }

    /// @inheritdoc IERC7857
    function getDelegateAccess(address user) external view returns (address) {
        return _assistant[user];
    }

    /// @inheritdoc ICoOwnedINFT
    function keyStale(uint256 tokenId) public view returns (bool) {
        _requireOwned(tokenId);
        return _sealedKeyHash[tokenId] == 0;
    }

    /// @inheritdoc ICoOwnedINFT
    function sealedKeyHash(uint256 tokenId) external view returns (bytes32) {
        _requireOwned(tokenId);
        return _sealedKeyHash[tokenId];
    }

    /// @inheritdoc ICoOwnedINFT
    function ownerKeyHash(uint256 tokenId) external view returns (bytes32) {
        if (keyStale(tokenId)) return 0;
        bytes32 resealed = _ownerKeyHash[tokenId];
        if (resealed != 0) return resealed;
        return _coordinator.contribution(tokenId / TOKENS_PER_SESSION, ownerOf(tokenId)).ownerKeyHash;
    }

    /// @inheritdoc ICoOwnedINFT
    function codeHashOf(uint256 tokenId) external view returns (bytes32) {
        _requireOwned(tokenId);
        return _coordinator.session(tokenId / TOKENS_PER_SESSION).codeHash;
    }

    /// @inheritdoc ICoOwnedINFT
    function enclaveOf(uint256 tokenId) external view returns (bytes32) {
        _requireOwned(tokenId);
        return _coordinator.session(tokenId / TOKENS_PER_SESSION).enclaveId;
    }

    /// @inheritdoc ICoOwnedINFT
    function artifact(uint256 sessionId) public view returns (Artifact memory) {
        bytes32 root = _artifactRoot[sessionId];
        if (root == 0) revert UnknownArtifact(sessionId);
        Session memory s = _coordinator.session(sessionId);
        return Artifact({
            sessionId: sessionId,
            artifactRoot: root,
            sessionHash: s.sessionHash,
            codeHash: s.codeHash,
            baseModel: s.baseModel,
            opener: s.opener,
            owners: s.accepted
        });
    }

    /// @inheritdoc ICoOwnedINFT
    function artifactOf(uint256 tokenId) public view returns (Artifact memory) {
        _requireOwned(tokenId);
        return artifact(tokenId / TOKENS_PER_SESSION);
    }

    /// @inheritdoc ICoOwnedINFT
    function tokensOf(uint256 sessionId) external view returns (uint256[] memory tokens) {
        tokens = new uint256[](artifact(sessionId).owners);
        for (uint256 i; i < tokens.length; ++i) {
            tokens[i] = tokenIdOf(sessionId, i + 1);
        }
    }

    /// @inheritdoc ICoOwnedINFT
    function tokenIdOf(uint256 sessionId, uint256 number) public pure returns (uint256) {
        return sessionId * TOKENS_PER_SESSION + number;
    }

    /// @inheritdoc ICoOwnedINFT
    function creatorOf(uint256 tokenId) external view returns (address) {
        return artifactOf(tokenId).opener;
    }

    /// @inheritdoc IERC7857Metadata
    function intelligentDataOf(uint256 tokenId) public view returns (IntelligentData[] memory data) {
        _requireOwned(tokenId);
        bytes32 root = _artifactRoot[tokenId / TOKENS_PER_SESSION];
        data = new IntelligentData[](1);
        data[0] = IntelligentData({dataDescription: TokenText.dataDescription(root), dataHash: root});
    }

    /// @inheritdoc ICoOwnedINFT
    function intelligentDatasOf(uint256 tokenId) external view returns (IntelligentData[] memory) {
        return intelligentDataOf(tokenId);
    }

    /// @notice Metadata and image, all on chain.
    function tokenURI(uint256 tokenId) public view override(ERC721, IERC721Metadata) returns (string memory) {
        return TokenText.uri(artifactOf(tokenId), tokenId % TOKENS_PER_SESSION, keyStale(tokenId));
    }

    /// @inheritdoc IERC2981
    function royaltyInfo(uint256 tokenId, uint256 salePrice) external view returns (address, uint256) {
        return (artifactOf(tokenId).opener, Math.mulDiv(salePrice, ROYALTY_BPS, 10_000));
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 id) public view override(ERC721, IERC165) returns (bool) {
        return id == IERC7857_ID || id == IERC7857_METADATA_ID || id == type(IERC2981).interfaceId || id == IERC4906_ID
            || id == ZERO_G_METADATA_ID || id == ZERO_G_AUTHORIZE_ID || id == ZERO_G_AUTHORIZE_ALL_ID
            || super.supportsInterface(id);
    }
}
