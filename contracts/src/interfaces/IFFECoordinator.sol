// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICoOwnedINFT} from "./ICoOwnedINFT.sol";
import {IEnclaveRegistry} from "./IEnclaveRegistry.sol";

/// @notice Where a session stands. It only ever moves forward: Open, then Sealed, then one of the others; or from Open
///         straight to Cancelled or Expired.
enum State {
    None,
    Open,
    Sealed,
    Settled,
    Cancelled,
    Expired,
    Aborted,
    Failed
}

/// @notice The statistic and its thresholds, fixed before anyone submits.
/// @param statistic The bundle that the enclave's code fixes: 1 or 2 (2 for small sessions).
/// @param acceptRule 0: accept unless harm is shown; 1: accept only with evidence of gain.
/// @param evalPairs Pairs of evaluation rows, 32 to 4096.
/// @param minRows Fewer usable rows exclude.
/// @param alphaInverse 1/α of the session-wide error probability, at least 1000.
/// @param harmToleranceMicro Tolerated loss increase in micro-nats, at least 50 000.
/// @param relevanceToleranceMicro Tolerated loss of relevance in micro-nats, at least 50 000.
/// @param invalidShareBps Share of broken rows that makes a contribution invalid, 1000 to 10 000.
struct GatePolicy {
    uint8 statistic;
    uint8 acceptRule;
    uint16 evalPairs;
    uint16 minRows;
    uint32 alphaInverse;
    uint32 harmToleranceMicro;
    uint32 relevanceToleranceMicro;
    uint16 invalidShareBps;
}

/// @notice Everything a session's parties agree to. termsHash = keccak256(abi.encode(terms)).
/// @param enclaveId keccak256(abi.encode(signer, codeHash)) of a registered enclave.
/// @param codeHash The code that the enclave must run.
/// @param stakeToken The ERC-20 that stakes are in; zero for the native token. Fee and bond are always native.
/// @param baseModel keccak256 of the base model's manifest (canonical JSON).
/// @param recipe keccak256 of the recipe (canonical JSON).
/// @param evalRoot 0G Storage root of the encrypted evaluation pool.
/// @param sampleRoot 0G Storage root of the public plaintext sample of such rows.
/// @param salt Makes the session tag; one use per opener.
/// @param gate The gate policy.
/// @param submitDeadline Submissions and withdrawals end just before this time (unix seconds).
/// @param deliverPeriod Seconds from sealing within which the enclave must deliver, 1 to 14 days.
/// @param quorum Submissions needed to seal after the deadline.
/// @param minAccepted Accepted contributions needed for a model, at least 2.
/// @param maxRows Rows of one contributor that are trained on at most.
/// @param participants Who may submit: 2 to 255 different addresses.
/// @param stake What each contributor stakes.
/// @param fee What the operator earns by settling or aborting.
/// @param operatorBond What the operator loses by delivering nothing.
/// @param slashBpsHarmful Share of the stake that a harmful contribution costs.
/// @param slashBpsInvalid Share of the stake that an invalid contribution costs.
/// @param slashRecipient Where slashed stakes go: 0x…dEaD or the coordinator's treasury.
struct SessionTerms {
    bytes32 enclaveId;
    bytes32 codeHash;
    address stakeToken;
    bytes32 baseModel;
    bytes32 recipe;
    bytes32 evalRoot;
    bytes32 sampleRoot;
    bytes32 salt;
    GatePolicy gate;
    uint64 submitDeadline;
    uint32 deliverPeriod;
    uint16 quorum;
    uint16 minAccepted;
    uint32 maxRows;
    address[] participants;
    uint256 stake;
    uint256 fee;
    uint256 operatorBond;
    uint16 slashBpsHarmful;
    uint16 slashBpsInvalid;
    address slashRecipient;
}

/// @notice The enclave's consent to the terms; EIP-712 `SessionOffer(bytes32 sessionTag,bytes32 sessionKey,
///         bytes32 seedCommitment,bytes32 termsHash)`, signed by the enclave's signer.
/// @param sessionTag keccak256(abi.encode(chainid, coordinator, opener, salt)).
/// @param sessionKey The enclave's X25519 key for this session alone.
/// @param seedCommitment keccak256 of the seed that the result reveals.
/// @param termsHash keccak256(abi.encode(terms)).
struct SessionOffer {
    bytes32 sessionTag;
    bytes32 sessionKey;
    bytes32 seedCommitment;
    bytes32 termsHash;
}

