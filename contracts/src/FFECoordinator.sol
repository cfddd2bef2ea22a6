// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {CoOwnedINFT} from "./CoOwnedINFT.sol";
import {ICoOwnedINFT} from "./interfaces/ICoOwnedINFT.sol";
import {IERC7857DataVerifier} from "./interfaces/IERC7857.sol";
import {Enclave, EnclaveStatus, IEnclaveRegistry} from "./interfaces/IEnclaveRegistry.sol";
import {
    AbortCertificate,
    Contribution,
    IFFECoordinator,
    Owner,
    RejectionCertificate,
    ResultCertificate,
    Session,
    SessionOffer,
    SessionTerms,
    State,
    Verdict
} from "./interfaces/IFFECoordinator.sol";
import {SessionHash} from "./libraries/SessionHash.sol";
import {Settlement} from "./libraries/Settlement.sol";
import {TermsCheck} from "./libraries/TermsCheck.sol";

/// @title FFECoordinator
/// @notice See `IFFECoordinator`. Every wei here is one of: a payee's bond (free or locked), the fee or a stake of a
///         session that has not ended, what an ended session owes its contributors, or credit. No function loops over
///         parties to pay them.
contract FFECoordinator is IFFECoordinator, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev The native token where a token address is asked for.
    address private constant NATIVE = address(0);
    uint256 private constant SEAL_PERIOD = 1 hours;
    /// @dev Least gas of `slashWithProof` outside its own measurement: the transaction, its data, the last two storage
    ///      writes and the log. The reward of a transaction that brings one certificate never exceeds its gas.
    uint256 private constant REWARD_GAS = 40_000;
    uint256 private constant MAX_SEALED_KEY = 512;

    uint8 private constant ACCEPT = 1;
    uint8 private constant EXCLUDE = 2;
    uint8 private constant REJECT = 3;
    uint8 private constant HARMFUL = 1;
    uint8 private constant INVALID = 2;
    uint8 private constant FIRST_EXCLUDE_REASON = 16;

    /// @dev Packed so that `submit` touches as little as possible.
    struct SessionData {
        address opener;
        State state;
        uint8 participants;
        uint8 quorum;
        uint8 minAccepted;
        uint8 submitted; // blobs that stand; once sealed, the number of sealed contributors
        uint8 ordered; // places given in the order of first submission
        uint8 slashed;
        uint8 accepted;
        uint32 deliverPeriod;
        address payee;
        uint48 submitDeadline;
        uint48 deliverDeadline;
        address stakeToken;
        uint32 alphaInverse;
        uint16 evalPairs;
        uint16 slashBpsHarmful;
        uint16 slashBpsInvalid;
        bool toTreasury;
        uint128 stake;
        uint128 fee;
        uint128 operatorBond;
        uint128 bondShare;
        bytes32 enclaveId;
        bytes32 codeHash;
        bytes32 baseModel;
        bytes32 sessionHash;
        bytes32 sealHash;
        bytes32 seedCommitment;
    }

    struct Bond {
        uint128 total;
        uint128 locked;
    }

    /// @inheritdoc IFFECoordinator
    IEnclaveRegistry public immutable registry;
    /// @inheritdoc IFFECoordinator
    ICoOwnedINFT public immutable inft;
    /// @inheritdoc IFFECoordinator
    address public immutable treasury;

    /// @inheritdoc IFFECoordinator
    uint256 public sessionCount;
    /// @inheritdoc IFFECoordinator
    mapping(bytes32 sessionTag => uint256 sessionId) public sessionOfTag;
    /// @inheritdoc IFFECoordinator
    mapping(address payee => Bond) public bond;
    /// @inheritdoc IFFECoordinator
    mapping(address payee => mapping(bytes32 enclaveId => bool)) public backs;
    /// @inheritdoc IFFECoordinator
    mapping(address account => mapping(address token => uint256)) public credit;
    /// @inheritdoc IFFECoordinator
    mapping(address token => uint256) public held;

    mapping(uint256 sessionId => SessionData) private _sessions;
    mapping(uint256 sessionId => mapping(address account => Contribution)) private _contributions;
    mapping(uint256 sessionId => mapping(uint256 place => address)) private _order;

    /// @param registry_ Whose enclaves are trusted.
    /// @param verifier_ Checks the proofs that move a token with its key.
    /// @param treasury_ The one slash recipient that terms may name besides 0x…dEaD.
    constructor(IEnclaveRegistry registry_, IERC7857DataVerifier verifier_, address treasury_) EIP712("FFE", "1") {
        if (address(registry_) == address(0) || address(verifier_) == address(0) || treasury_ == address(0)) {
            revert ZeroAddress();
        }
        registry = registry_;
        treasury = treasury_;
        inft = new CoOwnedINFT(this, verifier_);
    }

    // ------------------------------------------------------------------------------------- operator's bond

    /// @inheritdoc IFFECoordinator
    function depositBond(address payee) external payable {
        if (payee == address(0)) revert ZeroAddress();
        bond[payee].total += uint128(msg.value);
        emit BondDeposited(payee, msg.sender, msg.value);
    }

    /// @inheritdoc IFFECoordinator
    function withdrawBond(uint256 amount, address to) external nonReentrant {
        if (to == address(0)) revert ZeroAddress();
        Bond storage b = bond[msg.sender];
        uint256 free = b.total - b.locked;
        if (amount > free) revert BondTooSmall(amount, free);
        // At most the free part, which is 128 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        b.total -= uint128(amount);
        emit BondWithdrawn(msg.sender, to, amount);
        _sendNative(to, amount);
    }

    /// @inheritdoc IFFECoordinator
    function backEnclave(bytes32 enclaveId, bool backed) external {
        backs[msg.sender][enclaveId] = backed;
        emit EnclaveBacked(msg.sender, enclaveId, backed);
    }

    // --------------------------------------------------------------------------------------------- opening

    /// @inheritdoc IFFECoordinator
    function openSession(
        SessionTerms calldata terms,
        SessionOffer calldata offer,
        bytes calldata signature,
        string calldata recipeJson,
        string calldata manifestJson
    ) external payable nonReentrant returns (uint256 sessionId) {
        TermsCheck.check(terms, treasury);
        if (msg.value != terms.fee) revert WrongValue(terms.fee, msg.value);
        _requireHash(recipeJson, manifestJson, terms);

        sessionId = ++sessionCount;
        _useOffer(sessionId, terms, offer);
        address payee = _consentedPayee(terms, offer, signature);
        _lockBond(payee, terms.enclaveId, terms.operatorBond);
        _store(sessionId, terms, offer, payee);
        emit SessionOpened(
            sessionId,
            msg.sender,
            terms.enclaveId,
            payee,
            _sessions[sessionId].sessionHash,
            terms,
            offer,
            signature,
            recipeJson,
            manifestJson
        );
    }

    function _requireHash(string calldata recipeJson, string calldata manifestJson, SessionTerms calldata terms)
        private
        pure
    {
        bytes32 recipe = keccak256(bytes(recipeJson));
        if (recipe != terms.recipe) revert RecipeMismatch(terms.recipe, recipe);
        bytes32 manifest = keccak256(bytes(manifestJson));
        if (manifest != terms.baseModel) revert ManifestMismatch(terms.baseModel, manifest);
    }

    function _useOffer(uint256 sessionId, SessionTerms calldata terms, SessionOffer calldata offer) private {
        bytes32 tag = SessionHash.tag(address(this), msg.sender, terms.salt);
        if (offer.sessionTag != tag) revert SessionTagMismatch(tag, offer.sessionTag);
        if (sessionOfTag[tag] != 0) revert SessionTagUsed(tag);
        sessionOfTag[tag] = sessionId;

        bytes32 termsHash = SessionHash.termsHash(terms);
        if (offer.termsHash != termsHash) revert TermsHashMismatch(termsHash, offer.termsHash);
    }

    function _consentedPayee(SessionTerms calldata terms, SessionOffer calldata offer, bytes calldata signature)
        private
        view
        returns (address)
    {
        Enclave memory e = registry.enclave(terms.enclaveId);
        if (e.status != EnclaveStatus.Active) revert EnclaveNotActive(terms.enclaveId);
        if (e.codeHash != terms.codeHash) revert CodeHashMismatch(terms.codeHash, e.codeHash);
        _requireSignature(e.signer, SessionHash.offer(offer), signature);
        return e.payee;
    }

    function _store(uint256 sessionId, SessionTerms calldata terms, SessionOffer calldata offer, address payee)
        private
    {
        SessionData storage s = _sessions[sessionId];
        s.opener = msg.sender;
        s.state = State.Open;
        s.participants = uint8(terms.participants.length);
        s.quorum = uint8(terms.quorum);
        s.minAccepted = uint8(terms.minAccepted);
        s.deliverPeriod = terms.deliverPeriod;
        s.payee = payee;
        s.submitDeadline = uint48(terms.submitDeadline);
        s.stakeToken = terms.stakeToken;
        s.alphaInverse = terms.gate.alphaInverse;
        s.evalPairs = terms.gate.evalPairs;
        s.slashBpsHarmful = terms.slashBpsHarmful;
        s.slashBpsInvalid = terms.slashBpsInvalid;
        s.toTreasury = terms.slashRecipient == treasury;
        s.stake = uint128(terms.stake);
        s.fee = uint128(terms.fee);
        s.operatorBond = uint128(terms.operatorBond);
        s.enclaveId = terms.enclaveId;
        s.codeHash = terms.codeHash;
        s.baseModel = terms.baseModel;
        s.seedCommitment = offer.seedCommitment;
        s.sessionHash =
            SessionHash.sessionHash(address(this), sessionId, offer.termsHash, offer.sessionKey, offer.seedCommitment);

        for (uint256 i; i < terms.participants.length; ++i) {
            address participant = terms.participants[i];
            Contribution storage c = _contributions[sessionId][participant];
            if (participant == address(0) || c.participant) revert BadParticipant(participant);
            c.participant = true;
        }
    }

    // ------------------------------------------------------------------------------------------ submitting

    /// @inheritdoc IFFECoordinator
    function submit(uint256 sessionId, bytes32 blobRoot, bytes calldata ownerKey) external payable nonReentrant {
        SessionData storage s = _requireState(sessionId, State.Open);
        if (block.timestamp >= s.submitDeadline) revert SubmitClosed(sessionId, s.submitDeadline);
        Contribution storage c = _contributions[sessionId][msg.sender];
        if (!c.participant) revert NotParticipant(msg.sender);
        if (blobRoot == 0) revert BadBlobRoot();
        _requireOwnerKey(ownerKey);

        bool replaces = c.blobRoot != 0;
        c.blobRoot = blobRoot;
        c.ownerKeyHash = keccak256(ownerKey);
        if (replaces) {
            if (msg.value != 0) revert WrongValue(0, msg.value);
        } else {
            ++s.submitted;
            if (c.order == 0) {
                c.order = ++s.ordered;
                _order[sessionId][s.ordered] = msg.sender;
            }
        }
        emit Submitted(sessionId, msg.sender, blobRoot, ownerKey, c.order);

        if (!replaces) _takeStake(s.stakeToken, s.stake);
        // An enclave that is not active now may be renewed before the hour after the deadline is over.
        if (s.submitted == s.participants && _isActive(s.enclaveId)) _seal(sessionId, s);
    }

    /// @inheritdoc IFFECoordinator
    function withdraw(uint256 sessionId) external nonReentrant {
        SessionData storage s = _requireState(sessionId, State.Open);
        if (block.timestamp >= s.submitDeadline) revert SubmitClosed(sessionId, s.submitDeadline);
        Contribution storage c = _contributions[sessionId][msg.sender];
        if (c.blobRoot == 0) revert NotSubmitted(msg.sender);

        // The place in the order stays, so that coming and going cannot make the list longer than the participants.
        c.blobRoot = 0;
        c.ownerKeyHash = 0;
        --s.submitted;
        emit Withdrawn(sessionId, msg.sender);

        _send(s.stakeToken, msg.sender, s.stake);
    }

    function _requireOwnerKey(bytes calldata key) private view {
        if (key.length == 32) return;
        if (key.length != 65 || key[0] != 0x04 || address(uint160(uint256(keccak256(key[1:])))) != msg.sender) {
            revert BadOwnerKey();
        }
    }

    function _takeStake(address token, uint256 stake) private {
        if (token == NATIVE) {
            if (msg.value != stake) revert WrongValue(stake, msg.value);
            return;
        }
        if (msg.value != 0) revert WrongValue(0, msg.value);
        uint256 owed = held[token] + stake;
        held[token] = owed;
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), stake);
        uint256 balance = IERC20(token).balanceOf(address(this));
        // A token that takes a fee, or whose balances have shrunk by themselves, would make the last one to leave pay.
        if (balance != before + stake || balance < owed) revert TokenNotExact(token);
    }

    // --------------------------------------------------------------------------------------------- sealing

    /// @inheritdoc IFFECoordinator
    function seal(uint256 sessionId) external nonReentrant {
        SessionData storage s = _requireState(sessionId, State.Open);
        if (s.submitted < s.participants) {
            if (block.timestamp < s.submitDeadline) revert SealNotOpen(s.submitDeadline);
            if (s.submitted < s.quorum) revert QuorumNotReached(s.quorum, s.submitted);
        }
        uint256 until = s.submitDeadline + SEAL_PERIOD;
        // A 48-bit deadline and an hour.
        // forge-lint: disable-next-line(unsafe-typecast)
        if (block.timestamp > until) revert SealClosed(uint64(until));
        if (!_isActive(s.enclaveId)) revert EnclaveNotActive(s.enclaveId);
        _seal(sessionId, s);
    }

    function _seal(uint256 sessionId, SessionData storage s) private {
        uint256 sealed_ = s.submitted;
        address[] memory accounts = new address[](sealed_);
        bytes32[] memory blobRoots = new bytes32[](sealed_);
        bytes32[] memory ownerKeyHashes = new bytes32[](sealed_);
        uint256 n = 0;
        for (uint256 place = 1; n < sealed_; ++place) {
            address account = _order[sessionId][place];
            Contribution storage c = _contributions[sessionId][account];
            bytes32 blobRoot = c.blobRoot;
            if (blobRoot == 0) continue;
            accounts[n] = account;
            blobRoots[n] = blobRoot;
            ownerKeyHashes[n] = c.ownerKeyHash;
            ++n;
        }
        bytes32 sealHash = SessionHash.sealHash(s.sessionHash, accounts, blobRoots, ownerKeyHashes);
        s.state = State.Sealed;
        s.deliverDeadline = uint48(block.timestamp + s.deliverPeriod);
        s.sealHash = sealHash;
        emit QuorumReached(sessionId, sealHash);
    }

    // ---------------------------------------------------------------------------------------- certificates

    /// @inheritdoc IFFECoordinator
    function slashWithProof(uint256 sessionId, RejectionCertificate calldata cert, bytes calldata signature)
        external
        nonReentrant
    {
        uint256 gasBefore = gasleft();
        SessionData storage s = _requireExisting(sessionId);
        if (s.state != State.Sealed && s.state != State.Failed) revert WrongState(sessionId, s.state);
        _requireSealHash(s, cert.sealHash);
        _requireCertificate(s.enclaveId, false, SessionHash.rejection(cert), signature);

        Contribution storage c = _contributions[sessionId][cert.contributor];
        if (c.blobRoot == 0) revert NotContributor(cert.contributor);
        if (c.blobRoot != cert.blobRoot) revert BlobRootMismatch(c.blobRoot, cert.blobRoot);
        if (cert.evalPairs != s.evalPairs) revert EvalPairsMismatch(s.evalPairs, cert.evalPairs);
        if (c.slashReason != 0) revert AlreadySlashed(cert.contributor);
        if (c.claimed) revert AlreadyClaimed(cert.contributor);
        _requireEvidence(s, cert.reason, cert.evidence);

        c.slashReason = cert.reason;
        ++s.slashed;
        uint256 amount = _slashAmount(s, cert.reason);
        address recipient = _slashRecipient(s);
        // After a failure the shares of the bond are out already: this one follows the stake.
        if (s.state == State.Failed && s.bondShare != 0) credit[recipient][NATIVE] += s.bondShare;

        (uint256 reward, uint256 rest) = (0, amount);
        if (s.stakeToken == NATIVE) {
            (reward, rest) = Settlement.reward(amount, (gasBefore - gasleft() + REWARD_GAS) * tx.gasprice);
            if (reward != 0) credit[msg.sender][NATIVE] += reward;
        }
        credit[recipient][s.stakeToken] += rest;
        emit Slashed(sessionId, cert.contributor, cert.reason, cert.evidence, amount, reward, cert.gateRoot);
    }

    /// @inheritdoc IFFECoordinator
    function finalize(uint256 sessionId, ResultCertificate calldata cert, bytes calldata signature)
        external
        nonReentrant
    {
        SessionData storage s = _requireDelivery(sessionId, cert.sealHash);
        _requireCertificate(s.enclaveId, true, SessionHash.result(cert), signature);
        bytes32 commitment = keccak256(abi.encode(cert.seed));
        if (commitment != s.seedCommitment) revert SeedMismatch(s.seedCommitment, commitment);

        uint256 accepted = _applyVerdicts(sessionId, s, cert);
        s.state = State.Settled;
        // At most 255 contributors were sealed.
        // forge-lint: disable-next-line(unsafe-typecast)
        s.accepted = uint8(accepted);
        _payOperator(s);
        emit Finalized(
            sessionId,
            cert.artifactRoot,
            cert.gateRoot,
            cert.reportRoot,
            cert.seed,
            accepted,
            cert.baseLossMicroNats,
            cert.jointLossMicroNats
        );
        if (cert.owners.length != 0) inft.mint(sessionId, cert.artifactRoot, cert.owners);
    }

    /// @inheritdoc IFFECoordinator
    function abort(uint256 sessionId, AbortCertificate calldata cert, bytes calldata signature) external nonReentrant {
        SessionData storage s = _requireDelivery(sessionId, cert.sealHash);
        _requireCertificate(s.enclaveId, true, SessionHash.abortion(cert), signature);
        if (cert.reason != 1 && cert.reason != 2) revert BadReason(cert.reason);
        s.state = State.Aborted;
        _payOperator(s);
        emit Aborted(sessionId, cert.reason, cert.gateRoot);
    }

    /// @dev Checks each verdict and owner against what was sealed, slashes the rejected, and returns the number of
    ///      accepted contributors.
    function _applyVerdicts(uint256 sessionId, SessionData storage s, ResultCertificate calldata cert)
        private
        returns (uint256 accepted)
    {
        uint256 sealed_ = s.submitted;
        if (cert.verdicts.length != sealed_) revert VerdictCountMismatch(sealed_, cert.verdicts.length);
        bool minted = cert.owners.length != 0;
        uint256 slashed = 0;
        uint256 place = 0;
        for (uint256 i; i < sealed_; ++i) {
            Contribution storage c;
            address account;
            bytes32 blobRoot;
            do {
                account = _order[sessionId][++place];
                c = _contributions[sessionId][account];
                blobRoot = c.blobRoot;
            } while (blobRoot == 0);

            Verdict calldata v = cert.verdicts[i];
            if (v.contributor != account) revert VerdictOrder(i, account, v.contributor);
            if (v.blobRoot != blobRoot) revert BlobRootMismatch(blobRoot, v.blobRoot);
            if (v.verdict == REJECT) {
                slashed += _reject(sessionId, s, c, v, cert.gateRoot);
            } else {
                if (c.slashReason != 0) revert SlashDisagreement(account, c.slashReason, v.reason);
                if (v.verdict == ACCEPT) {
                    if (v.reason != 0) revert BadReason(v.reason);
                    if (minted) _requireOwner(cert.owners, accepted, account, c.ownerKeyHash);
                    ++accepted;
                } else {
                    if (v.verdict != EXCLUDE) revert BadVerdict(v.verdict);
                    if (v.reason < FIRST_EXCLUDE_REASON) revert BadReason(v.reason);
                }
            }
            emit VerdictGiven(sessionId, account, v.verdict, v.reason, v.evidence);
        }
        if (slashed != 0) credit[_slashRecipient(s)][s.stakeToken] += slashed;

        bool enough = accepted >= s.minAccepted;
        if (cert.owners.length != (enough ? accepted : 0)) {
            revert OwnerCountMismatch(enough ? accepted : 0, cert.owners.length);
        }
        if ((cert.artifactRoot != 0) != enough) revert BadArtifactRoot();
    }

    /// @dev A rejection in the result: slashes unless a rejection certificate did so before. Its gas is the operator's,
    ///      who is paid for finalizing by the fee: nobody gets a reward out of it.
    function _reject(
        uint256 sessionId,
        SessionData storage s,
        Contribution storage c,
        Verdict calldata v,
        bytes32 gateRoot
    ) private returns (uint256 amount) {
        _requireEvidence(s, v.reason, v.evidence);
        uint8 before = c.slashReason;
        if (before != 0) {
            if (before != v.reason) revert SlashDisagreement(v.contributor, before, v.reason);
            return 0;
        }
        c.slashReason = v.reason;
        ++s.slashed;
        amount = _slashAmount(s, v.reason);
        emit Slashed(sessionId, v.contributor, v.reason, v.evidence, amount, 0, gateRoot);
    }

    function _requireOwner(Owner[] calldata owners, uint256 index, address account, bytes32 ownerKeyHash) private pure {
        if (index >= owners.length) revert OwnerCountMismatch(index + 1, owners.length);
        Owner calldata o = owners[index];
        if (o.owner != account) revert OwnerMismatch(index, account, o.owner);
        if (o.ownerKeyHash != ownerKeyHash) revert OwnerKeyMismatch(index, ownerKeyHash, o.ownerKeyHash);
        if (o.sealedKey.length == 0 || o.sealedKey.length > MAX_SEALED_KEY) revert BadSealedKey(index);
    }

    function _requireDelivery(uint256 sessionId, bytes32 sealHash) private view returns (SessionData storage s) {
        s = _requireState(sessionId, State.Sealed);
        if (block.timestamp > s.deliverDeadline) revert DeliveryClosed(s.deliverDeadline);
        _requireSealHash(s, sealHash);
    }

    function _requireSealHash(SessionData storage s, bytes32 sealHash) private view {
        if (sealHash != s.sealHash) revert SealHashMismatch(s.sealHash, sealHash);
    }

    /// @dev A certificate counts if the session's enclave signed it and that enclave's word still counts: a revoked
    ///      one's never does, and only an active one's ends a session.
    function _requireCertificate(bytes32 enclaveId, bool activeOnly, bytes32 structHash, bytes calldata signature)
        private
        view
    {
        Enclave memory e = registry.enclave(enclaveId);
        if (e.status == EnclaveStatus.Revoked) revert EnclaveRevoked(enclaveId);
        if (activeOnly && e.status != EnclaveStatus.Active) revert EnclaveNotActive(enclaveId);
        _requireSignature(e.signer, structHash, signature);
    }

    function _requireSignature(address signer, bytes32 structHash, bytes calldata signature) private view {
        // slither-disable-next-line unused-return
        (address recovered, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(_hashTypedDataV4(structHash), signature);
        if (err != ECDSA.RecoverError.NoError || recovered != signer) revert InvalidSignature(signer, recovered);
    }

    /// @dev The rule that the enclave's code claims to follow: the union bound over all sealed contributors.
    function _requireEvidence(SessionData storage s, uint8 reason, uint128 evidence) private view {
        if (reason == HARMFUL) {
            uint256 needed = Settlement.neededEvidence(s.submitted, s.alphaInverse);
            if (evidence < needed) revert EvidenceTooSmall(needed, evidence);
        } else if (reason != INVALID) {
            revert BadReason(reason);
        }
    }

    function _slashAmount(SessionData storage s, uint8 reason) private view returns (uint256) {
        return Settlement.slashed(s.stake, reason == HARMFUL ? s.slashBpsHarmful : s.slashBpsInvalid);
    }

    function _slashRecipient(SessionData storage s) private view returns (address) {
        return s.toTreasury ? treasury : TermsCheck.DEAD;
    }

    // ----------------------------------------------------------------------------------------- other exits

    /// @inheritdoc IFFECoordinator
    function expire(uint256 sessionId) external nonReentrant {
        SessionData storage s = _requireState(sessionId, State.Open);
        // With too few submissions nothing can seal any more; otherwise the hour for sealing has to pass.
        uint256 from = s.submitted < s.quorum ? s.submitDeadline : s.submitDeadline + SEAL_PERIOD + 1;
        // A 48-bit deadline and an hour.
        // forge-lint: disable-next-line(unsafe-typecast)
        if (block.timestamp < from) revert NotExpired(uint64(from));
        s.state = State.Expired;
        _refundOpener(s);
        _unlockBond(s);
        emit Expired(sessionId);
    }

    /// @inheritdoc IFFECoordinator
    function cancel(uint256 sessionId) external nonReentrant {
        SessionData storage s = _requireState(sessionId, State.Open);
        if (msg.sender != s.opener) revert NotOpener(msg.sender);
        if (block.timestamp >= s.submitDeadline) revert SubmitClosed(sessionId, s.submitDeadline);
        s.state = State.Cancelled;
        _refundOpener(s);
        _unlockBond(s);
        emit Cancelled(sessionId);
    }

    /// @inheritdoc IFFECoordinator
    function fail(uint256 sessionId) external nonReentrant {
        SessionData storage s = _requireState(sessionId, State.Sealed);
        Enclave memory e = registry.enclave(s.enclaveId);
        bool excused = e.status == EnclaveStatus.Revoked && e.revokedAt <= s.deliverDeadline;
        if (!excused && block.timestamp <= s.deliverDeadline) revert NotFailed(s.deliverDeadline);

        s.state = State.Failed;
        _refundOpener(s);
        if (excused) {
            _unlockBond(s);
        } else {
            _forfeitBond(s);
        }
        emit Failed(sessionId, excused, s.bondShare);
    }

    // ----------------------------------------------------------------------------------------------- money

    /// @inheritdoc IFFECoordinator
    // slither-disable-next-line reentrancy-eth,reentrancy-benign
    function claim(uint256 sessionId, address to) external nonReentrant {
        if (to == address(0)) revert ZeroAddress();
        SessionData storage s = _requireExisting(sessionId);
        Contribution storage c = _contributions[sessionId][msg.sender];
        address token = s.stakeToken;

        (uint256 stakeAmount, uint256 bondAmount) = _claimable(s, c);
        if (_isOwed(s, c)) {
            c.claimed = true;
            credit[msg.sender][token] += stakeAmount;
            credit[msg.sender][NATIVE] += bondAmount;
            emit Claimed(sessionId, msg.sender, stakeAmount, bondAmount);
        } else if (credit[msg.sender][NATIVE] == 0 && credit[msg.sender][token] == 0) {
            revert NothingToClaim();
        }

        uint256 native = credit[msg.sender][NATIVE];
        if (native != 0) {
            credit[msg.sender][NATIVE] = 0;
            emit Paid(msg.sender, NATIVE, to, native);
            _sendNative(to, native);
        }
        if (token != NATIVE) _tryPayToken(token, to);
    }

    /// @inheritdoc IFFECoordinator
    function collect(address account, address token) external nonReentrant {
        uint256 amount = credit[account][token];
        if (amount == 0) revert NothingToClaim();
        credit[account][token] = 0;
        emit Paid(account, token, account, amount);
        _send(token, account, amount);
    }

    /// @dev A token that refuses leaves its credit standing and does not hold up the native payment.
    function _tryPayToken(address token, address to) private {
        uint256 amount = credit[msg.sender][token];
        if (amount == 0) return;
        credit[msg.sender][token] = 0;
        held[token] -= amount;
        if (IERC20(token).trySafeTransfer(to, amount)) {
            emit Paid(msg.sender, token, to, amount);
        } else {
            credit[msg.sender][token] = amount;
            held[token] += amount;
        }
    }

    function _send(address token, address to, uint256 amount) private {
        if (token == NATIVE) {
            _sendNative(to, amount);
        } else {
            held[token] -= amount;
            IERC20(token).safeTransfer(to, amount);
        }
    }

    function _sendNative(address to, uint256 amount) private {
        // slither-disable-next-line arbitrary-send-eth
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert PaymentFailed(to);
    }

    function _isOwed(SessionData storage s, Contribution storage c) private view returns (bool) {
        return s.state > State.Sealed && c.blobRoot != 0 && !c.claimed;
    }

    function _claimable(SessionData storage s, Contribution storage c)
        private
        view
        returns (uint256 stakeAmount, uint256 bondAmount)
    {
        if (!_isOwed(s, c)) return (0, 0);
        if (c.slashReason != 0) return (s.stake - _slashAmount(s, c.slashReason), 0);
        return (s.stake, s.bondShare);
    }

    function _refundOpener(SessionData storage s) private {
        if (s.fee != 0) credit[s.opener][NATIVE] += s.fee;
    }

    /// @dev The registry lets an enclave name any payee: without that payee's own word, somebody else's enclave could
    ///      lock its bond and lose it.
    function _lockBond(address payee, bytes32 enclaveId, uint256 amount) private {
        if (amount == 0) return;
        if (!backs[payee][enclaveId]) revert EnclaveNotBacked(payee, enclaveId);
        Bond storage b = bond[payee];
        uint256 free = b.total - b.locked;
        if (amount > free) revert BondTooSmall(amount, free);
        // At most the free part, which is 128 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        b.locked += uint128(amount);
    }

    function _unlockBond(SessionData storage s) private {
        bond[s.payee].locked -= s.operatorBond;
    }

    /// @dev The fee joins the operator's free bond, which it can withdraw at any time.
    function _payOperator(SessionData storage s) private {
        Bond storage b = bond[s.payee];
        b.locked -= s.operatorBond;
        b.total += s.fee;
    }

    /// @dev Equal shares for the sealed contributors; those of the slashed, and what does not divide, go where slashed
    ///      stakes go.
    function _forfeitBond(SessionData storage s) private {
        uint128 amount = s.operatorBond;
        Bond storage b = bond[s.payee];
        b.total -= amount;
        b.locked -= amount;
        (uint128 share, uint256 rest) = Settlement.split(amount, s.submitted, s.slashed);
        s.bondShare = share;
        if (rest != 0) credit[_slashRecipient(s)][NATIVE] += rest;
    }

    // ----------------------------------------------------------------------------------------------- views

    /// @inheritdoc IFFECoordinator
    function session(uint256 sessionId) external view returns (Session memory v) {
        SessionData storage s = _sessions[sessionId];
        v.state = s.state;
        v.opener = s.opener;
        v.payee = s.payee;
        v.enclaveId = s.enclaveId;
        v.codeHash = s.codeHash;
        v.baseModel = s.baseModel;
        v.sessionHash = s.sessionHash;
        v.sealHash = s.sealHash;
        v.seedCommitment = s.seedCommitment;
        v.stakeToken = s.stakeToken;
        v.slashRecipient = s.state == State.None ? address(0) : _slashRecipient(s);
        v.submitDeadline = s.submitDeadline;
        v.deliverPeriod = s.deliverPeriod;
        v.deliverDeadline = s.deliverDeadline;
        v.evalPairs = s.evalPairs;
        v.alphaInverse = s.alphaInverse;
        v.slashBpsHarmful = s.slashBpsHarmful;
        v.slashBpsInvalid = s.slashBpsInvalid;
        v.participants = s.participants;
        v.quorum = s.quorum;
        v.minAccepted = s.minAccepted;
        v.submitted = s.submitted;
        v.slashed = s.slashed;
        v.accepted = s.accepted;
        v.stake = s.stake;
        v.fee = s.fee;
        v.operatorBond = s.operatorBond;
        v.bondShare = s.bondShare;
    }

    /// @inheritdoc IFFECoordinator
    function contribution(uint256 sessionId, address account) external view returns (Contribution memory) {
        return _contributions[sessionId][account];
    }

    /// @inheritdoc IFFECoordinator
    function contributors(uint256 sessionId) external view returns (address[] memory accounts) {
        SessionData storage s = _sessions[sessionId];
        accounts = new address[](s.submitted);
        uint256 n = 0;
        for (uint256 place = 1; n < accounts.length; ++place) {
            address account = _order[sessionId][place];
            if (_contributions[sessionId][account].blobRoot != 0) accounts[n++] = account;
        }
    }

    /// @inheritdoc IFFECoordinator
    function claimable(uint256 sessionId, address account) external view returns (uint256, uint256) {
        return _claimable(_sessions[sessionId], _contributions[sessionId][account]);
    }

    /// @inheritdoc IFFECoordinator
    function sessionTagOf(address opener, bytes32 salt) external view returns (bytes32) {
        return SessionHash.tag(address(this), opener, salt);
    }

    /// @inheritdoc IFFECoordinator
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function _isActive(bytes32 enclaveId) private view returns (bool) {
        return registry.enclave(enclaveId).status == EnclaveStatus.Active;
    }

    function _requireExisting(uint256 sessionId) private view returns (SessionData storage s) {
        s = _sessions[sessionId];
        if (s.state == State.None) revert UnknownSession(sessionId);
    }

    function _requireState(uint256 sessionId, State state) private view returns (SessionData storage s) {
        s = _requireExisting(sessionId);
        if (s.state != state) revert WrongState(sessionId, s.state);
    }
}
