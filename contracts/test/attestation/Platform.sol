// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DcapParser} from "../../src/attestation/DcapParser.sol";
import {DcapVerifier} from "../../src/attestation/DcapVerifier.sol";
import {EnclaveRegistry} from "../../src/attestation/EnclaveRegistry.sol";
import {PlatformTcb} from "../../src/interfaces/IDcapVerifier.sol";
import {Pki} from "./Pki.sol";

/// @notice A verifier below the test root that knows one machine, and a registry.
abstract contract Platform is Pki {
    uint256 internal constant SIGNER_KEY = uint256(keccak256("enclave signer"));
    uint64 internal constant PERIOD = 7 days;

    DcapVerifier internal verifier;
    EnclaveRegistry internal registry;
    DcapParser internal parser;
    bytes32 internal caId;
    bytes32 internal signingId;
    bytes32 internal pckId;
    address internal signer = vm.addr(SIGNER_KEY);
    address internal payee = address(0xfee);

    function setUp() public virtual {
        vm.warp(NOW);
        vm.roll(1000);
        vm.chainId(31_337);
        parser = new DcapParser();
        (uint256 x, uint256 y) = avm.publicKeyP256(ROOT);
        verifier = new DcapVerifier(bytes32(x), bytes32(y), keccak256(rootName()), true);
        registry = new EnclaveRegistry(verifier, PERIOD);
        (caId, signingId, pckId) = (idOf(CA), idOf(SIGNING), idOf(PCK));
    }

    function teachAuthorities() internal {
        assertEq(verifier.addAuthority(certificate(caSpec())), caId, "authority's id");
        assertEq(verifier.addAuthority(certificate(signingSpec())), signingId, "signer's id");
    }

    function teachLists() internal {
        verifier.updateCrl(rootCrl(NOW - 100, list()), 0);
        verifier.updateCrl(caCrl(NOW - 100, list()), caId);
    }

    function teachDocuments() internal {
        sendTcb(tcbSpec());
        sendQe(qeSpec());
    }

    function teachMachine() internal {
        assertEq(verifier.addPck(certificate(pckSpec()), caId), pckId, "PCK's id");
        assertEq(verifier.addAttestationKey(keyProof(qeReport()), pckId), idOf(AK), "attestation key's id");
    }

    function teachAll() internal {
        teachAuthorities();
        teachLists();
        teachDocuments();
        teachMachine();
    }

    /// @dev The PCK certificate that came `number`-th, with this quoting enclave and these SVNs of a TD.
    function platformOf(uint32 number, uint16 qeSvn, bytes16 svn) internal pure returns (PlatformTcb) {
        return PlatformTcb.wrap(bytes32(abi.encodePacked(number, qeSvn, svn, bytes10(0))));
    }

    function rootCrl(uint64 from, uint256[] memory serials) internal view returns (bytes memory) {
        return crlOf(ROOT, rootName(), from, from + 60 days, serials);
    }

    function caCrl(uint64 from, uint256[] memory serials) internal view returns (bytes memory) {
        return crlOf(CA, named("Test SGX PCK CA"), from, from + 60 days, serials);
    }

    function sendTcb(TcbSpec memory t) internal {
        bytes memory json = tcbJson(t);
        verifier.updateTcbInfo(json, signRaw(SIGNING, json), signingId);
    }

    function sendQe(QeSpec memory q) internal {
        bytes memory json = qeJson(q);
        verifier.updateQeIdentity(json, signRaw(SIGNING, json), signingId);
    }

    // ------------------------------------------------------------------------------------------------ registry

    function nonceOf(uint256 blockNumber) internal pure returns (bytes32) {
        return keccak256(abi.encode("block", blockNumber));
    }

    function extFor(address who, address registry_, uint256 blockNumber) internal returns (bytes memory) {
        if (blockNumber < block.number) avm.setBlockhash(blockNumber, nonceOf(blockNumber));
        return abi.encode(
            keccak256("ffe.enclave.v1"),
            block.chainid,
            registry_,
            who,
            keccak256("app"),
            blockNumber,
            nonceOf(blockNumber)
        );
    }

    function reportDataFor(address who, bytes memory ext) internal pure returns (bytes memory) {
        return abi.encodePacked(who, keccak256(ext), bytes12(0));
    }

    function quoteFor(bytes memory ext) internal view returns (bytes memory) {
        return quoteOf(region4(put(body(584), 520, reportDataFor(signer, ext))));
    }

    function registerDigest(bytes memory quote, bytes memory ext, address to) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("ffe.register.v1"), keccak256(ext), to, keccak256(quote)));
    }

    function signEth(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Registers (or renews) with a fresh quote.
    function registerAt(uint256 blockNumber) internal returns (bytes32 id) {
        bytes memory ext = extFor(signer, address(registry), blockNumber);
        bytes memory quote = quoteFor(ext);
        return registry.register(quote, ext, payee, signEth(SIGNER_KEY, registerDigest(quote, ext, payee)));
    }
}