/// @notice Proof that a contribution is to be slashed. Reason 1: harmful; 2: invalid.
struct RejectionCertificate {
    bytes32 sealHash;
    address contributor;
    bytes32 blobRoot;
    uint8 reason;
    uint32 evalPairs;
    int64 harmMicroNats;
    int64 relevanceLostMicroNats;
    uint128 evidence;
    bytes32 gateRoot;
}

/// @notice One contributor's verdict. 1 accept (reason 0), 2 exclude (reason 16 and up), 3 reject (reason 1 or 2).
struct Verdict {
    address contributor;
    bytes32 blobRoot;
    uint8 verdict;
    uint8 reason;
    uint128 evidence;
}

/// @notice One owner of the model: an accepted contributor and the model's key, sealed for it.
struct Owner {
    address owner;
    bytes32 ownerKeyHash;
    bytes sealedKey;
}

/// @notice The session's outcome.
struct ResultCertificate {
    bytes32 sealHash;
    bytes32 artifactRoot;
    bytes32 gateRoot;
    bytes32 reportRoot;
    bytes32 seed;
    Verdict[] verdicts;
    Owner[] owners;
    uint32 baseLossMicroNats;
    uint32 jointLossMicroNats;
}

/// @notice The enclave gives the session up. Reason 1: evaluation pool unfit; 2: model or recipe not available.
struct AbortCertificate {
    bytes32 sealHash;
    uint8 reason;
    bytes32 gateRoot;
}

/// @notice A session as the contract holds it.
struct Session {
    State state;
    address opener;
    address payee;
    bytes32 enclaveId;
    bytes32 codeHash;
    bytes32 baseModel;
    bytes32 sessionHash;
    bytes32 sealHash;
    bytes32 seedCommitment;
    address stakeToken;
    address slashRecipient;
    uint64 submitDeadline;
    uint32 deliverPeriod;
    uint64 deliverDeadline;
    uint16 evalPairs;
    uint32 alphaInverse;
    uint16 slashBpsHarmful;
    uint16 slashBpsInvalid;
    uint8 participants;
    uint8 quorum;
    uint8 minAccepted;
    uint8 submitted;
    uint8 slashed;
    uint8 accepted;
    uint256 stake;
    uint256 fee;
    uint256 operatorBond;
    uint256 bondShare;
}

/// @notice A participant's part in a session.
/// @param participant On the session's list.
/// @param order Place in the order of first submission, from 1; 0 if it never submitted. Kept through a withdrawal.
/// @param slashReason 1 or 2 if slashed.
/// @param claimed Its stake was paid back (less what was slashed).
/// @param blobRoot Root of the encrypted dataset; 0 if none or withdrawn.
/// @param ownerKeyHash keccak256 of its owner key as submitted.
struct Contribution {
    bool participant;
    uint8 order;
    uint8 slashReason;
    bool claimed;
    bytes32 blobRoot;
    bytes32 ownerKeyHash;
}

/// @title IFFECoordinator
/// @notice Holds the stakes, bonds and fees of training sessions and moves them by the enclave's certificates alone.
///         Immutable: no owner, no upgrade, no pause. EIP-712 domain: name "FFE", version "1".
interface IFFECoordinator {
    // ------------------------------------------------------------------------------------------------- events

    /// @notice A session was opened. The two JSON texts hash to `terms.recipe` and `terms.baseModel`: the chain alone
    ///         says what will be trained, and on what.
    event SessionOpened(
        uint256 indexed sessionId,
        address indexed opener,
        bytes32 indexed enclaveId,
        address payee,
        bytes32 sessionHash,
        SessionTerms terms,
        SessionOffer offer,
        bytes offerSignature,
        string recipeJson,
        string manifestJson
    );
    /// @notice A blob was committed, or replaced by the same contributor. `order` counts first submissions from 1.
    event Submitted(
        uint256 indexed sessionId, address indexed contributor, bytes32 blobRoot, bytes ownerKey, uint8 order
    );
    /// @notice A contributor took blob and stake back.
    event Withdrawn(uint256 indexed sessionId, address indexed contributor);
    /// @notice The session is sealed: contributors, blobs and owner keys are fixed.
    event QuorumReached(uint256 indexed sessionId, bytes32 sealHash);
    /// @notice `amount` of a stake was slashed; `reward` of it pays the gas of whoever brought the certificate.
    event Slashed(
        uint256 indexed sessionId,
        address indexed contributor,
        uint8 reason,
        uint128 evidence,
        uint256 amount,
        uint256 reward,
        bytes32 gateRoot
    );
    /// @notice One verdict of a result.
    event VerdictGiven(
        uint256 indexed sessionId, address indexed contributor, uint8 verdict, uint8 reason, uint128 evidence
    );
    /// @notice The session was settled; `artifactRoot` is 0 if too few were accepted.
    event Finalized(
        uint256 indexed sessionId,
        bytes32 artifactRoot,
        bytes32 gateRoot,
        bytes32 reportRoot,
        bytes32 seed,
        uint256 accepted,
        uint32 baseLossMicroNats,
        uint32 jointLossMicroNats
    );
    event Aborted(uint256 indexed sessionId, uint8 reason, bytes32 gateRoot);
    event Cancelled(uint256 indexed sessionId);
    event Expired(uint256 indexed sessionId);
    /// @notice Nothing was delivered. `excused`: a revocation was proven in time, the bond returns to the operator;
    ///         otherwise each sealed contributor gets `bondShare`.
    event Failed(uint256 indexed sessionId, bool excused, uint256 bondShare);
    event BondDeposited(address indexed payee, address indexed from, uint256 amount);
    event BondWithdrawn(address indexed payee, address indexed to, uint256 amount);
    /// @notice `payee` lets sessions of this enclave lock its bond, or lets no further ones.
    event EnclaveBacked(address indexed payee, bytes32 indexed enclaveId, bool backed);
    /// @notice `account` took what a session owed it: its stake in the stake token, its share of the bond.
    event Claimed(uint256 indexed sessionId, address indexed account, uint256 stakeAmount, uint256 bondAmount);
    /// @notice Credit left the contract.
    event Paid(address indexed account, address indexed token, address to, uint256 amount);

