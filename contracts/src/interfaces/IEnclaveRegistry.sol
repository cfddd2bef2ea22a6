// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Where an enclave stands now. Only `Active` may seal and finalize; `Expired` and `Retired` may still prove
///         harm that was done while they were valid; `Revoked` proves nothing any more.
enum EnclaveStatus {
    Unknown,
    Active,
    Expired,
    Retired,
    Revoked
}

/// @notice What the registry knows about one enclave.
/// @param signer The enclave's secp256k1 address, born inside the enclave.
/// @param payee Who is paid and whose bond is locked for sessions that are opened from now on.
/// @param codeHash The measured code (protocol: workload id, or platform and application hash combined).
/// @param platformId Names the machine, so that policy can name machines.
/// @param registeredAt Time of the first registration, unix seconds.
/// @param validUntil Last second in which the registration is valid unless it is renewed.
/// @param revokedAt Time at which a revocation or a TCB below the floor was proven; 0 if never.
/// @param tcbStatus The TCB status by the numbering of `IEnclaveRegistry.TcbStatus`.
/// @param status The status at the time of the call.
/// @param development True if the registry trusts the development root instead of Intel's.
/// @param applicationProven True if the quote proved the application, too, on chain. False: it proved the platform, and the
///        enclave's signer names the application; who relies on that replays the machine's event log (0G Tapp).
struct Enclave {
    address signer;
    address payee;
    bytes32 codeHash;
    bytes32 platformId;
    uint64 registeredAt;
    uint64 validUntil;
    uint64 revokedAt;
    uint8 tcbStatus;
    EnclaveStatus status;
    bool development;
    bool applicationProven;
}

/// @title IEnclaveRegistry
/// @notice Enclaves whose quotes were verified on chain. Immutable and without an owner.
interface IEnclaveRegistry {
    /// @notice A quote was verified and its enclave stored; emitted again whenever `register` is called for it.
    event EnclaveRegistered(
        bytes32 indexed enclaveId,
        address indexed signer,
        address indexed payee,
        bytes32 codeHash,
        bytes32 platformId,
        uint8 tcbStatus,
        uint64 validUntil,
        bool applicationProven,
        bool development
    );

    /// @notice A newer quote of the same enclave, on the same platform, was verified.
    event EnclaveRenewed(bytes32 indexed enclaveId, uint64 validUntil, bool development);

    /// @notice The signer or the payee ended the enclave's service. Final.
    event EnclaveRetired(bytes32 indexed enclaveId, address indexed by, bool development);

    /// @notice Somebody proved that the enclave's platform is revoked or below the TCB floor. Final.
    event EnclaveRevoked(bytes32 indexed enclaveId, address indexed by, bool development);

    /// @notice Registers or renews the enclave that a quote proves.
    /// @dev reportData of the quote = bytes20(signer) ‖ keccak256(ext) ‖ bytes12(0); ext = abi.encode(
    ///      keccak256("ffe.enclave.v1"), chainid, registry, signer, appHash, blockNumber, blockhash(blockNumber)).
    ///      A quote is usable once. A retired or revoked enclave cannot come back.
    /// @param quote The TDX quote.
    /// @param ext The preimage of the second half of the report data.
    /// @param payee Who is paid for the enclave's work.
    /// @param signature By the enclave's signer (r ‖ s ‖ v) over keccak256(abi.encode(keccak256("ffe.register.v1"),
    ///        keccak256(ext), payee, keccak256(quote))), without any prefix.
    /// @return enclaveId keccak256(abi.encode(signer, codeHash)).
    function register(bytes calldata quote, bytes calldata ext, address payee, bytes calldata signature)
        external
        returns (bytes32 enclaveId);

    /// @notice Registers or renews an enclave with evidence of 0G Tapp, which chooses the report data itself: the SHA-512 of
    ///         a text that names ext's hash as nonce and the application's address as signer.
    /// @dev As `register`, but code hash = keccak256(abi.encode(platformHash, appHash)), platformHash = keccak256(MRTD ‖
    ///      RTMR0..2 ‖ MRCONFIGID ‖ XFAM ‖ TDATTRIBUTES), appHash as ext says: RTMR3 grows there, and the application is
    ///      what the event log says, which is not replayed on chain. So `applicationProven` is false.
    /// @param runtimeData The text, byte for byte as the service hashed it.
    function registerTapp(
        bytes calldata quote,
        bytes calldata ext,
        bytes calldata runtimeData,
        address payee,
        bytes calldata signature
    ) external returns (bytes32 enclaveId);

    /// @notice Renews a registration that nothing changed in but time: the same enclave, payee, and platform with its
    ///         versions. By anyone: the quote says which enclave, registry and block it is for, and the payee stays.
    /// @dev A client verifies this quote off chain, with the certificates that an earlier one brought.
    /// @param quote The TDX quote; what follows its attestation key should be left out.
    /// @param appHash,blockNumber What the registry cannot know of the ext that the quote's report data binds.
    function renew(bytes calldata quote, bytes32 appHash, uint256 blockNumber) external returns (bytes32 enclaveId);

    /// @notice Ends the enclave's service. By its signer or its payee only.
    function retire(bytes32 enclaveId) external;

    /// @notice Revokes an enclave whose platform is revoked or whose TCB fell below the floor. By anyone.
    /// @param enclaveId The enclave.
    /// @param evidence What the DCAP verifier needs to see it (signed by Intel); empty if it already knows.
    function invalidate(bytes32 enclaveId, bytes calldata evidence) external;

    /// @notice The enclave under this id. Never reverts: an unknown id has status `Unknown`.
    function enclave(bytes32 enclaveId) external view returns (Enclave memory);

    /// @notice True if the registry trusts the development root. Such a registry exists on chain 31337 only.
    function development() external view returns (bool);
}
