// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EnclaveStatus} from "../../src/interfaces/IEnclaveRegistry.sol";
import {
    AbortCertificate,
    Contribution,
    Owner,
    RejectionCertificate,
    ResultCertificate,
    Session,
    SessionTerms,
    State
} from "../../src/interfaces/IFFECoordinator.sol";
import {Fixture} from "./Fixture.sol";
import {PlainToken} from "./Tokens.sol";

/// @notice Drives a coordinator with honest and hostile actors, and keeps its own books beside it.
contract Handler is Fixture {
    uint256 internal constant PARTIES = 6;
    address internal constant NATIVE = address(0);

    struct Book {
        State state;
        uint256 enclaveKey;
        uint256 stake;
        uint256 fee;
        uint256 operatorBond;
        bool minted;
        uint256 owners;
    }

    PlainToken public token;
    Book[] public books; // books[i] is session i + 1
    mapping(uint256 id => mapping(address => uint8 reason)) public provenReason;
    mapping(address => bytes) internal ownerKeys;
    address[] public accounts;
    uint256 public forgeriesAccepted;
    uint256 public backwardSteps;
    uint256 internal generation;
    uint256 internal immutable maxSessions;
    bool internal immutable withTokens;
    mapping(bytes32 name => uint256) public calls;

    constructor(bool withTokens_, uint256 maxSessions_) {
        (withTokens, maxSessions) = (withTokens_, maxSessions_);
    }

    function setUp() public override {
        super.setUp();
        token = new PlainToken();
        for (uint256 i; i < PARTIES; ++i) {
            address a = party(i);
            ownerKeys[a] = ownerKey(a);
            vm.deal(a, 1e9 ether);
            token.mint(a, 1e9 ether);
            vm.prank(a);
            token.approve(address(coordinator), type(uint256).max);
            accounts.push(a);
        }
        vm.deal(opener, 1e9 ether);
        vm.deal(payee, 1e9 ether);
        accounts.push(opener);
        accounts.push(payee);
        accounts.push(stranger);
        accounts.push(treasury);
        accounts.push(DEAD);
    }

    // -------------------------------------------------------------------------------------------- the actors

    function open(uint256 seed, uint96 stake, uint96 fee, uint96 bond_) external {
        if (books.length == maxSessions) return;
        if (registry.enclave(enclaveId).status == EnclaveStatus.Revoked) newEnclave();
        registry.set(enclaveId, EnclaveStatus.Active);
        SessionTerms memory t = defaultTerms(2 + seed % (PARTIES - 1));
        t.quorum = uint16(2 + (seed >> 8) % (t.participants.length - 1));
        t.stakeToken = withTokens && (seed >> 16) % 2 == 0 ? address(token) : NATIVE;
        t.stake = bound(stake, 0, 100 ether);
        t.fee = bound(fee, 0, 100 ether);
        t.operatorBond = bound(bond_, 0, 50 ether);
        t.slashBpsHarmful = uint16((seed >> 32) % 10_001);
        t.slashBpsInvalid = uint16((seed >> 48) % 10_001);
        t.slashRecipient = (seed >> 64) % 2 == 0 ? DEAD : treasury;
        (uint128 total, uint128 locked) = coordinator.bond(payee);
        if (total - locked < t.operatorBond) t.operatorBond = total - locked;
        open(t);
        books.push(Book(State.Open, enclaveKey, t.stake, t.fee, t.operatorBond, false, 0));
        ++calls["open"];
    }

    function newEnclave() private {
        enclaveKey = uint256(keccak256(abi.encode("enclave", ++generation)));
        enclaveId = registry.add(vm.addr(enclaveKey), CODE, payee);
        vm.prank(payee);
        coordinator.backEnclave(enclaveId, true);
    }

    /// @dev An attested enclave of somebody else, which names the payee as its own, tries to lock its bond.
    function hijack(uint256 key, uint96 bond_) external {
        (uint256 ownKey, bytes32 ownId) = (enclaveKey, enclaveId);
        key = bound(key, 1, 1 << 250);
        if (coordinator.backs(payee, keccak256(abi.encode(vm.addr(key), CODE)))) return;
        enclaveKey = key;
        enclaveId = registry.add(vm.addr(key), CODE, payee);
        SessionTerms memory t = defaultTerms(2);
        t.operatorBond = bound(bond_, 1, 1 ether);
        try this.openFor(t) {
            ++forgeriesAccepted;
        } catch {}
        (enclaveKey, enclaveId) = (ownKey, ownId);
    }

    function openFor(SessionTerms memory t) external {
        require(msg.sender == address(this), "self only");
        open(t);
    }

    function submit(uint256 seed, bytes32 blob) external {
        (uint256 id, Session memory s) = pick(seed);
        // Mostly somebody on the list, so that sessions fill.
        address a = seed % 8 == 0 ? actor(seed >> 32) : accounts[(seed >> 32) % s.participants];
        bool first = coordinator.contribution(id, a).blobRoot == 0;
        vm.prank(a);
        try coordinator.submit{value: first && s.stakeToken == NATIVE ? s.stake : 0}(id, blob, ownerKeys[a]) {
            ++calls["submit"];
        } catch {}
        step(id);
    }

    function withdraw(uint256 seed) external {
        (uint256 id,) = pick(seed);
        vm.prank(actor(seed >> 32));
        try coordinator.withdraw(id) {
            ++calls["withdraw"];
        } catch {}
        step(id);
    }

    function seal(uint256 seed) external {
        (uint256 id, Session memory s) = pick(seed);
        if (s.state == State.Open && s.submitted >= s.quorum && block.timestamp < s.submitDeadline) {
            vm.warp(s.submitDeadline);
        }
        try coordinator.seal(id) {
            ++calls["seal"];
        } catch {}
        step(id);
    }

    function slash(uint256 seed, uint8 reason, uint128 evidence) external {
        (uint256 id, Session memory s) = pick(seed);
        address a = actor(seed >> 32);
        RejectionCertificate memory c = rejectionOf(id, a, uint8(bound(reason, 1, 2)));
        if (seed % 3 == 0) c.evidence = evidence;
        bool proven = c.reason == 2 || c.evidence >= uint256(s.submitted) * s.alphaInverse;
        bytes memory signature = sign(books[id - 1].enclaveKey, digest(hasher.rejection(c)));
        vm.txGasPrice(seed % 100 gwei);
        vm.prank(stranger);
        try coordinator.slashWithProof(id, c, signature) {
            ++calls["slash"];
            if (!proven || registry.enclave(s.enclaveId).status == EnclaveStatus.Revoked) ++forgeriesAccepted;
            provenReason[id][a] = c.reason;
        } catch {}
        step(id);
    }

    /// @dev Somebody without the enclave's key, or with the key of another enclave.
    function forge(uint256 seed, uint256 key) external {
        (uint256 id,) = pick(seed);
        key = bound(key, 1, 1 << 250);
        if (key == books[id - 1].enclaveKey) return;
        bytes32 structHash;
        if (seed % 3 == 0) {
            RejectionCertificate memory c = rejectionOf(id, actor(seed >> 32), 2);
            try coordinator.slashWithProof(id, c, sign(key, digest(hasher.rejection(c)))) {
                ++forgeriesAccepted;
            } catch {}
        } else if (seed % 3 == 1) {
            ResultCertificate memory c = allAccepted(id);
            try coordinator.finalize(id, c, sign(key, digest(hasher.result(c)))) {
                ++forgeriesAccepted;
            } catch {}
        } else {
            AbortCertificate memory c = AbortCertificate(coordinator.session(id).sealHash, 1, structHash);
            try coordinator.abort(id, c, sign(key, digest(hasher.abortion(c)))) {
                ++forgeriesAccepted;
            } catch {}
        }
        step(id);
    }

    function finalize(uint256 seed) external {
        (uint256 id, Session memory s) = pick(seed);
        if (s.state != State.Sealed) return;
        uint8[] memory v = new uint8[](s.submitted);
        address[] memory sealed_ = coordinator.contributors(id);
        for (uint256 i; i < v.length; ++i) {
            v[i] = uint8(1 + (seed >> (8 * i + 8)) % 3);
            if (coordinator.contribution(id, sealed_[i]).slashReason != 0) v[i] = 3;
        }
        ResultCertificate memory c = resultOf(id, v);
        for (uint256 i; i < v.length; ++i) {
            uint8 before = coordinator.contribution(id, sealed_[i]).slashReason;
            if (before != 0) c.verdicts[i].reason = before;
        }
        bytes memory signature = sign(books[id - 1].enclaveKey, digest(hasher.result(c)));
        try coordinator.finalize(id, c, signature) {
            ++calls["finalize"];
            for (uint256 i; i < v.length; ++i) {
                if (v[i] == 3) provenReason[id][sealed_[i]] = c.verdicts[i].reason;
            }
            books[id - 1].minted = c.owners.length != 0;
            books[id - 1].owners = c.owners.length;
        } catch {}
        step(id);
    }

    /// @dev The enclave's own key, but a certificate that breaks one rule: nothing of it may count.
    function finalizeBadly(uint256 seed) external {
        (uint256 id, Session memory s) = pick(seed);
        if (s.state != State.Sealed) return;
        ResultCertificate memory c = allAccepted(id);
        uint256 victim = (seed >> 40) % c.verdicts.length;
        uint256 rule = (seed >> 32) % 8;
        if (rule == 0) {
            (c.verdicts[victim].verdict, c.verdicts[victim].reason) = (3, 1); // rejected on too little evidence
            c.verdicts[victim].evidence = uint128(uint256(s.submitted) * s.alphaInverse - 1);
        }
        if (rule == 1) c.verdicts[victim].blobRoot = keccak256("other");
        if (rule == 2) c.verdicts[victim].contributor = stranger;
        if (rule == 3) c.owners[victim].owner = stranger;
        if (rule == 4) c.owners[victim].ownerKeyHash = keccak256("other");
        if (rule == 5) c.seed = keccak256("other");
        if (rule == 6) c.owners = new Owner[](0);
        if (rule == 7) c.sealHash = keccak256("other");
        bytes memory signature = sign(books[id - 1].enclaveKey, digest(hasher.result(c)));
        try coordinator.finalize(id, c, signature) {
            ++forgeriesAccepted;
        } catch {}
        ++calls["finalizeBadly"];
        step(id);
    }

    /// @dev Outsiders at every door that is not theirs.
    function intrude(uint256 seed, uint256 amount) external {
        (uint256 id,) = pick(seed);
        uint256 before = stranger.balance;
        vm.startPrank(stranger);
        try coordinator.withdraw(id) {
            ++forgeriesAccepted;
        } catch {}
        try coordinator.cancel(id) {
            ++forgeriesAccepted;
        } catch {}
        try coordinator.withdrawBond(bound(amount, 1, type(uint256).max), stranger) {
            ++forgeriesAccepted;
        } catch {}
        try inft.mint(id, keccak256("forged"), new Owner[](1)) {
            ++forgeriesAccepted;
        } catch {}
        uint256 mine = coordinator.credit(stranger, NATIVE); // rewards for certificates
        try coordinator.claim(id, stranger) {
            if (stranger.balance != before + mine) ++forgeriesAccepted;
        } catch {}
        vm.stopPrank();
        step(id);
    }

    function abort(uint256 seed) external {
        (uint256 id, Session memory s) = pick(seed);
        if ((seed >> 16) % 4 != 0) return;
        AbortCertificate memory c = AbortCertificate(s.sealHash, 1, 0);
        bytes memory signature = sign(books[id - 1].enclaveKey, digest(hasher.abortion(c)));
        try coordinator.abort(id, c, signature) {
            ++calls["abort"];
        } catch {}
        step(id);
    }

    function cancel(uint256 seed) external {
        (uint256 id,) = pick(seed);
        if ((seed >> 16) % 4 != 0) return;
        vm.prank((seed >> 20) % 4 == 0 ? stranger : opener);
        try coordinator.cancel(id) {
            ++calls["cancel"];
        } catch {}
        step(id);
    }

    function expire(uint256 seed) external {
        (uint256 id,) = pick(seed);
        try coordinator.expire(id) {
            ++calls["expire"];
        } catch {}
        step(id);
    }

    function fail(uint256 seed) external {
        (uint256 id, Session memory s) = pick(seed);
        if (s.state == State.Sealed && (seed >> 16) % 4 == 0) {
            vm.warp(max(block.timestamp, uint256(s.deliverDeadline) + 1));
        }
        try coordinator.fail(id) {
            ++calls["fail"];
        } catch {}
        step(id);
    }

    function claim(uint256 seed) external {
        (uint256 id,) = pick(seed);
        address a = accounts[(seed >> 32) % accounts.length];
        vm.prank(a);
        try coordinator.claim(id, a) {
            ++calls["claim"];
        } catch {}
        step(id);
    }

    function collect(uint256 seed) external {
        address a = accounts[seed % accounts.length];
        try coordinator.collect(a, seed % 2 == 0 ? NATIVE : address(token)) {
            ++calls["collect"];
        } catch {}
    }

    function depositBond(uint96 amount) external {
        vm.prank(payee);
        coordinator.depositBond{value: bound(amount, 0, 1000 ether)}(payee);
    }

    function withdrawBond(uint256 amount) external {
        (uint128 total, uint128 locked) = coordinator.bond(payee);
        vm.prank(payee);
        try coordinator.withdrawBond(bound(amount, 0, total - locked + 1), payee) {} catch {}
    }

    function moveToken(uint256 seed) external {
        (uint256 id,) = pick(seed);
        if (!books[id - 1].minted) return;
        uint256 tokenId = inft.tokenIdOf(id, 1 + (seed >> 32) % books[id - 1].owners);
        address from = inft.ownerOf(tokenId);
        vm.prank(from);
        inft.transferFrom(from, actor(seed >> 40), tokenId);
        ++calls["moveToken"];
    }

    function enclave(uint256 seed) external {
        if (registry.enclave(enclaveId).status == EnclaveStatus.Revoked) return newEnclave();
        uint256 pick_ = seed % 16;
        if (pick_ == 0) registry.set(enclaveId, EnclaveStatus.Revoked);
        else if (pick_ == 1) registry.set(enclaveId, EnclaveStatus.Expired);
        else if (pick_ == 2) registry.set(enclaveId, EnclaveStatus.Retired);
        else registry.set(enclaveId, EnclaveStatus.Active);
    }

    function wait_(uint32 time) external {
        vm.warp(block.timestamp + bound(time, 1, 3 hours));
    }

    // ------------------------------------------------------------------------------------------------ helpers

    function sessions() external view returns (uint256) {
        return books.length;
    }

    function accountCount() external view returns (uint256) {
        return accounts.length;
    }

    function parts() external view returns (address, address, address, address) {
        return (address(coordinator), address(inft), payee, address(token));
    }

    /// @dev Ends everything that has not ended, and pays out everybody: what must always be possible.
    function drain() external {
        vm.warp(block.timestamp + 200 days);
        for (uint256 id = 1; id <= books.length; ++id) {
            State s = state(id);
            if (s == State.Open) coordinator.expire(id);
            if (s == State.Sealed) coordinator.fail(id);
            for (uint256 i; i < PARTIES; ++i) {
                address a = accounts[i];
                Contribution memory c = coordinator.contribution(id, a);
                if (c.blobRoot == 0 || c.claimed) continue;
                (uint256 stake, uint256 bond_) = coordinator.claimable(id, a);
                if (stake + bond_ == 0) continue;
                vm.prank(a);
                coordinator.claim(id, a);
            }
        }
        for (uint256 i; i < accounts.length; ++i) {
            if (coordinator.credit(accounts[i], NATIVE) != 0) coordinator.collect(accounts[i], NATIVE);
            if (coordinator.credit(accounts[i], address(token)) != 0) coordinator.collect(accounts[i], address(token));
        }
        (uint128 total, uint128 locked) = coordinator.bond(payee);
        require(locked == 0, "a bond is still locked");
        vm.prank(payee);
        coordinator.withdrawBond(total, payee);
    }

    function actor(uint256 seed) private view returns (address) {
        return accounts[seed % PARTIES];
    }

    /// @dev Mostly one of the last sessions, where things still happen.
    function pick(uint256 seed) private view returns (uint256 id, Session memory s) {
        require(books.length != 0, "no session yet");
        uint256 window = seed % 8 == 0 ? books.length : books.length < 3 ? books.length : 3;
        id = books.length - (seed >> 8) % window;
        s = coordinator.session(id);
    }

    /// @dev Compares the state with the one before: only the steps of the protocol's picture are allowed.
    function step(uint256 id) private {
        State before = books[id - 1].state;
        State now_ = state(id);
        if (before == now_) return;
        bool fromOpen =
            before == State.Open && (now_ == State.Sealed || now_ == State.Cancelled || now_ == State.Expired);
        bool fromSealed =
            before == State.Sealed && (now_ == State.Settled || now_ == State.Aborted || now_ == State.Failed);
        if (!fromOpen && !fromSealed) ++backwardSteps;
        books[id - 1].state = now_;
    }

    function max(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }
}
