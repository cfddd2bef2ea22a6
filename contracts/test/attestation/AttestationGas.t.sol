// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EnclaveRegistry} from "../../src/attestation/EnclaveRegistry.sol";
import {Platform} from "./Platform.sol";
import {Hasher} from "./Tapp.t.sol";

/// @notice What attestation costs as whole transactions, with P-256 in Solidity (cancun) and by the precompile at
///         0x100 (osaka, 6900 gas; RIP-7212's costs 3450).
/// forge-config: default.isolate = true
contract AttestationGasTest is Platform {
    string private group;
    Hasher private hasher = new Hasher();

    function transaction(address to, bytes memory data, string memory name) private returns (uint256 gas) {
        (bool ok,) = to.call(data);
        assertTrue(ok, name);
        gas = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue(group, name, gas);
    }

    function firstRegistration() private {
        transaction(address(verifier), abi.encodeCall(verifier.addAuthority, (certificate(caSpec()))), "1 addAuthority");
        transaction(
            address(verifier),
            abi.encodeCall(verifier.addAuthority, (certificate(signingSpec()))),
            "2 addAuthority, TCB signer"
        );
        transaction(
            address(verifier), abi.encodeCall(verifier.updateCrl, (rootCrl(NOW, list()), 0)), "3 updateCrl, root"
        );
        transaction(
            address(verifier), abi.encodeCall(verifier.updateCrl, (caCrl(NOW, list()), caId)), "4 updateCrl, authority"
        );
        bytes memory json = tcbJson(tcbSpec());
        bytes memory call_ = abi.encodeCall(verifier.updateTcbInfo, (json, signRaw(SIGNING, json), signingId));
        transaction(address(verifier), call_, "5 updateTcbInfo, levels: 3");
        json = qeJson(qeSpec());
        call_ = abi.encodeCall(verifier.updateQeIdentity, (json, signRaw(SIGNING, json), signingId));
        transaction(address(verifier), call_, "6 updateQeIdentity");
        transaction(address(verifier), abi.encodeCall(verifier.addPck, (certificate(pckSpec()), caId)), "7 addPck");
        call_ = abi.encodeCall(verifier.addAttestationKey, (keyProof(qeReport()), pckId));
        transaction(address(verifier), call_, "8 addAttestationKey");
        transaction(address(registry), registration(900, 0), "9 register");
    }

    /// @dev The quote of `tail` further bytes: certification data, as a platform hands it out, is 4 KB.
    function registration(uint256 blockNumber, uint256 tail) private returns (bytes memory) {
        bytes memory ext = extFor(signer, address(registry), blockNumber);
        bytes memory rest = new bytes(tail);
        for (uint256 i; i < tail; ++i) {
            rest[i] = 0x41;
        }
        bytes memory quote = bytes.concat(realistic(ext), rest);
        bytes memory signature = signEth(SIGNER_KEY, registerDigest(quote, ext, payee));
        return abi.encodeCall(registry.register, (quote, ext, payee, signature));
    }

    /// @dev With as many bytes that are not zero as quotes of real machines have: user data in the header, MRSEAM.
    function realistic(bytes memory ext) private view returns (bytes memory) {
        bytes memory report = put(body(584), 520, reportDataFor(signer, ext));
        bytes32 any = keccak256("any");
        put(report, 16, bytes.concat(any, bytes16(any)));
        return quoteOf(put(region4(report), 28, bytes.concat(bytes16(any))));
    }

    function renewal(uint256 blockNumber) private returns (bytes memory) {
        bytes memory quote = realistic(extFor(signer, address(registry), blockNumber));
        return abi.encodeCall(registry.renew, (quote, keccak256("app"), blockNumber));
    }

    /// @dev Evidence of 0G Tapp, whose report data is the SHA-512 of a text of 132 bytes: two blocks.
    function tappRegistration(uint256 blockNumber) private returns (bytes memory) {
        bytes memory ext = extFor(signer, address(registry), blockNumber);
        bytes memory text = bytes.concat(
            '{"nonce":"',
            bytes(avm.toString(abi.encodePacked(keccak256(ext)))),
            '","signer":"',
            bytes(avm.toString(abi.encodePacked(signer))),
            '"}'
        );
        bytes memory report = put(body(584), 520, hasher.hash(text));
        bytes32 any = keccak256("any");
        put(report, 16, bytes.concat(any, bytes16(any)));
        bytes memory quote = quoteOf(put(region4(report), 28, bytes.concat(bytes16(any))));
        bytes memory signature = signEth(SIGNER_KEY, registerDigest(quote, ext, payee));
        return abi.encodeCall(registry.registerTapp, (quote, ext, text, payee, signature));
    }

    function measure(string memory evm, uint256 mostVerify, uint256 mostRenew) private {
        avm.setEvmVersion(evm);
        verifier.testPrecompile();
        group = string.concat("Attestation-", evm);
        firstRegistration();
        bytes memory quote = realistic(extFor(signer, address(registry), 900));
        uint256 gas = transaction(address(verifier), abi.encodeCall(verifier.verifyQuote, (quote)), "verifyQuote, cut");
        assertLe(gas, mostVerify, "verifyQuote");
        transaction(address(registry), registration(901, 3850), "register again, whole quote");
        gas = transaction(address(registry), renewal(902), "renew, cut after the attestation key");
        assertLe(gas, mostRenew, "renewal");
        transaction(address(registry), tappRegistration(903), "registerTapp, first, cut");
        gas = transaction(address(registry), tappRegistration(904), "registerTapp again, cut");
        assertLe(gas, mostRenew + 130_000, "Tapp");
    }

    function test_gas_solidity() public {
        measure("cancun", 400_000, 430_000);
    }

    function test_gas_precompile() public {
        measure("osaka", 75_000, 60_000);
    }

    function test_sizes() public view {
        assertLe(address(verifier).code.length, 24_576, "verifier");
        assertLe(address(parser).code.length, 24_576, "parser");
        assertLe(address(registry).code.length, 24_576, "registry");
    }
}
