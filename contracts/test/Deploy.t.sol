// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Deploy} from "../script/Deploy.s.sol";
import {IEnclaveRegistry} from "../src/interfaces/IEnclaveRegistry.sol";
import {IFFECoordinator} from "../src/interfaces/IFFECoordinator.sol";
import {TestRegistry} from "./utils/TestRegistry.sol";
import {Test} from "./utils/Vm.sol";

contract DeployTest is Test {
    address private constant FACTORY = 0x4e59b44847b379578588920cA78FbF26c0B4956C;
    /// @dev The factory's well-known code: CREATE2 with the first word as salt and the rest as init code.
    bytes private constant FACTORY_CODE =
        hex"7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3";

    Deploy private script;
    IEnclaveRegistry private registry;

    function setUp() public {
        script = new Deploy();
        registry = new TestRegistry();
        vm.etch(FACTORY, FACTORY_CODE);
    }

    function test_deploy_wiresTheContracts() public {
        (address r, address verifier, address coordinator, address inft) = script.deploy(address(registry), address(7));
        assertEq(r, address(registry), "the one that exists");
        IFFECoordinator c = IFFECoordinator(coordinator);
        assertEq(address(c.registry()), address(registry), "registry");
        assertEq(c.treasury(), address(7), "treasury");
        assertEq(address(c.inft()), inft, "inft");
        assertEq(c.inft().coordinator(), coordinator, "coordinator");
        assertEq(address(c.inft().verifier()), verifier, "verifier");
        (, address again, address andAgain,) = script.deploy(address(registry), address(7));
        assertEq(again, verifier, "deployed once");
        assertEq(andAgain, coordinator, "deployed once");
    }

    function test_deploy_makesARegistryOnIntelsRoot() public {
        vm.chainId(16_661);
        (address r,, address coordinator,) = script.deploy(address(0), address(7));
        assertFalse(IEnclaveRegistry(r).development(), "Intel's root");
        assertEq(address(IFFECoordinator(coordinator).registry()), r, "registry");
        vm.chainId(31_337);
        (address again,, address andAgain,) = script.deploy(address(0), address(7));
        assertEq(again, r, "deployed once");
        assertEq(andAgain, coordinator, "deployed once");
    }

    function test_deploy_refusesADevelopmentRegistryElsewhere() public {
        vm.chainId(16_661);
        vm.expectRevert(abi.encodeWithSelector(Deploy.DevelopmentRegistry.selector, 16_661));
        script.deploy(address(registry), address(7));
        vm.chainId(1);
        vm.expectRevert(abi.encodeWithSelector(Deploy.UnknownChain.selector, 1));
        script.deploy(address(registry), address(7));
    }

    function test_deploy_needsTheFactory() public {
        vm.etch(FACTORY, "");
        vm.expectRevert(abi.encodeWithSelector(Deploy.FactoryMissing.selector, FACTORY));
        script.deploy(address(registry), address(7));
    }
}
