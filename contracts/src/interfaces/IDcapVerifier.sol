// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice TCB statuses as Intel names them, best first. `None`: no level matches, or an unknown word.
enum TcbStatus {
    None,
    UpToDate,
    SWHardeningNeeded,
    ConfigurationNeeded,
    ConfigurationAndSWHardeningNeeded,
    OutOfDate,
    OutOfDateConfigurationNeeded,
    Revoked
}

/// @notice A machine and the versions that a quote showed: number of the PCK certificate(4) ‖ SVN of the quoting
///         enclave(2) ‖ TEE_TCB_SVN(16) ‖ zeros.
type PlatformTcb is bytes32;

using {same as ==, different as !=} for PlatformTcb global;

function same(PlatformTcb a, PlatformTcb b) pure returns (bool) {
    return PlatformTcb.unwrap(a) == PlatformTcb.unwrap(b);
}

function different(PlatformTcb a, PlatformTcb b) pure returns (bool) {
    return !same(a, b);
}

/// @notice What a verified quote proves.
struct VerifiedQuote {
    bytes32 quoteHash; // SHA-256 of the signed part: names the quote, whatever follows it
    bytes32 codeHash; // workload id: keccak256(MRTD ‖ RTMR0..3 ‖ MRCONFIGID ‖ XFAM ‖ TDATTRIBUTES)
    bytes32 reportData0; // its 64 bytes
    bytes32 reportData1;
    PlatformTcb platform;
    TcbStatus status;
}

/// @title IDcapVerifier
/// @notice Verifies Intel TDX quotes on chain. Everything expensive is verified once and kept: authorities, PCK
///         certificates, attestation keys, TCB levels. Everything is accepted from anyone, because everything is
///         signed by keys below the pinned root.
///
///         Before a machine's first quote, in this order:
///           1. addAuthority(intermediate), addAuthority(TCB signing certificate)
///           2. updateCrl(root's list), updateCrl(intermediate's list)
///           3. updateTcbInfo(json, signature, signer), updateQeIdentity(json, signature, signer)
///           4. addPck(certificate, issuer), addAttestationKey(key ‖ QE report ‖ signature ‖ auth data, pck)
///         Afterwards a quote of that machine costs one P-256 verification.
///         Every event says whether the root is a development one.
interface IDcapVerifier {
    event AuthorityAdded(bytes32 indexed id, bool signsCertificates, bool development);
    event CrlUpdated(bytes32 indexed issuer, uint64 thisUpdate, uint64 nextUpdate, bool development);
    event SerialRevoked(bytes32 indexed issuer, uint256 serial, bool development);
    event TcbInfoUpdated(bytes6 indexed fmspc, uint32 evaluationNumber, uint64 nextUpdate, bool development);
    event QeIdentityUpdated(uint32 evaluationNumber, uint64 nextUpdate, bool development);
    event DocumentsForgotten(uint16 epoch, bool development);
    event PckAdded(bytes32 indexed id, bytes32 indexed issuer, bytes32 platformId, bytes6 fmspc, bool development);
    event AttestationKeyAdded(bytes32 indexed id, bytes32 indexed pck, bool development);

    error WrongRoot();
    error WrongChain();
    error NotValidNow(uint64 from, uint64 until);
    error BadSignature();
    error WrongIssuer();
    error WrongKeyUsage();
    error CertificateRevoked(uint256 serial);
    error UnknownId(bytes32 id);
    error CrlMissing(bytes32 issuer);
    error OlderThanKnown();
    error BadQuote(string what);
    error BadQeReport(string what);
    error TcbInfoMissing(bytes6 fmspc);
    error TcbNotAccepted(TcbStatus status);

    /// @notice Keeps a certificate that the root issued: a PCK authority or a TCB signer.
    /// @return id keccak256 of its public key.
    function addAuthority(bytes calldata der) external returns (bytes32 id);

    /// @notice Takes a revocation list of the root (`issuer` 0) or of an authority. What is revoked stays revoked. If
    ///         it revokes a TCB signer, no TCB info and QE identity known until then counts any more.
    function updateCrl(bytes calldata der, bytes32 issuer) external;

    /// @notice Takes Intel's TCB info for one FMSPC: the exact text that was signed, r ‖ s, and who signed it.
    function updateTcbInfo(bytes calldata json, bytes calldata signature, bytes32 signer) external;

    /// @notice Takes the identity of the TD quoting enclave.
    function updateQeIdentity(bytes calldata json, bytes calldata signature, bytes32 signer) external;

    /// @notice Keeps a machine's PCK certificate.
    /// @return id keccak256 of its public key.
    function addPck(bytes calldata der, bytes32 issuer) external returns (bytes32 id);

    /// @notice Keeps an attestation key: key(64) ‖ QE report(384) ‖ its signature by the PCK(64) ‖ auth data.
    /// @return id keccak256 of the key.
    function addAttestationKey(bytes calldata proof, bytes32 pck) external returns (bytes32 id);

    /// @notice Verifies a quote of a known attestation key, or reverts. Only header, body, signature and key are read:
    ///         what follows them (certification data) may be left out.
    function verifyQuote(bytes calldata quote) external view returns (VerifiedQuote memory);

    /// @notice As `verifyQuote`, and keeps what was found about the platform, so that its next quote costs less.
    function verifyAndCache(bytes calldata quote) external returns (VerifiedQuote memory);

    /// @notice Whether a platform that was accepted once would still be: its certificates are not revoked and its TCB
    ///         is at the floor. Collateral that merely expired says nothing against it.
    /// @param platform As in the `VerifiedQuote`: a later certification of its key changes nothing here.
    function stillAccepted(PlatformTcb platform) external view returns (bool);

    /// @notice keccak256 of the machine's PPID and FMSPC: one machine, whatever its versions.
    function platformId(PlatformTcb platform) external view returns (bytes32);

    /// @notice Finds out anew whether the chain's P-256 precompile answers correctly, and uses it from now on if it
    ///         does. The constructor has done so; for chains that get, or lose, it later.
    function testPrecompile() external returns (bool works);

    /// @notice True if the root is a development one. Such a verifier exists on chain 31337 only.
    function development() external view returns (bool);
}
