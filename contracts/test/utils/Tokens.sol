// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice An ordinary ERC-20.
contract PlainToken is ERC20 {
    constructor() ERC20("Stake", "STK") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice Keeps one percent of every transfer.
contract FeeToken is PlainToken {
    function _update(address from, address to, uint256 amount) internal override {
        if (from == address(0) || to == address(0)) return super._update(from, to, amount);
        super._update(from, to, amount - amount / 100);
        super._update(from, address(0xfee), amount / 100);
    }
}

/// @notice Can be told to refuse payments and to shrink somebody's balance, as blacklists and rebases do.
contract MoodyToken is PlainToken {
    mapping(address => bool) public refused;
    bool public burnsGas;

    function refuse(address who, bool yes) external {
        refused[who] = yes;
    }

    function burnGas(bool yes) external {
        burnsGas = yes;
    }

    function shrink(address who, uint256 amount) external {
        _burn(who, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (burnsGas && from != address(0)) {
            while (true) {}
        }
        require(!refused[to] && !refused[from], "refused");
        super._update(from, to, amount);
    }
}

/// @notice Returns nothing from transfers, as some old tokens do.
contract SilentToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice Calls back while it is being moved.
contract ReenteringToken is PlainToken {
    address public target;
    bytes public payload;
    bool public succeeded;
    bool private _armed;

    function arm(address target_, bytes calldata payload_) external {
        target = target_;
        payload = payload_;
        _armed = true;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (_armed) {
            _armed = false;
            (succeeded,) = target.call(payload);
        }
    }
}
