// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IDcapVerifier, PlatformTcb, VerifiedQuote} from "../interfaces/IDcapVerifier.sol";
import {Enclave, EnclaveStatus, IEnclaveRegistry} from "../interfaces/IEnclaveRegistry.sol";
import {Sha512} from "./Sha512.sol";
import {TappRuntime} from "./TappRuntime.sol";
import {TdQuote} from "./TdQuote.sol";

/// @title EnclaveRegistry
/// @notice Binds an enclave's signing address to the code that a TDX quote, verified here, measured.
contract EnclaveRegistry is IEnclaveRegistry {
    struct Record {
        // All that a renewal reads and writes. PlatformTcb, with validUntil(4) ‖ nonceBlock(4) ‖ TcbStatus(1) ‖ State(1) in
        // place of its zeros. Seconds fit until 2106, and blocks as long. `nonceBlock`: of the latest quote.
        bytes32 word;
        address payee;
        bool applicationProven;
        address signer;
        uint48 registeredAt;
        uint48 revokedAt;
        bytes32 codeHash;
        bytes32 platformId;
    }

    /// @dev What an ext says of its enclave.
    struct Claim {
        address signer;
        bytes32 appHash;
        uint256 nonceBlock;
        bytes32 extHash;
    }

    enum State {
        None,
        Registered,
        Retired,
        Revoked
    }

    error BadPeriod(uint64 period);
    error QuoteUsed(bytes32 quoteHash);
    error BadExt(string member);
    error StaleNonce(uint256 blockNumber);
    error ReportDataMismatch();
    error BadRuntimeData();
    error BadSignature();
    error ZeroPayee();
    error PlatformChanged(bytes32 enclaveId);
    error TooLate();
    error EnclaveEnded(bytes32 enclaveId);
    error UnknownEnclave(bytes32 enclaveId);
    error NotSignerOrPayee(address caller);
    error StillAccepted(bytes32 enclaveId);
    error EvidenceRejected(bytes reason);

    bytes32 private constant ENCLAVE_TAG = keccak256("ffe.enclave.v1");
    bytes32 private constant REGISTER_TAG = keccak256("ffe.register.v1");

    IDcapVerifier public immutable verifier;
    /// @notice Seconds that a registration is valid for.
    uint64 public immutable period;
    bool public immutable development;

    mapping(bytes32 enclaveId => Record) private _records;

    constructor(IDcapVerifier verifier_, uint64 period_) {
        if (period_ == 0 || period_ > 366 days) revert BadPeriod(period_);
        verifier = verifier_;
        period = period_;
        development = verifier_.development();
    }

    /// @inheritdoc IEnclaveRegistry
    function register(bytes calldata quote, bytes calldata ext, address payee, bytes calldata signature)
        external
        returns (bytes32 enclaveId)
    {
        VerifiedQuote memory q = verifier.verifyAndCache(quote);
        Claim memory c = _checkExt(ext);
        _checkReportData(q, c.signer, c.extHash);
        _checkConsent(c, payee, quote, signature);
        return _register(q, c, payee, true);
    }

    /// @inheritdoc IEnclaveRegistry
    function registerTapp(
        bytes calldata quote,
        bytes calldata ext,
        bytes calldata runtimeData,
        address payee,
        bytes calldata signature
    ) external returns (bytes32 enclaveId) {
        VerifiedQuote memory q = verifier.verifyAndCache(quote);
        Claim memory c = _checkExt(ext);
        _checkRuntimeData(q, c, runtimeData);
        _checkConsent(c, payee, quote, signature);
        // slither-disable-next-line unused-return
        (uint256 bodyAt,) = TdQuote.layout(quote);
        q.codeHash = keccak256(abi.encode(TdQuote.platformHash(quote, bodyAt), c.appHash));
        return _register(q, c, payee, false);
    }

    /// @dev Stores what was verified; a code hash is of one kind, so a record's `proven` never changes.
    function _register(VerifiedQuote memory q, Claim memory c, address payee, bool proven)
        private
        returns (bytes32 enclaveId)
    {
        Record storage r;
        bytes32 word;
        (enclaveId, r, word) = _recordOf(c.signer, q, c.nonceBlock);
        if (word == 0) {
            (r.signer, r.registeredAt, r.codeHash) = (c.signer, uint48(block.timestamp), q.codeHash);
            r.applicationProven = proven;
        }
        if (r.payee != payee) r.payee = payee;
        if (_platform(word) != q.platform) r.platformId = verifier.platformId(q.platform);
        uint64 validUntil = _extend(r, q, c.nonceBlock);
        emit EnclaveRegistered(
            enclaveId, c.signer, payee, q.codeHash, r.platformId, uint8(q.status), validUntil, proven, development
        );
    }

    /// @inheritdoc IEnclaveRegistry
    function renew(bytes calldata quote, bytes32 appHash, uint256 blockNumber) external returns (bytes32 enclaveId) {
        VerifiedQuote memory q = verifier.verifyAndCache(quote);
        address signer = address(bytes20(q.reportData0));
        bytes32 nonce = _nonce(blockNumber);
        _checkReportData(
            q,
            signer,
            keccak256(abi.encode(ENCLAVE_TAG, block.chainid, address(this), signer, appHash, blockNumber, nonce))
        );
        Record storage r;
        bytes32 word;
        (enclaveId, r, word) = _recordOf(signer, q, blockNumber);
        if (word == 0) revert UnknownEnclave(enclaveId);
        if (_platform(word) != q.platform) revert PlatformChanged(enclaveId);
        emit EnclaveRenewed(enclaveId, _extend(r, q, blockNumber), development);
    }

    /// @dev reportData = signer ‖ keccak256(ext) ‖ zeros: the quote is the signer's.
    function _checkReportData(VerifiedQuote memory q, address signer, bytes32 extHash) private pure {
        if (
            q.reportData0 != bytes32(bytes20(signer)) | extHash >> 160
                || q.reportData1 != bytes32(uint256(extHash) << 96)
        ) revert ReportDataMismatch();
    }

    /// @dev Anyone may ask a Tapp service for evidence with a nonce of his own. So it is the signer's consent that counts,
    ///      and the text says who may give it.
    function _checkRuntimeData(VerifiedQuote memory q, Claim memory c, bytes calldata runtimeData) private pure {
        if (!TappRuntime.names(runtimeData, c.extHash, c.signer)) revert BadRuntimeData();
        (bytes32 first, bytes32 second) = Sha512.hash(runtimeData);
        if (q.reportData0 != first || q.reportData1 != second) revert ReportDataMismatch();
    }

    /// @dev The signer agreed to this payee, with this very quote.
    function _checkConsent(Claim memory c, address payee, bytes calldata quote, bytes calldata signature) private pure {
        if (payee == address(0)) revert ZeroPayee();
        bytes32 digest = keccak256(abi.encode(REGISTER_TAG, c.extHash, payee, keccak256(quote)));
        // slither-disable-next-line unused-return
        (address recovered, ECDSA.RecoverError problem,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (problem != ECDSA.RecoverError.NoError || recovered != c.signer) revert BadSignature();
    }

    /// @dev The record that a quote belongs to, if it may still change and the quote is newer than its latest.
    function _recordOf(address signer, VerifiedQuote memory q, uint256 nonceBlock)
        private
        view
        returns (bytes32 enclaveId, Record storage r, bytes32 word)
    {
        enclaveId = keccak256(abi.encode(signer, q.codeHash));
        r = _records[enclaveId];
        word = r.word;
        if (_state(word) > State.Registered) revert EnclaveEnded(enclaveId);
        // A quote fixes signer, code and nonce: used again, it comes to the same record with the same block.
        if (word != 0 && nonceBlock <= uint32(uint256(word) >> 16)) revert QuoteUsed(q.quoteHash);
    }

    function _extend(Record storage r, VerifiedQuote memory q, uint256 nonceBlock) private returns (uint64 validUntil) {
        validUntil = uint64(block.timestamp) + period;
        if (validUntil > type(uint32).max || nonceBlock > type(uint32).max) revert TooLate();
        uint256 rest = uint256(validUntil) << 48 | nonceBlock << 16 | uint256(q.status) << 8 | uint256(State.Registered);
        r.word = PlatformTcb.unwrap(q.platform) | bytes32(rest);
    }

    function _platform(bytes32 word) private pure returns (PlatformTcb) {
        return PlatformTcb.wrap(word >> 80 << 80);
    }

    function _state(bytes32 word) private pure returns (State) {
        return State(uint8(uint256(word)));
    }

    function _setState(Record storage r, State state) private {
        r.word = r.word >> 8 << 8 | bytes32(uint256(state));
    }

    /// @inheritdoc IEnclaveRegistry
    function retire(bytes32 enclaveId) external {
        Record storage r = _known(enclaveId);
        if (msg.sender != r.signer && msg.sender != r.payee) revert NotSignerOrPayee(msg.sender);
        if (_state(r.word) > State.Registered) revert EnclaveEnded(enclaveId);
        _setState(r, State.Retired);
        emit EnclaveRetired(enclaveId, msg.sender, development);
    }

    /// @inheritdoc IEnclaveRegistry
    /// @dev `evidence` is a call to the verifier (updateCrl, updateTcbInfo, updateQeIdentity), made first.
    function invalidate(bytes32 enclaveId, bytes calldata evidence) external {
        Record storage r = _known(enclaveId);
        if (_state(r.word) == State.Revoked) revert EnclaveEnded(enclaveId);
        if (evidence.length != 0) {
            // The verifier takes nothing that Intel did not sign, so anyone may make this contract call it.
            (bool ok, bytes memory reason) = address(verifier).call(evidence);
            if (!ok) revert EvidenceRejected(reason);
        }
        if (verifier.stillAccepted(_platform(r.word))) revert StillAccepted(enclaveId);
        _setState(r, State.Revoked);
        r.revokedAt = uint48(block.timestamp);
        emit EnclaveRevoked(enclaveId, msg.sender, development);
    }

    /// @inheritdoc IEnclaveRegistry
    function enclave(bytes32 enclaveId) external view returns (Enclave memory out) {
        Record storage r = _records[enclaveId];
        out.signer = r.signer;
        out.payee = r.payee;
        out.codeHash = r.codeHash;
        out.platformId = r.platformId;
        out.registeredAt = r.registeredAt;
        out.validUntil = _validUntil(r.word);
        out.revokedAt = r.revokedAt;
        out.tcbStatus = uint8(uint256(r.word) >> 8);
        out.status = _status(r.word);
        out.development = development;
        out.applicationProven = r.applicationProven;
    }

    function _validUntil(bytes32 word) private pure returns (uint64) {
        return uint32(uint256(word) >> 48);
    }

    function _status(bytes32 word) private view returns (EnclaveStatus) {
        State state = _state(word);
        if (state == State.None) return EnclaveStatus.Unknown;
        if (state == State.Revoked) return EnclaveStatus.Revoked;
        if (state == State.Retired) return EnclaveStatus.Retired;
        return block.timestamp > _validUntil(word) ? EnclaveStatus.Expired : EnclaveStatus.Active;
    }

    /// @dev ext = abi.encode(tag, chainid, registry, signer, appHash, blockNumber, nonce): fresh, for this chain and
    ///      this registry. Where RTMR3 is static the code hash covers the application, and `appHash` is free.
    function _checkExt(bytes calldata ext) private view returns (Claim memory c) {
        if (ext.length != 224) revert BadExt("length");
        (bytes32 tag, uint256 chainId, address registry, address signer, bytes32 appHash, uint256 at, bytes32 nonce) =
            abi.decode(ext, (bytes32, uint256, address, address, bytes32, uint256, bytes32));
        if (tag != ENCLAVE_TAG) revert BadExt("tag");
        if (chainId != block.chainid) revert BadExt("chainid");
        if (registry != address(this)) revert BadExt("registry");
        if (signer == address(0)) revert BadExt("signer");
        if (_nonce(at) != nonce) revert StaleNonce(at);
        return Claim(signer, appHash, at, keccak256(ext));
    }

    /// @dev The hash of one of the last 256 blocks.
    function _nonce(uint256 blockNumber) private view returns (bytes32 hash) {
        hash = blockhash(blockNumber);
        if (hash == 0) revert StaleNonce(blockNumber);
    }

    function _known(bytes32 enclaveId) private view returns (Record storage r) {
        r = _records[enclaveId];
        if (r.word == 0) revert UnknownEnclave(enclaveId);
    }
}
