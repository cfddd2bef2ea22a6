// Writes application.json: event logs and what they name, with node:crypto and ethers 6 alone.
// Usage: node generate-application.mjs > application.json, from a folder where ethers resolves.
import { createHash } from "node:crypto";
import { concat, keccak256, toUtf8Bytes } from "ethers";

const sha384 = (...parts) => {
  const hash = createHash("sha384");
  parts.forEach((part) => hash.update(part));
  return hash.digest();
};
const le = (value, size) => {
  const out = Buffer.alloc(size);
  out.writeUIntLE(value, 0, size);
  return out;
};
const extend = (digests) => digests.reduce((r, digest) => sha384(r, digest), Buffer.alloc(48));

// An attestation agent's log: header, entries of RTMR3, end mark.
function agentLog(entries) {
  const digests = [];
  const records = entries.map(([operation, content]) => {
    const text = Buffer.from(`tapp.0g.com ${operation} ${JSON.stringify(content)}`);
    const data = Buffer.concat([le(0x4141454c, 4), le(text.length, 4), text]);
    digests.push(sha384(data));
    return Buffer.concat([le(4, 4), le(6, 4), le(1, 4), le(0x0c, 2), digests.at(-1),
      le(data.length, 4), data]);
  });
  const header = Buffer.concat([le(0, 4), le(3, 4), Buffer.alloc(20), le(5, 4), Buffer.from("Spec\0")]);
  return { log: Buffer.concat([header, ...records, Buffer.alloc(8, 0xff)]), rtmr3: extend(digests) };
}

function dstackLog(events) {
  const digests = [];
  const list = events.map(([event, payload]) => {
    digests.push(sha384(le(0x08000001, 4), `:${event}:`, payload));
    return { imr: 3, event_type: 0x08000001, digest: digests.at(-1).toString("hex"), event,
      event_payload: payload.toString("hex") };
  });
  return { log: Buffer.from(JSON.stringify(list)), rtmr3: extend(digests) };
}

const start = (app, result = "success", change = {}) => ["start_app", {
  app_id: app, operation: "start_app", result, compose_hash: "a".repeat(96),
  volumes_hash: { "config.toml": "b".repeat(96) },
  image_hash: { web: `sha256:${"c".repeat(64)}`, "ä": `sha256:${"e".repeat(64)}`,
    db: `sha256:${"d".repeat(64)}` },
  ...change,
}];
const stop = (app) => ["stop_app", { app_id: app, result: "success" }];
const lines = (...text) => keccak256(toUtf8Bytes(text.map((line) => `${line}\n`).join("")));
const tappHash = keccak256(concat([
  keccak256(new Uint8Array(48).fill(0xaa)),
  lines(`db=sha256:${"d".repeat(64)}`, `web=sha256:${"c".repeat(64)}`, `ä=sha256:${"e".repeat(64)}`),
  lines(`config.toml=${"b".repeat(96)}`),
]));
const compose = Buffer.alloc(32, 0x5c);
const done = ["boot-mr-done", Buffer.alloc(0)];

const tapp = (name, entries, appHash = null) => ({ name, format: "ccel", ...agentLog(entries), appHash });
const dstack = (name, events, appHash = null) => ({ name, format: "dstack", ...dstackLog(events), appHash });
const cases = [
  tapp("Tapp: a start that failed, then one that did not",
    [["claim_config", { owner: "0x00" }], start("ffe", "failed"), start("ffe")], tappHash),
  tapp("Tapp: the result as a truth value", [start("ffe", true)], tappHash),
  tapp("Tapp: nothing was started", [["claim_config", { owner: "0x00" }]]),
  tapp("Tapp: the start failed", [start("ffe", "failed")]),
  tapp("Tapp: stopped again", [start("ffe"), stop("ffe")]),
  tapp("Tapp: another one ran before", [start("other"), stop("other"), start("ffe")]),
  tapp("Tapp: another one failed to start", [start("ffe"), start("other", "failed")]),
  tapp("Tapp: an image by tag", [start("ffe", "success", { image_hash: { web: "web:latest" } })]),
  tapp("Tapp: no images", [start("ffe", "success", { image_hash: {} })]),
  tapp("Tapp: images are no map", [start("ffe", "success", { image_hash: "web" })]),
  tapp("Tapp: a file's name with a line feed",
    [start("ffe", "success", { volumes_hash: { "a\nb": "b".repeat(96) } })]),
  dstack("dstack", [["app-id", Buffer.from("00")], ["compose-hash", compose], done], `0x${compose.toString("hex")}`),
  dstack("dstack: measured after boot", [done, ["compose-hash", compose]]),
  dstack("dstack: boot never ended", [["compose-hash", compose]]),
  dstack("dstack: measured twice", [["compose-hash", compose], ["compose-hash", compose], done]),
  dstack("dstack: too short", [["compose-hash", compose.subarray(1)], done]),
];
const shown = cases.map(({ log, rtmr3, ...rest }) => ({
  ...rest, log: `0x${log.toString("hex")}`, rtmr3: `0x${rtmr3.toString("hex")}` }));
console.log(`{\n "about": "event logs; appHash null: refused",\n "cases": [\n${
  shown.map((c) => `  ${JSON.stringify(c)}`).join(",\n")}\n ]\n}`);
