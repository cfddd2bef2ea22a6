// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

import {Artifact} from "../interfaces/ICoOwnedINFT.sol";
import {TokenImage} from "./TokenImage.sol";

/// @title TokenText
/// @notice What people and 0G's tools read about a token: ERC-721 metadata, and the data description.
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
            image(a, session, number, stale)
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

    function image(Artifact memory a, string memory session, uint256 number, bool stale)
        private
        pure
        returns (string memory)
    {
        bytes memory svg = bytes(TokenImage.svg(a, session, number, stale));
        return string.concat('","image":"data:image/svg+xml;base64,', Base64.encode(svg));
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

    function number_(string memory name, string memory value) private pure returns (string memory) {
        return string.concat('{"trait_type":"', name, '","value":', value, "},");
    }

    function text(string memory name, string memory value) private pure returns (string memory) {
        return string.concat('{"trait_type":"', name, '","value":"', value, '"},');
    }

    function hex32(bytes32 value) private pure returns (string memory) {
        return Strings.toHexString(uint256(value), 32);
    }
}
