// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IDcapVerifier, PlatformTcb, TcbStatus, VerifiedQuote} from "../interfaces/IDcapVerifier.sol";
import {DcapParser, SgxFields} from "./DcapParser.sol";
import {P256Verify} from "./P256Verify.sol";
import {QeIdentity, TcbInfo} from "./TcbDocument.sol";
import {TcbLevels} from "./TcbLevels.sol";
import {TdQuote} from "./TdQuote.sol";
import {Certificate, RevocationList} from "./X509.sol";

/// @title DcapVerifier
/// @notice Intel DCAP for TDX quotes of versions 4 and 5. Immutable and without an owner: what it knows, Intel's root
///         signed. The floor: TCB UpToDate or SWHardeningNeeded, TDX module and quoting enclave UpToDate.
/// @dev A quote's verdict rests on its attestation key and TEE_TCB_SVN, and on certificates, lists and documents. It is
///      kept in the key's own word with the generation it was reached in and the time until which all of them are
///      current. Whatever could turn a kept verdict for the worse moves the generation on; what only extends dates does
///      not. So a known machine's quote reads two words.
contract DcapVerifier is IDcapVerifier {
    struct AuthorityKey {
        bytes32 x;
        bytes32 y;
        bytes32 subject;
        uint256 serial;
    }

    /// @dev An authority's certificate and the list it issued; under id 0 only the list, the root's.
    struct Standing {
        uint48 notAfter;
        bool signsCertificates; // otherwise it signs TCB documents
        bool revoked;
        uint48 thisUpdate;
        uint48 nextUpdate; // 0: no list known
    }

    struct Pck {
        bytes32 x;
        bytes32 y;
        uint256 serial;
        bytes32 platformId;
        bytes32 issuer;
        uint40 notAfter;
        bool revoked;
        bytes6 fmspc;
        bytes16 components; // SGX TCB component SVNs 1 to 16
        uint16 pceSvn;
        bytes2 pceId;
    }

    struct Times {
        uint32 generation; // begins with 1
        bool native; // the P-256 precompile passed its test
        uint32 pcks; // how many are known
    }

    struct TcbState {
        address levels; // TcbLevels
        uint48 nextUpdate;
        uint32 evaluationNumber;
        uint16 epoch; // counts only if it is the QE identity's
        uint48 issueDate;
    }

    struct QeState {
        uint48 issueDate;
        uint48 nextUpdate;
        uint32 evaluationNumber;
        uint32 acceptedFrom; // lowest SVN that is UpToDate
        uint16 epoch; // moves on when a TCB signer is revoked: nothing signed before counts any more
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

    /// @dev Reads formats and holds nothing; apart because of the limit on a contract's size.
    DcapParser private immutable _parser;

    bool public immutable development;
    bytes32 public immutable rootX;
    bytes32 public immutable rootY;
    bytes32 public immutable rootSubject;

    mapping(bytes32 id => AuthorityKey) private _authorityKey;
    mapping(bytes32 id => Standing) private _standing;
    mapping(bytes32 issuer => mapping(uint256 serial => bool)) public revoked; // issuer 0: the root
    mapping(bytes32 issuer => mapping(uint256 serial => bytes32 id)) private _idOf;
    Times private _times;
    mapping(bytes32 id => uint32) private _pckNumber; // from 1
    mapping(uint32 number => Pck) private _pcks;
    /// @dev PlatformTcb, with generation(4) ‖ until(5) ‖ TcbStatus(1) of the last verdict in place of its zeros. A
    ///      platform of zeros: unknown key; a generation of 0: no verdict.
    mapping(bytes32 id => bytes32) private _keys;
    mapping(bytes6 fmspc => TcbState) private _tcb;
    QeState public qeState;

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
        _times = Times(1, P256Verify.precompileWorks(), 0);
    }

    /// @inheritdoc IDcapVerifier
    function testPrecompile() external returns (bool works) {
        works = P256Verify.precompileWorks();
        _times.native = works;
    }

    // ----------------------------------------------------------------------------------------- what is known

    function authority(bytes32 id)
        external
        view
        returns (bytes32 x, bytes32 y, bytes32 subjectHash, uint64 notAfter, bool signsCertificates, uint256 serial)
    {
        AuthorityKey storage key = _authorityKey[id];
        Standing storage s = _standing[id];
        return (key.x, key.y, key.subject, s.notAfter, s.signsCertificates, key.serial);
    }

    /// @notice The dates of an authority's revocation list (`issuer` 0: the root's); zeros if none is known.
    function crl(bytes32 issuer) external view returns (uint64 thisUpdate, uint64 nextUpdate) {
        Standing storage s = _standing[issuer];
        return (s.thisUpdate, s.nextUpdate);
    }

    /// @notice The TCB info of one FMSPC; zeros if none counts.
    function tcbState(bytes6 fmspc)
        external
        view
        returns (uint64 issueDate, uint64 nextUpdate, uint32 evaluationNumber, bytes2 pceId)
    {
        TcbState memory t = _tcbOf(fmspc);
        return (t.issueDate, t.nextUpdate, t.evaluationNumber, TcbLevels.pceId(t.levels));
    }

    /// @notice The PCK certificate of this key; zeros if it is unknown.
    function pck(bytes32 id)
        external
        view
        returns (bytes32 x, bytes32 y, bytes32 issuer, bytes32 platform, uint64 notAfter, bool isRevoked)
    {
        Pck storage p = _pcks[_pckNumber[id]];
        return (p.x, p.y, p.issuer, p.platformId, p.notAfter, p.revoked);
    }

    /// @notice The PCK certificate, and the SVN of the quoting enclave, that vouch for an attestation key; or zeros.
    function attestationKey(bytes32 id) external view returns (bytes32 pckId, uint16 qeSvn) {
        PlatformTcb platform = PlatformTcb.wrap(_keys[id]);
        Pck storage p = _pckOf(platform);
        if (p.notAfter != 0) (pckId, qeSvn) = (_keyId(p.x, p.y), _qeSvn(platform));
    }

    /// @inheritdoc IDcapVerifier
    function platformId(PlatformTcb platform) external view returns (bytes32) {
        return _pckOf(platform).platformId;
    }

    // ----------------------------------------------------------------------------------------- certificates

    /// @inheritdoc IDcapVerifier
    function addAuthority(bytes calldata der) external returns (bytes32 id) {
        Certificate memory cert = _parser.certificate(der);
        if (cert.issuerHash != rootSubject || cert.subjectHash == rootSubject) revert WrongIssuer();
        _checkCertificate(cert, 0, rootX, rootY);
        // An authority signs certificates and lists; the other kind that the root issues signs TCB documents.
        if (cert.isCa ? cert.keyUsage & 0x06 != 0x06 : cert.keyUsage & 0x80 == 0) revert WrongKeyUsage();
        id = _keyId(cert.x, cert.y);
        Standing storage s = _standing[id];
        _checkSuccessor(cert, s.notAfter, s.revoked, _authorityKey[id].serial);
        _authorityKey[id] = AuthorityKey(cert.x, cert.y, cert.subjectHash, cert.serial);
        _idOf[0][cert.serial] = id;
        (s.notAfter, s.signsCertificates) = (uint48(cert.notAfter), cert.isCa);
        emit AuthorityAdded(id, cert.isCa, development);
    }

    /// @inheritdoc IDcapVerifier
    function updateCrl(bytes calldata der, bytes32 issuer) external {
        (RevocationList memory list, uint256[] memory serials) = _parser.revocationList(der);
        (bytes32 x, bytes32 y, bytes32 subject) = (rootX, rootY, rootSubject);
        Standing storage s = _standing[issuer];
        if (issuer != 0) {
            if (!s.signsCertificates) revert UnknownId(issuer);
            AuthorityKey storage key = _authorityKey[issuer];
            (x, y, subject) = (key.x, key.y, key.subject);
        }
        if (list.issuerHash != subject) revert WrongIssuer();
        _checkSignature(list.tbsHash, list.r, list.s, x, y);
        _checkTime(list.thisUpdate, list.nextUpdate);
        if (list.thisUpdate < s.thisUpdate) revert OlderThanKnown();
        if (list.nextUpdate < s.nextUpdate) ++_times.generation;
        (s.thisUpdate, s.nextUpdate) = (uint48(list.thisUpdate), uint48(list.nextUpdate));
        for (uint256 i; i < serials.length; ++i) {
            _revoke(issuer, serials[i]);
        }
        emit CrlUpdated(issuer, list.thisUpdate, list.nextUpdate, development);
    }

    /// @dev Marks what is known under this serial, too, so that a quote need not look the serial up.
    function _revoke(bytes32 issuer, uint256 serial) private {
        if (revoked[issuer][serial]) return;
        revoked[issuer][serial] = true;
        bytes32 id = _idOf[issuer][serial];
        if (id != 0) {
            ++_times.generation;
            if (issuer != 0) {
                _pcks[_pckNumber[id]].revoked = true;
            } else {
                _standing[id].revoked = true;
                if (!_standing[id].signsCertificates) _forgetDocuments();
            }
        }
        emit SerialRevoked(issuer, serial, development);
    }

    /// @dev A TCB signer is revoked: who had its key could have signed anything, and with any evaluation number.
    function _forgetDocuments() private {
        uint16 epoch = qeState.epoch + 1;
        delete qeState;
        qeState.epoch = epoch;
        emit DocumentsForgotten(epoch, development);
    }

    /// @inheritdoc IDcapVerifier
    function addPck(bytes calldata der, bytes32 issuer) external returns (bytes32 id) {
        AuthorityKey storage a = _authorityKey[issuer];
        if (!_standing[issuer].signsCertificates) revert UnknownId(issuer);
        (Certificate memory cert, SgxFields memory sgx) = _parser.pckCertificate(der);
        if (cert.issuerHash != a.subject) revert WrongIssuer();
        _checkAuthority(issuer);
        _checkCertificate(cert, issuer, a.x, a.y);
        if (cert.isCa || cert.keyUsage & 0x80 == 0) revert WrongKeyUsage();
        id = _keyId(cert.x, cert.y);
        uint32 number = _pckNumber[id];
        if (number == 0) {
            number = ++_times.pcks;
            _pckNumber[id] = number;
        } else {
            ++_times.generation; // what it says of the machine may have changed
        }
        Pck storage known = _pcks[number];
        _checkSuccessor(cert, known.notAfter, known.revoked, known.serial);
        bytes32 machine = keccak256(abi.encodePacked(sgx.ppid, sgx.fmspc));
        _pcks[number] = Pck(
            cert.x,
            cert.y,
            cert.serial,
            machine,
            issuer,
            uint40(cert.notAfter),
            false,
            sgx.fmspc,
            sgx.components,
            sgx.pceSvn,
            sgx.pceId
        );
        _idOf[issuer][cert.serial] = id;
        emit PckAdded(id, issuer, machine, sgx.fmspc, development);
    }

    function _checkCertificate(Certificate memory cert, bytes32 issuer, bytes32 x, bytes32 y) private view {
        _checkTime(cert.notBefore, cert.notAfter);
        if (revoked[issuer][cert.serial]) revert CertificateRevoked(cert.serial);
        _checkSignature(cert.tbsHash, cert.r, cert.s, x, y);
    }

    /// @dev A key that is known already may get a newer certificate, not an older one; once revoked it stays so.
    function _checkSuccessor(Certificate memory cert, uint256 notAfter, bool gone, uint256 serial) private pure {
        if (gone) revert CertificateRevoked(serial);
        if (cert.notAfter < notAfter) revert OlderThanKnown();
    }

    /// @dev The authority is not revoked as far as a current list of the root says.
    function _checkAuthority(bytes32 id) private view returns (Standing memory s) {
        s = _standing[id];
        if (s.notAfter == 0) revert UnknownId(id);
        if (s.revoked) revert CertificateRevoked(_authorityKey[id].serial);
        _checkTime(0, s.notAfter);
        _checkList(0, _standing[0].nextUpdate);
    }

    function _checkList(bytes32 issuer, uint64 nextUpdate) private view {
        if (nextUpdate == 0) revert CrlMissing(issuer);
        _checkTime(0, nextUpdate);
    }

    function _checkSignature(bytes32 hash, bytes32 r, bytes32 s, bytes32 x, bytes32 y) private view {
        if (!P256Verify.isValid(_times.native, hash, r, s, x, y)) revert BadSignature();
    }

    function _keyId(bytes32 x, bytes32 y) private pure returns (bytes32 id) {
        assembly ("memory-safe") {
            mstore(0x00, x)
            mstore(0x20, y)
            id := keccak256(0x00, 0x40)
        }
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
        TcbState memory known = _tcbOf(info.fmspc);
        if (info.evaluationNumber < known.evaluationNumber || info.issueDate < known.issueDate) {
            revert OlderThanKnown();
        }
        // Intel issues the same levels again and again, with later dates.
        address levels = TcbLevels.store(info, known.levels);
        if (known.nextUpdate != 0 && (levels != known.levels || info.nextUpdate < known.nextUpdate)) {
            ++_times.generation;
        }
        _tcb[info.fmspc] =
            TcbState(levels, uint48(info.nextUpdate), info.evaluationNumber, qeState.epoch, uint48(info.issueDate));
        emit TcbInfoUpdated(info.fmspc, info.evaluationNumber, info.nextUpdate, development);
    }

    /// @inheritdoc IDcapVerifier
    function updateQeIdentity(bytes calldata json, bytes calldata signature, bytes32 signer) external {
        _checkDocument(json, signature, signer);
        QeIdentity memory qe = _parser.qeIdentity(json);
        _checkTime(qe.issueDate, qe.nextUpdate);
        if (qe.evaluationNumber < qeState.evaluationNumber || qe.issueDate < qeState.issueDate) {
            revert OlderThanKnown();
        }
        if (qe.acceptedFrom > qeState.acceptedFrom || qe.nextUpdate < qeState.nextUpdate) ++_times.generation;
        qeState = QeState(
            uint48(qe.issueDate),
            uint48(qe.nextUpdate),
            qe.evaluationNumber,
            qe.acceptedFrom,
            qeState.epoch,
            qe.isvProdId,
            qe.miscSelect,
            qe.miscSelectMask,
            qe.attributes,
            qe.attributesMask,
            qe.mrSigner
        );
        emit QeIdentityUpdated(qe.evaluationNumber, qe.nextUpdate, development);
    }

    function _checkDocument(bytes calldata json, bytes calldata signature, bytes32 signer) private view {
        if (_checkAuthority(signer).signsCertificates) revert WrongKeyUsage();
        if (signature.length != 64) revert BadSignature();
        AuthorityKey storage a = _authorityKey[signer];
        _checkSignature(sha256(json), bytes32(signature[:32]), bytes32(signature[32:]), a.x, a.y);
    }

    function _tcbOf(bytes6 fmspc) private view returns (TcbState memory t) {
        t = _tcb[fmspc];
        if (t.epoch != qeState.epoch) delete t;
    }

    // ---------------------------------------------------------------------------------------- attestation keys

    /// @inheritdoc IDcapVerifier
    function addAttestationKey(bytes calldata proof, bytes32 pckId) external returns (bytes32 id) {
        if (proof.length < 512 || proof.length > 1024) revert BadQeReport("length");
        uint32 number = _pckNumber[pckId];
        if (number == 0) revert UnknownId(pckId);
        Pck storage p = _pcks[number];
        _checkPck(p);
        bytes calldata qe = proof[64:448];
        _checkSignature(sha256(qe), bytes32(proof[448:480]), bytes32(proof[480:512]), p.x, p.y);
        if (bytes32(qe[320:352]) != sha256(abi.encodePacked(proof[:64], proof[512:]))) revert BadQeReport("key");
        if (bytes32(qe[352:384]) != 0) revert BadQeReport("report data");
        uint16 svn = _checkQe(qe);
        id = keccak256(proof[:64]);
        PlatformTcb known = PlatformTcb.wrap(_keys[id]);
        if (_number(known) == number && svn < _qeSvn(known)) revert OlderThanKnown();
        _keys[id] = bytes32(bytes4(number)) | bytes32(bytes2(svn)) >> 32;
        emit AttestationKeyAdded(id, pckId, development);
    }

    function _checkQe(bytes calldata qe) private view returns (uint16 svn) {
        QeState memory s = qeState;
        if (s.nextUpdate == 0) revert BadQeReport("no identity known");
        _checkTime(0, s.nextUpdate);
        if (bytes4(qe[16:20]) & _reverse(s.miscSelectMask) != _reverse(s.miscSelect & s.miscSelectMask)) {
            revert BadQeReport("misc select");
        }
        if (bytes16(qe[48:64]) & s.attributesMask != s.attributes & s.attributesMask) revert BadQeReport("attributes");
        if (bytes32(qe[128:160]) != s.mrSigner) revert BadQeReport("signer");
        if (_le16(qe, 256) != s.isvProdId) revert BadQeReport("product");
        svn = _le16(qe, 258);
        if (svn < s.acceptedFrom) revert BadQeReport("svn");
    }

    /// @return until The time until which certificates and lists are current.
    function _checkPck(Pck storage p) private view returns (uint64 until) {
        if (p.revoked) revert CertificateRevoked(p.serial);
        until = p.notAfter;
        _checkTime(0, until);
        bytes32 issuer = p.issuer;
        Standing memory s = _checkAuthority(issuer);
        _checkList(issuer, s.nextUpdate);
        until = _earlier(_earlier(until, s.notAfter), _earlier(s.nextUpdate, _standing[0].nextUpdate));
    }

    function _earlier(uint64 a, uint64 b) private pure returns (uint64) {
        return a < b ? a : b;
    }

    // -------------------------------------------------------------------------------------------------- quotes

    /// @inheritdoc IDcapVerifier
    function verifyQuote(bytes calldata quote) external view returns (VerifiedQuote memory out) {
        (out,,) = _verify(quote);
    }

    /// @inheritdoc IDcapVerifier
    function verifyAndCache(bytes calldata quote) external returns (VerifiedQuote memory out) {
        bytes32 keyId;
        uint64 until;
        (out, keyId, until) = _verify(quote);
        if (until == 0) return out; // kept already
        uint256 verdict = uint256(_times.generation) << 48 | uint256(until) << 8 | uint256(out.status);
        _keys[keyId] = PlatformTcb.unwrap(out.platform) | bytes32(verdict);
    }

    /// @return out What the quote proves.
    /// @return keyId Its attestation key.
    /// @return until Until when the verdict holds in this generation; 0 if it is the one that is kept.
    function _verify(bytes calldata quote)
        private
        view
        returns (VerifiedQuote memory out, bytes32 keyId, uint64 until)
    {
        (uint256 bodyAt, uint256 regionEnd) = TdQuote.layout(quote);
        bytes32 x = TdQuote.word(quote, regionEnd, 68);
        bytes32 y = TdQuote.word(quote, regionEnd, 100);
        keyId = _keyId(x, y);
        bytes32 kept = _keys[keyId];
        if (kept == 0) revert UnknownId(keyId);
        Times memory times = _times;
        bytes32 platform = kept >> 80 << 80;
        bytes16 svn = bytes16(TdQuote.word(quote, bodyAt, 0));
        if (
            uint32(uint256(kept) >> 48) == times.generation && block.timestamp <= uint40(uint256(kept) >> 8)
                && svn == _teeTcbSvn(PlatformTcb.wrap(kept))
        ) {
            out.status = TcbStatus(uint8(uint256(kept)));
        } else {
            platform = platform >> 208 << 208 | bytes32(svn) >> 48;
            (out.status, until) = _judge(PlatformTcb.wrap(platform));
        }
        out.platform = PlatformTcb.wrap(platform);
        out.quoteHash = sha256(quote[:regionEnd]);
        bytes32 r = TdQuote.word(quote, regionEnd, 4);
        bytes32 s = TdQuote.word(quote, regionEnd, 36);
        if (!P256Verify.isValid(times.native, out.quoteHash, r, s, x, y)) revert BadSignature();
        TdQuote.checkBody(quote, bodyAt, regionEnd);
        out.codeHash = TdQuote.workloadId(quote, bodyAt);
        (out.reportData0, out.reportData1) = TdQuote.reportData(quote, bodyAt);
    }

    /// @dev The platform is accepted now, or this reverts.
    function _judge(PlatformTcb platform) private view returns (TcbStatus status, uint64 until) {
        Pck storage p = _pckOf(platform);
        uint64 certified = _checkPck(p);
        (status, until) = _status(p, platform);
        if (until == 0) revert TcbInfoMissing(p.fmspc);
        if (!_accepted(status)) revert TcbNotAccepted(status);
        _checkTime(0, until);
        until = _earlier(until, certified);
    }

    function _number(PlatformTcb platform) private pure returns (uint32) {
        return uint32(bytes4(PlatformTcb.unwrap(platform)));
    }

    function _qeSvn(PlatformTcb platform) private pure returns (uint16) {
        return uint16(bytes2(PlatformTcb.unwrap(platform) << 32));
    }

    function _teeTcbSvn(PlatformTcb platform) private pure returns (bytes16) {
        return bytes16(PlatformTcb.unwrap(platform) << 48);
    }

    function _pckOf(PlatformTcb platform) private view returns (Pck storage) {
        return _pcks[_number(platform)];
    }

    /// @inheritdoc IDcapVerifier
    function stillAccepted(PlatformTcb platform) external view returns (bool) {
        Pck storage p = _pckOf(platform);
        if (p.notAfter == 0 || p.revoked || _standing[p.issuer].revoked) return false;
        (TcbStatus status, uint64 until) = _status(p, platform);
        return until == 0 || _accepted(status);
    }

    function _accepted(TcbStatus status) private pure returns (bool) {
        return status == TcbStatus.UpToDate || status == TcbStatus.SWHardeningNeeded;
    }

    /// @dev The TCB status of a platform, whose PCK certificate is `p`, and until when the documents say so: 0 if there
    ///      are none.
    function _status(Pck storage p, PlatformTcb platform) private view returns (TcbStatus, uint64 until) {
        (uint64 qeUntil, uint256 acceptedFrom, uint16 epoch) = (qeState.nextUpdate, qeState.acceptedFrom, qeState.epoch);
        TcbState storage t = _tcb[p.fmspc];
        until = t.nextUpdate;
        if (t.epoch != epoch || qeUntil == 0 || until == 0) return (TcbStatus.None, 0);
        until = _earlier(until, qeUntil);
        if (_qeSvn(platform) < acceptedFrom) return (TcbStatus.OutOfDate, until);
        return (TcbLevels.status(t.levels, p.components, p.pceSvn, p.pceId, _teeTcbSvn(platform)), until);
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
