// The corpus: quotes with what each needs to be judged, and mutations of the good ones. The same bytes at every run.
import fs from "node:fs";
import path from "node:path";
import crypto from "node:crypto";
import { p256 } from "@noble/curves/p256";

const N = p256.CURVE.n;

// A small generator of numbers below `n` (mulberry32), so that a seed names the whole corpus.
export function randomOf(seed) {
  return (n) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

// Where the members of a quote lie: [name, from, to).
export function layout(q) {
  const version = q.readUInt16LE(0);
  const body = version === 4 ? 48 : 54;
  const end = version === 4 ? 632 : q.readUInt16LE(48) === 2 ? 638 : 702;
  const s = end + 4;
  const auth = q.readUInt16LE(s + 582);
  const inner = s + 584 + auth;
  const chain = q.readUInt32LE(inner + 2);
  const fields = [
    ["version", 0, 2], ["key type", 2, 4], ["TEE type", 4, 8], ["reserved", 8, 12], ["vendor", 12, 28],
    ["user data", 28, 48],
  ];
  if (version === 5) fields.push(["body type", 48, 50], ["body size", 50, 54]);
  const report = [
    ["TEE_TCB_SVN", 16], ["MRSEAM", 48], ["MRSIGNERSEAM", 48], ["SEAMATTRIBUTES", 8], ["TDATTRIBUTES", 8], ["XFAM", 8],
    ["MRTD", 48], ["MRCONFIGID", 48], ["MROWNER", 48], ["MROWNERCONFIG", 48], ["RTMR0", 48], ["RTMR1", 48],
    ["RTMR2", 48], ["RTMR3", 48], ["REPORTDATA", 64],
  ];
  if (end - body === 648) report.push(["TEE_TCB_SVN_2", 16], ["MRSERVICETD", 48]);
  let at = body;
  for (const [name, size] of report) fields.push([name, at, (at += size)]);
  fields.push(
    ["signature length", end, s], ["signature", s, s + 64], ["attestation key", s + 64, s + 128],
    ["certification type", s + 128, s + 130], ["certification size", s + 130, s + 134],
    ["QE report", s + 134, s + 518], ["QE signature", s + 518, s + 582], ["auth size", s + 582, s + 584],
    ["auth data", s + 584, inner], ["chain type", inner, inner + 2], ["chain size", inner + 2, inner + 6],
    ["chain", inner + 6, inner + 6 + chain],
  );
  return { version, body, end, s, inner, chainEnd: inner + 6 + chain, fields };
}

function copy(q, at, bytes) {
  const out = Buffer.from(q);
  Buffer.from(bytes).copy(out, at);
  return out;
}

const number = (n) => Buffer.from(n.toString(16).padStart(64, "0"), "hex");
const value = (b) => BigInt("0x" + b.toString("hex"));

// Every way to damage a quote that needs no key.
export function* mutations(q, random, perField) {
  const l = layout(q);
  for (const [name, from, to] of l.fields) {
    const count = name === "chain" ? 4 * perField : Math.min(perField, to - from);
    for (let i = 0; i < count; ++i) {
      const at = from + random(to - from);
      yield { tag: `flip ${name}`, note: `byte ${at}`, quote: copy(q, at, [q[at] ^ (1 << random(8))]) };
    }
  }
  const lengths = [["signature length", 4], ["certification size", 4], ["auth size", 2], ["chain size", 4]];
  if (l.version === 5) lengths.push(["body size", 4]);
  for (const [name, size] of lengths) {
    const from = l.fields.find((f) => f[0] === name)[1];
    const now = q.readUIntLE(from, size);
    for (const n of [0, 1, now - 1, now + 1, 2 ** (8 * size) - 1]) {
      const b = Buffer.alloc(size);
      b.writeUIntLE(n, 0, size);
      yield { tag: `length ${name}`, note: `${n} for ${now}`, quote: copy(q, from, b) };
    }
  }
  const cuts = new Set([0, 1, 47]);
  for (const [, from, to] of l.fields) cuts.add(from).add(to - 1);
  for (let i = 0; i < perField; ++i) cuts.add(random(l.chainEnd));
  for (const n of cuts) if (n < l.chainEnd) yield { tag: "truncated", note: `${n} bytes`, quote: q.subarray(0, n) };
  const [r, s] = [q.subarray(l.s, l.s + 32), q.subarray(l.s + 32, l.s + 64)];
  yield { tag: "N - s", note: "the same quote", quote: copy(q, l.s + 32, number(N - value(s))) };
  for (const [what, pair] of [
    ["r = 0", [Buffer.alloc(32), s]], ["s = 0", [r, Buffer.alloc(32)]], ["r = N", [number(N), s]],
    ["s = N", [r, number(N)]], ["r + N", [number((value(r) + N) % 2n ** 256n), s]], ["s ↔ r", [s, r]],
  ]) yield { tag: "signature value", note: what, quote: copy(q, l.s, Buffer.concat(pair)) };
  yield { tag: "key off the curve", note: "(0, 0)", quote: copy(q, l.s + 64, Buffer.alloc(64)) };
  yield { tag: "trailing zeros", note: "70 bytes", quote: Buffer.concat([q.subarray(0, l.chainEnd), Buffer.alloc(70)]) };
}

// The development keys of the sample platform: derived from their names, so that anyone can sign with them.
function developmentKey(name) {
  const digest = value(crypto.createHash("sha256").update("dev-dcap/" + name).digest());
  return number(1n + (digest % (N - 1n)));
}

const signature = (key, bytes) =>
  Buffer.from(p256.sign(crypto.createHash("sha256").update(bytes).digest(), key).toCompactRawBytes());

// Quotes that the platform itself signed, and that say what must not be accepted, or what may.
export function* signedBodies(q) {
  const l = layout(q);
  const ak = developmentKey("attestation");
  const sign = (change) => {
    const region = Buffer.from(q.subarray(0, l.end));
    change(region);
    return Buffer.concat([region, q.subarray(l.end, l.s), signature(ak, region), q.subarray(l.s + 64)]);
  };
  const at = (name) => l.fields.find((f) => f[0] === name)[1];
  const set = (name, offset, v) => ({ note: `${name}[${offset}] = ${v}`, quote: sign((b) => (b[at(name) + offset] = v)) });
  yield { tag: "signed again", ...set("MROWNER", 0, 1) };
  for (const bit of [1, 2, 128]) yield { tag: "TUD", ...set("TDATTRIBUTES", 0, bit) };
  yield { tag: "reserved TD attribute", ...set("TDATTRIBUTES", 1, 1) };
  yield { tag: "reserved TD attribute", ...set("TDATTRIBUTES", 3, 0x30) };
  yield { tag: "SEPT_VE_DISABLE clear", ...set("TDATTRIBUTES", 3, 0) };
  yield { tag: "PKS", ...set("TDATTRIBUTES", 3, 0x50) };
  yield { tag: "PERFMON", ...set("TDATTRIBUTES", 7, 0x80) };
  yield { tag: "module signer", ...set("MRSIGNERSEAM", 0, 1) };
  yield { tag: "module signer", ...set("MRSIGNERSEAM", 47, 1) };
  yield { tag: "module attributes", ...set("SEAMATTRIBUTES", 7, 1) };
  yield { tag: "module below floor", ...set("TEE_TCB_SVN", 0, 5) };
  yield { tag: "module unknown", ...set("TEE_TCB_SVN", 1, 9) };
  yield { tag: "TDX component below floor", ...set("TEE_TCB_SVN", 2, 1) };
  yield { tag: "version", ...set("version", 0, l.version === 4 ? 5 : 4) };
  yield { tag: "version", ...set("version", 0, 3) };
  yield { tag: "TEE type", ...set("TEE type", 0, 0) };
  yield { tag: "vendor", ...set("vendor", 0, 0) };
  yield { tag: "reserved header", ...set("reserved", 0, 1) };
  yield { tag: "user data", ...set("user data", 19, 1) };
  if (l.version === 5) yield { tag: "body type", ...set("body type", 0, l.end - l.body === 648 ? 2 : 3) };
  if (l.version === 5) yield { tag: "body type", ...set("body type", 0, 1) };
  if (l.end - l.body === 648) yield { tag: "service TD", ...set("MRSERVICETD", 47, 1) };
  yield* signedQeReports(q, l);
}

function* signedQeReports(q, l) {
  const pck = developmentKey("pck");
  const sign = (note, change) => {
    const report = Buffer.from(q.subarray(l.s + 134, l.s + 518));
    change(report);
    return { note, quote: copy(q, l.s + 134, Buffer.concat([report, signature(pck, report)])) };
  };
  yield { tag: "QE signed again", ...sign("CPUSVN", (r) => (r[0] ^= 1)) };
  yield { tag: "QE key binding", ...sign("report data", (r) => (r[320] ^= 1)) };
  yield { tag: "QE report data tail", ...sign("report data", (r) => (r[352] = 1)) };
  yield { tag: "QE signer", ...sign("MRSIGNER", (r) => (r[128] ^= 1)) };
  yield { tag: "QE product", ...sign("ISVPRODID", (r) => (r[256] = 1)) };
  yield { tag: "QE debug", ...sign("ATTRIBUTES", (r) => (r[48] |= 2)) };
  yield { tag: "QE misc select", ...sign("MISCSELECT", (r) => (r[16] = 1)) };
  yield { tag: "QE below floor", ...sign("ISVSVN 1", (r) => (r[258] = 1)) };
}

// ---------------------------------------------------------------------------------------------------- what they come from

const hex = (text) => Buffer.from(text.replace(/^0x/, ""), "hex");

export function vectorBases(file) {
  const v = JSON.parse(fs.readFileSync(file, "utf8"));
  const common = { collateral: v.collateral, root: hex(v.root), intermediate: hex(v.intermediate), time: v.time };
  return v.cases.map((c) => ({ ...common, name: `vector: ${c.name}`, quote: hex(c.quote), accepted: c.accepted }));
}

// Real and simulated samples with the results that their README.md states; nothing where the folder is absent.
export function sampleBases(folder) {
  if (!fs.existsSync(path.join(folder, "README.md"))) return [];
  const read = (name) => fs.readFileSync(path.join(folder, name));
  const base = (quote, collateral, root, time, accepted, name = quote) => ({
    name: `sample: ${name}`, quote: read(quote), collateral: JSON.parse(read(collateral)), root: read(root), time, accepted,
  });
  const intel = "dcap-qvl/IntelSGXRootCA.der";
  const dev = "simulated/root_ca.der";
  const real = "dcap-qvl/tdx_quote_collateral.json";
  const simulated = (name, accepted) =>
    base(`simulated/${name}.bin`, "simulated/collateral.json", dev, 1767225600, accepted);
  return [
    base("dcap-qvl/tdx_quote", real, intel, 1751328000, true),
    base("dcap-qvl/tdx_quote", real, intel, 1754006400, false, "dcap-qvl/tdx_quote, later"),
    base("dcap-qvl/tdx_quote_outdated", "dcap-qvl/tdx_quote_outdated_collateral.json", intel, 1772323200, false),
    base("dcap-qvl/tdx_quote", real, dev, 1751328000, false, "dcap-qvl/tdx_quote, development root"),
    { ...simulated("quote_v4", false), root: read(intel), name: "sample: simulated/quote_v4, Intel's root" },
    simulated("quote_v4", true), simulated("quote_v5_td10", true), simulated("quote_v5_td15", true),
    simulated("quote_v4_debug", false), simulated("quote_v4_module_outofdate", false),
    simulated("quote_v4_sgx_tcb_unsupported", false),
  ];
}
