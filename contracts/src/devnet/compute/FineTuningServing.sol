// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import {IServing, Owned} from "./IServing.sol";

interface ILedger {
    function spendFund(address user, uint256 amount) external;
}

struct Quota {
    uint256 cpuCount;
    uint256 nodeMemory;
    uint256 gpuCount;
    uint256 nodeStorage;
    string gpuType;
}

struct Service {
    address provider;
    string url;
    Quota quota;
    uint256 pricePerToken;
    bool occupied;
    string[] models;
    address teeSignerAddress;
    bool teeSignerAcknowledged;
}

struct Refund {
    uint256 index;
    uint256 amount;
    uint256 createdAt;
    bool processed;
}

struct Deliverable {
    string id;
    bytes modelRootHash;
    bytes encryptedSecret;
    bool acknowledged;
    uint248 timestamp;
    bool settled;
}

struct AccountDetails {
    address user;
    address provider;
    uint256 nonce;
    uint256 balance;
    uint256 pendingRefund;
    Refund[] refunds;
    string additionalInfo;
    Deliverable[] deliverables;
    uint256 validRefundsLength;
    uint256 deliverablesHead;
    uint256 deliverablesCount;
    bool acknowledged;
}

struct AccountSummary {
    address user;
    address provider;
    uint256 nonce;
    uint256 balance;
    uint256 pendingRefund;
    string additionalInfo;
    uint256 validRefundsLength;
    uint256 deliverablesCount;
    bool acknowledged;
}

struct VerifierInput {
    string id;
    bytes encryptedSecret;
    bytes modelRootHash;
    uint256 nonce;
    bytes signature;
    uint256 taskFee;
    address user;
}

