// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IDcapVerifier, TcbStatus, VerifiedQuote} from "../interfaces/IDcapVerifier.sol";
import {DcapParser, SgxFields} from "./DcapParser.sol";
import {P256Verify} from "./P256Verify.sol";
import {QeIdentity, SvnLevel, TcbInfo, TcbLevel} from "./TcbDocument.sol";
import {Certificate, RevocationList} from "./X509.sol";

/// @title DcapVerifier
/// @notice Intel DCAP for TDX quotes of versions 4 and 5. Immutable and without an owner: what it knows, Intel's root
///         signed. The floor: TCB UpToDate or SWHardeningNeeded, TDX module and quoting enclave UpToDate.
contract DcapVerifier is IDcapVerifier {
    struct Authority {
        bytes32 x;
        bytes32 y;
        bytes32 subjectHash;
        uint64 notAfter;
        bool signsCertificates; // otherwise it signs TCB documents
        uint256 serial;
    }

    struct CrlState {
        uint64 thisUpdate;
        uint64 nextUpdate;
    }

    struct Pck {
        bytes32 x;
        bytes32 y;
        bytes32 issuer;
        uint256 serial;
        bytes32 platformId;
        bytes16 components; // SGX TCB component SVNs 1 to 16
        uint16 pceSvn;
        bytes2 pceId;
        bytes6 fmspc;
        uint64 notAfter;
    }

    struct AttestationKey {
        bytes32 pck;
        uint16 qeSvn;
    }

    struct TcbState {
        uint64 issueDate;
        uint64 nextUpdate;
        uint32 evaluationNumber;
        bytes2 pceId;
    }

    struct QeState {
        uint64 issueDate;
        uint64 nextUpdate;
        uint32 evaluationNumber;
        uint16 isvProdId;
        bytes4 miscSelect;
        bytes4 miscSelectMask;
        bytes16 attributes;
        bytes16 attributesMask;
        bytes32 mrSigner;
    }

    /// @dev keccak256(x ‖ y) of "Intel SGX Root CA".
    bytes32 private constant INTEL_ROOT_KEY = 0x89f72d7c488e5b53a77c23ebcb36970ef7eb5bcf6658e9b8292cfbe4703a8473;
    uint256 private constant DEVELOPMENT_CHAIN = 31337;
    bytes16 private constant INTEL_QE_VENDOR = hex"939a7233f79c4ca9940a0db3957f0607";
    uint256 private constant HEADER = 48;

    /// @dev Reads formats and holds nothing; apart because of the limit on a contract's size.
    DcapParser private immutable _parser;

    bool public immutable development;
    bytes32 public immutable rootX;
    bytes32 public immutable rootY;
    bytes32 public immutable rootSubject;

    mapping(bytes32 id => Authority) public authority;
    mapping(bytes32 issuer => CrlState) public crl; // issuer 0: the root
    mapping(bytes32 issuer => mapping(uint256 serial => bool)) public revoked;
    mapping(bytes32 id => Pck) public pck;
    mapping(bytes32 id => AttestationKey) public attestationKey;
    mapping(bytes6 fmspc => TcbState) public tcbState;
    mapping(bytes6 fmspc => TcbLevel[]) private _levels;
    mapping(bytes6 fmspc => mapping(uint256 module => SvnLevel[])) private _moduleLevels;
    QeState public qeState;
    SvnLevel[] private _qeLevels;

    /// @param x,y The root's public key: Intel's, or a development one (chain 31337 only).
    /// @param subject keccak256 of the root's subject name in DER: the issuer of what it signs.
    constructor(bytes32 x, bytes32 y, bytes32 subject, bool development_) {
        if (development_ && block.chainid != DEVELOPMENT_CHAIN) revert WrongChain();
        if ((keccak256(abi.encode(x, y)) == INTEL_ROOT_KEY) == development_) revert WrongRoot();
        _parser = new DcapParser();
        development = development_;
        rootX = x;
        rootY = y;
        rootSubject = subject;
    }

    // ----------------------------------------------------------------------------------------- certificates

    /// @inheritdoc IDcapVerifier
    function addAuthority(bytes calldata der) external returns (bytes32 id) {
        Certificate memory cert = _parser.certificate(der);
        if (cert.issuerHash != rootSubject) revert WrongIssuer();
        _checkCertificate(cert, 0, rootX, rootY);
        // An authority signs certificates and lists; the other kind that the root issues signs TCB documents.
        if (cert.isCa ? cert.keyUsage & 0x06 != 0x06 : cert.keyUsage & 0x80 == 0) revert WrongKeyUsage();
        id = keccak256(abi.encode(cert.x, cert.y));
        authority[id] = Authority(cert.x, cert.y, cert.subjectHash, cert.notAfter, cert.isCa, cert.serial);
        emit AuthorityAdded(id, cert.isCa);
    }

    /// @inheritdoc IDcapVerifier
    function updateCrl(bytes calldata der, bytes32 issuer) external {
        (RevocationList memory list, uint256[] memory serials) = _parser.revocationList(der);
        (bytes32 x, bytes32 y, bytes32 subject) = (rootX, rootY, rootSubject);
        if (issuer != 0) {
            Authority storage a = authority[issuer];
            if (!a.signsCertificates) revert UnknownId(issuer);
            (x, y, subject) = (a.x, a.y, a.subjectHash);
        }
        if (list.issuerHash != subject) revert WrongIssuer();
        if (!P256Verify.isValid(list.tbsHash, list.r, list.s, x, y)) revert BadSignature();
        _checkTime(list.thisUpdate, list.nextUpdate);
        if (list.thisUpdate < crl[issuer].thisUpdate) revert OlderThanKnown();
        crl[issuer] = CrlState(list.thisUpdate, list.nextUpdate);
        for (uint256 i; i < serials.length; ++i) {
            if (revoked[issuer][serials[i]]) continue;
            revoked[issuer][serials[i]] = true;
            emit SerialRevoked(issuer, serials[i]);
        }
        emit CrlUpdated(issuer, list.thisUpdate, list.nextUpdate);
    }

    /// @inheritdoc IDcapVerifier
    function addPck(bytes calldata der, bytes32 issuer) external returns (bytes32 id) {
        Authority storage a = authority[issuer];
        if (!a.signsCertificates) revert UnknownId(issuer);
        (Certificate memory cert, SgxFields memory sgx) = _parser.pckCertificate(der);
        if (cert.issuerHash != a.subjectHash) revert WrongIssuer();
        _checkAuthority(issuer, a);
        _checkCertificate(cert, issuer, a.x, a.y);
        if (cert.isCa || cert.keyUsage & 0x80 == 0) revert WrongKeyUsage();
        id = keccak256(abi.encode(cert.x, cert.y));
        bytes32 platformId = keccak256(abi.encodePacked(sgx.ppid, sgx.fmspc));
        pck[id] = Pck(
            cert.x,
            cert.y,
            issuer,
            cert.serial,
            platformId,
            sgx.components,
            sgx.pceSvn,
            sgx.pceId,
            sgx.fmspc,
            cert.notAfter
        );
        emit PckAdded(id, issuer, platformId, sgx.fmspc);
    }

    function _checkCertificate(Certificate memory cert, bytes32 issuer, bytes32 x, bytes32 y) private view {
        _checkTime(cert.notBefore, cert.notAfter);
        if (revoked[issuer][cert.serial]) revert CertificateRevoked(cert.serial);
        if (!P256Verify.isValid(cert.tbsHash, cert.r, cert.s, x, y)) revert BadSignature();
    }

    function _checkAuthority(bytes32 id, Authority storage a) private view {
        if (a.x == 0) revert UnknownId(id);
        if (revoked[0][a.serial]) revert CertificateRevoked(a.serial);
        _checkTime(0, a.notAfter);
        _checkCrl(0);
    }

    function _checkCrl(bytes32 issuer) private view {
        uint64 nextUpdate = crl[issuer].nextUpdate;
        if (nextUpdate == 0) revert CrlMissing(issuer);
        _checkTime(0, nextUpdate);
    }

    function _checkTime(uint64 from, uint64 until) private view {
        if (block.timestamp < from || block.timestamp > until) revert NotValidNow(from, until);
    }

    // ------------------------------------------------------------------------------------------ TCB documents

    /// @inheritdoc IDcapVerifier
    function updateTcbInfo(bytes calldata json, bytes calldata signature, bytes32 signer) external {
        _checkDocument(json, signature, signer);
        TcbInfo memory info = _parser.tcbInfo(json);
        _checkTime(info.issueDate, info.nextUpdate);
        TcbState storage state = tcbState[info.fmspc];
        if (info.evaluationNumber < state.evaluationNumber || info.issueDate < state.issueDate) revert OlderThanKnown();
        tcbState[info.fmspc] = TcbState(info.issueDate, info.nextUpdate, info.evaluationNumber, info.pceId);
        delete _levels[info.fmspc];
        for (uint256 i; i < info.levels.length; ++i) {
            _levels[info.fmspc].push(info.levels[i]);
        }
        for (uint256 i; i < info.modules.length; ++i) {
            _store(_moduleLevels[info.fmspc][info.modules[i].version], info.modules[i].levels);
        }
        emit TcbInfoUpdated(info.fmspc, info.evaluationNumber, info.nextUpdate);
    }

    /// @inheritdoc IDcapVerifier
    function updateQeIdentity(bytes calldata json, bytes calldata signature, bytes32 signer) external {
        _checkDocument(json, signature, signer);
        QeIdentity memory qe = _parser.qeIdentity(json);
        _checkTime(qe.issueDate, qe.nextUpdate);
        if (qe.evaluationNumber < qeState.evaluationNumber || qe.issueDate < qeState.issueDate) revert OlderThanKnown();
        qeState = QeState(
            qe.issueDate,
            qe.nextUpdate,
            qe.evaluationNumber,
            qe.isvProdId,
            qe.miscSelect,
            qe.miscSelectMask,
            qe.attributes,
            qe.attributesMask,
            qe.mrSigner
        );
        _store(_qeLevels, qe.levels);
        emit QeIdentityUpdated(qe.evaluationNumber, qe.nextUpdate);
    }

    function _checkDocument(bytes calldata json, bytes calldata signature, bytes32 signer) private view {
        Authority storage a = authority[signer];
        if (a.signsCertificates) revert WrongKeyUsage();
        _checkAuthority(signer, a);
        if (signature.length != 64) revert BadSignature();
        if (!P256Verify.isValid(sha256(json), bytes32(signature[:32]), bytes32(signature[32:]), a.x, a.y)) {
            revert BadSignature();
        }
    }

    function _store(SvnLevel[] storage to, SvnLevel[] memory from) private {
        while (to.length > 0) {
            to.pop();
        }
        for (uint256 i; i < from.length; ++i) {
            to.push(from[i]);
        }
    }

    // ---------------------------------------------------------------------------------------- attestation keys

    /// @inheritdoc IDcapVerifier
    function addAttestationKey(bytes calldata proof, bytes32 pckId) external returns (bytes32 id) {
        if (proof.length < 512 || proof.length > 1024) revert BadQeReport("length");
        Pck storage p = pck[pckId];
        _checkPck(pckId, p);
        bytes calldata qe = proof[64:448];
        if (!P256Verify.isValid(sha256(qe), bytes32(proof[448:480]), bytes32(proof[480:512]), p.x, p.y)) {
            revert BadSignature();
        }
        if (bytes32(qe[320:352]) != sha256(abi.encodePacked(proof[:64], proof[512:]))) revert BadQeReport("key");
        if (bytes32(qe[352:384]) != 0) revert BadQeReport("report data");
        QeState storage s = qeState;
        if (s.nextUpdate == 0) revert BadQeReport("no identity known");
        _checkTime(0, s.nextUpdate);
        if (bytes4(qe[16:20]) & _reverse(s.miscSelectMask) != _reverse(s.miscSelect & s.miscSelectMask)) {
            revert BadQeReport("misc select");
        }
        if (bytes16(qe[48:64]) & s.attributesMask != s.attributes & s.attributesMask) revert BadQeReport("attributes");
        if (bytes32(qe[128:160]) != s.mrSigner) revert BadQeReport("signer");
        if (_le16(qe, 256) != s.isvProdId) revert BadQeReport("product");
        uint16 svn = _le16(qe, 258);
        if (_svnStatus(_qeLevels, svn) != TcbStatus.UpToDate) revert BadQeReport("svn");
        id = keccak256(proof[:64]);
        attestationKey[id] = AttestationKey(pckId, svn);
        emit AttestationKeyAdded(id, pckId);
    }

    function _checkPck(bytes32 id, Pck storage p) private view {
        if (p.x == 0) revert UnknownId(id);
        _checkTime(0, p.notAfter);
        if (revoked[p.issuer][p.serial]) revert CertificateRevoked(p.serial);
        _checkCrl(p.issuer);
        _checkAuthority(p.issuer, authority[p.issuer]);
    }

    // -------------------------------------------------------------------------------------------------- quotes

    /// @inheritdoc IDcapVerifier
    function verifyQuote(bytes calldata quote) external view returns (VerifiedQuote memory out) {
        (uint256 bodyAt, uint256 regionEnd) = _layout(quote);
        bytes calldata signed = quote[regionEnd + 4:];
        out.keyId = keccak256(signed[64:128]);
        AttestationKey storage key = attestationKey[out.keyId];
        if (key.pck == 0) revert UnknownId(out.keyId);
        Pck storage p = pck[key.pck];
        _checkPck(key.pck, p);
        out.quoteHash = sha256(quote[:regionEnd]);
        if (!P256Verify.isValid(
                out.quoteHash,
                bytes32(signed[:32]),
                bytes32(signed[32:64]),
                bytes32(signed[64:96]),
                bytes32(signed[96:128])
            )) revert BadSignature();

        bytes calldata body = quote[bodyAt:regionEnd];
        _checkBody(body);
        out.teeTcbSvn = bytes16(body[:16]);
        out.platformId = p.platformId;
        out.status = _status(key, p, out.teeTcbSvn);
        if (!_accepted(out.status)) revert TcbNotAccepted(out.status);
        _checkTime(0, tcbState[p.fmspc].nextUpdate);
        _checkTime(0, qeState.nextUpdate);
        out.codeHash = keccak256(
            abi.encodePacked(body[136:184], body[328:520], body[184:232], body[128:136], body[120:128])
        );
        out.reportData = body[520:584];
    }

    /// @inheritdoc IDcapVerifier
    function stillAccepted(bytes32 keyId, bytes16 teeTcbSvn) external view returns (bool) {
        AttestationKey storage key = attestationKey[keyId];
        Pck storage p = pck[key.pck];
        if (key.pck == 0 || revoked[p.issuer][p.serial] || revoked[0][authority[p.issuer].serial]) return false;
        return _accepted(_status(key, p, teeTcbSvn));
    }

    /// @dev Version 4: header, TD report 1.0. Version 5: header, body type and size, TD report 1.0 or 1.5.
    function _layout(bytes calldata quote) private pure returns (uint256 bodyAt, uint256 regionEnd) {
        if (quote.length < HEADER + 584 + 4 + 128) revert BadQuote("length");
        if (bytes16(quote[12:28]) != INTEL_QE_VENDOR) revert BadQuote("vendor");
        bytes8 head = bytes8(quote[:8]); // version, key type ECDSA-P256, TEE type TDX; the rest is free
        if (head == hex"0400020081000000") {
            (bodyAt, regionEnd) = (HEADER, HEADER + 584);
        } else if (head == hex"0500020081000000") {
            bytes6 kind = bytes6(quote[HEADER:HEADER + 6]);
            bodyAt = HEADER + 6;
            if (kind == hex"020048020000") regionEnd = bodyAt + 584;
            else if (kind == hex"030088020000") regionEnd = bodyAt + 648;
            else revert BadQuote("body type");
        } else {
            revert BadQuote("header");
        }
        if (quote.length < regionEnd + 4 + 128) revert BadQuote("length");
    }

    function _checkBody(bytes calldata body) private pure {
        if (bytes32(body[64:96]) != 0 || bytes16(body[96:112]) != 0) revert BadQuote("module signer");
        if (bytes8(body[112:120]) != 0) revert BadQuote("module attributes");
        bytes8 attributes = bytes8(body[120:128]);
        // SEPT_VE_DISABLE must be set; PKS, KL and PERFMON may be; DEBUG and all others must not.
        if (attributes & ~bytes8(hex"000000d000000080") != 0) revert BadQuote("TD attributes");
        if (attributes & hex"0000001000000000" == 0) revert BadQuote("SEPT_VE_DISABLE");
        if (body.length == 648 && (bytes32(body[600:632]) != 0 || bytes16(body[632:648]) != 0)) {
            revert BadQuote("service TD");
        }
    }

    function _accepted(TcbStatus status) private pure returns (bool) {
        return status == TcbStatus.UpToDate || status == TcbStatus.SWHardeningNeeded;
    }

    /// @dev Intel's level matching: the first level whose SGX part the platform meets, then from there the first whose
    ///      TDX part it meets too. The TDX module and the QE must be at their newest levels.
    function _status(AttestationKey storage key, Pck storage p, bytes16 svn) private view returns (TcbStatus) {
        TcbState storage state = tcbState[p.fmspc];
        if (state.nextUpdate == 0) revert TcbInfoMissing(p.fmspc);
        if (state.pceId != p.pceId) return TcbStatus.None;
        if (_svnStatus(_qeLevels, key.qeSvn) != TcbStatus.UpToDate) return TcbStatus.OutOfDate;
        uint256 module = uint8(svn[1]);
        if (module != 0 && _svnStatus(_moduleLevels[p.fmspc][module], uint8(svn[0])) != TcbStatus.UpToDate) {
            return TcbStatus.OutOfDate;
        }
        TcbLevel[] storage levels = _levels[p.fmspc];
        for (uint256 i; i < levels.length; ++i) {
            TcbLevel memory level = levels[i];
            if (p.pceSvn < level.pceSvn || !_meets(p.components, level.sgx, 0)) continue;
            if (_meets(svn, level.tdx, module != 0 ? 2 : 0)) return level.status;
        }
        return TcbStatus.None;
    }

    function _svnStatus(SvnLevel[] storage levels, uint256 svn) private view returns (TcbStatus) {
        for (uint256 i; i < levels.length; ++i) {
            SvnLevel memory level = levels[i];
            if (svn >= level.svn) return level.status;
        }
        return TcbStatus.None;
    }

    function _meets(bytes16 have, bytes16 need, uint256 from) private pure returns (bool) {
        for (uint256 i = from; i < 16; ++i) {
            if (uint8(have[i]) < uint8(need[i])) return false;
        }
        return true;
    }

    function _le16(bytes calldata d, uint256 at) private pure returns (uint16) {
        return uint16(uint8(d[at])) | (uint16(uint8(d[at + 1])) << 8);
    }

    /// @dev MISCSELECT is a little-endian number in reports and big-endian text in identities.
    function _reverse(bytes4 v) private pure returns (bytes4) {
        uint32 x = uint32(v);
        return bytes4((x >> 24) | ((x >> 8) & 0xff00) | ((x << 8) & 0xff0000) | (x << 24));
    }
}
