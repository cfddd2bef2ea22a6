// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice One perfect subtree of a file's Merkle tree: 2^height sectors of 256 bytes.
struct SubmissionNode {
    bytes32 root;
    uint256 height;
}

/// @notice What is stored: the length in bytes, free tags, and the subtrees in order.
struct SubmissionData {
    uint256 length;
    bytes tags;
    SubmissionNode[] nodes;
}

/// @notice A submission on behalf of an account, as the network takes it since January 2026.
struct Submission {
    SubmissionData data;
    address submitter;
}

/// @title Fixed storage price of the local network
/// @notice Receives the fees that the Flow contract forwards.
contract ZeroGMarket {
    /// @notice Wei for one sector of 256 bytes.
    uint256 public immutable pricePerSector;

    constructor(uint256 pricePerSector_) {
        pricePerSector = pricePerSector_;
    }

    receive() external payable {}
}

/// @title 0G Storage's Flow contract for the local network
/// @notice Same functions, event, positions, validity and fee rules as the network's Flow with a
/// fixed price, so that official clients work with it. It keeps no flow root and no epochs: those
/// serve mining, which a local network does not have. Never deploy it where money has value.
contract ZeroGFlow {
    /// @notice The payment does not cover `amount` sectors at `price` wei each.
    error NotEnoughFee(uint256 price, uint256 amount, uint256 paid);

    /// @notice A file was paid for and has its place in the flow.
    /// @param identity keccak256 of the node roots in a row
    /// @param submissionIndex transaction sequence number, from 0
    /// @param startPos first sector
    /// @param length sectors, padding included
    event Submit(
        address indexed sender,
        bytes32 indexed identity,
        uint256 submissionIndex,
        uint256 startPos,
        uint256 length,
        SubmissionData submission
    );

    uint256 private constant SECTOR_BYTES = 256;
    uint256 private constant SEGMENT_SECTORS = 1024;
    uint256 private constant MAX_HEIGHT = 64;
    uint256 private constant MAX_HEIGHT_SPREAD = 4;

    /// @notice Where fees go and prices are read.
    address payable public immutable market;
    /// @notice Block of the deployment.
    uint256 public immutable firstBlock;
    /// @notice Sequence number of the next submission.
    uint256 public submissionIndex;

    // Sector 0 is the network's zero sector.
    uint256 private currentLength = 1;

    constructor(uint256 pricePerSector) {
        market = payable(address(new ZeroGMarket(pricePerSector)));
        firstBlock = block.number;
    }

    /// @notice Stores a file on behalf of `submission.submitter`; send sectors times the price.
    function submit(Submission calldata submission)
        external
        payable
        returns (uint256 index, bytes32 digest, uint256 startIndex, uint256 length)
    {
        return _submit(submission.data, submission.submitter);
    }

    /// @notice Several files in one transaction, one event each, in order.
    function batchSubmit(Submission[] calldata submissions)
        external
        payable
        returns (
            uint256[] memory indexes,
            bytes32[] memory digests,
            uint256[] memory startIndexes,
            uint256[] memory lengths
        )
    {
        uint256 n = submissions.length;
        indexes = new uint256[](n);
        digests = new bytes32[](n);
        startIndexes = new uint256[](n);
        lengths = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            (indexes[i], digests[i], startIndexes[i], lengths[i]) =
                _submit(submissions[i].data, submissions[i].submitter);
        }
    }

    /// @notice The call of clients from before January 2026; the caller is the submitter.
    function submit(SubmissionData calldata submission)
        external
        payable
        returns (uint256 index, bytes32 digest, uint256 startIndex, uint256 length)
    {
        return _submit(submission, msg.sender);
    }

    /// @notice The batch call of clients from before January 2026.
    function batchSubmit(SubmissionData[] calldata submissions)
        external
        payable
        returns (
            uint256[] memory indexes,
            bytes32[] memory digests,
            uint256[] memory startIndexes,
            uint256[] memory lengths
        )
    {
        uint256 n = submissions.length;
        indexes = new uint256[](n);
        digests = new bytes32[](n);
        startIndexes = new uint256[](n);
        lengths = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            (indexes[i], digests[i], startIndexes[i], lengths[i]) = _submit(submissions[i], msg.sender);
        }
    }

    /// @notice Submissions so far.
    function numSubmissions() external view returns (uint256) {
        return submissionIndex;
    }

    /// @notice Sectors of the flow, the gaps of alignment included.
    function flowLength() external view returns (uint256) {
        return currentLength;
    }

    function _submit(SubmissionData calldata data, address submitter)
        private
        returns (uint256 index, bytes32 digest, uint256 startIndex, uint256 length)
    {
        require(submitter != address(0), "Invalid submission");
        length = _validSectors(data);
        _payMarket(length);

        startIndex = _place(data.nodes[0].height, length);
        bytes memory roots;
        for (uint256 i = 0; i < data.nodes.length; ++i) {
            roots = bytes.concat(roots, data.nodes[i].root);
        }
        digest = keccak256(roots);
        index = submissionIndex++;
        emit Submit(submitter, digest, index, startIndex, length, data);
    }

    /// @dev Sectors of the nodes. Reverts unless they are the padding of `length` bytes: few enough
    /// to have no spare sixteenth, heights descending and within four of each other.
    function _validSectors(SubmissionData calldata data) private pure returns (uint256 sectors) {
        uint256 n = data.nodes.length;
        require(n != 0, "Invalid submission");
        uint256 first = data.nodes[0].height;
        require(first < MAX_HEIGHT, "Invalid submission");
        uint256 last = first;
        sectors = 1 << first;
        for (uint256 i = 1; i < n; ++i) {
            uint256 height = data.nodes[i].height;
            require(height < last && first - height < MAX_HEIGHT_SPREAD, "Invalid submission");
            sectors += 1 << height;
            last = height;
        }

        uint256 smaller;
        if (sectors < 16) smaller = sectors - 1;
        else if (n == 1) smaller = sectors - sectors / 16;
        else smaller = sectors - (1 << (first - 3));
        bool fits = data.length <= sectors * SECTOR_BYTES && data.length > smaller * SECTOR_BYTES;
        require(fits, "Invalid submission");
    }

    /// @dev Forwards exactly the fee. What was paid beyond it stays here and lowers the next one's,
    /// as on the network.
    function _payMarket(uint256 sectors) private {
        uint256 price = ZeroGMarket(market).pricePerSector();
        uint256 fee = sectors * price;
        if (fee > address(this).balance) revert NotEnoughFee(price, sectors, address(this).balance);
        market.transfer(fee);
    }

    /// @dev First sector of a file: aligned to its largest node, and never across a segment's border
    /// unless it starts on one.
    function _place(uint256 height, uint256 sectors) private returns (uint256 start) {
        start = _align(currentLength, height);
        bool crosses = start / SEGMENT_SECTORS != (start + sectors - 1) / SEGMENT_SECTORS;
        if (start % SEGMENT_SECTORS != 0 && crosses) {
            start = _align(start + SEGMENT_SECTORS - start % SEGMENT_SECTORS, height);
        }
        currentLength = start + sectors;
    }

    /// @dev The next multiple of 2^height; lengths are never 0 here.
    function _align(uint256 length, uint256 height) private pure returns (uint256) {
        return (((length - 1) >> height) + 1) << height;
    }
}
