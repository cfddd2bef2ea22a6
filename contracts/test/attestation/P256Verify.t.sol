// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import {P256Verify} from "../../src/attestation/P256Verify.sol";
import {DcapVerifier} from "../../src/attestation/DcapVerifier.sol";
import {IDcapVerifier} from "../../src/interfaces/IDcapVerifier.sol";
import {Platform} from "./Platform.sol";

/// @dev Answers every question with these bytes, whatever it is asked.
contract Oracle {
    bytes private _answer;

    function set(bytes calldata answer) external {
        _answer = answer;
    }

    fallback(bytes calldata) external returns (bytes memory) {
        return _answer;
    }
}

/// @dev What a working precompile answers, computed in Solidity.
contract Honest {
    fallback(bytes calldata q) external returns (bytes memory) {
        (bytes32 hash, bytes32 r, bytes32 s, bytes32 x, bytes32 y) =
            abi.decode(q, (bytes32, bytes32, bytes32, bytes32, bytes32));
        return P256.verifySolidity(hash, r, s, x, y) ? abi.encode(uint256(1)) : bytes("");
    }
}

/// @notice The precompile is used only where it answers correctly (attacks §7.13, §7.21, §7.22).
contract P256VerifyTest is Platform {
    address private constant PRECOMPILE = address(0x100);

    function works() private view returns (bool) {
        return P256Verify.precompileWorks();
    }

    function pretend(bytes memory answer) private {
        Oracle oracle = new Oracle();
        vm.etch(PRECOMPILE, address(oracle).code);
        Oracle(PRECOMPILE).set(answer);
    }

    function test_precompile_absent() public {
        assertFalse(works(), "nothing is there");
        assertFalse(verifier.testPrecompile(), "the verifier agrees");
        teachAll();
        verifier.verifyQuote(quoteOf(region4(body(584)))); // in Solidity
    }

    /// @dev The chain gets one after the verifier was deployed, and loses it again.
    function test_precompile_comesAndGoes() public {
        teachAll();
        bytes memory quote = quoteOf(region4(body(584)));
        vm.etch(PRECOMPILE, address(new Honest()).code);
        assertTrue(verifier.testPrecompile(), "found");
        verifier.verifyQuote(quote);
        // Refuses everything until somebody looks again.
        vm.etch(PRECOMPILE, "");
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.verifyQuote(quote);
        assertFalse(verifier.testPrecompile(), "gone");
        verifier.verifyQuote(quote);
    }

    /// @dev attack §7.21: something else at the address, that says yes to anything, or nearly.
    function test_precompile_impostors() public {
        bytes[6] memory answers = [
            abi.encode(uint256(1)), // to everything
            abi.encode(uint256(0)),
            abi.encode(uint256(2)),
            hex"01",
            abi.encode(uint256(1), uint256(1)),
            bytes("")
        ];
        for (uint256 i; i < answers.length; ++i) {
            pretend(answers[i]);
            assertFalse(works(), "an impostor");
            assertFalse(verifier.testPrecompile(), "refused");
        }
        pretend(abi.encode(uint256(1)));
        (uint256 x, uint256 y) = avm.publicKeyP256(ROOT);
        verifier = new DcapVerifier(bytes32(x), bytes32(y), keccak256(rootName()), true);
        teachAll();
        bytes memory quote = quoteOf(region4(body(584)));
        verifier.verifyQuote(quote);
        quote[640] ^= 0x01;
        vm.expectRevert(IDcapVerifier.BadSignature.selector);
        verifier.verifyQuote(quote);
    }

    /// forge-config: default.evm_version = "osaka"
    /// forge-config: ci.evm_version = "osaka"
    /// forge-config: long.evm_version = "osaka"
    function test_precompile_ofTheChain() public view {
        assertTrue(works(), "EIP-7951");
    }

    /// @dev Both ways say the same of any signature, good (low or high s) or damaged.
    /// forge-config: default.evm_version = "osaka"
    /// forge-config: ci.evm_version = "osaka"
    /// forge-config: long.evm_version = "osaka"
    function testFuzz_bothAgree(uint256 key, bytes32 hash, uint256 damage) public {
        key = bound(key, 1, ORDER - 1);
        (bytes32 r, bytes32 s) = avm.signP256(key, hash);
        if (damage & 1 != 0) s = bytes32(ORDER - uint256(s));
        (uint256 x, uint256 y) = avm.publicKeyP256(key);
        uint256 what = (damage >> 1) % 8;
        uint256 bit = uint256(1) << ((damage >> 8) % 256);
        if (what == 1) hash ^= bytes32(bit);
        if (what == 2) r ^= bytes32(bit);
        if (what == 3) s ^= bytes32(bit);
        if (what == 4) x ^= bit;
        if (what == 5) y ^= bit;
        if (what == 6) r = bytes32(0);
        if (what == 7) s = bytes32(ORDER);
        bool native = P256Verify.isValid(true, hash, r, s, bytes32(x), bytes32(y));
        assertTrue(native == P256Verify.isValid(false, hash, r, s, bytes32(x), bytes32(y)), "they differ");
        assertTrue(native == (what == 0), "the verdict");
    }
}
