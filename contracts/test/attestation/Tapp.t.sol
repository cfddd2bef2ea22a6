// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EnclaveRegistry} from "../../src/attestation/EnclaveRegistry.sol";
import {Sha512} from "../../src/attestation/Sha512.sol";
import {TappRuntime} from "../../src/attestation/TappRuntime.sol";
import {Enclave, EnclaveStatus, IEnclaveRegistry} from "../../src/interfaces/IEnclaveRegistry.sol";
import {Platform} from "./Platform.sol";

contract Hasher {
    function hash(bytes calldata text) external pure returns (bytes memory) {
        (bytes32 first, bytes32 second) = Sha512.hash(text);
        return abi.encodePacked(first, second);
    }

    function names(bytes calldata text, bytes32 nonce, address signer) external pure returns (bool) {
        return TappRuntime.names(text, nonce, signer);
    }
}

/// @notice Evidence of 0G Tapp: the quote binds a text of the service's, which names our hash and its signer.
contract TappTest is Platform {
    Hasher private hasher = new Hasher();

    function setUp() public override {
        super.setUp();
        teachAll();
    }

    /// @dev What a Tapp service 0.4 or newer hashes (docs/spec/attestation.md).
    function runtimeFor(bytes32 nonce, address who) private pure returns (bytes memory) {
        return
            bytes.concat(
                '{"nonce":"', hexOf(abi.encodePacked(nonce)), '","signer":"', hexOf(abi.encodePacked(who)), '"}'
            );
    }

    function hexOf(bytes memory value) private pure returns (bytes memory) {
        return bytes(avm.toString(value));
    }

    function cut(bytes memory from, uint256 at, uint256 n) private pure returns (bytes memory out) {
        out = new bytes(n);
        for (uint256 i; i < n; ++i) {
            out[i] = from[at + i];
        }
    }

    function quoteOver(bytes memory runtime) private view returns (bytes memory) {
        return quoteOf(region4(put(body(584), 520, hasher.hash(runtime))));
    }

    struct Evidence {
        bytes quote;
        bytes ext;
        bytes runtime;
        bytes signature;
    }

    function evidenceAt(uint256 blockNumber) private returns (Evidence memory e) {
        e.ext = extFor(signer, address(registry), blockNumber);
        e.runtime = runtimeFor(keccak256(e.ext), signer);
        return signedWith(e);
    }

    function signedWith(Evidence memory e) private view returns (Evidence memory) {
        e.quote = quoteOver(e.runtime);
        e.signature = signEth(SIGNER_KEY, registerDigest(e.quote, e.ext, payee));
        return e;
    }

    function send(Evidence memory e) private returns (bytes32) {
        return registry.registerTapp(e.quote, e.ext, e.runtime, payee, e.signature);
    }

    function platformHash(bytes memory quote) private pure returns (bytes32) {
        bytes memory registers = bytes.concat(cut(quote, 48 + 136, 48), cut(quote, 48 + 328, 144));
        return
            keccak256(
                bytes.concat(registers, cut(quote, 48 + 184, 48), cut(quote, 48 + 128, 8), cut(quote, 48 + 120, 8))
            );
    }

    function test_registerTapp_keepsThePlatformAndTheClaim() public {
        Evidence memory e = evidenceAt(999);
        bytes32 code = keccak256(abi.encode(platformHash(e.quote), keccak256("app")));
        bytes32 id = keccak256(abi.encode(signer, code));
        bytes32 machine = verifier.platformId(verifier.verifyQuote(e.quote).platform);
        vm.expectEmit(address(registry));
        emit IEnclaveRegistry.EnclaveRegistered(id, signer, payee, code, machine, 1, NOW + PERIOD, false, true);
        vm.prank(address(0xbeef)); // anyone may bring it
        assertEq(send(e), id, "enclave id");
        Enclave memory known = registry.enclave(id);
        assertEq(known.codeHash, code, "code hash");
        assertEq(known.signer, signer, "signer");
        assertEq(known.payee, payee, "payee");
        assertFalse(known.applicationProven, "the chain does not know the application");
        assertTrue(known.status == EnclaveStatus.Active && known.development, "status");
        // The same machine with a quote of our own report data is another enclave, and proven.
        assertTrue(registry.enclave(registerAt(998)).applicationProven, "proven");
    }

    /// @dev RTMR3 grows with everything that the service does; the enclave stays what it is.
    function test_registerTapp_againAfterTheLogGrew() public {
        bytes32 id = send(evidenceAt(990));
        vm.warp(NOW + PERIOD + 1);
        Evidence memory e = evidenceAt(991);
        bytes memory report = put(body(584), 520, hasher.hash(e.runtime));
        put(report, 472, abi.encodePacked(keccak256("grown")));
        e.quote = quoteOf(region4(report));
        e.signature = signEth(SIGNER_KEY, registerDigest(e.quote, e.ext, payee));
        assertEq(send(e), id, "the same enclave");
        assertTrue(registry.enclave(id).status == EnclaveStatus.Active, "renewed");
        vm.expectPartialRevert(EnclaveRegistry.QuoteUsed.selector);
        send(e);
        // Another firmware is another enclave.
        e = evidenceAt(992);
        report = put(body(584), 520, hasher.hash(e.runtime));
        put(report, 328, abi.encodePacked(keccak256("another firmware")));
        e.quote = quoteOf(region4(report));
        e.signature = signEth(SIGNER_KEY, registerDigest(e.quote, e.ext, payee));
        assertTrue(send(e) != id, "another enclave");
    }

    /// @dev attack §7.3: anyone gets evidence of this machine for a nonce of his own; only the signer's consent counts.
    function test_registerTapp_byAStranger() public {
        uint256 thiefKey = uint256(keccak256("thief"));
        address thief = vm.addr(thiefKey);
        Evidence memory e;
        e.ext = extFor(thief, address(registry), 999);
        e.runtime = runtimeFor(keccak256(e.ext), signer); // the service names its own application
        e.quote = quoteOver(e.runtime);
        e.signature = signEth(thiefKey, registerDigest(e.quote, e.ext, payee));
        vm.expectRevert(EnclaveRegistry.BadRuntimeData.selector);
        send(e);
        e.ext = extFor(signer, address(registry), 999);
        e.runtime = runtimeFor(keccak256(e.ext), signer);
        e.quote = quoteOver(e.runtime);
        e.signature = signEth(thiefKey, registerDigest(e.quote, e.ext, payee));
        vm.expectRevert(EnclaveRegistry.BadSignature.selector);
        send(e);
        // A text that he made up himself is not what the quote is over.
        e.ext = extFor(thief, address(registry), 999);
        e.runtime = runtimeFor(keccak256(e.ext), thief);
        e.signature = signEth(thiefKey, registerDigest(e.quote, e.ext, payee));
        vm.expectRevert(EnclaveRegistry.ReportDataMismatch.selector);
        send(e);
    }

    /// @dev attacks §7.1 and §7.20: the text in other bytes, or for another ext.
    function test_registerTapp_otherTexts() public {
        Evidence memory good = evidenceAt(999);
        bytes memory text = good.runtime;
        bytes memory upper = bytes.concat(text);
        for (uint256 i = 12; i < 76; ++i) {
            if (upper[i] >= "a") upper[i] ^= 0x20;
        }
        bytes[6] memory others = [
            bytes.concat(" ", text),
            upper,
            runtimeFor(keccak256("another ext"), signer),
            runtimeFor(keccak256(good.ext), address(uint160(signer) ^ 1)),
            cut(text, 0, 131), // nothing after the signer
            bytes("")
        ];
        for (uint256 i; i < others.length; ++i) {
            good.runtime = others[i];
            Evidence memory e = signedWith(good);
            vm.expectRevert(EnclaveRegistry.BadRuntimeData.selector);
            send(e);
        }
        good.runtime = text;
        Evidence memory whole = signedWith(good);
        whole.runtime = bytes.concat(cut(text, 0, 131), ',"more":1}'); // says the same, was not hashed
        vm.expectRevert(EnclaveRegistry.ReportDataMismatch.selector);
        send(whole);
        whole.runtime = text;
        send(whole);
    }

    /// @dev Newer services add the key of their TLS certificate.
    function test_registerTapp_withATlsKey() public {
        Evidence memory e = evidenceAt(999);
        bytes memory tls = bytes.concat(',"tls_public_key":"', hexOf(abi.encodePacked(keccak256("a key"))), '"}');
        e.runtime = bytes.concat(cut(e.runtime, 0, 131), tls);
        assertTrue(registry.enclave(send(signedWith(e))).status == EnclaveStatus.Active, "registered");
    }

    /// @dev The one form is not taken for the other.
    function test_registerTapp_isNoRegister() public {
        Evidence memory e = evidenceAt(999);
        vm.expectRevert(EnclaveRegistry.ReportDataMismatch.selector);
        registry.register(e.quote, e.ext, payee, e.signature);
        vm.expectRevert(EnclaveRegistry.ReportDataMismatch.selector);
        registry.renew(e.quote, keccak256("app"), 999);
        e.quote = quoteFor(e.ext);
        e.signature = signEth(SIGNER_KEY, registerDigest(e.quote, e.ext, payee));
        vm.expectRevert(EnclaveRegistry.ReportDataMismatch.selector);
        send(e);
    }

    function test_registerTapp_frontRun() public {
        Evidence memory e = evidenceAt(999);
        vm.expectRevert(EnclaveRegistry.BadSignature.selector);
        registry.registerTapp(e.quote, e.ext, e.runtime, address(0xbad), e.signature);
        vm.expectRevert(EnclaveRegistry.ZeroPayee.selector);
        registry.registerTapp(e.quote, e.ext, e.runtime, address(0), e.signature);
        bytes32 id = send(e);
        vm.prank(payee);
        registry.retire(id);
        e = evidenceAt(998);
        vm.expectRevert(abi.encodeWithSelector(EnclaveRegistry.EnclaveEnded.selector, id));
        send(e);
    }

    /// @dev Any flipped bit of the text is another text.
    function testFuzz_runtimeData_flipped(uint256 where, uint8 bit) public {
        Evidence memory e = evidenceAt(999);
        e.runtime[bound(where, 0, e.runtime.length - 1)] ^= bytes1(uint8(1) << (bit % 8));
        bytes memory call_ = abi.encodeCall(registry.registerTapp, (e.quote, e.ext, e.runtime, payee, e.signature));
        (bool ok,) = address(registry).call(call_);
        assertFalse(ok, "accepted");
    }

    function testFuzz_anything(bytes calldata quote, bytes calldata ext, bytes calldata text, bytes calldata signature)
        public
    {
        bytes memory call_ = abi.encodeCall(registry.registerTapp, (quote, ext, text, payee, signature));
        (bool ok,) = address(registry).call(call_);
        assertFalse(ok, "accepted");
    }

    function testFuzz_names(bytes32 nonce, address who) public view {
        bytes memory text = runtimeFor(nonce, who);
        assertTrue(hasher.names(text, nonce, who), "its own");
        assertFalse(hasher.names(text, nonce ^ bytes32(uint256(1)), who), "another nonce");
        assertFalse(hasher.names(text, nonce, address(uint160(who) ^ 1)), "another signer");
    }

    // ------------------------------------------------------------------------------------------------- SHA-512

    /// @dev FIPS 180-4's examples, and every length up to three blocks: SHA-256, chained, of the digests that Node makes of
    ///      the same bytes.
    function test_sha512() public view {
        bytes memory text = new bytes(384);
        for (uint256 i; i < text.length; ++i) {
            text[i] = bytes1(uint8(i * 167 + 13));
        }
        bytes32 chained;
        for (uint256 n; n <= text.length; ++n) {
            chained = sha256(bytes.concat(chained, hasher.hash(cut(text, 0, n))));
        }
        assertEq(chained, 0xb4e9430f9fefe817a8897dbaafcfa61212f716d282ac2e36dbe3b632c5c46fab, "all lengths");
        assertEq(
            hasher.hash("abc"),
            hex"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            hex"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "FIPS 180-4, one block"
        );
        assertEq(
            hasher.hash(
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"
            ),
            hex"8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
            hex"501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
            "FIPS 180-4, two blocks"
        );
    }
}