    // ------------------------------------------------------------------------------------------------- errors

    error UnknownSession(uint256 sessionId);
    error WrongState(uint256 sessionId, State state);
    error ZeroAddress();

    // opening
    error BadPolicy(string field);
    error BadTerms(string field);
    error BadParticipant(address participant);
    error EnclaveNotActive(bytes32 enclaveId);
    error EnclaveRevoked(bytes32 enclaveId);
    error CodeHashMismatch(bytes32 expected, bytes32 registered);
    error SessionTagMismatch(bytes32 expected, bytes32 given);
    error SessionTagUsed(bytes32 sessionTag);
    error TermsHashMismatch(bytes32 expected, bytes32 given);
    error RecipeMismatch(bytes32 expected, bytes32 given);
    error ManifestMismatch(bytes32 expected, bytes32 given);
    error WrongValue(uint256 expected, uint256 given);
    error BondTooSmall(uint256 needed, uint256 free);
    error EnclaveNotBacked(address payee, bytes32 enclaveId);
    error InvalidSignature(address expected, address recovered);

    // submitting
    error NotParticipant(address account);
    error NotOpener(address account);
    error SubmitClosed(uint256 sessionId, uint64 submitDeadline);
    error BadBlobRoot();
    error BadOwnerKey();
    error NotSubmitted(address account);
    error TokenNotExact(address token);

    // sealing and the exits
    error SealNotOpen(uint64 from);
    error SealClosed(uint64 until);
    error QuorumNotReached(uint256 needed, uint256 submitted);
    error NotExpired(uint64 from);
    error DeliveryClosed(uint64 deliverDeadline);
    error NotFailed(uint64 deliverDeadline);

    // certificates
    error SealHashMismatch(bytes32 expected, bytes32 given);
    error NotContributor(address account);
    error BlobRootMismatch(bytes32 expected, bytes32 given);
    error BadReason(uint8 reason);
    error BadVerdict(uint8 verdict);
    error EvalPairsMismatch(uint32 expected, uint32 given);
    error EvidenceTooSmall(uint256 needed, uint128 evidence);
    error AlreadySlashed(address contributor);
    error AlreadyClaimed(address contributor);
    error VerdictCountMismatch(uint256 expected, uint256 given);
    error VerdictOrder(uint256 index, address expected, address given);
    error SlashDisagreement(address contributor, uint8 slashReason, uint8 reason);
    error OwnerCountMismatch(uint256 expected, uint256 given);
    error OwnerMismatch(uint256 index, address expected, address given);
    error OwnerKeyMismatch(uint256 index, bytes32 expected, bytes32 given);
    error BadSealedKey(uint256 index);
    error BadArtifactRoot();
    error SeedMismatch(bytes32 expected, bytes32 given);

    // money
    error NothingToClaim();
    error PaymentFailed(address to);

    // -------------------------------------------------------------------------------------- operator's bond

    /// @notice Adds `msg.value` to `payee`'s free bond.
    function depositBond(address payee) external payable;

    /// @notice Pays `amount` of the caller's free bond (deposits, earned fees, released bonds) to `to`.
    function withdrawBond(uint256 amount, address to) external;

