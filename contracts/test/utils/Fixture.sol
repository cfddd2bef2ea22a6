// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC7857Verifier} from "../../src/ERC7857Verifier.sol";
import {ICoOwnedINFT} from "../../src/interfaces/ICoOwnedINFT.sol";
import {Enclave, EnclaveStatus, IEnclaveRegistry} from "../../src/interfaces/IEnclaveRegistry.sol";
import {
    AbortCertificate,
    Contribution,
    GatePolicy,
    IFFECoordinator,
    Owner,
    RejectionCertificate,
    ResultCertificate,
    Session,
    SessionOffer,
    SessionTerms,
    State,
    Verdict
} from "../../src/interfaces/IFFECoordinator.sol";
import {SessionHash} from "../../src/libraries/SessionHash.sol";
import {TestRegistry} from "./TestRegistry.sol";
import {Test, Vm} from "./Vm.sol";

/// @notice Hashes of the protocol over memory arguments, for tests that sign.
contract Hasher {
    function termsHash(SessionTerms calldata t) external pure returns (bytes32) {
        return SessionHash.termsHash(t);
    }

    function offer(SessionOffer calldata o) external pure returns (bytes32) {
        return SessionHash.offer(o);
    }

    function rejection(RejectionCertificate calldata c) external pure returns (bytes32) {
        return SessionHash.rejection(c);
    }

    function result(ResultCertificate calldata c) external pure returns (bytes32) {
        return SessionHash.result(c);
    }

    function abortion(AbortCertificate calldata c) external pure returns (bytes32) {
        return SessionHash.abortion(c);
    }

    function sessionHash(address coordinator, uint256 id, bytes32 terms, bytes32 key, bytes32 commitment)
        external
        view
        returns (bytes32)
    {
        return SessionHash.sessionHash(coordinator, id, terms, key, commitment);
    }

    function tag(address coordinator, address opener, bytes32 salt) external view returns (bytes32) {
        return SessionHash.tag(coordinator, opener, salt);
    }
}

