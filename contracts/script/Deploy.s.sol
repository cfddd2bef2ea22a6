// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEnclaveRegistry} from "../src/interfaces/IEnclaveRegistry.sol";
import {IFFECoordinator} from "../src/interfaces/IFFECoordinator.sol";

interface ScriptVm {
    function startBroadcast() external;
    function stopBroadcast() external;
    function envAddress(string calldata name) external view returns (address);
    function getCode(string calldata artifact) external view returns (bytes memory);
    function computeCreate2Address(bytes32 salt, bytes32 initCodeHash, address deployer) external pure returns (address);
}

/// @notice Deploys the verifier and the coordinator (which creates its token contract) for an existing registry, at
///         addresses that depend on nothing but their code and arguments (CREATE2 through the usual factory).
/// @dev FFE_REGISTRY=0x… FFE_TREASURY=0x… forge script script/Deploy.s.sol --rpc-url … --account … --broadcast
contract Deploy {
    ScriptVm private constant vm = ScriptVm(address(uint160(uint256(keccak256("hevm cheat code")))));
    address private constant FACTORY = 0x4e59b44847b379578588920cA78FbF26c0B4956C;
    bytes32 private constant SALT = keccak256("ffe.deploy.v1");
    uint256 private constant DEVNET = 31_337;
    uint256 private constant GALILEO = 16_602;
    uint256 private constant ARISTOTLE = 16_661;

    error UnknownChain(uint256 chainId);
    error DevelopmentRegistry(uint256 chainId);
    error FactoryMissing(address factory);
    error DeploymentFailed(address expected);

    event Deployed(string name, address at);

    function run() external returns (address verifier, address coordinator, address inft) {
        return deploy(IEnclaveRegistry(vm.envAddress("FFE_REGISTRY")), vm.envAddress("FFE_TREASURY"));
    }

    function deploy(IEnclaveRegistry registry, address treasury)
        public
        returns (address verifier, address coordinator, address inft)
    {
        if (block.chainid != DEVNET && block.chainid != GALILEO && block.chainid != ARISTOTLE) {
            revert UnknownChain(block.chainid);
        }
        if (registry.development() && block.chainid != DEVNET) revert DevelopmentRegistry(block.chainid);
        if (FACTORY.code.length == 0) revert FactoryMissing(FACTORY);

        vm.startBroadcast();
        verifier = create(abi.encodePacked(vm.getCode("ERC7857Verifier.sol:ERC7857Verifier"), abi.encode(registry)));
        coordinator = create(
            abi.encodePacked(vm.getCode("FFECoordinator.sol:FFECoordinator"), abi.encode(registry, verifier, treasury))
        );
        vm.stopBroadcast();
        inft = address(IFFECoordinator(coordinator).inft());
        emit Deployed("ERC7857Verifier", verifier);
        emit Deployed("FFECoordinator", coordinator);
        emit Deployed("CoOwnedINFT", inft);
    }

    /// @dev The same code with the same arguments is deployed once; running the script again changes nothing.
    function create(bytes memory initCode) private returns (address at) {
        at = vm.computeCreate2Address(SALT, keccak256(initCode), FACTORY);
        if (at.code.length != 0) return at;
        (bool ok,) = FACTORY.call(abi.encodePacked(SALT, initCode));
        if (!ok || at.code.length == 0) revert DeploymentFailed(at);
    }
}
