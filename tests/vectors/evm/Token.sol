// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// An ERC-20 for the tests of the C++ client, in the moods that real ones have.
contract Token {
    error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed);

    string public symbol;
    uint8 public immutable decimals;
    /// 0 as the standard says; 1 refuses to change an allowance that is not zero; 2 says no by returning false.
    uint8 public immutable mood;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    constructor(string memory symbol_, uint8 decimals_, uint8 mood_) {
        (symbol, decimals, mood) = (symbol_, decimals_, mood_);
        balanceOf[msg.sender] = 1e30;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        if (mood == 2) return false;
        require(mood == 0 || amount == 0 || allowance[msg.sender][spender] == 0, "set it to zero first");
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed < amount) revert ERC20InsufficientAllowance(msg.sender, allowed, amount);
        allowance[from][msg.sender] = allowed - amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        return true;
    }
}
