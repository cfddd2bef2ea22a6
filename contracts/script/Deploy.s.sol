// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEnclaveRegistry} from "../src/interfaces/IEnclaveRegistry.sol";
import {IFFECoordinator} from "../src/interfaces/IFFECoordinator.sol";

interface ScriptVm {
    function startBroadcast() external;
    function stopBroadcast() external;
    function envAddress(string calldata name) external view returns (address);
    function envOr(string calldata name, address otherwise) external view returns (address);
    function getCode(string calldata artifact) external view returns (bytes memory);
    function computeCreate2Address(bytes32 salt, bytes32 initCodeHash, address deployer) external pure returns (address);
}

/// @notice Deploys what `ffe deploy` does, at the same addresses: they depend on nothing but code and arguments (CREATE2
///         through the usual factory). What is there already is left as it is.
/// @dev FFE_TREASURY=0x… forge script script/Deploy.s.sol --rpc-url … --account … --broadcast
///      The attestation root is Intel's; FFE_REGISTRY=0x… takes a registry that exists instead.
contract Deploy {
    ScriptVm private constant vm = ScriptVm(address(uint160(uint256(keccak256("hevm cheat code")))));
    address private constant FACTORY = 0x4e59b44847b379578588920cA78FbF26c0B4956C;
    bytes32 private constant SALT = keccak256("ffe.deploy.v1");
    /// @dev "Intel SGX Root CA": its public key, and keccak256 of its subject name in DER.
    bytes32 private constant INTEL_X = 0x0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5;
    bytes32 private constant INTEL_Y = 0x67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394;
    bytes32 private constant INTEL_SUBJECT = 0x3112c8e9428b5c08824e727e3ea896f3597c8a91caeafe57d64a4bc08df71dfb;
    uint64 private constant REGISTRATION_PERIOD = 7 days;
    uint256 private constant DEVNET = 31_337;
    uint256 private constant GALILEO = 16_602;
    uint256 private constant ARISTOTLE = 16_661;

    error UnknownChain(uint256 chainId);
    error DevelopmentRegistry(uint256 chainId);
    error FactoryMissing(address factory);
    error DeploymentFailed(address expected);

    event Deployed(string name, address at);

    function run() external returns (address registry, address verifier, address coordinator, address inft) {
        return deploy(vm.envOr("FFE_REGISTRY", address(0)), vm.envAddress("FFE_TREASURY"));
    }

    /// @param registry_ Zero: one of its own, on Intel's root.
    function deploy(address registry_, address treasury)
        public
        returns (address registry, address verifier, address coordinator, address inft)
    {
        if (block.chainid != DEVNET && block.chainid != GALILEO && block.chainid != ARISTOTLE) {
            revert UnknownChain(block.chainid);
        }
        if (registry_ != address(0) && block.chainid != DEVNET && IEnclaveRegistry(registry_).development()) {
            revert DevelopmentRegistry(block.chainid);
        }
        if (FACTORY.code.length == 0) revert FactoryMissing(FACTORY);

        vm.startBroadcast();
        registry = registry_ == address(0) ? createRegistry() : registry_;
        verifier = create("ERC7857Verifier", abi.encode(registry));
        coordinator = create("FFECoordinator", abi.encode(registry, verifier, treasury));
        vm.stopBroadcast();
        inft = address(IFFECoordinator(coordinator).inft());
        emit Deployed("CoOwnedINFT", inft);
    }

    function createRegistry() private returns (address) {
        address dcap = create("DcapVerifier", abi.encode(INTEL_X, INTEL_Y, INTEL_SUBJECT, false));
        return create("EnclaveRegistry", abi.encode(dcap, REGISTRATION_PERIOD));
    }

    /// @dev The same code with the same arguments is deployed once; running the script again changes nothing.
    function create(string memory name, bytes memory arguments) private returns (address at) {
        bytes memory initCode = abi.encodePacked(vm.getCode(string.concat(name, ".sol:", name)), arguments);
        at = vm.computeCreate2Address(SALT, keccak256(initCode), FACTORY);
        emit Deployed(name, at);
        if (at.code.length != 0) return at;
        (bool ok,) = FACTORY.call(abi.encodePacked(SALT, initCode));
        if (!ok || at.code.length == 0) revert DeploymentFailed(at);
    }
}
