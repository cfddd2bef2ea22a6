// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {
    AbortCertificate,
    GatePolicy,
    Owner,
    RejectionCertificate,
    ResultCertificate,
    SessionOffer,
    SessionTerms,
    Verdict
} from "../src/interfaces/IFFECoordinator.sol";
import {SessionHash} from "../src/libraries/SessionHash.sol";
import {Hasher} from "./utils/Fixture.sol";
import {Test} from "./utils/Vm.sol";

/// @notice The coordinator's domain at whatever address the vector names.
contract Domain is EIP712("FFE", "1") {
    function separator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }
}

contract SealHasher {
    function sealHash(bytes32 session, address[] memory a, bytes32[] memory roots, bytes32[] memory keys)
        external
        pure
        returns (bytes32)
    {
        return SessionHash.sealHash(session, a, roots, keys);
    }
}

/// @notice The vectors that C++ and TypeScript run too: tests/vectors/session/*.json.
contract VectorsTest is Test {
    string private constant FOLDER = "../tests/vectors/session/";

    Hasher private hasher = new Hasher();
    string private json;
    string private at_; // path of the present case, such as .cases[3]

    function read(string memory name) private {
        string memory path = string.concat(FOLDER, name);
        vm.skip(!vm.exists(path));
        json = vm.readFile(path);
    }

    function enter(uint256 i) private returns (bool) {
        at_ = string.concat(".cases[", vm.toString(i), "]");
        return vm.keyExistsJson(json, at_);
    }

    function key(string memory name) private view returns (string memory) {
        return string.concat(at_, ".", name);
    }

    function word(string memory name) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, key(name));
    }

    function number(string memory name) private view returns (uint256) {
        return vm.parseJsonUint(json, key(name));
    }

    function account(string memory name) private view returns (address) {
        return vm.parseJsonAddress(json, key(name));
    }

    function is_(string memory a, string memory b) private pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }

    // ------------------------------------------------------------------------------------------------- terms

    function test_terms() public {
        read("terms.json");
        uint256 i;
        for (; enter(i); ++i) {
            vm.chainId(number("chainId"));
            SessionTerms memory t = terms();
            address coordinator = account("coordinator");
            if (vm.keyExistsJson(json, key("encodedTerms"))) {
                assertEq(abi.encode(t), vm.parseJsonBytes(json, key("encodedTerms")), "encoded terms");
            }
            bytes32 termsHash = hasher.termsHash(t);
            assertEq(termsHash, word("termsHash"), "terms hash");
            assertEq(hasher.tag(coordinator, account("opener"), t.salt), word("sessionTag"), "session tag");
            bytes32 session = hasher.sessionHash(
                coordinator, number("sessionId"), termsHash, word("sessionKey"), word("seedCommitment")
            );
            assertEq(session, word("sessionHash"), "session hash");
            assertEq(
                new SealHasher()
                    .sealHash(
                        session,
                        vm.parseJsonAddressArray(json, key("contributors")),
                        vm.parseJsonBytes32Array(json, key("blobRoots")),
                        vm.parseJsonBytes32Array(json, key("ownerKeyHashes"))
                    ),
                word("sealHash"),
                "seal hash"
            );
        }
        assertGt(i, 0, "cases");
    }

    function terms() private view returns (SessionTerms memory t) {
        t.enclaveId = word("terms.enclaveId");
        t.codeHash = word("terms.codeHash");
        t.stakeToken = account("terms.stakeToken");
        t.baseModel = word("terms.baseModel");
        t.recipe = word("terms.recipe");
        t.evalRoot = word("terms.evalRoot");
        t.sampleRoot = word("terms.sampleRoot");
        t.salt = word("terms.salt");
        t.gate = gate();
        t.submitDeadline = uint64(number("terms.submitDeadline"));
        t.deliverPeriod = uint32(number("terms.deliverPeriod"));
        t.quorum = uint16(number("terms.quorum"));
        t.minAccepted = uint16(number("terms.minAccepted"));
        t.maxRows = uint32(number("terms.maxRows"));
        t.participants = vm.parseJsonAddressArray(json, key("terms.participants"));
        t.stake = number("terms.stake");
        t.fee = number("terms.fee");
        t.operatorBond = number("terms.operatorBond");
        t.slashBpsHarmful = uint16(number("terms.slashBpsHarmful"));
        t.slashBpsInvalid = uint16(number("terms.slashBpsInvalid"));
        t.slashRecipient = account("terms.slashRecipient");
    }

    function gate() private view returns (GatePolicy memory g) {
        g.statistic = uint8(number("terms.gate.statistic"));
        g.acceptRule = uint8(number("terms.gate.acceptRule"));
        g.evalPairs = uint16(number("terms.gate.evalPairs"));
        g.minRows = uint16(number("terms.gate.minRows"));
        g.alphaInverse = uint32(number("terms.gate.alphaInverse"));
        g.harmToleranceMicro = uint32(number("terms.gate.harmToleranceMicro"));
        g.relevanceToleranceMicro = uint32(number("terms.gate.relevanceToleranceMicro"));
        g.invalidShareBps = uint16(number("terms.gate.invalidShareBps"));
    }

    // --------------------------------------------------------------------------------------------- typed data

    function test_typedData() public {
        read("typed-data.json");
        uint256 understood;
        for (uint256 i; enter(i); ++i) {
            (bytes32 structHash, bytes32 typeHash) = typed(vm.parseJsonString(json, key("type")));
            if (typeHash == 0) continue; // a message that never reaches a contract
            ++understood;
            assertEq(typeHash, word("typeHash"), "type hash");
            assertEq(structHash, word("structHash"), "struct hash");
            bytes32 separator = keccak256(
                abi.encode(
                    keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                    keccak256("FFE"),
                    keccak256("1"),
                    number("chainId"),
                    account("coordinator")
                )
            );
            assertEq(separator, word("domainSeparator"), "domain");
            bytes32 digest = keccak256(abi.encodePacked(hex"1901", separator, structHash));
            assertEq(digest, word("digest"), "digest");
            assertEq(recovered(digest, vm.parseJsonBytes(json, key("signature"))), account("signer"), "signer");
        }
        assertGt(understood, 3, "offer, rejection, result and abort at least");
    }

    function test_domainIsTheCoordinators() public {
        Domain d = new Domain();
        assertEq(
            d.separator(),
            keccak256(
                abi.encode(
                    keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                    keccak256("FFE"),
                    keccak256("1"),
                    block.chainid,
                    address(d)
                )
            ),
            "domain"
        );
    }

    function recovered(bytes32 digest, bytes memory s) private pure returns (address) {
        bytes32 r;
        bytes32 x;
        assembly ("memory-safe") {
            r := mload(add(s, 32))
            x := mload(add(s, 64))
        }
        return ecrecover(digest, uint8(s[64]), r, x);
    }

    function typed(string memory kind) private view returns (bytes32 structHash, bytes32 typeHash) {
        if (is_(kind, "SessionOffer")) return (hasher.offer(offer()), SessionHash.OFFER_TYPEHASH);
        if (is_(kind, "RejectionCertificate")) return (hasher.rejection(rejection()), SessionHash.REJECTION_TYPEHASH);
        if (is_(kind, "ResultCertificate")) return (hasher.result(result()), SessionHash.RESULT_TYPEHASH);
        if (is_(kind, "AbortCertificate")) return (hasher.abortion(abortion()), SessionHash.ABORT_TYPEHASH);
    }

    function offer() private view returns (SessionOffer memory) {
        return SessionOffer({
            sessionTag: word("message.sessionTag"),
            sessionKey: word("message.sessionKey"),
            seedCommitment: word("message.seedCommitment"),
            termsHash: word("message.termsHash")
        });
    }

    function rejection() private view returns (RejectionCertificate memory c) {
        c.sealHash = word("message.sealHash");
        c.contributor = account("message.contributor");
        c.blobRoot = word("message.blobRoot");
        c.reason = uint8(number("message.reason"));
        c.evalPairs = uint32(number("message.evalPairs"));
        c.harmMicroNats = int64(vm.parseJsonInt(json, key("message.harmMicroNats")));
        c.relevanceLostMicroNats = int64(vm.parseJsonInt(json, key("message.relevanceLostMicroNats")));
        c.evidence = uint128(number("message.evidence"));
        c.gateRoot = word("message.gateRoot");
    }

    function abortion() private view returns (AbortCertificate memory) {
        return AbortCertificate({
            sealHash: word("message.sealHash"),
            reason: uint8(number("message.reason")),
            gateRoot: word("message.gateRoot")
        });
    }

    function result() private view returns (ResultCertificate memory c) {
        c.sealHash = word("message.sealHash");
        c.artifactRoot = word("message.artifactRoot");
        c.gateRoot = word("message.gateRoot");
        c.reportRoot = word("message.reportRoot");
        c.seed = word("message.seed");
        c.verdicts = new Verdict[](count("message.verdicts"));
        for (uint256 i; i < c.verdicts.length; ++i) {
            string memory v = string.concat("message.verdicts[", vm.toString(i), "].");
            c.verdicts[i] = Verdict({
                contributor: account(string.concat(v, "contributor")),
                blobRoot: word(string.concat(v, "blobRoot")),
                verdict: uint8(number(string.concat(v, "verdict"))),
                reason: uint8(number(string.concat(v, "reason"))),
                evidence: uint128(number(string.concat(v, "evidence")))
            });
        }
        c.owners = new Owner[](count("message.owners"));
        for (uint256 i; i < c.owners.length; ++i) {
            string memory o = string.concat("message.owners[", vm.toString(i), "].");
            c.owners[i] = Owner({
                owner: account(string.concat(o, "owner")),
                ownerKeyHash: word(string.concat(o, "ownerKeyHash")),
                sealedKey: vm.parseJsonBytes(json, key(string.concat(o, "sealedKey")))
            });
        }
        c.baseLossMicroNats = uint32(number("message.baseLossMicroNats"));
        c.jointLossMicroNats = uint32(number("message.jointLossMicroNats"));
    }

    function count(string memory list) private view returns (uint256 n) {
        while (vm.keyExistsJson(json, key(string.concat(list, "[", vm.toString(n), "]")))) ++n;
    }
}
