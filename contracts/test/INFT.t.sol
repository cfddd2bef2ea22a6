// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC7857Verifier} from "../src/ERC7857Verifier.sol";
import {Artifact, ICoOwnedINFT} from "../src/interfaces/ICoOwnedINFT.sol";
import {
    IERC7857,
    IntelligentData,
    OracleType,
    TransferValidityProof,
    TransferValidityProofOutput
} from "../src/interfaces/IERC7857.sol";
import {EnclaveStatus, IEnclaveRegistry} from "../src/interfaces/IEnclaveRegistry.sol";
import {Owner} from "../src/interfaces/IFFECoordinator.sol";
import {Text} from "./utils/Text.sol";
import {TokenFixture} from "./utils/TokenFixture.sol";

interface IERC721Errors {
    error ERC721InsufficientApproval(address operator, uint256 tokenId);
    error ERC721NonexistentToken(uint256 tokenId);
    error ERC721InvalidReceiver(address receiver);
    error ERC721InvalidOwner(address owner);
}

/// @notice A wallet that is a contract: it accepts what its key signed (ERC-1271).
contract Wallet {
    address private immutable _key;

    constructor(address key) {
        _key = key;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (bytes32 r, bytes32 s, uint8 v) = (bytes32(signature[:32]), bytes32(signature[32:64]), uint8(signature[64]));
        return ecrecover(hash, v, r, s) == _key ? this.isValidSignature.selector : bytes4(0xffffffff);
    }
}