/// @notice A coordinator with its neighbours, parties with keys, and the steps of a session.
abstract contract Fixture is Test {
    address internal constant DEAD = 0x000000000000000000000000000000000000dEaD;
    bytes32 internal constant CODE = keccak256("code");
    bytes32 internal constant SEED = keccak256("seed");
    bytes32 internal constant SESSION_KEY = keccak256("session key");
    string internal constant RECIPE = '{"epochs":1,"rank":8}';
    string internal constant MANIFEST = '{"files":[],"name":"SmolLM2-135M-Instruct"}';
    uint256 internal constant START = 1_800_000_000;

    TestRegistry internal registry;
    ERC7857Verifier internal verifier;
    IFFECoordinator internal coordinator;
    ICoOwnedINFT internal inft;
    Hasher internal hasher;

    uint256 internal enclaveKey = uint256(keccak256("enclave"));
    address internal payee = vm.addr(uint256(keccak256("payee")));
    address internal opener = vm.addr(uint256(keccak256("opener")));
    address internal treasury = vm.addr(uint256(keccak256("treasury")));
    address internal stranger = vm.addr(uint256(keccak256("stranger")));
    bytes32 internal enclaveId;

    mapping(address => uint256) internal keyOf;
    uint256 internal salts;

    function setUp() public virtual {
        vm.warp(START);
        registry = new TestRegistry();
        verifier = new ERC7857Verifier(registry);
        coordinator = IFFECoordinator(
            vm.deployCode("FFECoordinator.sol:FFECoordinator", abi.encode(registry, verifier, treasury))
        );
        inft = coordinator.inft();
        hasher = new Hasher();
        enclaveId = registry.add(vm.addr(enclaveKey), CODE, payee);
        vm.deal(opener, 1e6 ether);
        vm.deal(payee, 1e6 ether);
        vm.startPrank(payee);
        coordinator.depositBond{value: 100 ether}(payee);
        coordinator.backEnclave(enclaveId, true);
        vm.stopPrank();
    }

    // ----------------------------------------------------------------------------------------------- parties

    function party(uint256 i) internal returns (address a) {
        uint256 key = uint256(keccak256(abi.encode("party", i)));
        a = vm.addr(key);
        if (keyOf[a] == 0) {
            keyOf[a] = key;
            vm.deal(a, 1000 ether);
        }
    }

    function parties(uint256 n) internal returns (address[] memory list) {
        list = new address[](n);
        for (uint256 i; i < n; ++i) {
            list[i] = party(i);
        }
    }

    function ownerKey(address a) internal returns (bytes memory) {
        Vm.Wallet memory w = vm.createWallet(keyOf[a]);
        return abi.encodePacked(bytes1(0x04), w.publicKeyX, w.publicKeyY);
    }

    function root(address a) internal pure returns (bytes32) {
        return keccak256(abi.encode("blob", a));
    }

    // ------------------------------------------------------------------------------------------------- terms

    function defaultTerms(uint256 n) internal returns (SessionTerms memory t) {
        t.enclaveId = enclaveId;
        t.codeHash = CODE;
        t.baseModel = keccak256(bytes(MANIFEST));
        t.recipe = keccak256(bytes(RECIPE));
        t.evalRoot = keccak256("eval");
        t.sampleRoot = keccak256("sample");
        t.salt = bytes32(++salts);
        t.gate = GatePolicy({
            statistic: 2,
            acceptRule: 0,
            evalPairs: 96,
            minRows: 16,
            alphaInverse: 1000,
            harmToleranceMicro: 60_000,
            relevanceToleranceMicro: 60_000,
            invalidShareBps: 1000
        });
        t.submitDeadline = uint64(vm.getBlockTimestamp() + 1 days);
        t.deliverPeriod = 2 days;
        t.quorum = 2;
        t.minAccepted = 2;
        t.maxRows = 5000;
        t.participants = parties(n);
        t.stake = 1 ether;
        t.fee = 0.5 ether;
        t.operatorBond = 10 ether;
        t.slashBpsHarmful = 10_000;
        t.slashBpsInvalid = 5000;
        t.slashRecipient = DEAD;
    }

    function offerFor(SessionTerms memory t) internal view returns (SessionOffer memory) {
        return SessionOffer({
            sessionTag: hasher.tag(address(coordinator), opener, t.salt),
            sessionKey: SESSION_KEY,
            seedCommitment: keccak256(abi.encode(SEED)),
            termsHash: hasher.termsHash(t)
        });
    }

    function digest(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", coordinator.domainSeparator(), structHash));
    }

    function sign(uint256 key, bytes32 hash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, hash);
        return abi.encodePacked(r, s, v);
    }

    function enclaveSigns(bytes32 structHash) internal view returns (bytes memory) {
        return sign(enclaveKey, digest(structHash));
    }

    // ------------------------------------------------------------------------------------------------- steps

    function open(SessionTerms memory t) internal returns (uint256) {
        SessionOffer memory o = offerFor(t);
        bytes memory signature = enclaveSigns(hasher.offer(o));
        vm.prank(opener);
        return coordinator.openSession{value: t.fee}(t, o, signature, RECIPE, MANIFEST);
    }

    function openDefault(uint256 n) internal returns (uint256) {
        return open(defaultTerms(n));
    }

    function submit(uint256 id, address a) internal {
        bytes memory key = ownerKey(a);
        Session memory s = coordinator.session(id);
        vm.prank(a);
        coordinator.submit{value: s.stakeToken == address(0) ? s.stake : 0}(id, root(a), key);
    }

    /// @dev A session of `n` contributors that sealed itself when the last one submitted.
    function sealedSession(uint256 n) internal returns (uint256 id) {
        return sealedWith(defaultTerms(n));
    }

    function sealedWith(SessionTerms memory t) internal returns (uint256 id) {
        id = open(t);
        for (uint256 i; i < t.participants.length; ++i) {
            submit(id, t.participants[i]);
        }
    }

    // ------------------------------------------------------------------------------------------ certificates

    function rejectionOf(uint256 id, address a, uint8 reason) internal view returns (RejectionCertificate memory c) {
        Session memory s = coordinator.session(id);
        c.sealHash = s.sealHash;
        c.contributor = a;
        c.blobRoot = coordinator.contribution(id, a).blobRoot;
        c.reason = reason;
        c.evalPairs = s.evalPairs;
        c.harmMicroNats = 225_000;
        c.relevanceLostMicroNats = -12;
        c.evidence = reason == 1 ? uint128(uint256(s.submitted) * s.alphaInverse) : 0;
        c.gateRoot = keccak256("gate");
    }

    function slash(uint256 id, address a, uint8 reason) internal {
        RejectionCertificate memory c = rejectionOf(id, a, reason);
        bytes memory signature = enclaveSigns(hasher.rejection(c));
        vm.prank(stranger);
        coordinator.slashWithProof(id, c, signature);
    }

    /// @dev A result in which `verdictOf[i]` is the verdict of the i-th sealed contributor (3 means harmful).
    function resultOf(uint256 id, uint8[] memory verdictOf) internal view returns (ResultCertificate memory c) {
        Session memory s = coordinator.session(id);
        address[] memory accounts = coordinator.contributors(id);
        c.sealHash = s.sealHash;
        c.gateRoot = keccak256("gate");
        c.reportRoot = keccak256("report");
        c.seed = SEED;
        c.baseLossMicroNats = 5_010_000;
        c.jointLossMicroNats = 3_700_000;
        c.verdicts = new Verdict[](accounts.length);
        uint256 accepted;
        for (uint256 i; i < accounts.length; ++i) {
            Verdict memory v = c.verdicts[i];
            v.contributor = accounts[i];
            v.blobRoot = coordinator.contribution(id, accounts[i]).blobRoot;
            v.verdict = verdictOf[i];
            if (v.verdict == 1) ++accepted;
            if (v.verdict == 2) v.reason = 16;
            if (v.verdict == 3) {
                v.reason = 1;
                v.evidence = uint128(accounts.length * s.alphaInverse);
            }
        }
        if (accepted < s.minAccepted) return c;
        c.artifactRoot = keccak256("artifact");
        c.owners = new Owner[](accepted);
        uint256 n;
        for (uint256 i; i < accounts.length; ++i) {
            if (verdictOf[i] != 1) continue;
            c.owners[n++] = Owner({
                owner: accounts[i],
                ownerKeyHash: coordinator.contribution(id, accounts[i]).ownerKeyHash,
                sealedKey: sealedKey(accounts[i])
            });
        }
    }

    function allAccepted(uint256 id) internal view returns (ResultCertificate memory) {
        uint8[] memory v = new uint8[](coordinator.session(id).submitted);
        for (uint256 i; i < v.length; ++i) {
            v[i] = 1;
        }
        return resultOf(id, v);
    }

    /// @dev 129 bytes, the size of a real sealed key.
    function sealedKey(address a) internal pure returns (bytes memory) {
        bytes32 h = keccak256(abi.encode("sealed", a));
        return abi.encodePacked(bytes1(0x04), h, keccak256(abi.encode(h)), h, keccak256(abi.encode(a, h)));
    }

    function finalize(uint256 id, ResultCertificate memory c) internal {
        bytes memory signature = enclaveSigns(hasher.result(c));
        coordinator.finalize(id, c, signature);
    }

    function verdicts(uint8 a, uint8 b) internal pure returns (uint8[] memory v) {
        v = new uint8[](2);
        (v[0], v[1]) = (a, b);
    }

    function verdicts(uint8 a, uint8 b, uint8 c) internal pure returns (uint8[] memory v) {
        v = new uint8[](3);
        (v[0], v[1], v[2]) = (a, b, c);
    }

    function verdicts(uint8 a, uint8 b, uint8 c, uint8 d) internal pure returns (uint8[] memory v) {
        v = new uint8[](4);
        (v[0], v[1], v[2], v[3]) = (a, b, c, d);
    }

    function state(uint256 id) internal view returns (State) {
        return coordinator.session(id).state;
    }

    function assertState(uint256 id, State expected) internal view {
        assertEq(uint256(state(id)), uint256(expected), "state");
    }
}
