// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Artifact} from "../src/interfaces/ICoOwnedINFT.sol";
import {TokenImage} from "../src/libraries/TokenImage.sol";
import {Text} from "./utils/Text.sol";
import {Test} from "./utils/Vm.sol";

contract TokenImageTest is Test {
    function picture(uint256 session, bytes32 root, uint256 number, uint8 owners) private pure returns (string memory) {
        Artifact memory a = Artifact(session, root, 0, keccak256("code"), keccak256("base"), address(1), owners);
        return TokenImage.svg(a, vm.toString(session), number, false);
    }

    function test_image_lightsTheOwnersPart() public pure {
        string memory svg = picture(7, keccak256("root"), 3, 8);
        assertTrue(Text.contains(svg, 'stroke-dasharray="69539 9000"'), "eight parts");
        assertTrue(
            Text.contains(svg, 'stroke-dashoffset="-157079" stroke-dasharray="69539 558780"'), "the third is lit"
        );
    }

    function test_image_aPartOf255CanBeSeen() public pure {
        string memory svg = picture(7, keccak256("root"), 255, 255);
        assertTrue(Text.contains(svg, 'stroke-dasharray="1848 615"'), "255 parts");
        assertTrue(Text.contains(svg, 'stroke-dasharray="4000 624319"'), "lit wider than it is");
    }

    function test_image_modelsLookDifferent() public pure {
        string memory one = picture(7, keccak256("one"), 1, 2);
        assertFalse(keccak256(bytes(one)) == keccak256(bytes(picture(7, keccak256("two"), 1, 2))), "by their roots");
        assertFalse(keccak256(bytes(one)) == keccak256(bytes(picture(7, keccak256("one"), 2, 2))), "by their owners");
    }

    /// @dev A letter is 0.6 of the font's size wide; the picture 416 between its margins.
    function testFuzz_image_theTitleFits(uint256 session, bytes32 root) public pure {
        bytes memory svg = bytes(picture(session, root, 1, 2));
        bytes memory before = bytes('y="338" fill="#f4f7fa" font-size="');
        uint256 at = Text.find(string(svg), string(before)) + before.length;
        uint256 size;
        for (; svg[at] != '"'; ++at) {
            size = size * 10 + uint8(svg[at]) - 48;
        }
        assertTrue(size >= 8 && size <= 42, "legible");
        assertLe(size * (8 + bytes(vm.toString(session)).length) * 6, 4160, "width");
    }
}
