// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DcapParser} from "../../src/attestation/DcapParser.sol";
import {DcapVerifier} from "../../src/attestation/DcapVerifier.sol";
import {EnclaveRegistry} from "../../src/attestation/EnclaveRegistry.sol";
import {IDcapVerifier, TcbStatus, VerifiedQuote} from "../../src/interfaces/IDcapVerifier.sol";
import {EnclaveStatus} from "../../src/interfaces/IEnclaveRegistry.sol";
import {Certificate} from "../../src/attestation/X509.sol";
import {Collateral} from "./Collateral.sol";

/// @notice tests/vectors/tee/development.json: the simulated platform's quotes, judged by C++ too.
/// forge-config: default.evm_version = "osaka"
/// forge-config: ci.evm_version = "osaka"
/// forge-config: long.evm_version = "osaka"
contract AttestationVectorsTest is Collateral {
    function setUp() public {
        vm.chainId(31_337);
        json = vm.readFile("../tests/vectors/tee/development.json");
        vm.warp(vm.parseJsonUint(json, ".time"));
        bytes memory root = vm.parseJsonBytes(json, ".root");
        Certificate memory c = new DcapParser().certificate(root);
        verifier = new DcapVerifier(c.x, c.y, c.subjectHash, true);
        teachCollateral(
            ".collateral.",
            vm.parseJsonBytes(json, ".intermediate"),
            vm.parseJsonBytes(json, ".tcbSigning"),
            vm.parseJsonBytes(json, ".pck")
        );
    }

    function expected(string memory name, uint256 i) private pure returns (bytes memory) {
        if (i == 2) return abi.encodeWithSelector(IDcapVerifier.BadQuote.selector, "TD attributes");
        if (i == 3) return abi.encodeWithSelector(IDcapVerifier.TcbNotAccepted.selector, TcbStatus.OutOfDate);
        revert(name);
    }

    function test_quotes() public {
        uint256 accepted;
        uint256 i;
        for (string memory at = ".cases[0]"; vm.keyExistsJson(json, at);) {
            string memory name = vm.parseJsonString(json, string.concat(at, ".name"));
            bytes memory quote = vm.parseJsonBytes(json, string.concat(at, ".quote"));
            teachKeyOf(quote);
            bool good = avm.parseJsonBool(json, string.concat(at, ".accepted"));
            if (!good) vm.expectRevert(expected(name, i));
            VerifiedQuote memory q = verifier.verifyQuote(quote);
            if (good) {
                ++accepted;
                assertEq(q.codeHash, vm.parseJsonBytes32(json, string.concat(at, ".workloadId")), name);
                assertEq(abi.encodePacked(q.reportData0, q.reportData1), vm.parseJsonBytes(json, ".reportData"), name);
            }
            at = string.concat(".cases[", vm.toString(++i), "]");
        }
        assertGt(accepted, 1, "accepted");
        assertGt(i, accepted, "refused");
    }

    function test_register() public {
        address at = vm.parseJsonAddress(json, ".register.registry");
        vm.etch(at, address(new EnclaveRegistry(verifier, 7 days)).code);
        EnclaveRegistry registry = EnclaveRegistry(at);
        bytes memory quote = vm.parseJsonBytes(json, ".register.quote");
        bytes memory ext = vm.parseJsonBytes(json, ".register.ext");
        bytes memory signature = vm.parseJsonBytes(json, ".register.signature");
        address payee = vm.parseJsonAddress(json, ".register.payee");
        uint256 blockNumber = vm.parseJsonUint(json, ".register.blockNumber");
        teachKeyOf(quote);
        vm.roll(blockNumber + 10);
        avm.setBlockhash(blockNumber, keccak256("another chain"));
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.StaleNonce.selector, blockNumber));
        registry.register(quote, ext, payee, signature);
        avm.setBlockhash(blockNumber, vm.parseJsonBytes32(json, ".register.nonce"));
        bytes32 id = registry.register(quote, ext, payee, signature);
        assertEq(id, vm.parseJsonBytes32(json, ".register.enclaveId"), "enclave id");
        assertEq(registry.enclave(id).signer, vm.parseJsonAddress(json, ".register.signer"), "signer");
        assertEq(uint256(registry.enclave(id).status), uint256(EnclaveStatus.Active), "status");
    }

    /// @dev tests/vectors/tee/tapp.json: evidence of 0G Tapp as C++ takes it from the service.
    function test_registerTapp() public {
        json = vm.readFile("../tests/vectors/tee/tapp.json");
        Certificate memory c = new DcapParser().certificate(vm.parseJsonBytes(json, ".root"));
        verifier = new DcapVerifier(c.x, c.y, c.subjectHash, true);
        teachCollateral(
            ".collateral.",
            vm.parseJsonBytes(json, ".intermediate"),
            vm.parseJsonBytes(json, ".tcbSigning"),
            vm.parseJsonBytes(json, ".pck")
        );
        address at = vm.parseJsonAddress(json, ".tapp.registry");
        vm.etch(at, address(new EnclaveRegistry(verifier, 7 days)).code);
        bytes memory quote = vm.parseJsonBytes(json, ".tapp.quote");
        teachKeyOf(quote);
        uint256 blockNumber = vm.parseJsonUint(json, ".tapp.blockNumber");
        vm.roll(blockNumber + 10);
        avm.setBlockhash(blockNumber, vm.parseJsonBytes32(json, ".tapp.nonce"));
        bytes32 id = EnclaveRegistry(at)
            .registerTapp(
                quote,
                vm.parseJsonBytes(json, ".tapp.ext"),
                bytes(vm.parseJsonString(json, ".tapp.runtimeText")),
                vm.parseJsonAddress(json, ".tapp.payee"),
                vm.parseJsonBytes(json, ".tapp.signature")
            );
        assertEq(id, vm.parseJsonBytes32(json, ".tapp.enclaveId"), "enclave id");
        bytes32 code = EnclaveRegistry(at).enclave(id).codeHash;
        assertEq(code, vm.parseJsonBytes32(json, ".tapp.codeHash"), "code hash");
    }

    /// @dev Any flipped bit: of the signed part, the signature, the key or the vendor id never accepted; of what the
    ///      contract does not read, the same result.
    function testFuzz_flippedQuote(uint256 where, uint8 bit) public {
        bytes memory quote = vm.parseJsonBytes(json, ".cases[1].quote"); // version 5, TD report 1.5
        teachKeyOf(quote);
        where = bound(where, 0, quote.length - 1);
        quote[where] ^= bytes1(uint8(1) << (bit % 8));
        (bool ok, bytes memory out) = address(verifier).staticcall(abi.encodeCall(verifier.verifyQuote, (quote)));
        bool read = where < 702 || (where >= 706 && where < 834);
        assertTrue(ok != read, "flipped");
        if (ok) {
            bytes32 code = abi.decode(out, (VerifiedQuote)).codeHash;
            assertEq(code, vm.parseJsonBytes32(json, ".cases[1].workloadId"), "code hash");
        }
    }

    /// @dev attack §7.11: a bit of every byte that is read, of both versions, and every length; with FFE_EXHAUSTIVE=1 (as
    ///      `npm run fuzz` sets it) each of the eight bits. Never accepted, and never an end without a reason.
    function test_everyByteFlippedEveryLength() public {
        bool all = avm.envOr("FFE_EXHAUSTIVE", 0) != 0;
        uint256[2] memory regions = [uint256(632), 702];
        for (uint256 k; k < 2; ++k) {
            bytes memory quote = vm.parseJsonBytes(json, string.concat(".cases[", vm.toString(k), "].quote"));
            teachKeyOf(quote);
            verifier.verifyAndCache(quote);
            quote = cut(quote, 0, regions[k] + 132);
            for (uint256 i; i < quote.length; ++i) {
                if (i == regions[k]) i += 4; // the length of what follows is not read
                for (uint256 bit = all ? 0 : i % 8; bit < 8; bit += all ? 1 : 8) {
                    quote[i] ^= bytes1(uint8(1 << bit));
                    refused(quote);
                    quote[i] ^= bytes1(uint8(1 << bit));
                }
            }
            for (uint256 n; n < quote.length; n += all ? 1 : 13) {
                assertEq(refused(cut(quote, 0, n)), BAD_LENGTH, "length");
            }
        }
    }

    bytes private BAD_LENGTH = abi.encodeWithSelector(IDcapVerifier.BadQuote.selector, "length");

    function refused(bytes memory quote) private returns (bytes memory why) {
        bool ok;
        (ok, why) = address(verifier).call(abi.encodeCall(verifier.verifyAndCache, (quote)));
        assertFalse(ok, "accepted");
        assertTrue(why.length >= 4, "no reason");
    }

    /// @dev A certificate is signed as a whole: no flip in it is accepted.
    function testFuzz_flippedPck(uint256 where, uint8 bit) public {
        bytes memory der = vm.parseJsonBytes(json, ".pck");
        where = bound(where, 0, der.length - 1);
        der[where] ^= bytes1(uint8(1) << (bit % 8));
        bytes32 issuer = idIn(vm.parseJsonBytes(json, ".intermediate"));
        (bool ok,) = address(verifier).call(abi.encodeCall(verifier.addPck, (der, issuer)));
        assertFalse(ok, "accepted");
    }

    function testFuzz_flippedAuthority(uint256 where, uint8 bit) public {
        bytes memory der = vm.parseJsonBytes(json, ".intermediate");
        where = bound(where, 0, der.length - 1);
        der[where] ^= bytes1(uint8(1) << (bit % 8));
        (bool ok,) = address(verifier).call(abi.encodeCall(verifier.addAuthority, (der)));
        assertFalse(ok, "accepted");
    }

    function testFuzz_flippedCrl(uint256 where, uint8 bit) public {
        bytes memory der = hexMember(".collateral.", "root_ca_crl");
        where = bound(where, 0, der.length - 1);
        der[where] ^= bytes1(uint8(1) << (bit % 8));
        (bool ok,) = address(verifier).call(abi.encodeCall(verifier.updateCrl, (der, bytes32(0))));
        assertFalse(ok, "accepted");
    }

    function testFuzz_flippedProof(uint256 where, uint8 bit) public {
        bytes memory quote = vm.parseJsonBytes(json, ".cases[0].quote");
        bytes memory proof = proofIn(quote);
        where = bound(where, 0, proof.length - 1);
        proof[where] ^= bytes1(uint8(1) << (bit % 8));
        bytes32 pckId = idIn(vm.parseJsonBytes(json, ".pck"));
        (bool ok,) = address(verifier).call(abi.encodeCall(verifier.addAttestationKey, (proof, pckId)));
        assertFalse(ok, "accepted");
    }
}
