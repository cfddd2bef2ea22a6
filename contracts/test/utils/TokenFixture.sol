// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessProof, OracleType, OwnershipProof, TransferValidityProof} from "../../src/interfaces/IERC7857.sol";
import {Fixture} from "./Fixture.sol";
import {Vm} from "./Vm.sol";

/// @notice A minted model with two owners, and the proofs that move one of its tokens with the key.
abstract contract TokenFixture is Fixture {
    bytes32 internal constant ARTIFACT = keccak256("artifact");

    uint256 internal id;
    uint256 internal token;
    address internal seller;
    address internal buyer;

    function setUp() public override {
        super.setUp();
        id = sealedSession(3);
        finalize(id, resultOf(id, verdicts(1, 1, 2)));
        token = inft.tokenIdOf(id, 1);
        seller = party(0);
        buyer = party(7);
    }

    // ----------------------------------------------------------------------------------------------- proofs

    struct Plan {
        uint256 token;
        address to;
        address accessSigner;
        uint256 enclaveKey;
        bytes32 data;
        bytes32 newData; // `data`, if honest
        bytes key; // of the receiver; empty: its Ethereum key
        uint64 deadline;
        bytes32 salt;
    }

    function plan() internal returns (Plan memory p) {
        p = Plan({
            token: token,
            to: buyer,
            accessSigner: buyer,
            enclaveKey: enclaveKey,
            data: ARTIFACT,
            newData: ARTIFACT,
            key: "",
            deadline: uint64(vm.getBlockTimestamp() + 1 hours),
            salt: bytes32(++salts)
        });
    }

    function ethereumKey(address a) internal returns (bytes memory) {
        Vm.Wallet memory w = vm.createWallet(keyOf[a]);
        return abi.encodePacked(w.publicKeyX, w.publicKeyY);
    }

    function verifierDigest(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", verifier.domainSeparator(), structHash));
    }

    function accessHash(Plan memory p, bytes memory wanted) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                verifier.ACCESS_TYPEHASH(),
                inft,
                p.token,
                p.to,
                p.data,
                p.newData,
                keccak256(wanted),
                p.deadline,
                p.salt
            )
        );
    }

    function ownershipHash(Plan memory p, bytes memory sealedFor, bytes memory key) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                verifier.OWNERSHIP_TYPEHASH(),
                inft,
                p.token,
                p.to,
                p.data,
                p.newData,
                keccak256(key),
                keccak256(sealedFor),
                p.deadline,
                p.salt
            )
        );
    }

    function proofs(Plan memory p) internal returns (TransferValidityProof[] memory list) {
        list = new TransferValidityProof[](1);
        bytes memory nonce = abi.encode(p.token, p.to, p.deadline, p.salt);
        bytes memory sealedFor = p.key.length == 0 ? ethereumKey(p.to) : p.key;
        bytes memory key = sealedKey(p.to);
        list[0].accessProof = AccessProof({
            oldDataHash: p.data,
            newDataHash: p.newData,
            nonce: nonce,
            encryptedPubKey: p.key,
            proof: sign(keyOf[p.accessSigner], verifierDigest(accessHash(p, p.key)))
        });
        list[0].ownershipProof = OwnershipProof({
            oracleType: OracleType.TEE,
            oldDataHash: p.data,
            newDataHash: p.newData,
            sealedKey: key,
            encryptedPubKey: sealedFor,
            nonce: nonce,
            proof: sign(p.enclaveKey, verifierDigest(ownershipHash(p, sealedFor, key)))
        });
    }

    function transfer(Plan memory p) internal {
        TransferValidityProof[] memory list = proofs(p);
        vm.prank(seller);
        inft.iTransfer(p.to, p.token, list);
    }

    function refused(Plan memory p, bytes memory why) internal {
        TransferValidityProof[] memory list = proofs(p);
        vm.expectRevert(why);
        vm.prank(seller);
        inft.iTransfer(p.to, p.token, list);
    }

    function err(bytes4 selector) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector);
    }
}
