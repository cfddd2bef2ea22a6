// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

import {Artifact} from "../interfaces/ICoOwnedINFT.sol";

/// @title TokenImage
/// @notice A token's picture as SVG: a ring with one part per owner, this token's part lit; inside it a rosette drawn from
///         the model's root, so that the tokens of one model look alike and those of two models do not.
/// @dev Only numbers and hashes go into it: there is nothing to escape. Colours and shapes are the root's low bytes.
library TokenImage {
    using Strings for uint256;

    string private constant WHITE = "#f4f7fa";
    string private constant GREY = "#aab4c0";
    string private constant RED = "#ff6b64";
    /// @dev Of the ring, in thousandths of a picture's unit, like everything drawn in it.
    uint256 private constant CIRCUMFERENCE = 628_318;
    uint256 private constant WIDEST_GAP = 9000;
    uint256 private constant LEAST_PART = 4000;

    function svg(Artifact memory a, string memory session, uint256 number, bool stale)
        internal
        pure
        returns (string memory)
    {
        uint256 root = uint256(a.artifactRoot);
        return string.concat(
            background(hue(root)),
            '<g fill="none" stroke-width="1.6" transform="translate(240 158)">',
            rosette(root, root >> 32, hue(root), 12),
            rosette(root, root >> 64, secondHue(root), 0),
            ring(number, a.owners, stale ? RED : colour(hue(root))),
            "</g>",
            words(a, session, number, stale),
            "</svg>"
        );
    }

    /// @dev Two hues that are always apart, but never opposite: 40 to 140 degrees.
    function hue(uint256 root) private pure returns (uint256) {
        return (root & 0xff) * 360 / 256;
    }

    function secondHue(uint256 root) private pure returns (uint256) {
        return (hue(root) + 40 + ((root >> 8) & 0xff) * 100 / 256) % 360;
    }

    function colour(uint256 hue_) private pure returns (string memory) {
        return string.concat("hsl(", hue_.toString(), ",80%,65%)");
    }

    function background(uint256 hue_) private pure returns (string memory) {
        return string.concat(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 480"'
            ' font-family="ui-monospace,Menlo,Consolas,monospace">'
            '<radialGradient id="b" cx=".5" cy=".33" r=".8"><stop stop-color="hsl(',
            hue_.toString(),
            ',45%,17%)"/><stop offset="1" stop-color="#0b0e14"/></radialGradient>'
            '<rect width="480" height="480" rx="28" fill="url(#b)"/>'
        );
    }

    /// @dev 5 to 11 ellipses turned about the centre; `bits` give their shape.
    function rosette(uint256 root, uint256 bits, uint256 hue_, uint256 larger)
        private
        pure
        returns (string memory out)
    {
        uint256 count = 5 + ((root >> 16) & 0xff) % 7;
        uint256 turned = ((bits >> 16) & 0xff) * 180 / 256;
        string memory ellipse = string.concat(
            '<ellipse rx="',
            (40 + (bits & 0xff) * 34 / 256 + larger).toString(),
            '" ry="',
            (9 + ((bits >> 8) & 0xff) * 24 / 256).toString(),
            '" transform="rotate('
        );
        out = string.concat('<g stroke="', colour(hue_), '">');
        for (uint256 i; i < count; ++i) {
            out = string.concat(out, ellipse, (turned + i * 180 / count).toString(), ')"/>');
        }
        out = string.concat(out, "</g>");
    }

    /// @dev Two dashed circles that begin at the top: all parts, and the one that is lit.
    function ring(uint256 number, uint256 owners, string memory lit) private pure returns (string memory) {
        uint256 pitch = CIRCUMFERENCE / owners;
        uint256 gap = pitch / 4 < WIDEST_GAP ? pitch / 4 : WIDEST_GAP;
        uint256 part = pitch - gap;
        string memory parts =
            circle("#fff", string.concat('stroke-opacity=".16" stroke-dasharray="', part.toString(), " "), gap);
        if (part < LEAST_PART) part = LEAST_PART;
        string memory own = string.concat(
            'stroke-dashoffset="-',
            ((number - 1) * CIRCUMFERENCE / owners).toString(),
            '" stroke-dasharray="',
            part.toString(),
            " "
        );
        return string.concat(
            '<g transform="rotate(-90) scale(.001)" stroke-width="14000">',
            parts,
            circle(lit, own, CIRCUMFERENCE + 1 - part),
            "</g>"
        );
    }

    function circle(string memory stroke, string memory dashes, uint256 gap) private pure returns (string memory) {
        return string.concat('<circle r="1e5" stroke="', stroke, '" ', dashes, gap.toString(), '"/>');
    }

    function words(Artifact memory a, string memory session, uint256 number, bool stale)
        private
        pure
        returns (string memory out)
    {
        // 0.6 of the size is the width of a letter; 416 the width of the picture between its margins.
        uint256 size = 690 / (bytes(session).length + 8);
        if (size > 42) size = 42;
        string memory place = string.concat("Owner ", number.toString(), " of ", uint256(a.owners).toString());
        out = line("32", "44", GREY, "14", "FFE co-owned model");
        out = string.concat(out, line("32", "338", WHITE, size.toString(), string.concat("Session ", session)));
        out = string.concat(out, line("32", "374", WHITE, "22", place));
        out = string.concat(out, hash("418", "model", a.artifactRoot), hash("442", "base", a.baseModel));
        if (stale) out = string.concat(out, line("372", "44", RED, "14", "key stale"));
    }

    function hash(string memory y, string memory name, bytes32 value) private pure returns (string memory) {
        return string.concat(line("32", y, GREY, "14", name), line("90", y, GREY, "14", short(value)));
    }

    function line(string memory x, string memory y, string memory fill, string memory size, string memory content)
        private
        pure
        returns (string memory)
    {
        string memory place = string.concat('<text x="', x, '" y="', y, '" fill="', fill);
        return string.concat(place, '" font-size="', size, '">', content, "</text>");
    }

    /// @dev 0x, the first 16 digits and the last 8.
    function short(bytes32 value) private pure returns (string memory) {
        bytes memory digits = bytes(Strings.toHexString(uint256(value), 32));
        bytes memory last = new bytes(8);
        for (uint256 i; i < 8; ++i) {
            last[i] = digits[58 + i];
        }
        return string.concat(Strings.toHexString(uint256(value) >> 192, 8), unicode"…", string(last));
    }
}
