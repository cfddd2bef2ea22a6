// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import {IServing, Owned} from "./IServing.sol";

struct ServiceParams {
    string serviceType;
    string url;
    string model;
    string verifiability;
    uint256 inputPrice;
    uint256 outputPrice;
    string additionalInfo;
    address teeSignerAddress;
}

struct InferenceService {
    address provider;
    string serviceType;
    string url;
    uint256 inputPrice;
    uint256 outputPrice;
    uint256 updatedAt;
    string model;
    string verifiability;
    string additionalInfo;
    address teeSignerAddress;
    bool teeSignerAcknowledged;
}

struct InferenceRefund {
    uint256 index;
    uint256 amount;
    uint256 createdAt;
    bool processed;
}

struct InferenceAccount {
    address user;
    address provider;
    uint256 nonce;
    uint256 balance;
    uint256 pendingRefund;
    InferenceRefund[] refunds;
    string additionalInfo;
    bool acknowledged;
    uint256 validRefundsLength;
    uint256 generation;
    uint256 revokedBitmap;
}

/// @title 0G Compute's inference contract for the local network
/// @notice What clients of inference ask of the InferenceServing on 0G's networks, with its selectors, structs and
/// errors: services, sub-accounts, session tokens. Nothing is charged: a provider's settlements are not there. Never
/// deploy it where money has value.
contract InferenceServing is Owned, IServing {
    using EnumerableSet for EnumerableSet.AddressSet;

    error AccountExists(address user, address provider);
    error AccountNotExists(address user, address provider);
    error AdditionalInfoTooLong();
    error CallerNotLedger(address caller);
    error CannotAddStakeWhenUpdating();
    error CannotRevokeWithNonZeroBalance(address user, address provider, uint256 balance);
    error DirectDepositsDisabled();
    error InsufficientStake(uint256 provided, uint256 required);
    error InvalidAddress(address given);
    error LimitTooLarge(uint256 limit, uint256 maximum);
    error LockTimeOutOfRange(uint256 lockTime, uint256 minimum, uint256 maximum);
    error ServiceNotExist(address provider);
    error TooManyRefunds(address user, address provider);
    error TransferFailed();

    event AccountDeleted(address indexed user, address indexed provider, uint256 refundedAmount);
    event AllTokensRevoked(address indexed user, address indexed provider, uint256 newGeneration);
    event BalanceUpdated(address indexed user, address indexed provider, uint256 amount, uint256 pendingRefund);
    event ProviderStaked(address indexed provider, uint256 amount);
    event ProviderStakeReturned(address indexed provider, uint256 amount);
    event ProviderTEESignerAcknowledged(address indexed provider, address indexed teeSignerAddress, bool acknowledged);
    event RefundRequested(address indexed user, address indexed provider, uint256 indexed index, uint256 timestamp);
    event ServiceRemoved(address indexed service);
    event ServiceUpdated(
        address indexed service,
        string serviceType,
        string url,
        uint256 inputPrice,
        uint256 outputPrice,
        uint256 updatedAt,
        string model,
        string verifiability
    );
    event TokenRevoked(address indexed user, address indexed provider, uint8 tokenId);

    uint256 public constant MIN_LOCKTIME = 1 hours;
    uint256 public constant MAX_LOCKTIME = 7 days;
    uint256 public constant MIN_PROVIDER_STAKE = 100 ether;
    uint256 private constant MAX_REFUNDS = 5;
    uint256 private constant MAX_PAGE = 50;
    uint256 private constant MAX_INFO = 4096;

    address public ledgerAddress;
    uint256 public lockTime;

    mapping(address provider => InferenceService) private _services;
    mapping(address provider => uint256) private _stakes;
    EnumerableSet.AddressSet private _providers;
    mapping(address user => mapping(address provider => InferenceAccount)) private _accounts;

    modifier onlyLedger() {
        if (msg.sender != ledgerAddress) revert CallerNotLedger(msg.sender);
        _;
    }

    function initialize(uint256 lockTime_, address ledger, address owner_) external {
        _initialize(owner_);
        if (ledger == address(0)) revert InvalidAddress(ledger);
        if (lockTime_ < MIN_LOCKTIME || lockTime_ > MAX_LOCKTIME) {
            revert LockTimeOutOfRange(lockTime_, MIN_LOCKTIME, MAX_LOCKTIME);
        }
        ledgerAddress = ledger;
        lockTime = lockTime_;
    }

    receive() external payable {
        revert DirectDepositsDisabled();
    }

    // --- services ---------------------------------------------------------------------------

    function addOrUpdateService(ServiceParams calldata params) external payable {
        bool known = _providers.contains(msg.sender);
        if (known && msg.value != 0) revert CannotAddStakeWhenUpdating();
        if (!known) {
            if (msg.value < MIN_PROVIDER_STAKE) revert InsufficientStake(msg.value, MIN_PROVIDER_STAKE);
            _providers.add(msg.sender);
            _stakes[msg.sender] = msg.value;
            emit ProviderStaked(msg.sender, msg.value);
        }
        InferenceService storage service = _services[msg.sender];
        bool sameSigner = known && service.teeSignerAddress == params.teeSignerAddress;
        service.provider = msg.sender;
        service.serviceType = params.serviceType;
        service.url = params.url;
        service.inputPrice = params.inputPrice;
        service.outputPrice = params.outputPrice;
        service.updatedAt = block.timestamp;
        service.model = params.model;
        service.verifiability = params.verifiability;
        service.additionalInfo = params.additionalInfo;
        service.teeSignerAddress = params.teeSignerAddress;
        service.teeSignerAcknowledged = sameSigner && service.teeSignerAcknowledged;
        emit ServiceUpdated(
            msg.sender,
            params.serviceType,
            params.url,
            params.inputPrice,
            params.outputPrice,
            block.timestamp,
            params.model,
            params.verifiability
        );
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

    function acknowledgeTEESignerByOwner(address provider) external onlyOwner {
        _setSignerAcknowledged(provider, true);
    }

    function revokeTEESignerAcknowledgement(address provider) external onlyOwner {
        _setSignerAcknowledged(provider, false);
    }

    function serviceExists(address provider) external view returns (bool) {
        return _providers.contains(provider);
    }

    function getService(address provider) external view returns (InferenceService memory) {
        return _service(provider);
    }

    function getAllServices(uint256 offset, uint256 limit)
        external
        view
        returns (InferenceService[] memory services, uint256 total)
    {
        if (limit > MAX_PAGE) revert LimitTooLarge(limit, MAX_PAGE);
        total = _providers.length();
        if (limit == 0) limit = MAX_PAGE;
        uint256 end = offset + limit < total ? offset + limit : total;
        if (offset >= end) return (services, total);
        services = new InferenceService[](end - offset);
        for (uint256 i = offset; i < end; ++i) {
            services[i - offset] = _services[_providers.at(i)];
        }
    }

    // --- users ------------------------------------------------------------------------------

    function acknowledgeTEESigner(address provider, bool acknowledged) external {
        InferenceAccount storage account = _account(msg.sender, provider);
        if (!acknowledged && account.balance != 0) {
            revert CannotRevokeWithNonZeroBalance(msg.sender, provider, account.balance);
        }
        account.acknowledged = acknowledged;
    }

    /// @notice An API key (0 to 254) is void from now on.
    function revokeToken(address provider, uint8 tokenId) external {
        _account(msg.sender, provider).revokedBitmap |= uint256(1) << tokenId;
        emit TokenRevoked(msg.sender, provider, tokenId);
    }

    /// @notice All tokens of earlier generations are void, ephemeral ones too.
    function revokeAllTokens(address provider) external {
        InferenceAccount storage account = _account(msg.sender, provider);
        account.generation += 1;
        account.revokedBitmap = 0;
        emit AllTokensRevoked(msg.sender, provider, account.generation);
    }

    function isTokenRevoked(address user, address provider, uint8 tokenId) external view returns (bool) {
        return _account(user, provider).revokedBitmap >> tokenId & 1 == 1;
    }

    function accountExists(address user, address provider) external view returns (bool) {
        return _accounts[user][provider].user != address(0);
    }

    function getAccount(address user, address provider) external view returns (InferenceAccount memory account) {
        account = _account(user, provider);
        account.validRefundsLength = account.refunds.length;
    }

    function getPendingRefund(address user, address provider) external view returns (uint256) {
        return _account(user, provider).pendingRefund;
    }

    // --- the ledger -------------------------------------------------------------------------

    function addAccount(address user, address provider, string memory additionalInfo) external payable onlyLedger {
        if (bytes(additionalInfo).length > MAX_INFO) revert AdditionalInfoTooLong();
        InferenceAccount storage account = _accounts[user][provider];
        if (account.user != address(0)) revert AccountExists(user, provider);
        account.user = user;
        account.provider = provider;
        account.balance = msg.value;
        account.additionalInfo = additionalInfo;
        account.acknowledged = true;
        emit BalanceUpdated(user, provider, msg.value, 0);
    }

    /// @notice What is being asked back is taken first, newest first.
    function depositFund(address user, address provider, uint256 cancelRetrievingAmount) external payable onlyLedger {
        InferenceAccount storage account = _account(user, provider);
        uint256 left = cancelRetrievingAmount;
        for (uint256 i = account.refunds.length; i != 0 && left != 0; --i) {
            InferenceRefund storage refund = account.refunds[i - 1];
            uint256 part = refund.amount < left ? refund.amount : left;
            refund.amount -= part;
            left -= part;
            if (refund.amount == 0) account.refunds.pop();
        }
        account.pendingRefund -= cancelRetrievingAmount - left;
        account.balance += msg.value;
        account.acknowledged = true;
        emit BalanceUpdated(user, provider, account.balance, account.pendingRefund);
    }

    function requestRefundAll(address user, address provider) external onlyLedger {
        InferenceAccount storage account = _account(user, provider);
        uint256 free = account.balance - account.pendingRefund;
        if (free == 0) return;
        uint256 index = account.refunds.length;
        if (index >= MAX_REFUNDS) revert TooManyRefunds(user, provider);
        account.refunds.push(InferenceRefund(index, free, block.timestamp, false));
        account.pendingRefund += free;
        emit RefundRequested(user, provider, index, block.timestamp);
    }

    function processRefund(address user, address provider)
        external
        onlyLedger
        returns (uint256 totalAmount, uint256 balance, uint256 pendingRefund)
    {
        InferenceAccount storage account = _account(user, provider);
        uint256 kept = 0;
        for (uint256 i = 0; i < account.refunds.length; ++i) {
            InferenceRefund memory refund = account.refunds[i];
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
        balance = account.balance;
        pendingRefund = account.pendingRefund;
        emit BalanceUpdated(user, provider, balance, pendingRefund);
        if (totalAmount != 0) _pay(ledgerAddress, totalAmount);
    }

    function deleteAccount(address user, address provider) external onlyLedger {
        if (_accounts[user][provider].user == address(0)) return;
        uint256 balance = _accounts[user][provider].balance;
        delete _accounts[user][provider];
        emit AccountDeleted(user, provider, balance);
        if (balance != 0) _pay(ledgerAddress, balance);
    }

    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IServing).interfaceId || interfaceId == 0x01ffc9a7;
    }

    // --- inside -----------------------------------------------------------------------------

    function _setSignerAcknowledged(address provider, bool acknowledged) private {
        InferenceService storage service = _service(provider);
        service.teeSignerAcknowledged = acknowledged;
        emit ProviderTEESignerAcknowledged(provider, service.teeSignerAddress, acknowledged);
    }

    function _service(address provider) private view returns (InferenceService storage) {
        if (!_providers.contains(provider)) revert ServiceNotExist(provider);
        return _services[provider];
    }

    function _account(address user, address provider) private view returns (InferenceAccount storage account) {
        account = _accounts[user][provider];
        if (account.user == address(0)) revert AccountNotExists(user, provider);
    }

    function _pay(address to, uint256 amount) private {
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert TransferFailed();
    }
}
