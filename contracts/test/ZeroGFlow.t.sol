// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Submission, SubmissionData, SubmissionNode, ZeroGFlow, ZeroGMarket} from "../src/devnet/ZeroGFlow.sol";

interface Cheats {
    function deal(address who, uint256 amount) external;
    function expectRevert(bytes calldata reason) external;
    function expectEmit(bool a, bool b, bool c, bool d) external;
}

contract ZeroGFlowTest {
    Cheats private constant vm = Cheats(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant PRICE = 30_733_644_962;
    address private constant SUBMITTER = 0x70997970C51812dc3A010C7d01b50e0d17dc79C8;

    event Submit(
        address indexed sender,
        bytes32 indexed identity,
        uint256 submissionIndex,
        uint256 startPos,
        uint256 length,
        SubmissionData submission
    );

    ZeroGFlow private flow;

    function setUp() public {
        flow = new ZeroGFlow(PRICE);
        vm.deal(address(this), 1000 ether);
    }

    // --- the network's ABI -----------------------------------------------------------------

    function test_selectorsAreTheNetworks() public view {
        string memory data = "(uint256,bytes,(bytes32,uint256)[])";
        string memory current = string.concat("(", data, ",address)");
        assertSelector(string.concat("submit(", current, ")"), 0xbc8c11f8);
        assertSelector(string.concat("batchSubmit(", current, "[])"), 0x49aa3395);
        assertSelector(string.concat("submit(", data, ")"), 0xef3e12dc);
        assertSelector(string.concat("batchSubmit(", data, "[])"), 0x9e62a38e);
        require(flow.market.selector == 0x80f55605, "market");
        require(ZeroGMarket(flow.market()).pricePerSector.selector == 0x61ec5082, "pricePerSector");
        require(flow.numSubmissions.selector == 0x77e19824, "numSubmissions");
        require(flow.submissionIndex.selector == 0xb8a409ac, "submissionIndex");
        require(flow.firstBlock.selector == 0x231b0268, "firstBlock");
        require(ZeroGFlow.NotEnoughFee.selector == 0xf85c6482, "NotEnoughFee");
        require(Submit.selector == 0x167ce04d2aa1981994d3a31695da0d785373335b1078cec239a1a3a2c7675555, "Submit");
    }

    // --- positions, as seen on a fresh contract of the network ------------------------------

    function test_positions() public {
        uint256[10] memory sizes =
            [uint256(300_000), 300_000, 1, 256, 257, 4097, 262_144, 262_145, 1_048_577, 3_000_000];
        uint256[10] memory starts = [uint256(1024), 3072, 4352, 4353, 4354, 4368, 5120, 6144, 8192, 16_384];
        for (uint256 i = 0; i < sizes.length; ++i) {
            (uint256 index,, uint256 start,) = pay(file(sizes[i]));
            require(index == i, "index");
            require(start == starts[i], "start");
        }
        require(flow.numSubmissions() == sizes.length, "numSubmissions");
    }

    function testFuzz_positionsNeverOverlapOrStraddle(uint32[8] calldata sizes) public {
        uint256 end = 1;
        for (uint256 i = 0; i < sizes.length; ++i) {
            uint256 size = uint256(sizes[i]) % 5_000_000 + 1;
            (,, uint256 start, uint256 length) = pay(file(size));
            require(start >= end, "overlap");
            require(length * 256 >= size, "too short");
            bool straddles = start / 1024 != (start + length - 1) / 1024;
            require(start % 1024 == 0 || !straddles, "straddles");
            end = start + length;
        }
        require(flow.flowLength() == end, "flowLength");
    }

    // --- events -----------------------------------------------------------------------------

    function test_eventOfTheCurrentCall() public {
        SubmissionData memory data = file(300_000);
        vm.expectEmit(true, true, true, true);
        emit Submit(SUBMITTER, identity(data), 0, 1024, 1280, data);
        pay(data);
    }

    function test_eventOfTheOldCallNamesTheCaller() public {
        SubmissionData memory data = file(300_000);
        vm.expectEmit(true, true, true, true);
        emit Submit(address(this), identity(data), 0, 1024, 1280, data);
        flow.submit{value: 1280 * PRICE}(data);
    }

    function test_batchesKeepTheirOrder() public {
        SubmissionData[] memory old = new SubmissionData[](2);
        Submission[] memory current = new Submission[](2);
        for (uint256 i = 0; i < 2; ++i) {
            old[i] = file(1 + i);
            current[i] = Submission(file(300 + i), SUBMITTER);
        }
        (uint256[] memory indexes,,,) = flow.batchSubmit{value: 2 * PRICE}(old);
        require(indexes[0] == 0 && indexes[1] == 1, "old");
        (indexes,,,) = flow.batchSubmit{value: 4 * PRICE}(current);
        require(indexes[0] == 2 && indexes[1] == 3, "current");
    }

    // --- fees -------------------------------------------------------------------------------

    function test_feeGoesToTheMarketAndTheRestStays() public {
        flow.submit{value: PRICE + 7}(Submission(file(256), SUBMITTER));
        require(flow.market().balance == PRICE, "market");
        require(address(flow).balance == 7, "rest");
        flow.submit{value: PRICE - 7}(Submission(file(256), SUBMITTER));
        require(flow.market().balance == 2 * PRICE, "the rest pays for the next");
        require(address(flow).balance == 0, "nothing left");
    }

    function test_tooLittleIsRefused() public {
        SubmissionData memory data = file(257);
        vm.expectRevert(abi.encodeWithSelector(ZeroGFlow.NotEnoughFee.selector, PRICE, 2, 2 * PRICE - 1));
        flow.submit{value: 2 * PRICE - 1}(Submission(data, SUBMITTER));
    }

    // --- validity ---------------------------------------------------------------------------

    function test_submitterMustBeNamed() public {
        refused(file(1), address(0));
    }

    function test_lengthMustFillTheNodes() public {
        SubmissionData memory data = file(5 * 256);
        data.length = 0;
        refused(data, SUBMITTER);
        data.length = 4 * 256;
        refused(data, SUBMITTER);
        data.length = 5 * 256 + 1;
        refused(data, SUBMITTER);
        data = file(4096 * 256);
        data.length = (4096 - 256) * 256;
        refused(data, SUBMITTER);
        data = file(4097 * 256);
        data.length = 4096 * 256;
        refused(data, SUBMITTER);
    }

    function test_heightsMustDescendAndLieClose() public {
        SubmissionData memory data = file(300_000);
        data.nodes[1].height = data.nodes[0].height;
        refused(data, SUBMITTER);
        data.nodes[1].height = data.nodes[0].height + 1;
        refused(data, SUBMITTER);
        data.nodes[1].height = data.nodes[0].height - 4;
        refused(data, SUBMITTER);
        data.nodes[0].height = 64;
        refused(data, SUBMITTER);
        data.nodes = new SubmissionNode[](0);
        refused(data, SUBMITTER);
    }

    function testFuzz_everySizeIsAccepted(uint40 size) public {
        SubmissionData memory data = file(uint256(size) + 1);
        uint256 sectors = 0;
        for (uint256 i = 0; i < data.nodes.length; ++i) {
            sectors += 1 << data.nodes[i].height;
        }
        vm.deal(address(this), sectors * PRICE);
        (,,, uint256 length) = pay(data);
        require(length == sectors, "length");
    }

    // --- helpers ----------------------------------------------------------------------------

    function pay(SubmissionData memory data)
        private
        returns (uint256 index, bytes32 digest, uint256 start, uint256 length)
    {
        uint256 sectors = 0;
        for (uint256 i = 0; i < data.nodes.length; ++i) {
            sectors += 1 << data.nodes[i].height;
        }
        return flow.submit{value: sectors * PRICE}(Submission(data, SUBMITTER));
    }

    function refused(SubmissionData memory data, address submitter) private {
        vm.expectRevert(abi.encodeWithSignature("Error(string)", "Invalid submission"));
        flow.submit{value: 1 ether}(Submission(data, submitter));
    }

    function identity(SubmissionData memory data) private pure returns (bytes32) {
        bytes memory roots;
        for (uint256 i = 0; i < data.nodes.length; ++i) {
            roots = bytes.concat(roots, data.nodes[i].root);
        }
        return keccak256(roots);
    }

    /// The submission of a file, written from the padding rules: round up to sixteenths of the next
    /// power of two, then one node per set bit.
    function file(uint256 size) private pure returns (SubmissionData memory data) {
        uint256 sectors = (size + 255) / 256;
        uint256 next = 1;
        while (next < sectors) next *= 2;
        uint256 unit = next >= 16 ? next / 16 : 1;
        uint256 padded = (sectors + unit - 1) / unit * unit;
        uint256 count = 0;
        for (uint256 rest = padded; rest != 0; rest &= rest - 1) {
            ++count;
        }
        data.length = size;
        data.nodes = new SubmissionNode[](count);
        uint256 i = 0;
        for (uint256 bits = 64; bits > 0; --bits) {
            uint256 height = bits - 1;
            if (padded & (1 << height) == 0) continue;
            data.nodes[i] = SubmissionNode(keccak256(abi.encode(size, i)), height);
            ++i;
        }
    }

    function assertSelector(string memory signature, bytes4 selector) private pure {
        require(bytes4(keccak256(bytes(signature))) == selector, signature);
    }
}
