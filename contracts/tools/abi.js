#!/usr/bin/env node
// Writes the ABI of each deployed contract to abi/NAME.json, one entry per line so that a change reads well in a diff.
"use strict";
const fs = require("fs");
const path = require("path");
const root = path.dirname(__dirname);

const names = [
  "FFECoordinator", "EnclaveRegistry", "DcapVerifier", "CoOwnedINFT", "ERC7857Verifier", "ZeroGFlow",
  "LedgerManager", "FineTuningServing", "InferenceServing",
];

fs.mkdirSync(path.join(root, "abi"), { recursive: true });
for (const name of names) {
  const artifact = path.join(root, "out", `${name}.sol`, `${name}.json`);
  if (!fs.existsSync(artifact)) {
    process.stderr.write(`${name}: not built, skipped\n`);
    continue;
  }
  const entries = JSON.parse(fs.readFileSync(artifact, "utf8")).abi.map((entry) => JSON.stringify(entry));
  fs.writeFileSync(path.join(root, "abi", `${name}.json`), `[\n${entries.join(",\n")}\n]\n`);
}
