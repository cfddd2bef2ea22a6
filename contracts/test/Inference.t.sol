// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {
    InferenceAccount,
    InferenceService,
    InferenceServing,
    ServiceParams
} from "../src/devnet/compute/InferenceServing.sol";
import {LedgerManager} from "../src/devnet/compute/LedgerManager.sol";
import {Vm} from "./utils/Vm.sol";

/// @notice The rules of 0G Compute's inference contract that clients meet, as its published sources have them.
contract InferenceTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    string private constant NAME = "inference-v1.0";
    address private constant USER = address(0xA11CE);
    address private constant PROVIDER = address(0xB0B);
    address private constant SIGNER = address(0x5161);

    LedgerManager private ledger;
    InferenceServing private serving;

    function setUp() public {
        ledger = new LedgerManager(3 ether, 1 ether);
        serving = new InferenceServing();
        ledger.initialize(address(this));
        serving.initialize(1 days, address(ledger), address(this));
        ledger.registerService("inference", "v1.0", address(serving), "");
        vm.deal(USER, 100 ether);
        vm.deal(PROVIDER, 1000 ether);
        offer(PROVIDER, SIGNER, 100 ether);
        vm.startPrank(USER);
        ledger.addLedger{value: 10 ether}("");
        ledger.transferFund(PROVIDER, NAME, 2 ether);
        vm.stopPrank();
    }

    // --- services ---------------------------------------------------------------------------

    function test_onlyAStakedProviderIsListed() public {
        vm.deal(address(7), 100 ether);
        vm.prank(address(7));
        vm.expectRevert(abi.encodeWithSelector(InferenceServing.InsufficientStake.selector, 100 ether - 1, 100 ether));
        serving.addOrUpdateService{value: 100 ether - 1}(params(SIGNER));
        vm.prank(PROVIDER);
        vm.expectRevert(InferenceServing.CannotAddStakeWhenUpdating.selector);
        serving.addOrUpdateService{value: 1}(params(SIGNER));
        require(!serving.serviceExists(address(7)), "listed");
        vm.expectRevert(abi.encodeWithSelector(InferenceServing.ServiceNotExist.selector, address(7)));
        serving.getService(address(7));
    }

    function test_anotherSignerMustBeAcknowledgedAnew() public {
        serving.acknowledgeTEESignerByOwner(PROVIDER);
        offer(PROVIDER, SIGNER, 0);
        require(serving.getService(PROVIDER).teeSignerAcknowledged, "kept for the same signer");
        offer(PROVIDER, address(9), 0);
        require(!serving.getService(PROVIDER).teeSignerAcknowledged, "void for another");
        vm.prank(PROVIDER);
        (bool ok,) = address(serving).call(abi.encodeCall(serving.acknowledgeTEESignerByOwner, (PROVIDER)));
        require(!ok, "the owner's alone");
    }

    function test_aProviderThatLeavesHasItsStakeBack() public {
        uint256 before = PROVIDER.balance;
        vm.prank(PROVIDER);
        serving.removeService();
        require(PROVIDER.balance == before + 100 ether, "stake");
        require(!serving.serviceExists(PROVIDER), "gone");
        offer(PROVIDER, SIGNER, 100 ether);
        require(!serving.getService(PROVIDER).teeSignerAcknowledged, "starts anew");
    }

    function test_servicesComeInPages() public {
        for (uint160 i = 1; i <= 3; ++i) {
            vm.deal(address(i), 100 ether);
            offer(address(i), SIGNER, 100 ether);
        }
        (InferenceService[] memory page, uint256 total) = serving.getAllServices(1, 2);
        require(total == 4 && page.length == 2 && page[0].provider == address(1), "second page");
        (page,) = serving.getAllServices(3, 50);
        require(page.length == 1 && page[0].provider == address(3), "last page");
        (page,) = serving.getAllServices(4, 0);
        require(page.length == 0, "past the end");
        vm.expectRevert(abi.encodeWithSelector(InferenceServing.LimitTooLarge.selector, 51, 50));
        serving.getAllServices(0, 51);
    }

    // --- users ------------------------------------------------------------------------------

    function test_tokensAreRevokedOneByOneAndAllTogether() public {
        vm.prank(USER);
        serving.revokeToken(PROVIDER, 254);
        require(serving.isTokenRevoked(USER, PROVIDER, 254), "revoked");
        require(!serving.isTokenRevoked(USER, PROVIDER, 253), "no other");
        vm.prank(USER);
        serving.revokeAllTokens(PROVIDER);
        require(!serving.isTokenRevoked(USER, PROVIDER, 254), "a new generation");
        require(serving.getAccount(USER, PROVIDER).generation == 1, "generation");
        vm.expectRevert(abi.encodeWithSelector(InferenceServing.AccountNotExists.selector, address(this), PROVIDER));
        serving.revokeAllTokens(PROVIDER);
    }

    function test_whoHasMoneyThereCannotWithdrawTheAcknowledgement() public {
        vm.prank(USER);
        vm.expectRevert(
            abi.encodeWithSelector(InferenceServing.CannotRevokeWithNonZeroBalance.selector, USER, PROVIDER, 2 ether)
        );
        serving.acknowledgeTEESigner(PROVIDER, false);
    }

    function test_moneyIsTheLedgersAlone() public {
        vm.deal(address(this), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(InferenceServing.CallerNotLedger.selector, address(this)));
        serving.addAccount{value: 1}(address(this), PROVIDER, "");
        vm.expectRevert(abi.encodeWithSelector(InferenceServing.CallerNotLedger.selector, address(this)));
        serving.processRefund(USER, PROVIDER);
        (bool ok,) = address(serving).call{value: 1}("");
        require(!ok, "no direct deposits");
    }

    /// @dev What is asked for is locked; new money takes it back first.
    function testFuzz_nothingIsLostBetweenLedgerAndAccount(uint96 more, uint32 waited) public {
        uint256 amount = uint256(more) % 8 ether + 1;
        address[] memory providers = new address[](1);
        providers[0] = PROVIDER;
        vm.startPrank(USER);
        ledger.retrieveFund(providers, NAME);
        require(serving.getPendingRefund(USER, PROVIDER) == 2 ether, "asked for");
        ledger.transferFund(PROVIDER, NAME, amount);
        vm.warp(block.timestamp + waited);
        ledger.retrieveFund(providers, NAME);
        vm.stopPrank();
        InferenceAccount memory account = serving.getAccount(USER, PROVIDER);
        require(account.pendingRefund <= account.balance, "more asked for than there is");
        require(ledger.getLedger(USER).availableBalance + account.balance == 10 ether, "sum");
        require(address(serving).balance == 100 ether + account.balance, "held");
    }

    // --- helpers ----------------------------------------------------------------------------

    function params(address signer) private pure returns (ServiceParams memory) {
        return ServiceParams("chatbot", "http://x", "model", "TeeML", 1, 2, "", signer);
    }

    function offer(address provider, address signer, uint256 stake) private {
        vm.prank(provider);
        serving.addOrUpdateService{value: stake}(params(signer));
    }

    receive() external payable {}
}