contract INFTTest is TokenFixture {
    // --------------------------------------------------------------------------------------------- minting

    function test_mint_oneTokenPerAcceptedOwner() public {
        assertEq(token, id * 1000 + 1, "token id");
        uint256[] memory tokens = inft.tokensOf(id);
        assertEq(tokens.length, 2, "two owners");
        assertEq(inft.ownerOf(tokens[1]), party(1), "second");
        assertEq(inft.sealedKeyHash(token), keccak256(sealedKey(seller)), "sealed key");
        assertEq(inft.ownerKeyHash(token), coordinator.contribution(id, seller).ownerKeyHash, "owner key");
        assertFalse(inft.keyStale(token), "fresh");
        assertEq(inft.codeHashOf(token), CODE, "code");
        assertEq(inft.creatorOf(token), opener, "creator");
        Artifact memory a = inft.artifactOf(token);
        assertEq(a.artifactRoot, ARTIFACT, "root");
        assertEq(a.sessionId, id, "session");
        assertEq(a.sessionHash, coordinator.session(id).sessionHash, "session hash");
        assertEq(a.owners, 2, "owners");
        assertEq(inft.coordinator(), address(coordinator), "coordinator");
        assertEq(address(inft.verifier()), address(verifier), "verifier");
    }

    function test_mint_publishesEachKey() public {
        id = sealedSession(2);
        bytes[] memory keys = new bytes[](1);
        vm.expectEmit(address(inft));
        emit ICoOwnedINFT.ArtifactMinted(id, ARTIFACT, id * 1000 + 1, 2);
        for (uint256 i; i < 2; ++i) {
            keys[0] = sealedKey(party(i));
            vm.expectEmit(address(inft));
            emit IERC7857.PublishedSealedKey(party(i), id * 1000 + 1 + i, keys);
        }
        finalize(id, allAccepted(id));
    }

    function test_mint_onlyByTheCoordinatorAndOnce() public {
        Owner[] memory owners = new Owner[](1);
        owners[0] = Owner(stranger, 0, "key");
        vm.expectRevert(ICoOwnedINFT.NotCoordinator.selector);
        inft.mint(77, ARTIFACT, owners);
        vm.startPrank(address(coordinator));
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.AlreadyMinted.selector, id));
        inft.mint(id, ARTIFACT, owners);
        vm.expectRevert(ICoOwnedINFT.NothingToMint.selector);
        inft.mint(77, 0, owners);
        vm.expectRevert(ICoOwnedINFT.NothingToMint.selector);
        inft.mint(77, ARTIFACT, new Owner[](0));
        vm.expectRevert(ICoOwnedINFT.NothingToMint.selector);
        inft.mint(77, ARTIFACT, new Owner[](1000));
    }

    function test_views_ofUnknownTokens() public {
        bytes memory why = abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 5);
        vm.expectRevert(why);
        inft.tokenURI(5);
        vm.expectRevert(why);
        inft.intelligentDataOf(5);
        vm.expectRevert(why);
        inft.keyStale(5);
        vm.expectRevert(why);
        inft.sealedKeyHash(5);
        vm.expectRevert(why);
        inft.codeHashOf(5);
        vm.expectRevert(why);
        inft.authorizedUsersOf(5);
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.UnknownArtifact.selector, 5));
        inft.tokensOf(5);
    }

    // ------------------------------------------------------------------------------- transfer with the key

    function test_iTransfer_movesTokenAndKey() public {
        Plan memory p = plan();
        TransferValidityProof[] memory list = proofs(p);
        bytes[] memory keys = new bytes[](1);
        keys[0] = sealedKey(buyer);
        vm.expectEmit(address(verifier));
        emit ERC7857Verifier.ProofUsed(address(inft), token, buyer, enclaveId);
        vm.expectEmit(address(inft));
        emit IERC7857.Transferred(token, seller, buyer);
        vm.expectEmit(address(inft));
        emit IERC7857.PublishedSealedKey(buyer, token, keys);
        vm.prank(seller);
        inft.iTransfer(buyer, token, list);
        assertEq(inft.ownerOf(token), buyer, "owner");
        assertEq(inft.sealedKeyHash(token), keccak256(sealedKey(buyer)), "sealed key");
        assertEq(inft.ownerKeyHash(token), keccak256(ownerKey(buyer)), "the key as it would be submitted");
        assertFalse(inft.keyStale(token), "fresh");
    }

    function test_iTransfer_toAKeyOfTheReceiversChoice() public {
        Plan memory p = plan();
        p.key = abi.encode(keccak256("x25519"));
        transfer(p);
        assertEq(inft.ownerKeyHash(token), keccak256(p.key), "x25519");
        p = plan();
        p.token = inft.tokenIdOf(id, 2);
        p.key = ownerKey(party(3));
        seller = party(1);
        transfer(p);
        assertEq(inft.ownerKeyHash(p.token), keccak256(p.key), "another secp256k1 key");
    }

    function test_iTransfer_byApprovedOperatorOnly() public {
        TransferValidityProof[] memory list = proofs(plan());
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, stranger, token));
        vm.prank(stranger);
        inft.iTransfer(buyer, token, list);
        vm.prank(seller);
        inft.approve(stranger, token);
        vm.prank(stranger);
        inft.iTransfer(buyer, token, list);
        assertEq(inft.getApproved(token), address(0), "approval used");
    }

    function test_iTransfer_byTheReceiversDelegate() public {
        Plan memory p = plan();
        p.accessSigner = party(8);
        refused(p, abi.encodeWithSelector(ICoOwnedINFT.AccessSignerMismatch.selector, buyer, party(8)));
        vm.expectEmit(address(inft));
        emit IERC7857.DelegateAccess(buyer, party(8));
        vm.prank(buyer);
        inft.delegateAccess(party(8));
        assertEq(inft.getDelegateAccess(buyer), party(8), "delegate");
        transfer(p);
    }

    function test_iTransfer_toAContractWallet() public {
        Wallet wallet = new Wallet(party(8));
        Plan memory p = plan();
        p.to = address(wallet);
        p.key = abi.encode(keccak256("x25519"));
        p.accessSigner = party(8);
        TransferValidityProof[] memory list = proofs(p);
        list[0].accessProof.proof = abi.encodePacked(address(wallet), list[0].accessProof.proof);
        vm.prank(seller);
        inft.iTransfer(address(wallet), token, list);
        assertEq(inft.ownerOf(token), address(wallet), "owner");

        p.token = inft.tokenIdOf(id, 2);
        p.accessSigner = party(9);
        list = proofs(p);
        list[0].accessProof.proof = abi.encodePacked(address(wallet), list[0].accessProof.proof);
        vm.expectRevert(ERC7857Verifier.BadAccessSignature.selector);
        vm.prank(party(1));
        inft.iTransfer(address(wallet), p.token, list);
    }

    function test_iTransfer_isNotReplayed() public {
        Plan memory p = plan();
        TransferValidityProof[] memory list = proofs(p);
        vm.prank(seller);
        inft.iTransfer(buyer, token, list);
        vm.prank(buyer);
        inft.transferFrom(buyer, seller, token);
        vm.expectRevert(ERC7857Verifier.ProofUsedBefore.selector);
        vm.prank(seller);
        inft.iTransfer(buyer, token, list);
    }

    function test_iTransfer_refusesProofsForOtherTokensAndReceivers() public {
        Plan memory p = plan();
        p.token = inft.tokenIdOf(id, 2);
        TransferValidityProof[] memory list = proofs(p);
        vm.startPrank(seller);
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.ProofForOtherToken.selector, token, p.token));
        inft.iTransfer(buyer, token, list);
        vm.stopPrank();
        list = proofs(plan());
        vm.startPrank(seller);
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.ProofForOtherReceiver.selector, stranger, buyer));
        inft.iTransfer(stranger, token, list);
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidReceiver.selector, address(0)));
        inft.iTransfer(address(0), token, list);
    }

    function test_iTransfer_refusesOtherData() public {
        Plan memory p = plan();
        p.data = keccak256("other");
        refused(p, abi.encodeWithSelector(ICoOwnedINFT.DataHashMismatch.selector, ARTIFACT, p.data));
    }

    function test_iTransfer_refusesDataThatChanges() public {
        Plan memory p = plan();
        p.newData = keccak256("other");
        refused(p, abi.encodeWithSelector(ICoOwnedINFT.DataHashMismatch.selector, ARTIFACT, p.newData));
    }

    function test_iTransfer_refusesAVerifierThatAnswersForOthers() public {
        TransferValidityProof[] memory list = proofs(plan());
        vm.mockCall(
            address(verifier),
            abi.encodeWithSelector(verifier.verifyTransferValidity.selector),
            abi.encode(new TransferValidityProofOutput[](2))
        );
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.ProofCountMismatch.selector, 1, 2));
        vm.prank(seller);
        inft.iTransfer(buyer, token, list);
    }

    function test_iTransfer_refusesOtherKeys() public {
        Plan memory p = plan();
        p.key = new bytes(33);
        refused(p, err(ICoOwnedINFT.ReceiverKeyMismatch.selector));

        // Sealed for another Ethereum key than the receiver's.
        p = plan();
        TransferValidityProof[] memory list = proofs(p);
        bytes memory other = ethereumKey(party(9));
        list[0].ownershipProof.encryptedPubKey = other;
        list[0].ownershipProof.proof =
            sign(enclaveKey, verifierDigest(ownershipHash(p, other, list[0].ownershipProof.sealedKey)));
        vm.expectRevert(ICoOwnedINFT.ReceiverKeyMismatch.selector);
        vm.prank(seller);
        inft.iTransfer(buyer, token, list);

        // Sealed for another chosen key than the one the receiver asked for.
        p.key = abi.encode(keccak256("x25519"));
        p.salt = keccak256("again");
        list = proofs(p);
        other = abi.encode(keccak256("another x25519"));
        list[0].ownershipProof.encryptedPubKey = other;
        list[0].ownershipProof.proof =
            sign(enclaveKey, verifierDigest(ownershipHash(p, other, list[0].ownershipProof.sealedKey)));
        vm.expectRevert(ICoOwnedINFT.ReceiverKeyMismatch.selector);
        vm.prank(seller);
        inft.iTransfer(buyer, token, list);
    }

    function test_iTransfer_refusesEmptyAndHugeKeys() public {
        uint256[2] memory sizes = [uint256(0), 513];
        for (uint256 i; i < 2; ++i) {
            Plan memory p = plan();
            TransferValidityProof[] memory list = proofs(p);
            list[0].ownershipProof.sealedKey = new bytes(sizes[i]);
            list[0].ownershipProof.proof =
                sign(enclaveKey, verifierDigest(ownershipHash(p, ethereumKey(buyer), new bytes(sizes[i]))));
            vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.BadSealedKey.selector, sizes[i]));
            vm.prank(seller);
            inft.iTransfer(buyer, token, list);
        }
    }

    function test_iTransfer_takesExactlyOneProof() public {
        vm.startPrank(seller);
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.ProofCountMismatch.selector, 1, 0));
        inft.iTransfer(buyer, token, new TransferValidityProof[](0));
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.ProofCountMismatch.selector, 1, 2));
        inft.iTransfer(buyer, token, new TransferValidityProof[](2));
    }

    function test_iClone_isRefusedByName() public {
        vm.expectRevert(ICoOwnedINFT.CloningDisabled.selector);
        inft.iClone(buyer, token, new TransferValidityProof[](1));
    }

    // -------------------------------------------------------------------------------------------- verifier

    function test_verifier_refusesOtherEnclaves() public {
        Plan memory p = plan();
        p.enclaveKey = uint256(keccak256("unregistered"));
        bytes32 unknown = keccak256(abi.encode(vm.addr(p.enclaveKey), CODE));
        refused(p, abi.encodeWithSelector(ERC7857Verifier.EnclaveNotActive.selector, unknown));
        // Registered, but running other code.
        registry.add(vm.addr(p.enclaveKey), keccak256("other code"), payee);
        refused(p, abi.encodeWithSelector(ERC7857Verifier.EnclaveNotActive.selector, unknown));
        // Another machine with the same code may seal.
        registry.add(vm.addr(p.enclaveKey), CODE, payee);
        transfer(p);
    }

    /// @dev Where the chain has only the signer's word for its code, anyone's word would do: just the model's own maker.
    function test_verifier_anUnprovenApplicationSealsForItsOwnSessionsOnly() public {
        Plan memory p = plan();
        p.enclaveKey = uint256(keccak256("claims the same code"));
        bytes32 other = registry.add(vm.addr(p.enclaveKey), CODE, payee);
        registry.setApplicationProven(other, false);
        refused(p, abi.encodeWithSelector(ERC7857Verifier.ApplicationNotProven.selector, other));
        registry.setApplicationProven(enclaveId, false);
        assertEq(inft.enclaveOf(token), enclaveId, "the maker");
        transfer(plan());
    }

    function test_verifier_refusesAnEnclaveThatIsNotActive() public {
        for (uint256 i = 2; i < 5; ++i) {
            registry.set(enclaveId, EnclaveStatus(i));
            refused(plan(), abi.encodeWithSelector(ERC7857Verifier.EnclaveNotActive.selector, enclaveId));
        }
    }

    function test_verifier_deadline() public {
        Plan memory p = plan();
        p.deadline = uint64(block.timestamp);
        uint256 snapshot = vm.snapshotState();
        transfer(p);
        vm.revertToState(snapshot);
        vm.warp(block.timestamp + 1);
        refused(p, abi.encodeWithSelector(ERC7857Verifier.ProofExpired.selector, p.deadline));
    }

    function test_verifier_refusesMalformedProofs() public {
        Plan memory p = plan();
        TransferValidityProof[] memory list = proofs(p);
        list[0].accessProof.nonce = new bytes(96);
        expectRefusal(list, ERC7857Verifier.BadNonce.selector);
        list = proofs(p);
        list[0].ownershipProof.nonce = abi.encodePacked(list[0].ownershipProof.nonce, bytes1(0));
        expectRefusal(list, ERC7857Verifier.BadNonce.selector);
        list = proofs(p);
        list[0].ownershipProof.oracleType = OracleType.ZKP;
        vm.expectRevert(abi.encodeWithSelector(ERC7857Verifier.UnsupportedOracle.selector, OracleType.ZKP));
        vm.prank(seller);
        inft.iTransfer(buyer, token, list);
        list = proofs(p);
        list[0].accessProof.newDataHash = 0;
        expectRefusal(list, ERC7857Verifier.ProofsDisagree.selector);
        list = proofs(p);
        list[0].ownershipProof.nonce = abi.encode(token, stranger, p.deadline, p.salt);
        expectRefusal(list, ERC7857Verifier.ProofsDisagree.selector);
        list = proofs(p);
        list[0].accessProof.proof = new bytes(19);
        expectRefusal(list, ERC7857Verifier.BadAccessSignature.selector);
        list[0].accessProof.proof = new bytes(65);
        expectRefusal(list, ERC7857Verifier.BadAccessSignature.selector);
        list[0].accessProof.proof = new bytes(100);
        expectRefusal(list, ERC7857Verifier.BadAccessSignature.selector);
        list = proofs(p);
        list[0].ownershipProof.proof = new bytes(65);
        expectRefusal(list, ERC7857Verifier.BadOwnershipSignature.selector);
    }

    function expectRefusal(TransferValidityProof[] memory list, bytes4 why) private {
        vm.expectRevert(why);
        vm.prank(seller);
        inft.iTransfer(buyer, token, list);
    }

    /// @dev Moving bytes between the two dynamic fields, or changing any byte of the key, breaks the signature.
    function testFuzz_verifier_coversTheSealedKey(uint256 index, uint8 flip) public {
        vm.assume(flip != 0);
        TransferValidityProof[] memory list = proofs(plan());
        bytes memory key = list[0].ownershipProof.sealedKey;
        index = bound(index, 0, key.length - 1);
        key[index] = bytes1(uint8(key[index]) ^ flip);
        vm.expectPartialRevert(ERC7857Verifier.EnclaveNotActive.selector);
        vm.prank(seller);
        inft.iTransfer(buyer, token, list);
    }

    function test_verifier_bindsChainAndContract() public {
        TransferValidityProof[] memory list = proofs(plan());
        vm.chainId(16_661);
        vm.expectRevert();
        vm.prank(seller);
        inft.iTransfer(buyer, token, list);
        vm.chainId(31_337);
        // Whoever calls it directly is the "token contract" of its own proofs: it can use up nothing of the token's.
        vm.expectRevert();
        vm.prank(stranger);
        verifier.verifyTransferValidity(list);
        vm.prank(seller);
        inft.iTransfer(buyer, token, list);
    }

    function test_verifier_constructor() public {
        vm.expectRevert(ERC7857Verifier.ZeroAddress.selector);
        new ERC7857Verifier(IEnclaveRegistry(address(0)));
        assertEq(address(verifier.registry()), address(registry), "registry");
    }

    // ------------------------------------------------------------------------------ plain ERC-721 transfers

    function test_plainTransfer_worksAndMakesTheKeyStale() public {
        vm.expectEmit(address(inft));
        emit ICoOwnedINFT.KeyBecameStale(token, seller, buyer);
        vm.prank(seller);
        inft.transferFrom(seller, buyer, token);
        assertEq(inft.ownerOf(token), buyer, "owner");
        assertTrue(inft.keyStale(token), "stale");
        assertEq(inft.sealedKeyHash(token), 0, "no key");
        assertEq(inft.ownerKeyHash(token), 0, "no key");
        // Going back does not make it fresh: the chain cannot know what the present owner holds.
        vm.prank(buyer);
        inft.transferFrom(buyer, seller, token);
        assertTrue(inft.keyStale(token), "still stale");
    }

    function test_plainTransfer_toOneselfChangesNothing() public {
        vm.prank(seller);
        inft.transferFrom(seller, seller, token);
        assertFalse(inft.keyStale(token), "fresh");
        assertEq(inft.ownerKeyHash(token), coordinator.contribution(id, seller).ownerKeyHash, "same key");
    }

    function test_resealKey_afterAPlainTransfer() public {
        vm.prank(seller);
        inft.transferFrom(seller, buyer, token);
        TransferValidityProof[] memory list = proofs(plan());
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.NotTokenOwner.selector, token, seller));
        vm.prank(seller);
        inft.resealKey(token, list);
        vm.prank(buyer);
        inft.resealKey(token, list);
        assertFalse(inft.keyStale(token), "fresh");
        assertEq(inft.ownerKeyHash(token), keccak256(ownerKey(buyer)), "key");
        assertEq(inft.ownerOf(token), buyer, "owner");
    }

    function test_metadata_changesAreAnnounced() public {
        vm.expectEmit(address(inft));
        emit ICoOwnedINFT.MetadataUpdate(token);
        vm.prank(seller);
        inft.transferFrom(seller, buyer, token);
        TransferValidityProof[] memory list = proofs(plan());
        vm.expectEmit(address(inft));
        emit ICoOwnedINFT.MetadataUpdate(token);
        vm.prank(buyer);
        inft.resealKey(token, list);
    }

    function test_resealKey_forAnotherKeyOfTheSameOwner() public {
        Plan memory p = plan();
        p.to = seller;
        p.accessSigner = seller;
        p.key = abi.encode(keccak256("new key"));
        TransferValidityProof[] memory list = proofs(p);
        vm.prank(seller);
        inft.resealKey(token, list);
        assertEq(inft.ownerKeyHash(token), keccak256(p.key), "key");
    }

    // ----------------------------------------------------------------------------------------------- usage

    function test_usage_authorizeRevokeClear() public {
        vm.startPrank(seller);
        vm.expectEmit(address(inft));
        emit IERC7857.Authorization(seller, stranger, token);
        inft.authorizeUsage(token, stranger);
        inft.authorizeUsage(token, buyer);
        assertEq(inft.authorizedUsersOf(token).length, 2, "two");
        assertTrue(inft.isAuthorized(token, stranger), "user");
        assertTrue(inft.isAuthorized(token, seller), "owner");
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.AlreadyAuthorized.selector, token, stranger));
        inft.authorizeUsage(token, stranger);
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.BadUser.selector, address(0)));
        inft.authorizeUsage(token, address(0));
        vm.expectEmit(address(inft));
        emit IERC7857.AuthorizationRevoked(seller, stranger, token);
        inft.revokeAuthorization(token, stranger);
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.NotAuthorized.selector, token, stranger));
        inft.revokeAuthorization(token, stranger);
        vm.expectEmit(address(inft));
        emit ICoOwnedINFT.AuthorizationCleared(seller, token);
        inft.clearAuthorizedUsers(token);
        assertEq(inft.authorizedUsersOf(token).length, 0, "none");
        inft.clearAuthorizedUsers(token);
        vm.stopPrank();

        bytes memory why = abi.encodeWithSelector(ICoOwnedINFT.NotTokenOwner.selector, token, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(why);
        inft.authorizeUsage(token, stranger);
        vm.expectRevert(why);
        inft.revokeAuthorization(token, stranger);
        vm.expectRevert(why);
        inft.clearAuthorizedUsers(token);
    }

    function test_usage_batch() public {
        address[] memory users = new address[](3);
        (users[0], users[1], users[2]) = (stranger, buyer, party(8));
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.NotTokenOwner.selector, token, stranger));
        vm.prank(stranger);
        inft.batchAuthorizeUsage(token, users);
        vm.startPrank(seller);
        inft.batchAuthorizeUsage(token, users);
        assertEq(inft.authorizedUsersOf(token), users, "all three");
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.AlreadyAuthorized.selector, token, stranger));
        inft.batchAuthorizeUsage(token, users);
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.BadUser.selector, address(0)));
        inft.batchAuthorizeUsage(token, new address[](1));
    }

    function test_usage_endsWithEveryMove() public {
        vm.prank(seller);
        inft.authorizeUsage(token, stranger);
        transfer(plan());
        assertFalse(inft.isAuthorized(token, stranger), "ended");
        vm.prank(buyer);
        inft.authorizeUsage(token, party(4));
        vm.prank(buyer);
        inft.transferFrom(buyer, seller, token);
        assertEq(inft.authorizedUsersOf(token).length, 0, "ended");
    }

    function test_usage_isBoundedAndMovingStaysCheap() public {
        vm.startPrank(seller);
        for (uint256 i = 1; i <= 100; ++i) {
            inft.authorizeUsage(token, address(uint160(i)));
        }
        vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.TooManyUsers.selector, token));
        inft.authorizeUsage(token, address(101));
        uint256 before = gasleft();
        inft.transferFrom(seller, buyer, token);
        assertLe(before - gasleft(), 120_000, "a hundred users do not make moving dear");
    }

    // ------------------------------------------------------------------------------------ what tools ask

    function test_interfaces() public view {
        assertTrue(inft.supportsInterface(0x01ffc9a7), "ERC-165");
        assertTrue(inft.supportsInterface(0x80ac58cd), "ERC-721");
        assertTrue(inft.supportsInterface(0x5b5e139f), "ERC-721 metadata");
        assertTrue(inft.supportsInterface(0xee5a526e), "ERC-7857");
        assertTrue(inft.supportsInterface(0xaa18b754), "ERC-7857 metadata");
        assertTrue(inft.supportsInterface(0x2a55205a), "ERC-2981");
        assertTrue(inft.supportsInterface(0x49064906), "ERC-4906");
        assertTrue(inft.supportsInterface(0x40fbd72f), "0G's metadata");
        assertTrue(inft.supportsInterface(0x2309ab96), "0G's authorization");
        bytes4 all =
            bytes4(0x2309ab96) ^ ICoOwnedINFT.batchAuthorizeUsage.selector ^ ICoOwnedINFT.clearAuthorizedUsers.selector;
        assertTrue(inft.supportsInterface(all), "0G's authorization with lists");
        assertEq(bytes32(all), bytes32(bytes4(0xdf597d99)), "as its present contracts register it");
        assertFalse(inft.supportsInterface(0xffffffff), "nothing else");
        assertFalse(inft.supportsInterface(0x5762046c), "not 0G's transfers: their proofs can be replayed");
        assertFalse(inft.supportsInterface(0x2afbede9), "not 0G's transfers: their proofs can be replayed");
        assertFalse(inft.supportsInterface(0xeafcbf9c), "nothing else");
    }

    function test_finalErc7857Selectors() public pure {
        assertEq(bytes32(IERC7857.verifier.selector), bytes32(bytes4(0x2b7ac3f3)), "verifier");
        assertEq(bytes32(IERC7857.iTransfer.selector), bytes32(bytes4(0xb0654873)), "iTransfer");
        assertEq(bytes32(IERC7857.iClone.selector), bytes32(bytes4(0xe915c38a)), "iClone");
        assertEq(bytes32(IERC7857.authorizeUsage.selector), bytes32(bytes4(0xfa83d14e)), "authorizeUsage");
        assertEq(bytes32(IERC7857.revokeAuthorization.selector), bytes32(bytes4(0xc3612ef7)), "revoke");
        assertEq(bytes32(IERC7857.delegateAccess.selector), bytes32(bytes4(0x98bd57de)), "delegateAccess");
        assertEq(bytes32(IERC7857.authorizedUsersOf.selector), bytes32(bytes4(0x1aeb542f)), "authorizedUsersOf");
        assertEq(bytes32(IERC7857.getDelegateAccess.selector), bytes32(bytes4(0x0e592fdd)), "getDelegateAccess");
        assertEq(bytes32(ICoOwnedINFT.intelligentDatasOf.selector), bytes32(bytes4(0x40fbd72f)), "0G's alias");
        assertEq(bytes32(ICoOwnedINFT.creatorOf.selector), bytes32(bytes4(0x589a1743)), "creatorOf");
        assertEq(bytes32(ICoOwnedINFT.batchAuthorizeUsage.selector), bytes32(bytes4(0xf30c6a0c)), "batch");
        assertEq(bytes32(ICoOwnedINFT.clearAuthorizedUsers.selector), bytes32(bytes4(0x0f5cbc03)), "clear");
        assertEq(
            bytes32(IERC7857.PublishedSealedKey.selector),
            0x77ac1306adadb66d303dd0baa0534083040b337a1212922215a3ccbaf6fec56c,
            "PublishedSealedKey"
        );
        assertEq(
            bytes32(IERC7857.Transferred.selector),
            0x0ea8df787dde63a7bdc34d17097adf25749a3521f660e92dabdff8d6ee91d18a,
            "Transferred"
        );
    }

    function test_intelligentData() public view {
        IntelligentData[] memory d = inft.intelligentDataOf(token);
        assertEq(d.length, 1, "one entry");
        assertEq(d[0].dataHash, ARTIFACT, "root");
        assertEq(
            d[0].dataDescription,
            '{"role":"lora-adapter","storage_ptr":{"root_hash":"0xca97724c48e10ffd7f4afcb9f9ac1417334e0d3ddc3257d4bca841303c618d96"},"encryption":"AES-GCM-256"}',
            "description"
        );
        assertEq(keccak256(abi.encode(d)), keccak256(abi.encode(inft.intelligentDatasOf(token))), "alias");
    }

    function test_royalty() public view {
        (address receiver, uint256 amount) = inft.royaltyInfo(token, 1 ether);
        assertEq(receiver, opener, "opener");
        assertEq(amount, 0.025 ether, "2.5 percent");
        (, amount) = inft.royaltyInfo(token, type(uint256).max);
        assertEq(amount, type(uint256).max / 40, "no overflow");
        (, amount) = inft.royaltyInfo(token, 40);
        assertEq(amount, 1, "nothing is lost before the division");
    }

    function test_tokenURI_isWellFormed() public {
        string memory json = Text.decoded(inft.tokenURI(token), 29);
        assertEq(vm.parseJsonString(json, ".name"), "FFE model 1, owner 1 of 2", "name");
        assertEq(vm.parseJsonUint(json, ".attributes[0].value"), 1, "session");
        assertEq(vm.parseJsonString(json, ".attributes[6].value"), "sealed for the owner", "key");
        string memory svg = Text.decoded(vm.parseJsonString(json, ".image"), 26);
        assertTrue(Text.contains(svg, "Session 1</text>"), "session in the picture");
        assertTrue(Text.contains(svg, "Owner 1 of 2</text>"), "owner in the picture");
        assertFalse(Text.contains(svg, "key stale"), "fresh");
        vm.prank(seller);
        inft.transferFrom(seller, buyer, token);
        json = Text.decoded(inft.tokenURI(token), 29);
        assertEq(vm.parseJsonString(json, ".attributes[6].value"), "stale", "key");
        assertTrue(Text.contains(Text.decoded(vm.parseJsonString(json, ".image"), 26), ">key stale</text>"), "stale");
    }
}
