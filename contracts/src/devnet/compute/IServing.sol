// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice What 0G Compute's ledger asks of a service contract: sub-accounts of users at providers.
interface IServing {
    function accountExists(address user, address provider) external view returns (bool);
    function getPendingRefund(address user, address provider) external view returns (uint256);
    function addAccount(address user, address provider, string memory additionalInfo) external payable;
    function depositFund(address user, address provider, uint256 cancelRetrievingAmount) external payable;
    function requestRefundAll(address user, address provider) external;
    function processRefund(address user, address provider)
        external
        returns (uint256 totalAmount, uint256 balance, uint256 pendingRefund);
    function deleteAccount(address user, address provider) external;
    function supportsInterface(bytes4 interfaceId) external view returns (bool);
}

/// @notice One owner, with the functions and the words of OpenZeppelin 4, which 0G's contracts use.
abstract contract Owned {
    address public owner;
    bool public initialized;

    error AlreadyInitialized();

    event Initialized(uint8 version);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    modifier onlyOwner() {
        require(msg.sender == owner, "Ownable: caller is not the owner");
        _;
    }

    function transferOwnership(address newOwner) external onlyOwner {
        require(newOwner != address(0), "Ownable: new owner is the zero address");
        _setOwner(newOwner);
    }

    function renounceOwnership() external onlyOwner {
        _setOwner(address(0));
    }

    function _initialize(address newOwner) internal {
        if (initialized) revert AlreadyInitialized();
        initialized = true;
        _setOwner(newOwner);
        emit Initialized(1);
    }

    function _setOwner(address newOwner) private {
        emit OwnershipTransferred(owner, newOwner);
        owner = newOwner;
    }
}
