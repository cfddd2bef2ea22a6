#!/usr/bin/env node
// Writes <Name>.json into a folder (verification/ if none is named): what an explorer needs to check that the code on the chain comes from these sources,
// in the compiler's own format (standard JSON), with the settings that made the artifact in out/. With --check it
// compiles each again and compares the creation code with the artifact's.
"use strict";
const fs = require("fs");
const path = require("path");
const root = path.dirname(__dirname);
const names = ["FFECoordinator", "CoOwnedINFT", "ERC7857Verifier", "EnclaveRegistry", "DcapVerifier"];
// Who creates it. What the IR pipeline makes of a contract depends on what is compiled with it: the code on the chain is
// the one inside its creator's.
const creators = { CoOwnedINFT: "FFECoordinator" };

function read(file) {
  return fs.readFileSync(path.join(root, file), "utf8");
}

function artifactOf(name) {
  return JSON.parse(read(`out/${name}.sol/${name}.json`));
}

function inputOf(artifact, creator) {
  const { compilationTarget, ...settings } = artifact.metadata.settings;
  const [[file, name]] = Object.entries(compilationTarget);
  const sources = {};
  for (const source of Object.keys(creator.metadata.sources)) sources[source] = { content: read(source) };
  settings.outputSelection = { [file]: { [name]: ["abi", "evm.bytecode.object"] } };
  return { file, name, input: { language: "Solidity", sources, settings } };
}

const check = process.argv.includes("--check");
const folder = process.argv.slice(2).find((word) => word !== "--check") ?? path.join(root, "verification");
fs.mkdirSync(folder, { recursive: true });
let failed = false;
for (const name of names) {
  const artifact = artifactOf(name);
  const creator = creators[name] ? artifactOf(creators[name]) : artifact;
  const { file, input } = inputOf(artifact, creator);
  fs.writeFileSync(path.join(folder, `${name}.json`), JSON.stringify(input, null, 1) + "\n");
  if (!check) continue;
  const out = JSON.parse(require(path.join(root, "node_modules/solc")).compile(JSON.stringify(input)));
  const code = out.contracts?.[file]?.[name]?.evm.bytecode.object;
  const same = `0x${code}` === artifact.bytecode.object && creator.bytecode.object.includes(code);
  process.stderr.write(`${name}: ${same ? "the same creation code" : "OTHER creation code"}\n`);
  if (!same) failed = true;
}
process.exitCode = failed ? 1 : 0;