/// @title 0G Compute's fine-tuning contract for the local network
/// @notice Functions, structs, events, errors and order of checks of the FineTuningServing on 0G's networks
/// (v1.0/v1.1), so that official clients and providers work with it. Never deploy it where money has value.
contract FineTuningServing is Owned, IServing {
    using EnumerableSet for EnumerableSet.AddressSet;
    using EnumerableSet for EnumerableSet.Bytes32Set;

    error AccountExists(address user, address provider);
    error AccountNotExists(address user, address provider);
    error AdditionalInfoTooLong();
    error BatchSizeTooLarge(uint256 size, uint256 maximum);
    error CallerNotLedger();
    error CannotAbandonSettledDeliverable(string id);
    error CannotAcknowledgeSettledDeliverable(string id);
    error CannotAddStakeWhenUpdating();
    error CannotEvictUnsettledDeliverable(string id);
    error CannotRevokeWithNonZeroBalance(address user, address provider, uint256 balance);
    error DeliverableAlreadyExists(string id);
    error DeliverableAlreadySettled(string id);
    error DeliverableIdInvalidLength(uint256 length);
    error DeliverableNotExists(string id);
    error DirectDepositsDisabled();
    error ETHTransferFailed();
    error InsufficientStake(uint256 provided, uint256 required);
    error InvalidLedgerAddress();
    error InvalidVerifierInput(string reason);
    error LimitTooLarge(uint256 limit);
    error LockTimeOutOfRange(uint256 lockTime);
    error PenaltyPercentageTooHigh(uint256 percentage);
    error PreviousDeliverableNotAcknowledged(string id);
    error SecretShouldBeEmpty();
    error SecretShouldNotBeEmpty();
    error ServiceNotExist(address provider);
    error TooManyRefunds(address user, address provider);
    error TransferToLedgerFailed();

    event AccountDeleted(address indexed user, address indexed provider, uint256 refundedAmount);
    event BalanceUpdated(address indexed user, address indexed provider, uint256 amount, uint256 pendingRefund);
    event DeliverableAbandoned(address indexed user, address indexed provider, string deliverableId, uint256 timestamp);
    event DeliverableAcknowledged(
        address indexed user, address indexed provider, string deliverableId, uint256 timestamp
    );
    event DeliverableAdded(
        address indexed user, address indexed provider, string deliverableId, bytes modelRootHash, uint256 timestamp
    );
    event DeliverableEvicted(
        address indexed provider,
        address indexed user,
        string evictedDeliverableId,
        string newDeliverableId,
        uint256 timestamp
    );
    event FeesSettled(
        address indexed user,
        address indexed provider,
        string deliverableId,
        uint256 fee,
        bool acknowledged,
        uint256 nonce
    );
    event LockTimeUpdated(uint256 oldLockTime, uint256 newLockTime);
    event ProviderStaked(address indexed provider, uint256 amount);
    event ProviderStakeReturned(address indexed provider, uint256 amount);
    event ProviderTEESignerAcknowledged(address indexed provider, address indexed teeSignerAddress, bool acknowledged);
    event RefundRequested(address indexed user, address indexed provider, uint256 indexed index, uint256 timestamp);
    event ServiceRemoved(address indexed provider);
    event ServiceUpdated(
        address indexed provider,
        string url,
        Quota quota,
        uint256 pricePerToken,
        address teeSignerAddress,
        bool occupied
    );

    struct Account {
        bool exists;
        bool acknowledged;
        address user;
        address provider;
        uint256 nonce;
        uint256 balance;
        uint256 pendingRefund;
        string additionalInfo;
        Refund[] refunds;
        Deliverable[] ring; // at most 20; when full, the oldest is at `head`
        uint256 head;
    }

    uint256 public constant MIN_LOCKTIME = 1 hours;
    uint256 public constant MAX_LOCKTIME = 7 days;
    uint256 public constant MIN_PROVIDER_STAKE = 100 ether;
    uint256 private constant MAX_REFUNDS = 5;
    uint256 private constant MAX_DELIVERABLES = 20;
    uint256 private constant MAX_PAGE = 50;
    uint256 private constant MAX_INFO = 4096;
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant MESSAGE_TYPE = keccak256(
        "VerifierMessage(string id,bytes encryptedSecret,bytes modelRootHash,uint256 nonce,uint256 taskFee,address user)"
    );

    address public ledgerAddress;
    uint256 public lockTime;
    uint256 public penaltyPercentage;
    // As published, a deliverable that was settled without the user's acknowledgement blocks every later one for
    // good; what runs on the networks seems to let the next one in. False: as published.
    bool private immutable RELAXED;

    mapping(address provider => Service) private _services;
    mapping(address provider => uint256) private _stakes;
    EnumerableSet.AddressSet private _providers;
    mapping(bytes32 key => Account) private _accounts;
    EnumerableSet.Bytes32Set private _keys;
    mapping(address provider => EnumerableSet.Bytes32Set) private _keysOfProvider;
    mapping(address user => EnumerableSet.Bytes32Set) private _keysOfUser;

    modifier onlyLedger() {
        if (msg.sender != ledgerAddress) revert CallerNotLedger();
        _;
    }

    constructor(bool relaxed) {
        RELAXED = relaxed;
    }

    function initialize(uint256 lockTime_, address ledger, address owner_, uint256 penaltyPercentage_) external {
        _initialize(owner_);
        if (ledger == address(0)) revert InvalidLedgerAddress();
        ledgerAddress = ledger;
        _setLockTime(lockTime_);
        _setPenalty(penaltyPercentage_);
    }

    receive() external payable {
        revert DirectDepositsDisabled();
    }

    // --- the owner (0G) ---------------------------------------------------------------------

    function updateLockTime(uint256 lockTime_) external onlyOwner {
        _setLockTime(lockTime_);
    }

    function updatePenaltyPercentage(uint256 percentage) external onlyOwner {
        _setPenalty(percentage);
    }

    function acknowledgeTEESignerByOwner(address provider) external onlyOwner {
        _setSignerAcknowledged(provider, true);
    }

    function revokeTEESignerAcknowledgement(address provider) external onlyOwner {
        _setSignerAcknowledged(provider, false);
    }

    // --- providers --------------------------------------------------------------------------

    function addOrUpdateService(
        string memory url,
        Quota memory quota,
        uint256 pricePerToken,
        bool occupied,
        string[] memory models,
        address teeSignerAddress
    ) external payable {
        bool known = _providers.contains(msg.sender);
        Service storage service = _services[msg.sender];
        if (known && msg.value != 0) revert CannotAddStakeWhenUpdating();
        if (!known) {
            if (msg.value < MIN_PROVIDER_STAKE) revert InsufficientStake(msg.value, MIN_PROVIDER_STAKE);
            _providers.add(msg.sender);
            _stakes[msg.sender] = msg.value;
            emit ProviderStaked(msg.sender, msg.value);
        }
        bool sameSigner = known && service.teeSignerAddress == teeSignerAddress;
        service.provider = msg.sender;
        service.url = url;
        service.quota = quota;
        service.pricePerToken = pricePerToken;
        service.occupied = occupied;
        service.models = models;
        service.teeSignerAddress = teeSignerAddress;
        service.teeSignerAcknowledged = sameSigner && service.teeSignerAcknowledged;
        emit ServiceUpdated(msg.sender, url, quota, pricePerToken, teeSignerAddress, occupied);
    }

    function removeService() external {
        _service(msg.sender);
        uint256 stake = _stakes[msg.sender];
        _providers.remove(msg.sender);
        delete _services[msg.sender];
        delete _stakes[msg.sender];
        emit ServiceRemoved(msg.sender);
        _pay(msg.sender, stake);
        emit ProviderStakeReturned(msg.sender, stake);
    }

    function addDeliverable(address user, string memory id, bytes memory modelRootHash) external {
        uint256 length = bytes(id).length;
        if (length == 0 || length > 256) revert DeliverableIdInvalidLength(length);
        Account storage account = _account(user, msg.sender);
        if (_find(account, id) != type(uint256).max) revert DeliverableAlreadyExists(id);
        uint256 count = account.ring.length;
        if (count != 0) {
            Deliverable storage latest = account.ring[(account.head + count - 1) % count];
            bool done = latest.acknowledged || (RELAXED && latest.settled);
            if (!done) revert PreviousDeliverableNotAcknowledged(latest.id);
        }
        Deliverable memory added = Deliverable(id, modelRootHash, "", false, uint248(block.timestamp), false);
        if (count < MAX_DELIVERABLES) {
            account.ring.push(added);
        } else {
            Deliverable storage oldest = account.ring[account.head];
            if (!oldest.settled) revert CannotEvictUnsettledDeliverable(oldest.id);
            emit DeliverableEvicted(msg.sender, user, oldest.id, id, block.timestamp);
            account.ring[account.head] = added;
            account.head = (account.head + 1) % MAX_DELIVERABLES;
        }
        emit DeliverableAdded(user, msg.sender, id, modelRootHash, block.timestamp);
    }

    /// @notice The provider gives up a task: no fee, and the user's next one may come.
    function abandonDeliverable(address user, string memory id) external {
        Deliverable storage deliverable = _deliverable(_account(user, msg.sender), id);
        if (deliverable.settled) revert CannotAbandonSettledDeliverable(id);
        deliverable.acknowledged = true;
        deliverable.settled = true;
        emit DeliverableAbandoned(user, msg.sender, id, block.timestamp);
    }

    function settleFees(VerifierInput memory input) external {
        Account storage account = _account(input.user, msg.sender);
        Service storage service = _services[msg.sender];
        if (!account.acknowledged || !service.teeSignerAcknowledged || service.teeSignerAddress == address(0)) {
            revert InvalidVerifierInput("TEE signer not acknowledged");
        }
        if (account.nonce >= input.nonce) revert InvalidVerifierInput("nonce too low");
        if (account.balance < input.taskFee) revert InvalidVerifierInput("insufficient balance");
        Deliverable storage deliverable = _deliverable(account, input.id);
        if (deliverable.settled) revert DeliverableAlreadySettled(input.id);
        if (keccak256(deliverable.modelRootHash) != keccak256(input.modelRootHash)) {
            revert InvalidVerifierInput("model root hash mismatch");
        }
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecover(_digest(input), input.signature);
        if (failure != ECDSA.RecoverError.NoError || signer != service.teeSignerAddress) {
            revert InvalidVerifierInput("invalid TEE signature");
        }
        uint256 fee = input.taskFee;
        if (deliverable.acknowledged) {
            if (input.encryptedSecret.length == 0) revert SecretShouldNotBeEmpty();
            deliverable.encryptedSecret = input.encryptedSecret;
        } else {
            if (input.encryptedSecret.length != 0) revert SecretShouldBeEmpty();
            fee = fee * penaltyPercentage / 100;
        }
        account.nonce = input.nonce;
        deliverable.settled = true;
        emit FeesSettled(input.user, msg.sender, input.id, fee, deliverable.acknowledged, input.nonce);
        _spend(account, fee);
    }

    // --- users ------------------------------------------------------------------------------

    function acknowledgeTEESigner(address provider, bool acknowledged) external {
        Account storage account = _account(msg.sender, provider);
        if (!acknowledged && account.balance != 0) {
            revert CannotRevokeWithNonZeroBalance(msg.sender, provider, account.balance);
        }
        account.acknowledged = acknowledged;
    }

    function acknowledgeDeliverable(address provider, string memory id) external {
        Deliverable storage deliverable = _deliverable(_account(msg.sender, provider), id);
        if (deliverable.settled) revert CannotAcknowledgeSettledDeliverable(id);
        deliverable.acknowledged = true;
        emit DeliverableAcknowledged(msg.sender, provider, id, block.timestamp);
    }

    // --- the ledger -------------------------------------------------------------------------

    function addAccount(address user, address provider, string memory additionalInfo) external payable onlyLedger {
        bytes32 key = _key(user, provider);
        if (bytes(additionalInfo).length > MAX_INFO) revert AdditionalInfoTooLong();
        Account storage account = _accounts[key];
        if (account.exists) revert AccountExists(user, provider);
        account.exists = true;
        account.user = user;
        account.provider = provider;
        account.balance = msg.value;
        account.additionalInfo = additionalInfo;
        account.acknowledged = true;
        _keys.add(key);
        _keysOfProvider[provider].add(key);
        _keysOfUser[user].add(key);
        emit BalanceUpdated(user, provider, msg.value, 0);
    }

    function depositFund(address user, address provider, uint256 cancelRetrievingAmount) external payable onlyLedger {
        Account storage account = _account(user, provider);
        _cancelRefunds(account, cancelRetrievingAmount);
        account.balance += msg.value;
        account.acknowledged = true;
        emit BalanceUpdated(user, provider, account.balance, account.pendingRefund);
    }

    function requestRefundAll(address user, address provider) external onlyLedger {
        Account storage account = _account(user, provider);
        uint256 free = account.balance - account.pendingRefund;
        if (free == 0) return;
        uint256 index = account.refunds.length;
        if (index >= MAX_REFUNDS) revert TooManyRefunds(user, provider);
        account.refunds.push(Refund(index, free, block.timestamp, false));
        account.pendingRefund += free;
        emit RefundRequested(user, provider, index, block.timestamp);
    }

    function processRefund(address user, address provider)
        external
        onlyLedger
        returns (uint256 totalAmount, uint256 balance, uint256 pendingRefund)
    {
        Account storage account = _account(user, provider);
        uint256 kept = 0;
        for (uint256 i = 0; i < account.refunds.length; ++i) {
            Refund memory refund = account.refunds[i];
            if (refund.createdAt + lockTime <= block.timestamp) {
                totalAmount += refund.amount;
            } else {
                refund.index = kept;
                account.refunds[kept++] = refund;
            }
        }
        while (account.refunds.length > kept) account.refunds.pop();
        account.balance -= totalAmount;
        account.pendingRefund -= totalAmount;
        (balance, pendingRefund) = (account.balance, account.pendingRefund);
        emit BalanceUpdated(user, provider, balance, pendingRefund);
        _toLedger(totalAmount);
    }

    /// @notice The nonce stays, so that an old task is never accepted again.
    function deleteAccount(address user, address provider) external onlyLedger {
        bytes32 key = _key(user, provider);
        Account storage account = _accounts[key];
        if (!account.exists) return;
        (uint256 balance, uint256 nonce) = (account.balance, account.nonce);
        delete _accounts[key];
        _accounts[key].nonce = nonce;
        _keys.remove(key);
        _keysOfProvider[provider].remove(key);
        _keysOfUser[user].remove(key);
        emit AccountDeleted(user, provider, balance);
        _toLedger(balance);
    }

    // --- reads ------------------------------------------------------------------------------

    function getAllServices() external view returns (Service[] memory services) {
        services = new Service[](_providers.length());
        for (uint256 i = 0; i < services.length; ++i) {
            services[i] = _services[_providers.at(i)];
        }
    }

    function getService(address provider) external view returns (Service memory) {
        return _service(provider);
    }

    function accountExists(address user, address provider) external view returns (bool) {
        return _accounts[_key(user, provider)].exists;
    }

    function getPendingRefund(address user, address provider) external view returns (uint256) {
        return _account(user, provider).pendingRefund;
    }

    function getAccount(address user, address provider) external view returns (AccountDetails memory) {
        Account storage a = _account(user, provider);
        return AccountDetails(
            a.user,
            a.provider,
            a.nonce,
            a.balance,
            a.pendingRefund,
            a.refunds,
            a.additionalInfo,
            a.ring,
            a.refunds.length,
            a.head,
            a.ring.length,
            a.acknowledged
        );
    }

    function getDeliverable(address user, address provider, string memory id)
        external
        view
        returns (Deliverable memory)
    {
        return _deliverable(_account(user, provider), id);
    }

    /// @notice Oldest first.
    function getDeliverables(address user, address provider) external view returns (Deliverable[] memory list) {
        Account storage account = _account(user, provider);
        uint256 count = account.ring.length;
        list = new Deliverable[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = account.ring[(account.head + i) % count];
        }
    }

    function getAllAccounts(uint256 offset, uint256 limit) external view returns (AccountSummary[] memory, uint256) {
        return _page(_keys, offset, limit);
    }

    function getAccountsByProvider(address provider, uint256 offset, uint256 limit)
        external
        view
        returns (AccountSummary[] memory, uint256)
    {
        return _page(_keysOfProvider[provider], offset, limit);
    }

    function getAccountsByUser(address user, uint256 offset, uint256 limit)
        external
        view
        returns (AccountSummary[] memory, uint256)
    {
        return _page(_keysOfUser[user], offset, limit);
    }

    /// @notice Of the calling provider; users without an account appear with zeros.
    function getBatchAccountsByUsers(address[] memory users) external view returns (AccountSummary[] memory list) {
        if (users.length > MAX_PAGE * 10) revert BatchSizeTooLarge(users.length, MAX_PAGE * 10);
        list = new AccountSummary[](users.length);
        for (uint256 i = 0; i < users.length; ++i) {
            list[i] = _summary(_accounts[_key(users[i], msg.sender)]);
        }
    }

    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IServing).interfaceId || interfaceId == this.supportsInterface.selector;
    }

    // --- inner ------------------------------------------------------------------------------

    function _key(address user, address provider) private pure returns (bytes32) {
        return keccak256(abi.encode(user, provider));
    }

    function _account(address user, address provider) private view returns (Account storage account) {
        account = _accounts[_key(user, provider)];
        if (!account.exists) revert AccountNotExists(user, provider);
    }

    function _service(address provider) private view returns (Service storage) {
        if (!_providers.contains(provider)) revert ServiceNotExist(provider);
        return _services[provider];
    }

    function _find(Account storage account, string memory id) private view returns (uint256) {
        bytes32 wanted = keccak256(bytes(id));
        for (uint256 i = 0; i < account.ring.length; ++i) {
            if (keccak256(bytes(account.ring[i].id)) == wanted) return i;
        }
        return type(uint256).max;
    }

    function _deliverable(Account storage account, string memory id) private view returns (Deliverable storage) {
        uint256 at = _find(account, id);
        if (at == type(uint256).max) revert DeliverableNotExists(id);
        return account.ring[at];
    }

    function _setLockTime(uint256 value) private {
        if (value < MIN_LOCKTIME || value > MAX_LOCKTIME) revert LockTimeOutOfRange(value);
        emit LockTimeUpdated(lockTime, value);
        lockTime = value;
    }

    function _setPenalty(uint256 percentage) private {
        if (percentage > 100) revert PenaltyPercentageTooHigh(percentage);
        penaltyPercentage = percentage;
    }

    function _setSignerAcknowledged(address provider, bool acknowledged) private {
        Service storage service = _service(provider);
        service.teeSignerAcknowledged = acknowledged;
        emit ProviderTEESignerAcknowledged(provider, service.teeSignerAddress, acknowledged);
    }

    function _digest(VerifierInput memory input) private view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(DOMAIN_TYPE, keccak256("0G Fine-Tuning Serving"), keccak256("1"), block.chainid, address(this))
        );
        bytes32 message = keccak256(
            abi.encode(
                MESSAGE_TYPE,
                keccak256(bytes(input.id)),
                keccak256(input.encryptedSecret),
                keccak256(input.modelRootHash),
                input.nonce,
                input.taskFee,
                input.user
            )
        );
        return keccak256(abi.encodePacked("\x19\x01", domain, message));
    }

    /// @dev Money that is asked back pays too where the rest does not suffice.
    function _spend(Account storage account, uint256 fee) private {
        uint256 free = account.balance - account.pendingRefund;
        if (fee > free) _cancelRefunds(account, fee - free);
        account.balance -= fee;
        emit BalanceUpdated(account.user, account.provider, account.balance, account.pendingRefund);
        ILedger(ledgerAddress).spendFund(account.user, fee);
        _pay(account.provider, fee);
    }

    /// @dev The newest requests go first, the last of them in part.
    function _cancelRefunds(Account storage account, uint256 amount) private {
        account.pendingRefund -= amount;
        while (amount != 0) {
            Refund storage newest = account.refunds[account.refunds.length - 1];
            if (newest.amount > amount) {
                newest.amount -= amount;
                return;
            }
            amount -= newest.amount;
            account.refunds.pop();
        }
    }

    function _pay(address to, uint256 amount) private {
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert ETHTransferFailed();
    }

    function _toLedger(uint256 amount) private {
        if (amount == 0) return;
        (bool ok,) = ledgerAddress.call{value: amount}("");
        if (!ok) revert TransferToLedgerFailed();
    }

    function _page(EnumerableSet.Bytes32Set storage keys, uint256 offset, uint256 limit)
        private
        view
        returns (AccountSummary[] memory list, uint256 total)
    {
        if (limit > MAX_PAGE) revert LimitTooLarge(limit);
        total = keys.length();
        uint256 count = offset >= total ? 0 : total - offset;
        uint256 most = limit == 0 ? MAX_PAGE : limit;
        if (count > most) count = most;
        list = new AccountSummary[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = _summary(_accounts[keys.at(offset + i)]);
        }
    }

    function _summary(Account storage a) private view returns (AccountSummary memory) {
        return AccountSummary(
            a.user,
            a.provider,
            a.nonce,
            a.balance,
            a.pendingRefund,
            a.additionalInfo,
            a.refunds.length,
            a.ring.length,
            a.acknowledged
        );
    }
}
