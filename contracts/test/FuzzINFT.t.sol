// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICoOwnedINFT} from "../src/interfaces/ICoOwnedINFT.sol";
import {TransferValidityProof} from "../src/interfaces/IERC7857.sol";
import {Owner} from "../src/interfaces/IFFECoordinator.sol";
import {TokenFixture} from "./utils/TokenFixture.sol";

/// @notice Every external function of the token under any input, by anybody.
contract FuzzINFTTest is TokenFixture {
    function testFuzz_mint_byNobodyElse(address who, uint256 sessionId, bytes32 root_, Owner[] memory owners) public {
        vm.assume(who != address(coordinator));
        vm.expectRevert(ICoOwnedINFT.NotCoordinator.selector);
        vm.prank(who);
        inft.mint(sessionId, root_, owners);
    }

    /// @dev One bit anywhere in the encoded proofs: the transfer is refused, or the bit was in the padding that the decoder
    ///      ignores and everything is as signed.
    function testFuzz_iTransfer_anyFlippedBit(uint256 bit) public {
        TransferValidityProof[] memory list = proofs(plan());
        bytes memory data = abi.encodeCall(inft.iTransfer, (buyer, token, list));
        bit = bound(bit, 4 * 8, data.length * 8 - 1);
        data[bit / 8] = bytes1(uint8(data[bit / 8]) ^ uint8(1 << (bit % 8)));
        vm.prank(seller);
        (bool ok,) = address(inft).call(data);
        if (ok) {
            assertEq(inft.ownerOf(token), buyer, "owner");
            assertEq(inft.sealedKeyHash(token), keccak256(sealedKey(buyer)), "key");
            assertEq(inft.ownerKeyHash(token), keccak256(ownerKey(buyer)), "owner key");
        } else {
            assertEq(inft.ownerOf(token), seller, "owner");
            assertEq(inft.sealedKeyHash(token), keccak256(sealedKey(seller)), "key");
        }
    }

    function testFuzz_iTransfer_byWhoMayMoveTheToken(address who, uint256 deadline, uint256 time) public {
        Plan memory p = plan();
        p.deadline = uint64(bound(deadline, START, START + 1 days));
        TransferValidityProof[] memory list = proofs(p);
        vm.warp(bound(time, START, START + 1 days));
        bool good = who == seller && block.timestamp <= p.deadline;
        vm.prank(who);
        try inft.iTransfer(buyer, token, list) {
            assertTrue(good, "a transfer that should not count");
        } catch {
            assertFalse(good, "a transfer that should count");
        }
        if (block.timestamp > p.deadline) return;
        vm.prank(seller);
        inft.iTransfer(buyer, token, list);
        assertEq(inft.ownerOf(token), buyer, "nobody else used the proofs up");
    }

    function testFuzz_resealKey_byTheOwnerOnly(address who) public {
        vm.prank(seller);
        inft.transferFrom(seller, buyer, token);
        TransferValidityProof[] memory list = proofs(plan());
        if (who != buyer) {
            vm.expectRevert(abi.encodeWithSelector(ICoOwnedINFT.NotTokenOwner.selector, token, who));
            vm.prank(who);
            inft.resealKey(token, list);
            assertTrue(inft.keyStale(token), "stale");
        }
        vm.prank(buyer);
        inft.resealKey(token, list);
        assertFalse(inft.keyStale(token), "fresh");
    }

    function testFuzz_iClone_never(address who, address to, uint256 tokenId) public {
        vm.expectRevert(ICoOwnedINFT.CloningDisabled.selector);
        vm.prank(who);
        inft.iClone(to, tokenId, new TransferValidityProof[](0));
    }

    function testFuzz_usage_byTheOwnerOnly(address who, address user, address other) public {
        vm.assume(who != seller && user != address(0) && user != seller && other != user);
        bytes memory why = abi.encodeWithSelector(ICoOwnedINFT.NotTokenOwner.selector, token, who);
        address[] memory users = new address[](1);
        users[0] = user;
        vm.startPrank(who);
        vm.expectRevert(why);
        inft.authorizeUsage(token, user);
        vm.expectRevert(why);
        inft.batchAuthorizeUsage(token, users);
        vm.expectRevert(why);
        inft.revokeAuthorization(token, user);
        vm.expectRevert(why);
        inft.clearAuthorizedUsers(token);
        vm.stopPrank();
        vm.startPrank(seller);
        inft.authorizeUsage(token, user);
        assertTrue(inft.isAuthorized(token, user), "authorized");
        assertTrue(other == seller || !inft.isAuthorized(token, other), "nobody else");
        inft.revokeAuthorization(token, user);
        assertFalse(inft.isAuthorized(token, user), "revoked");
        inft.batchAuthorizeUsage(token, users);
        inft.clearAuthorizedUsers(token);
        assertEq(inft.authorizedUsersOf(token).length, 0, "cleared");
    }

    function testFuzz_delegateAccess(address who, address assistant, address other) public {
        vm.assume(other != who);
        vm.prank(who);
        inft.delegateAccess(assistant);
        assertEq(inft.getDelegateAccess(who), assistant, "own");
        assertEq(inft.getDelegateAccess(other), address(0), "nobody else's");
    }

    function testFuzz_royalty_neverMoreThanItsShare(uint256 price) public view {
        (address receiver, uint256 amount) = inft.royaltyInfo(token, price);
        assertEq(receiver, opener, "opener");
        assertLe(amount, price / 40, "2.5 percent");
    }

    function testFuzz_tokenIds_neverCollide(uint128 a, uint8 i, uint128 b, uint8 j) public view {
        vm.assume(a != b || i != j);
        assertTrue(inft.tokenIdOf(a, i) != inft.tokenIdOf(b, j), "different");
    }

    function testFuzz_views_ofTokensThatDoNotExist(uint256 tokenId) public {
        vm.assume(tokenId != token && tokenId != inft.tokenIdOf(id, 2));
        vm.expectRevert();
        inft.tokenURI(tokenId);
        vm.expectRevert();
        inft.artifactOf(tokenId);
        vm.expectRevert();
        inft.royaltyInfo(tokenId, 1 ether);
        vm.expectRevert();
        inft.isAuthorized(tokenId, seller);
    }

    /// @dev A market that knows only ERC-721: approve, move, approval gone, key stale.
    function testFuzz_plainTransfers_keepErc721sRules(address operator, address to) public {
        vm.assume(operator != address(0) && operator != seller && to != address(0) && to.code.length == 0);
        vm.prank(seller);
        inft.approve(operator, token);
        vm.prank(operator);
        inft.safeTransferFrom(seller, to, token);
        assertEq(inft.ownerOf(token), to, "owner");
        assertEq(inft.getApproved(token), address(0), "approval used");
        assertEq(inft.keyStale(token) ? 1 : 0, to == seller ? 0 : 1, "stale unless it stayed");
    }
}
