// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// What the tests of src/evm need of a contract: state, events, and every way to revert.
contract Probe {
    struct Entry {
        uint256 key;
        uint256 value;
    }

    error TooLarge(uint256 value, uint256 limit);

    event Stored(address indexed who, uint256 indexed key, string note);

    uint256 public limit;
    mapping(uint256 => uint256) public values;

    constructor(uint256 limit_) payable {
        require(limit_ != 0, "limit is zero");
        limit = limit_;
    }

    function setLimit(uint256 limit_) external {
        limit = limit_;
    }

    function store(uint256 key, uint256 value, string calldata note) external payable {
        if (value > limit) revert TooLarge(value, limit);
        values[key] = value;
        emit Stored(msg.sender, key, note);
    }

    function entries(uint256[] calldata keys) external view returns (Entry[] memory list, uint256 count) {
        list = new Entry[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            list[i] = Entry(keys[i], values[keys[i]]);
        }
        count = keys.length;
    }

    function fail(string calldata why) external pure {
        revert(why);
    }

    function increment(uint256 a) external pure returns (uint256) {
        return a + 1;
    }
}
