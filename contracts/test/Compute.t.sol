// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {
    AccountDetails,
    Deliverable,
    FineTuningServing,
    Quota,
    Refund,
    Service,
    VerifierInput
} from "../src/devnet/compute/FineTuningServing.sol";
import {Ledger, LedgerManager} from "../src/devnet/compute/LedgerManager.sol";
import {Vm} from "./utils/Vm.sol";

/// @notice The rules of 0G Compute's money and deliverables, as its published sources have them.
contract ComputeTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    string private constant NAME = "fine-tuning-v1.0";
    uint256 private constant SIGNER_KEY = 0x4c0883a69102937d6231471b5dbb6204fe512961708279b7e1a8d7d7a3c2b9e3;
    address private constant SIGNER = 0x325744be57db298C2652c672B32Eb12875d92D83;
    address private constant USER = address(0xA11CE);
    address private constant PROVIDER = address(0xB0B);
    bytes private constant ROOT = hex"0102";
    bytes private constant SECRET = hex"0304";

    LedgerManager private ledger;
    FineTuningServing private serving;

    function setUp() public {
        (ledger, serving) = create(false);
        vm.deal(USER, 1000 ether);
        vm.deal(PROVIDER, 1000 ether);
        openAccount(10 ether);
        offer(SIGNER);
        serving.acknowledgeTEESignerByOwner(PROVIDER);
    }

    // --- the ledger -------------------------------------------------------------------------

    function test_ledgerNeedsTheMinimum() public {
        vm.deal(address(7), 10 ether);
        vm.prank(address(7));
        vm.expectRevert(abi.encodeWithSelector(LedgerManager.MinimumDepositRequired.selector, 3 ether - 1, 3 ether));
        ledger.addLedger{value: 3 ether - 1}("");
        vm.prank(address(7));
        ledger.depositFund{value: 3 ether}();
        vm.prank(address(7));
        vm.expectRevert(abi.encodeWithSelector(LedgerManager.LedgerExists.selector, address(7)));
        ledger.addLedger{value: 3 ether}("");
        vm.expectRevert(abi.encodeWithSelector(LedgerManager.LedgerNotExists.selector, address(8)));
        ledger.getLedger(address(8));
    }

    function test_subAccountNeedsTheMinimumOnce() public {
        vm.prank(USER);
        vm.expectRevert(abi.encodeWithSelector(LedgerManager.MinimumDepositRequired.selector, 0, 1 ether));
        ledger.transferFund(address(9), NAME, 0);
        vm.prank(USER);
        ledger.transferFund(PROVIDER, NAME, 1);
        require(serving.getAccount(USER, PROVIDER).balance == 2 ether + 1, "balance");
        vm.prank(USER);
        vm.expectRevert(abi.encodeWithSelector(LedgerManager.ServiceNotFound.selector, address(0)));
        ledger.transferFund(PROVIDER, "fine-tuning", 1);
    }

    function test_transferTakesWhatIsThere() public {
        vm.prank(USER);
        vm.expectRevert(
            abi.encodeWithSelector(LedgerManager.InsufficientAvailableBalance.selector, 8 ether, 8 ether + 1)
        );
        ledger.transferFund(PROVIDER, NAME, 8 ether + 1);
    }

    function test_refundTakesTheLockTimeAndCanBeCancelled() public {
        address[] memory providers = new address[](1);
        providers[0] = PROVIDER;
        vm.prank(USER);
        ledger.retrieveFund(providers, NAME);
        require(serving.getPendingRefund(USER, PROVIDER) == 2 ether, "pending");
        // Half of it goes back without new money.
        vm.prank(USER);
        ledger.transferFund(PROVIDER, NAME, 0.5 ether);
        require(serving.getPendingRefund(USER, PROVIDER) == 1.5 ether, "cancelled");
        require(ledger.getLedger(USER).availableBalance == 8 ether, "nothing paid");
        vm.warp(block.timestamp + serving.lockTime());
        vm.prank(USER);
        ledger.retrieveFund(providers, NAME);
        require(ledger.getLedger(USER).availableBalance == 9.5 ether, "returned");
        AccountDetails memory account = serving.getAccount(USER, PROVIDER);
        require(account.balance == 0.5 ether && account.pendingRefund == 0.5 ether, "rest asked for");
    }

    function test_atMostFiveOpenRefunds() public {
        address[] memory providers = new address[](1);
        providers[0] = PROVIDER;
        for (uint256 i = 0; i < 5; ++i) {
            vm.prank(USER);
            ledger.retrieveFund(providers, NAME);
            // depositFund through the contract itself, so that nothing is cancelled.
            vm.deal(address(ledger), address(ledger).balance + 1);
            vm.prank(address(ledger));
            serving.depositFund{value: 1}(USER, PROVIDER, 0);
        }
        vm.prank(USER);
        vm.expectRevert(abi.encodeWithSelector(FineTuningServing.TooManyRefunds.selector, USER, PROVIDER));
        ledger.retrieveFund(providers, NAME);
    }

    function test_everythingComesBack() public {
        address[] memory providers = new address[](1);
        providers[0] = PROVIDER;
        vm.prank(USER);
        vm.expectRevert(abi.encodeWithSelector(LedgerManager.MustWithdrawAllFundsFirst.selector, 10 ether));
        ledger.deleteLedger();
        vm.prank(USER);
        ledger.retrieveFund(providers, NAME);
        vm.warp(block.timestamp + 1 days);
        vm.prank(USER);
        ledger.retrieveFund(providers, NAME);
        vm.prank(USER);
        vm.expectRevert(abi.encodeWithSelector(LedgerManager.MinimumDepositRequired.selector, 1 ether, 3 ether));
        ledger.refund(9 ether);
        vm.prank(USER);
        ledger.refund(10 ether);
        require(USER.balance == 1000 ether, "all money");
        vm.prank(USER);
        ledger.deleteLedger();
        require(!serving.accountExists(USER, PROVIDER), "account gone");
    }

    function test_moneyOnlyThroughTheFunctions() public {
        vm.deal(address(this), 10);
        (bool ok,) = address(ledger).call{value: 1}("");
        require(!ok, "ledger took it");
        (ok,) = address(serving).call{value: 1}("");
        require(!ok, "serving took it");
        vm.expectRevert(FineTuningServing.CallerNotLedger.selector);
        serving.addAccount(USER, PROVIDER, "");
        vm.expectRevert(abi.encodeWithSelector(LedgerManager.CallerNotRegisteredService.selector, address(this)));
        ledger.spendFund(USER, 1);
    }

    // --- services ---------------------------------------------------------------------------

    function test_serviceStakesOnce() public {
        vm.deal(address(7), 300 ether);
        Quota memory quota;
        vm.startPrank(address(7));
        vm.expectRevert(abi.encodeWithSelector(FineTuningServing.InsufficientStake.selector, 100 ether - 1, 100 ether));
        serving.addOrUpdateService{value: 100 ether - 1}("u", quota, 1, false, new string[](0), SIGNER);
        serving.addOrUpdateService{value: 100 ether}("u", quota, 1, false, new string[](0), SIGNER);
        vm.expectRevert(FineTuningServing.CannotAddStakeWhenUpdating.selector);
        serving.addOrUpdateService{value: 1}("u", quota, 1, false, new string[](0), SIGNER);
        serving.removeService();
        vm.stopPrank();
        require(address(7).balance == 300 ether, "stake back");
    }

    function test_newSignerMustBeAcknowledgedAgain() public {
        require(serving.getService(PROVIDER).teeSignerAcknowledged, "at first");
        offer(SIGNER);
        require(serving.getService(PROVIDER).teeSignerAcknowledged, "same signer");
        offer(address(5));
        require(!serving.getService(PROVIDER).teeSignerAcknowledged, "other signer");
        vm.prank(USER);
        vm.expectRevert("Ownable: caller is not the owner");
        serving.acknowledgeTEESignerByOwner(PROVIDER);
    }

    // --- deliverables and fees --------------------------------------------------------------

    function test_acknowledgedTaskPaysInFullAndGetsItsKey() public {
        deliver("a");
        vm.prank(USER);
        serving.acknowledgeDeliverable(PROVIDER, "a");
        uint256 before = PROVIDER.balance;
        settle("a", SECRET, 1, 1 ether);
        require(PROVIDER.balance == before + 1 ether, "fee");
        Deliverable memory d = serving.getDeliverable(USER, PROVIDER, "a");
        require(d.settled && d.acknowledged && keccak256(d.encryptedSecret) == keccak256(SECRET), "key");
        AccountDetails memory account = serving.getAccount(USER, PROVIDER);
        require(account.nonce == 1 && account.balance == 1 ether, "account");
        require(ledger.getLedger(USER).totalBalance == 9 ether, "ledger");
        vm.prank(USER);
        vm.expectRevert(abi.encodeWithSelector(FineTuningServing.CannotAcknowledgeSettledDeliverable.selector, "a"));
        serving.acknowledgeDeliverable(PROVIDER, "a");
    }

    function test_unacknowledgedTaskPaysThirtyPercentAndGetsNoKey() public {
        deliver("a");
        uint256 before = PROVIDER.balance;
        expectSettleRevert("a", SECRET, 1, 1 ether, abi.encodePacked(FineTuningServing.SecretShouldBeEmpty.selector));
        settle("a", "", 1, 1 ether);
        require(PROVIDER.balance == before + 0.3 ether, "penalty");
        require(serving.getDeliverable(USER, PROVIDER, "a").encryptedSecret.length == 0, "no key");
    }

    function test_settlementChecksInOrder() public {
        deliver("a");
        vm.prank(USER);
        serving.acknowledgeDeliverable(PROVIDER, "a");
        expectSettleRevert("a", SECRET, 0, 1 ether, invalid("nonce too low"));
        expectSettleRevert("a", SECRET, 1, 2 ether + 1, invalid("insufficient balance"));
        expectSettleRevert(
            "b", SECRET, 1, 1, abi.encodeWithSelector(FineTuningServing.DeliverableNotExists.selector, "b")
        );
        expectSettleRevert("a", "", 1, 1, abi.encodePacked(FineTuningServing.SecretShouldNotBeEmpty.selector));
        VerifierInput memory input = statement("a", SECRET, 1, 1, 0xBAD);
        vm.prank(PROVIDER);
        vm.expectRevert(invalid("invalid TEE signature"));
        serving.settleFees(input);
        input = statement("a", SECRET, 1, 1, SIGNER_KEY);
        input.modelRootHash = hex"99";
        vm.prank(PROVIDER);
        vm.expectRevert(invalid("model root hash mismatch"));
        serving.settleFees(input);
        serving.revokeTEESignerAcknowledgement(PROVIDER);
        expectSettleRevert("a", SECRET, 1, 1, invalid("TEE signer not acknowledged"));
        serving.acknowledgeTEESignerByOwner(PROVIDER);
        settle("a", SECRET, 1, 1);
        expectSettleRevert(
            "a", SECRET, 2, 1, abi.encodeWithSelector(FineTuningServing.DeliverableAlreadySettled.selector, "a")
        );
    }

    function test_feeTakesWhatIsAskedBack() public {
        address[] memory providers = new address[](1);
        providers[0] = PROVIDER;
        vm.prank(USER);
        ledger.retrieveFund(providers, NAME);
        deliver("a");
        vm.prank(USER);
        serving.acknowledgeDeliverable(PROVIDER, "a");
        settle("a", SECRET, 1, 0.5 ether);
        AccountDetails memory account = serving.getAccount(USER, PROVIDER);
        require(account.balance == 1.5 ether && account.pendingRefund == 1.5 ether, "refund smaller");
        require(account.refunds.length == 1 && account.refunds[0].amount == 1.5 ether, "request smaller");
    }

    function test_nextDeliverableWaitsForTheLast() public {
        deliver("a");
        vm.prank(PROVIDER);
        vm.expectRevert(abi.encodeWithSelector(FineTuningServing.DeliverableAlreadyExists.selector, "a"));
        serving.addDeliverable(USER, "a", ROOT);
        vm.prank(PROVIDER);
        vm.expectRevert(abi.encodeWithSelector(FineTuningServing.PreviousDeliverableNotAcknowledged.selector, "a"));
        serving.addDeliverable(USER, "b", ROOT);
        vm.prank(PROVIDER);
        serving.abandonDeliverable(USER, "a");
        deliver("b");
    }

    function test_forcedSettlementLocksAsPublishedAndNotWhenRelaxed() public {
        deliver("a");
        settle("a", "", 1, 1 ether);
        vm.prank(PROVIDER);
        vm.expectRevert(abi.encodeWithSelector(FineTuningServing.PreviousDeliverableNotAcknowledged.selector, "a"));
        serving.addDeliverable(USER, "b", ROOT);

        (ledger, serving) = create(true);
        openAccount(10 ether);
        offer(SIGNER);
        serving.acknowledgeTEESignerByOwner(PROVIDER);
        deliver("a");
        settle("a", "", 1, 1 ether);
        deliver("b");
    }

    function test_twentyDeliverablesThenTheOldestGoes() public {
        for (uint256 i = 0; i < 21; ++i) {
            string memory id = string(abi.encodePacked(bytes1(uint8(65 + i))));
            deliver(id);
            vm.prank(USER);
            serving.acknowledgeDeliverable(PROVIDER, id);
            settle(id, SECRET, i + 1, 1);
        }
        Deliverable[] memory list = serving.getDeliverables(USER, PROVIDER);
        require(list.length == 20, "twenty");
        require(keccak256(bytes(list[0].id)) == keccak256("B"), "oldest first");
        require(keccak256(bytes(list[19].id)) == keccak256("U"), "newest last");
        require(serving.getAccount(USER, PROVIDER).deliverablesHead == 1, "head");
        vm.expectRevert(abi.encodeWithSelector(FineTuningServing.DeliverableNotExists.selector, "A"));
        serving.getDeliverable(USER, PROVIDER, "A");
    }

    function test_idsHaveOneTo256Bytes() public {
        vm.prank(PROVIDER);
        vm.expectRevert(abi.encodeWithSelector(FineTuningServing.DeliverableIdInvalidLength.selector, 0));
        serving.addDeliverable(USER, "", ROOT);
        vm.prank(PROVIDER);
        vm.expectRevert(abi.encodeWithSelector(FineTuningServing.DeliverableIdInvalidLength.selector, 257));
        serving.addDeliverable(USER, string(new bytes(257)), ROOT);
    }

    // --- helpers ----------------------------------------------------------------------------

    function create(bool relaxed) private returns (LedgerManager l, FineTuningServing s) {
        l = new LedgerManager(3 ether, 1 ether);
        s = new FineTuningServing(relaxed);
        l.initialize(address(this));
        s.initialize(1 days, address(l), address(this), 30);
        l.registerService("fine-tuning", "v1.0", address(s), "");
    }

    function openAccount(uint256 amount) private {
        vm.startPrank(USER);
        ledger.addLedger{value: amount}("");
        ledger.transferFund(PROVIDER, NAME, 2 ether);
        vm.stopPrank();
    }

    function offer(address signer) private {
        Quota memory quota = Quota(1, 2, 0, 3, "none");
        bool first = !hasService();
        vm.prank(PROVIDER);
        serving.addOrUpdateService{value: first ? 100 ether : 0}("http://x", quota, 7, false, new string[](0), signer);
    }

    function hasService() private view returns (bool) {
        Service[] memory all = serving.getAllServices();
        return all.length != 0;
    }

    function deliver(string memory id) private {
        vm.prank(PROVIDER);
        serving.addDeliverable(USER, id, ROOT);
    }

    function settle(string memory id, bytes memory secret, uint256 nonce, uint256 fee) private {
        VerifierInput memory input = statement(id, secret, nonce, fee, SIGNER_KEY);
        vm.prank(PROVIDER);
        serving.settleFees(input);
    }

    function expectSettleRevert(string memory id, bytes memory secret, uint256 nonce, uint256 fee, bytes memory reason)
        private
    {
        VerifierInput memory input = statement(id, secret, nonce, fee, SIGNER_KEY);
        vm.prank(PROVIDER);
        vm.expectRevert(reason);
        serving.settleFees(input);
    }

    function invalid(string memory reason) private pure returns (bytes memory) {
        return abi.encodeWithSelector(FineTuningServing.InvalidVerifierInput.selector, reason);
    }

    function statement(string memory id, bytes memory secret, uint256 nonce, uint256 fee, uint256 key)
        private
        view
        returns (VerifierInput memory)
    {
        // The two type hashes as 0G publishes them.
        bytes32 domain = keccak256(
            abi.encode(
                bytes32(0x8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f),
                keccak256("0G Fine-Tuning Serving"),
                keccak256("1"),
                block.chainid,
                address(serving)
            )
        );
        bytes32 message = keccak256(
            abi.encode(
                bytes32(0x62159bda4585d49f24b8da323cfc70b1fbad40f51efbf45e18fe3bdfb409945e),
                keccak256(bytes(id)),
                keccak256(secret),
                keccak256(ROOT),
                nonce,
                fee,
                USER
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked("\x19\x01", domain, message)));
        return VerifierInput(id, secret, ROOT, nonce, abi.encodePacked(r, s, v), fee, USER);
    }

    receive() external payable {}
}
