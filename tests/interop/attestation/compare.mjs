// One corpus, three judges: the C++ verifier, the contracts, and @phala/dcap-qvl as referee.
//   node compare.mjs BUILD [--samples FOLDER] [--per-field N] [--every N] [--seed N]
// BUILD: a build folder with bin/ffe and share/ffe. Exit status 1: a difference that no rule below explains.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import qvl from "@phala/dcap-qvl";
import { Chain } from "./chain.mjs";
import { mutations, randomOf, sampleBases, signedBodies, vectorBases } from "./corpus.mjs";

// Where a judge may accept what another refuses, and why. Anything else is a failure.
const FRAMING = "the contracts read neither lengths nor types around the parts: who registers cuts those out and brings them";
const DIFFERENCES = [
  ["contracts", /^(flip|length) (signature length|certification type|certification size|chain type|chain size)$/, FRAMING],
  ["contracts", /^flip chain$/, "only the PCK certificate is read; intermediate and root are known already"],
  ["contracts", /^truncated$/, "cut behind the PCK certificate: what follows is known already"],
  ["dcap-qvl", /^(flip|length) (signature length|certification type|certification size|chain size)$/,
    "it asks neither that the sizes around the parts agree nor what the outer certification type is"],
  ["dcap-qvl", /^flip chain$/, "it does not compare the quote's root with the anchor byte for byte, nor refuse stray text"],
  ["dcap-qvl", /^vendor$/, "it does not look at the vendor id"],
  ["dcap-qvl", /^(module below floor|module unknown|vector: module out of date|sample: .*module_outofdate.bin)$/,
    "it does not match TDX module identities"],
  ["dcap-qvl", /^module (signer|attributes)$/, "it does not compare MRSIGNERSEAM and SEAMATTRIBUTES"],
  ["dcap-qvl", /^QE report data tail$/, "it compares the first half of the QE's report data only"],
];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { samples: { type: "string" }, "per-field": { type: "string", default: "1" }, every: { type: "string", default: "1" },
    seed: { type: "string", default: "6" } },
});
const build = path.resolve(positionals[0]);
const here = path.dirname(fileURLToPath(import.meta.url));
const perField = Number(flags["per-field"]);
const every = Number(flags.every); // of the damaged quotes; what is signed again is always judged
const work = fs.mkdtempSync(path.join(os.tmpdir(), "ffe-attestation-"));

function native(quote, base) {
  const file = path.join(work, "quote");
  fs.writeFileSync(file, quote);
  const args = ["attest", "verify", "--quote", file, "--collateral", base.files.collateral, "--time", String(base.time)];
  if (!base.root.equals(INTEL_ROOT)) args.push("--root", base.files.root); // Intel's is built in
  return new Promise((resolve, reject) => {
    const child = spawn(path.join(build, "bin/ffe"), args);
    let [out, err] = ["", ""];
    child.stdout.on("data", (d) => (out += d));
    child.stderr.on("data", (d) => (err += d));
    child.on("close", (code, signal) => {
      if (signal || ![0, 1, 2, 3].includes(code)) reject(new Error(`ffe ended with ${signal ?? code}: ${err}`));
      else if (code === 0) resolve(null);
      else resolve((err.match(/error: (.*)/)?.[1] ?? out).slice(0, 120) || `exit status ${code}`);
    });
  });
}

function referee(quote, base) {
  try {
    const { status } = qvl.QuoteVerifier.newWithRootCa(base.root).verify(quote, base.collateral, base.time);
    return status === "UpToDate" || status === "SWHardeningNeeded" ? null : status; // the floor of all three
  } catch (e) {
    return e.cause ? `${e.message}: ${e.cause.message}` : e.message;
  }
}

// Intel SGX Root CA, as the referee pins it.
const INTEL_ROOT = Buffer.from(qvl.constants.TRUSTED_ROOT_CA_DER);

const counts = { quotes: 0, accepted: 0 };
const explained = new Map();
const failures = [];

async function compare(name, tag, quote, base, chain, expected) {
  const verdicts = {
    "C++": await native(quote, base),
    contracts: base.untaught ?? (await chain.judge(quote)),
    "dcap-qvl": referee(quote, base),
  };
  ++counts.quotes;
  if (expected !== undefined && (verdicts["C++"] === null) !== expected) {
    failures.push(`${name}: C++ says ${verdicts["C++"] ?? "accepted"}, the README otherwise`);
  }
  if (verdicts["C++"] === null) ++counts.accepted;
  for (const judge of ["contracts", "dcap-qvl"]) {
    if ((verdicts[judge] === null) === (verdicts["C++"] === null)) continue;
    const rule = DIFFERENCES.find(([who, what]) => who === judge && what.test(tag) && verdicts[judge] === null);
    if (rule) explained.set(rule, (explained.get(rule) ?? 0) + 1);
    else failures.push(`${name}: C++ ${verdicts["C++"] ?? "accepts"} | ${judge} ${verdicts[judge] ?? "accepts"}`);
  }
}

async function run(base, index) {
  base.files = { collateral: path.join(work, `collateral-${index}`), root: path.join(work, `root-${index}`) };
  fs.writeFileSync(base.files.collateral, JSON.stringify(base.collateral));
  fs.writeFileSync(base.files.root, base.root);
  const chain = await Chain.start(path.join(build, "share/ffe"), base.time);
  try {
    base.untaught = (await chain.teach(base)) ?? undefined;
    await compare(base.name, base.name, base.quote, base, chain, base.accepted);
    if (!base.accepted) return;
    const random = randomOf(Number(flags.seed) + index);
    for (const m of mutations(base.quote, random, perField)) {
      if (random(every) !== 0) continue;
      await compare(`${base.name}, ${m.tag}, ${m.note}`, m.tag, m.quote, base, chain);
    }
    if (!base.name.startsWith("sample: simulated")) return;
    for (const m of signedBodies(base.quote)) {
      await compare(`${base.name}, ${m.tag}, ${m.note}`, m.tag, m.quote, base, chain);
    }
  } finally {
    chain.stop();
  }
}

const bases = vectorBases(path.join(here, "../../vectors/tee/development.json"));
const samples = flags.samples ? sampleBases(flags.samples) : [];
if (samples.length === 0) console.error("NOT COMPARED: real and signed-again quotes (no samples folder: set FFE_SAMPLES)");
try {
  for (const [index, base] of [...bases, ...samples].entries()) await run(base, index);
} finally {
  fs.rmSync(work, { recursive: true });
}
console.log(`${counts.quotes} quotes, ${counts.accepted} accepted, seed ${flags.seed}`);
for (const [[who, , why], n] of explained) console.log(`  ${who} alone accepted ${n}: ${why}`);
for (const f of failures) console.log(`DIFFERENT: ${f}`);
process.exitCode = failures.length === 0 ? 0 : 1;