    /// @notice Lets sessions of `enclaveId` lock the caller's bond, or lets no further ones. Anyone can register an enclave
    ///         that names somebody else as payee: only those that the payee itself backs can put its bond at risk.
    function backEnclave(bytes32 enclaveId, bool backed) external;

    // ----------------------------------------------------------------------------------------------- session

    /// @notice Opens a session; `msg.value` must be the fee. If the terms name an operator's bond, the enclave's payee must
    ///         back the enclave and its free bond must cover it.
    function openSession(
        SessionTerms calldata terms,
        SessionOffer calldata offer,
        bytes calldata signature,
        string calldata recipeJson,
        string calldata manifestJson
    ) external payable returns (uint256 sessionId);

    /// @notice Commits a blob with the stake, or replaces the caller's blob (no value, no second stake). The last
    ///         missing submission seals the session if the enclave is active.
    /// @param sessionId The session.
    /// @param blobRoot 0G Storage root of the encrypted dataset, not 0.
    /// @param ownerKey Uncompressed secp256k1 key of the caller (65 bytes), or an X25519 key (32 bytes).
    function submit(uint256 sessionId, bytes32 blobRoot, bytes calldata ownerKey) external payable;

    /// @notice Takes the caller's blob back and pays its stake to it.
    function withdraw(uint256 sessionId) external;

    /// @notice Seals: from the deadline to an hour after it with the quorum, at any time before if all submitted.
    function seal(uint256 sessionId) external;

    /// @notice Slashes one contributor by the enclave's certificate.
    function slashWithProof(uint256 sessionId, RejectionCertificate calldata cert, bytes calldata signature) external;

    /// @notice Settles a session by the enclave's certificate, and mints the model's tokens.
    function finalize(uint256 sessionId, ResultCertificate calldata cert, bytes calldata signature) external;

    /// @notice Ends a sealed session by the enclave's certificate: stakes return, the operator is paid.
    function abort(uint256 sessionId, AbortCertificate calldata cert, bytes calldata signature) external;

    /// @notice Ends a session that was not sealed in time.
    function expire(uint256 sessionId) external;

    /// @notice Ends a sealed session after its delivery deadline, or once its enclave is revoked.
    function fail(uint256 sessionId) external;

    /// @notice Ends the caller's own session while it is open and before its deadline.
    function cancel(uint256 sessionId) external;

    // ------------------------------------------------------------------------------------------------- money

    /// @notice Books what an ended session owes the caller, and pays all its credit in the native token and in the
    ///         session's stake token to `to`. A stake token that refuses keeps its credit and blocks nothing else.
    function claim(uint256 sessionId, address to) external;

    /// @notice Pays `account`'s credit in `token` (zero: native) to `account`. By anyone.
    function collect(address account, address token) external;

    // ------------------------------------------------------------------------------------------------- views

    /// @notice The session, or state None.
    function session(uint256 sessionId) external view returns (Session memory);
    /// @notice A participant's part in a session.
    function contribution(uint256 sessionId, address account) external view returns (Contribution memory);
    /// @notice The contributors whose blobs stand, in order of first submission (the sealing order).
    function contributors(uint256 sessionId) external view returns (address[] memory);
    /// @notice What `claim` would book for `account`: of its stake, and of the operator's bond.
    function claimable(uint256 sessionId, address account)
        external
        view
        returns (uint256 stakeAmount, uint256 bondAmount);
    /// @notice How many sessions were opened; ids start at 1.
    function sessionCount() external view returns (uint256);
    /// @notice The session opened under a tag, or 0.
    function sessionOfTag(bytes32 sessionTag) external view returns (uint256);
    /// @notice The tag of the session that `opener` can open with `salt`.
    function sessionTagOf(address opener, bytes32 salt) external view returns (bytes32);
    /// @notice A payee's native funds here, and how much of them is locked as bond of open sessions.
    function bond(address payee) external view returns (uint128 total, uint128 locked);
    /// @notice True if `payee` lets sessions of this enclave lock its bond.
    function backs(address payee, bytes32 enclaveId) external view returns (bool);
    /// @notice What `account` can collect in `token` (zero: native).
    function credit(address account, address token) external view returns (uint256);
    /// @notice What of an ERC-20 `token` belongs to sessions and creditors here.
    function held(address token) external view returns (uint256);
    /// @notice EIP-712 domain separator.
    function domainSeparator() external view returns (bytes32);
    /// @notice The registry whose enclaves are trusted.
    function registry() external view returns (IEnclaveRegistry);
    /// @notice The tokens that this contract mints.
    function inft() external view returns (ICoOwnedINFT);
    /// @notice The one slash recipient besides 0x…dEaD.
    function treasury() external view returns (address);
}
