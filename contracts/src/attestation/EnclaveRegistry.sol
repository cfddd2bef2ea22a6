// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IDcapVerifier, VerifiedQuote} from "../interfaces/IDcapVerifier.sol";
import {Enclave, EnclaveStatus, IEnclaveRegistry} from "../interfaces/IEnclaveRegistry.sol";

/// @title EnclaveRegistry
/// @notice Binds an enclave's signing address to the code that a TDX quote, verified here, measured.
contract EnclaveRegistry is IEnclaveRegistry {
    /// @dev A renewal on the same machine writes the second word only.
    struct Record {
        address signer;
        uint48 registeredAt;
        uint48 revokedAt;
        address payee;
        uint48 validUntil;
        uint48 nonceBlock; // of the latest quote
        bytes32 pck;
        bytes16 teeTcbSvn;
        uint16 qeSvn;
        uint8 tcbStatus;
        bool retired;
        bytes32 codeHash;
        bytes32 platformId;
    }

    error BadPeriod(uint64 period);
    error QuoteUsed(bytes32 quoteHash);
    error BadExt(string member);
    error StaleNonce(uint256 blockNumber);
    error ReportDataMismatch();
    error BadSignature();
    error ZeroPayee();
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
        if (payee == address(0)) revert ZeroPayee();
        VerifiedQuote memory q = verifier.verifyQuote(quote);
        (address signer, uint48 nonceBlock) = _checkExt(ext);
        bytes32 extHash = keccak256(ext);
        if (
            q.reportData[0] != bytes32(bytes20(signer)) | extHash >> 160
                || q.reportData[1] != bytes32(uint256(extHash) << 96)
        ) revert ReportDataMismatch();
        bytes32 digest = keccak256(abi.encode(REGISTER_TAG, extHash, payee, keccak256(quote)));
        (address recovered, ECDSA.RecoverError problem,) = ECDSA.tryRecover(digest, signature);
        if (problem != ECDSA.RecoverError.NoError || recovered != signer) revert BadSignature();

        enclaveId = keccak256(abi.encode(signer, q.codeHash));
        Record storage r = _records[enclaveId];
        if (r.retired || r.revokedAt != 0) revert EnclaveEnded(enclaveId);
        if (r.registeredAt == 0) {
            (r.signer, r.registeredAt, r.codeHash) = (signer, uint48(block.timestamp), q.codeHash);
        } else if (nonceBlock <= r.nonceBlock) {
            // A quote fixes signer, code and nonce: used again, it comes to the same record with the same block.
            revert QuoteUsed(q.quoteHash);
        }
        uint48 validUntil = uint48(block.timestamp + period);
        (r.payee, r.validUntil, r.nonceBlock) = (payee, validUntil, nonceBlock);
        _setPlatform(r, q);
        emit EnclaveRegistered(
            enclaveId, signer, payee, q.codeHash, q.platformId, uint8(q.status), validUntil, true, development
        );
    }

    function _setPlatform(Record storage r, VerifiedQuote memory q) private {
        if (r.pck != q.pck) (r.pck, r.platformId) = (q.pck, q.platformId);
        (r.teeTcbSvn, r.qeSvn, r.tcbStatus) = (q.teeTcbSvn, q.qeSvn, uint8(q.status));
    }

    /// @inheritdoc IEnclaveRegistry
    function retire(bytes32 enclaveId) external {
        Record storage r = _known(enclaveId);
        if (msg.sender != r.signer && msg.sender != r.payee) revert NotSignerOrPayee(msg.sender);
        if (r.retired || r.revokedAt != 0) revert EnclaveEnded(enclaveId);
        r.retired = true;
        emit EnclaveRetired(enclaveId, msg.sender, development);
    }

    /// @inheritdoc IEnclaveRegistry
    /// @dev `evidence` is a call to the verifier (updateCrl, updateTcbInfo, updateQeIdentity), made first.
    function invalidate(bytes32 enclaveId, bytes calldata evidence) external {
        Record storage r = _known(enclaveId);
        if (r.revokedAt != 0) revert EnclaveEnded(enclaveId);
        if (evidence.length != 0) {
            // The verifier takes nothing that Intel did not sign, so anyone may make this contract call it.
            (bool ok, bytes memory reason) = address(verifier).call(evidence);
            if (!ok) revert EvidenceRejected(reason);
        }
        if (verifier.stillAccepted(r.pck, r.qeSvn, r.teeTcbSvn)) revert StillAccepted(enclaveId);
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
        out.validUntil = r.validUntil;
        out.revokedAt = r.revokedAt;
        out.tcbStatus = r.tcbStatus;
        out.status = _status(r);
        out.development = development;
        out.applicationProven = r.registeredAt != 0;
    }

    function _status(Record storage r) private view returns (EnclaveStatus) {
        if (r.registeredAt == 0) return EnclaveStatus.Unknown;
        if (r.revokedAt != 0) return EnclaveStatus.Revoked;
        if (r.retired) return EnclaveStatus.Retired;
        return block.timestamp > r.validUntil ? EnclaveStatus.Expired : EnclaveStatus.Active;
    }

    /// @dev ext = abi.encode(tag, chainid, registry, signer, appHash, blockNumber, nonce): fresh, for this chain and
    ///      this registry. With a static RTMR3 the code hash covers the application, so `appHash` is free.
    function _checkExt(bytes calldata ext) private view returns (address signer, uint48) {
        if (ext.length != 224) revert BadExt("length");
        (bytes32 tag, uint256 chainId, address registry, address who,, uint256 blockNumber, bytes32 nonce) =
            abi.decode(ext, (bytes32, uint256, address, address, bytes32, uint256, bytes32));
        if (tag != ENCLAVE_TAG) revert BadExt("tag");
        if (chainId != block.chainid) revert BadExt("chainid");
        if (registry != address(this)) revert BadExt("registry");
        if (who == address(0)) revert BadExt("signer");
        bytes32 hash = blockhash(blockNumber);
        if (hash == 0 || hash != nonce) revert StaleNonce(blockNumber);
        return (who, uint48(blockNumber));
    }

    function _known(bytes32 enclaveId) private view returns (Record storage r) {
        r = _records[enclaveId];
        if (r.registeredAt == 0) revert UnknownEnclave(enclaveId);
    }
}
