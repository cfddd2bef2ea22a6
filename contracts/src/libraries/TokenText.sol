// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

import {Artifact} from "../interfaces/ICoOwnedINFT.sol";

/// @title TokenText
/// @notice What people and 0G's tools read about a token: ERC-721 metadata with its image, and the data description.
library TokenText {
    using Strings for uint256;

    /// @notice Where the model lies and how it is encrypted, in the form that 0G's own contracts use.
    function dataDescription(bytes32 root) internal pure returns (string memory) {
        return string.concat(
            '{"role":"lora-adapter","storage_ptr":{"root_hash":"', hex32(root), '"},"encryption":"AES-GCM-256"}'
        );
    }

    /// @notice A data URI with the token's JSON metadata.
    function uri(Artifact memory a, uint256 number, bool stale) internal pure returns (string memory) {
        string memory session = a.sessionId.toString();
        string memory place = string.concat(number.toString(), " of ", uint256(a.owners).toString());
        string memory json = string.concat(
            '{"name":"FFE model ',
            session,
            ", owner ",
            place,
            '","description":"',
            description(session),
            image(a, session, place, stale)
        );
        json = string.concat(json, '","attributes":[', attributes(a, session, number, stale), "]}");
        return string.concat("data:application/json;base64,", Base64.encode(bytes(json)));
    }

    function description(string memory session) private pure returns (string memory) {
        return string.concat(
            "A share of the model that the contributors of session ",
            session,
            " trained together. It is stored encrypted; its key is sealed for each owner's wallet."
        );
    }

    function image(Artifact memory a, string memory session, string memory place, bool stale)
        private
        pure
        returns (string memory)
    {
        return
            string.concat('","image":"data:image/svg+xml;base64,', Base64.encode(bytes(svg(a, session, place, stale))));
    }

    function attributes(Artifact memory a, string memory session, uint256 number, bool stale)
        private
        pure
        returns (string memory)
    {
        string memory numbers = string.concat(
            number_("Session", session),
            number_("Owner", number.toString()),
            number_("Owners", uint256(a.owners).toString())
        );
        return string.concat(
            numbers,
            text("Base model", hex32(a.baseModel)),
            text("Model root", hex32(a.artifactRoot)),
            text("Enclave code", hex32(a.codeHash)),
            '{"trait_type":"Key","value":"',
            stale ? "stale" : "sealed for the owner",
            '"}'
        );
    }

    function svg(Artifact memory a, string memory session, string memory place, bool stale)
        private
        pure
        returns (string memory)
    {
        string memory top = string.concat(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 480" font-family="ui-monospace,monospace">'
            '<rect width="480" height="480" rx="28" fill="#0d1117"/>',
            rings(uint256(a.artifactRoot)),
            '<text x="32" y="56" fill="#8b949e" font-size="18">FFE co-owned model</text>'
        );
        return string.concat(
            top,
            line("324", "#f0f6fc", "44", string.concat("Session ", session)),
            line("362", "#f0f6fc", "24", string.concat("Owner ", place)),
            line("402", "#8b949e", "16", string.concat("base ", short(a.baseModel))),
            line("428", "#8b949e", "16", string.concat("root ", short(a.artifactRoot))),
            stale ? line("454", "#f85149", "16", "key stale") : "",
            "</svg>"
        );
    }

    function line(string memory y, string memory colour, string memory size, string memory content)
        private
        pure
        returns (string memory)
    {
        return string.concat(
            '<text x="32" y="', y, '" fill="', colour, string.concat('" font-size="', size, '">'), content, "</text>"
        );
    }

    /// @dev Rings from the root: the tokens of a model look alike, those of two models do not.
    function rings(uint256 root) private pure returns (string memory out) {
        for (uint256 i; i < 6; ++i) {
            uint256 pick = (root >> (i * 32)) & 0xffffffff;
            out = string.concat(out, ring(pick));
        }
    }

    function ring(uint256 pick) private pure returns (string memory) {
        string memory place = string.concat(
            '<circle cx="', (150 + pick % 180).toString(), '" cy="', (110 + (pick >> 8) % 120).toString()
        );
        return string.concat(
            place,
            '" r="',
            (24 + (pick >> 16) % 60).toString(),
            '" fill="none" stroke-width="6" stroke="hsl(',
            ((pick >> 24) * 360 / 256).toString(),
            ',70%,60%)"/>'
        );
    }

    function number_(string memory name, string memory value) private pure returns (string memory) {
        return string.concat('{"trait_type":"', name, '","value":', value, "},");
    }

    function text(string memory name, string memory value) private pure returns (string memory) {
        return string.concat('{"trait_type":"', name, '","value":"', value, '"},');
    }

    function hex32(bytes32 value) private pure returns (string memory) {
        return Strings.toHexString(uint256(value), 32);
    }

    /// @dev 0x and the first 16 digits.
    function short(bytes32 value) private pure returns (string memory) {
        return string.concat(Strings.toHexString(uint256(value) >> 192, 8), "...");
    }
}
