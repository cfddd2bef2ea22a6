// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import {IServing, Owned} from "./IServing.sol";

struct Ledger {
    address user;
    uint256 availableBalance;
    uint256 totalBalance;
    string additionalInfo;
}

struct ServiceInfo {
    address serviceAddress;
    address serviceContract;
    string serviceType;
    string version;
    string fullName;
    string description;
    bool isRecommended;
    uint256 registeredAt;
}

/// @title 0G Compute's ledger for the local network
/// @notice Functions, events and errors of the LedgerManager on 0G's networks, so that official clients work with
/// it: a user's money, and its way into sub-accounts at providers and back. Limits that the networks' sources do not
/// publish are chosen here. Never deploy it where money has value.
contract LedgerManager is Owned {
    using EnumerableSet for EnumerableSet.AddressSet;

    error AdditionalInfoTooLong(uint256 length, uint256 maximum);
    error CallerNotRegisteredService(address caller);
    error CallFailed();
    error DirectDepositsDisabled();
    error InsufficientAvailableBalance(uint256 available, uint256 requested);
    error InsufficientBalance(address user);
    error InvalidServiceAddress(address service);
    error InvalidServiceType(string serviceType);
    error LedgerExists(address user);
    error LedgerLocked();
    error LedgerNotExists(address user);
    error MinimumDepositRequired(uint256 provided, uint256 required);
    error MustWithdrawAllFundsFirst(uint256 balance);
    error NoRecommendedService(string serviceType);
    error ServiceAlreadyRegistered(address service);
    error ServiceMustImplementIServing(address service);
    error ServiceNameExists(string name);
    error ServiceNotFound(address service);
    error ServiceNotRegistered(address service);
    error ServiceRegistryLimitReached(uint256 maximum);
    error ServiceTypeRequired();
    error TooManyProviders(uint256 provided, uint256 maximum);
    error TooManyProvidersForService(uint256 provided, uint256 maximum);
    error TransferFailed();
    error VersionRequired();
    error ZeroAddressNotAllowed();
    error ZeroAmountNotAllowed();

    event FundSpent(address indexed user, address indexed service, uint256 amount);
    event LedgerInfoUpdated(address indexed user, string additionalInfo);
    event RecommendedServiceUpdated(string serviceType, string version, address serviceAddress);
    event ServiceRegistered(address indexed serviceAddress, string serviceName);

    uint256 public constant MAX_ADDITIONAL_INFO_LENGTH = 4096;
    uint256 public constant MAX_PROVIDERS_PER_BATCH = 20;
    uint256 public constant MAX_PROVIDERS_PER_USER_PER_SERVICE = 50;
    uint256 public constant MAX_SERVICES = 50;
    // The networks differ in these two, so clients must ask.
    // solhint-disable-next-line var-name-mixedcase
    uint256 public immutable MIN_ACCOUNT_BALANCE;
    // solhint-disable-next-line var-name-mixedcase
    uint256 public immutable MIN_TRANSFER_AMOUNT;

    mapping(address user => Ledger) private _ledgers;
    EnumerableSet.AddressSet private _users;
    mapping(address service => ServiceInfo) private _services;
    EnumerableSet.AddressSet private _serviceAddresses;
    mapping(string fullName => address) private _byName;
    mapping(string serviceType => address) private _recommended;
    mapping(address user => mapping(address service => EnumerableSet.AddressSet)) private _providers;

    constructor(uint256 minAccountBalance, uint256 minTransferAmount) {
        MIN_ACCOUNT_BALANCE = minAccountBalance;
        MIN_TRANSFER_AMOUNT = minTransferAmount;
    }

    function initialize(address owner_) external {
        _initialize(owner_);
    }

    /// @notice Money comes back from services only.
    receive() external payable {
        if (!_serviceAddresses.contains(msg.sender)) revert DirectDepositsDisabled();
    }

    // --- a user's own money -----------------------------------------------------------------

    function addLedger(string memory additionalInfo) external payable returns (uint256, uint256) {
        if (_users.contains(msg.sender)) revert LedgerExists(msg.sender);
        _checkInfo(additionalInfo);
        _create(msg.sender, additionalInfo);
        return (msg.value, msg.value);
    }

    function depositFund() external payable {
        _deposit(msg.sender);
    }

    function depositFundFor(address recipient) external payable {
        if (recipient == address(0)) revert ZeroAddressNotAllowed();
        _deposit(recipient);
    }

    /// @notice What is left is nothing, or enough for a ledger.
    function refund(uint256 amount) external {
        Ledger storage ledger = _ledger(msg.sender);
        if (amount == 0) revert ZeroAmountNotAllowed();
        if (amount > ledger.availableBalance) revert InsufficientBalance(msg.sender);
        uint256 left = ledger.totalBalance - amount;
        if (left != 0 && left < MIN_ACCOUNT_BALANCE) revert MinimumDepositRequired(left, MIN_ACCOUNT_BALANCE);
        ledger.availableBalance -= amount;
        ledger.totalBalance = left;
        (bool ok,) = msg.sender.call{value: amount}("");
        if (!ok) revert TransferFailed();
    }

    function updateAdditionalInfo(string memory additionalInfo) external {
        _checkInfo(additionalInfo);
        _ledger(msg.sender).additionalInfo = additionalInfo;
        emit LedgerInfoUpdated(msg.sender, additionalInfo);
    }

    function deleteLedger() external {
        uint256 total = _ledger(msg.sender).totalBalance;
        if (total != 0) revert MustWithdrawAllFundsFirst(total);
        for (uint256 i = 0; i < _serviceAddresses.length(); ++i) {
            address service = _serviceAddresses.at(i);
            EnumerableSet.AddressSet storage providers = _providers[msg.sender][service];
            while (providers.length() != 0) {
                address provider = providers.at(providers.length() - 1);
                providers.remove(provider);
                IServing(service).deleteAccount(msg.sender, provider);
            }
        }
        _users.remove(msg.sender);
        delete _ledgers[msg.sender];
    }

    // --- sub-accounts -----------------------------------------------------------------------

    /// @param serviceName the full name with version, "fine-tuning-v1.0"
    function transferFund(address provider, string memory serviceName, uint256 amount) external {
        Ledger storage ledger = _ledger(msg.sender);
        address service = _named(serviceName);
        bool exists = IServing(service).accountExists(msg.sender, provider);
        uint256 cancelled = 0;
        if (exists) {
            uint256 pending = IServing(service).getPendingRefund(msg.sender, provider);
            cancelled = amount < pending ? amount : pending;
        } else if (amount < MIN_TRANSFER_AMOUNT) {
            revert MinimumDepositRequired(amount, MIN_TRANSFER_AMOUNT);
        }
        uint256 payment = amount - cancelled;
        if (payment > ledger.availableBalance) revert InsufficientAvailableBalance(ledger.availableBalance, payment);
        ledger.availableBalance -= payment;
        if (!exists) _addProvider(msg.sender, service, provider);
        // What the service refuses is not told apart, as on the networks.
        (bool ok,) = service.call{value: payment}(
            exists
                ? abi.encodeCall(IServing.depositFund, (msg.sender, provider, cancelled))
                : abi.encodeCall(IServing.addAccount, (msg.sender, provider, ledger.additionalInfo))
        );
        if (!ok) revert CallFailed();
    }

    /// @notice Takes back what has been unlocked and asks for the rest.
    function retrieveFund(address[] memory providers, string memory serviceName) external {
        if (providers.length > MAX_PROVIDERS_PER_BATCH) {
            revert TooManyProviders(providers.length, MAX_PROVIDERS_PER_BATCH);
        }
        Ledger storage ledger = _ledger(msg.sender);
        IServing service = IServing(_named(serviceName));
        for (uint256 i = 0; i < providers.length; ++i) {
            (uint256 amount,,) = service.processRefund(msg.sender, providers[i]);
            ledger.availableBalance += amount;
            service.requestRefundAll(msg.sender, providers[i]);
        }
    }

    /// @notice A service settled: the money is no longer the user's.
    function spendFund(address user, uint256 amount) external {
        if (!_serviceAddresses.contains(msg.sender)) revert CallerNotRegisteredService(msg.sender);
        Ledger storage ledger = _ledger(user);
        if (amount > ledger.totalBalance) revert InsufficientBalance(user);
        ledger.totalBalance -= amount;
        emit FundSpent(user, msg.sender, amount);
    }

    // --- services ---------------------------------------------------------------------------

    function registerService(
        string memory serviceType,
        string memory version,
        address service,
        string memory description
    ) external onlyOwner {
        if (bytes(serviceType).length == 0) revert ServiceTypeRequired();
        if (bytes(version).length == 0) revert VersionRequired();
        if (service == address(0) || service.code.length == 0) revert InvalidServiceAddress(service);
        if (_serviceAddresses.contains(service)) revert ServiceAlreadyRegistered(service);
        if (_serviceAddresses.length() >= MAX_SERVICES) revert ServiceRegistryLimitReached(MAX_SERVICES);
        if (!_implementsServing(service)) revert ServiceMustImplementIServing(service);
        string memory fullName = string.concat(serviceType, "-", version);
        if (_byName[fullName] != address(0)) revert ServiceNameExists(fullName);
        _services[service] =
            ServiceInfo(service, service, serviceType, version, fullName, description, false, block.timestamp);
        _serviceAddresses.add(service);
        _byName[fullName] = service;
        emit ServiceRegistered(service, fullName);
        if (_recommended[serviceType] == address(0)) _recommend(serviceType, service);
    }

    function setRecommendedService(string memory serviceType, string memory version) external onlyOwner {
        _recommend(serviceType, _named(string.concat(serviceType, "-", version)));
    }

    // --- reads ------------------------------------------------------------------------------

    function getLedger(address user) external view returns (Ledger memory) {
        return _ledger(user);
    }

    function getAllLedgers(uint256 offset, uint256 limit)
        external
        view
        returns (Ledger[] memory ledgers, uint256 total)
    {
        total = _users.length();
        uint256 end = offset >= total ? offset : (limit == 0 || limit > total - offset ? total : offset + limit);
        ledgers = new Ledger[](end - offset);
        for (uint256 i = offset; i < end; ++i) {
            ledgers[i - offset] = _ledgers[_users.at(i)];
        }
    }

    function getLedgerProviders(address user, string memory serviceName) external view returns (address[] memory) {
        return _providers[user][_named(serviceName)].values();
    }

    function getServiceInfo(address service) external view returns (ServiceInfo memory) {
        if (!_serviceAddresses.contains(service)) revert ServiceNotRegistered(service);
        return _services[service];
    }

    function getServiceAddressByName(string memory fullName) external view returns (address) {
        return _named(fullName);
    }

    function getAllActiveServices() external view returns (ServiceInfo[] memory services) {
        services = new ServiceInfo[](_serviceAddresses.length());
        for (uint256 i = 0; i < services.length; ++i) {
            services[i] = _services[_serviceAddresses.at(i)];
        }
    }

    function getAllVersions(string memory serviceType)
        external
        view
        returns (string[] memory versions, address[] memory addresses, bool[] memory recommended)
    {
        uint256 count = 0;
        for (uint256 i = 0; i < _serviceAddresses.length(); ++i) {
            if (_same(_services[_serviceAddresses.at(i)].serviceType, serviceType)) ++count;
        }
        (versions, addresses, recommended) = (new string[](count), new address[](count), new bool[](count));
        for (uint256 i = _serviceAddresses.length(); i-- > 0;) {
            ServiceInfo storage service = _services[_serviceAddresses.at(i)];
            if (!_same(service.serviceType, serviceType)) continue;
            --count;
            (versions[count], addresses[count], recommended[count]) =
            (service.version, service.serviceAddress, service.isRecommended);
        }
    }

    function getRecommendedService(string memory serviceType)
        external
        view
        returns (string memory version, address service)
    {
        service = _recommended[serviceType];
        if (service == address(0)) revert NoRecommendedService(serviceType);
        version = _services[service].version;
    }

    function isRecommendedVersion(string memory serviceType, string memory version) external view returns (bool) {
        address service = _byName[string.concat(serviceType, "-", version)];
        return service != address(0) && _recommended[serviceType] == service;
    }

    // --- inner ------------------------------------------------------------------------------

    function _create(address user, string memory additionalInfo) private {
        if (msg.value < MIN_ACCOUNT_BALANCE) revert MinimumDepositRequired(msg.value, MIN_ACCOUNT_BALANCE);
        _users.add(user);
        _ledgers[user] = Ledger(user, msg.value, msg.value, additionalInfo);
    }

    function _deposit(address user) private {
        if (msg.value == 0) revert ZeroAmountNotAllowed();
        if (!_users.contains(user)) return _create(user, "");
        _ledgers[user].availableBalance += msg.value;
        _ledgers[user].totalBalance += msg.value;
    }

    function _ledger(address user) private view returns (Ledger storage) {
        if (!_users.contains(user)) revert LedgerNotExists(user);
        return _ledgers[user];
    }

    function _named(string memory fullName) private view returns (address service) {
        service = _byName[fullName];
        if (service == address(0)) revert ServiceNotFound(address(0));
    }

    function _addProvider(address user, address service, address provider) private {
        EnumerableSet.AddressSet storage providers = _providers[user][service];
        providers.add(provider);
        if (providers.length() > MAX_PROVIDERS_PER_USER_PER_SERVICE) {
            revert TooManyProvidersForService(providers.length(), MAX_PROVIDERS_PER_USER_PER_SERVICE);
        }
    }

    function _recommend(string memory serviceType, address service) private {
        address before = _recommended[serviceType];
        if (before != address(0)) _services[before].isRecommended = false;
        _recommended[serviceType] = service;
        _services[service].isRecommended = true;
        emit RecommendedServiceUpdated(serviceType, _services[service].version, service);
    }

    function _checkInfo(string memory additionalInfo) private pure {
        uint256 length = bytes(additionalInfo).length;
        if (length > MAX_ADDITIONAL_INFO_LENGTH) revert AdditionalInfoTooLong(length, MAX_ADDITIONAL_INFO_LENGTH);
    }

    function _implementsServing(address service) private view returns (bool) {
        try IServing(service).supportsInterface(type(IServing).interfaceId) returns (bool yes) {
            return yes;
        } catch {
            return false;
        }
    }

    function _same(string memory a, string memory b) private pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }
}
