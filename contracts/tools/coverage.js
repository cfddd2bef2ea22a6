#!/usr/bin/env node
// Usage: coverage.js lcov.info 98 [attestation]. Fails below the given percentage of lines or branches, taken
// over all files of coordinator, token, verifier and their libraries, or over those of attestation.
"use strict";
const fs = require("fs");
const [file, least, part] = process.argv.slice(2);
const ours =
  part === "attestation"
    ? /^src\/attestation\/\w+\.sol$/
    : /^src\/(FFECoordinator|CoOwnedINFT|ERC7857Verifier|libraries\/\w+)\.sol$/;

const rows = [];
let row = null;
for (const line of fs.readFileSync(file, "utf8").split("\n")) {
  const [key, value] = [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)];
  if (key === "SF") row = { name: value, LF: 0, LH: 0, BRF: 0, BRH: 0 };
  else if (row && key in row) row[key] = Number(value);
  else if (line === "end_of_record" && ours.test(row.name)) rows.push(row);
}
if (rows.length < 6) throw new Error(`${file} lacks the contracts' coverage`);

const sum = (key) => rows.reduce((total, r) => total + r[key], 0);
const percent = (hit, found) => (found === 0 ? 100 : (100 * hit) / found);
rows.push({ name: "all", LF: sum("LF"), LH: sum("LH"), BRF: sum("BRF"), BRH: sum("BRH") });
for (const r of rows) {
  const lines = `${r.LH}/${r.LF} lines`.padStart(16);
  const branches = `${r.BRH}/${r.BRF} branches`.padStart(18);
  process.stdout.write(`${r.name.padEnd(36)}${lines}${branches}\n`);
}
const all = rows.pop();
if (Math.min(percent(all.LH, all.LF), percent(all.BRH, all.BRF)) < Number(least)) {
  process.stderr.write(`error: coverage is below ${least} %\nhint: lcov.info names the lines\n`);
  process.exitCode = 1;
}
