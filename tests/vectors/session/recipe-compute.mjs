// Writes recipe-compute.json: recipes with trainer "0g-compute", good and bad, as canonical JSON. Needs ethers (see
// generate.mjs); run `node recipe-compute.mjs OUTPUT_FOLDER`. Nothing of FFE's own code is used.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { getAddress, keccak256, toUtf8Bytes } from "ethers";

const good = {
  format: "ffe.recipe.v1", trainer: "0g-compute", numericPath: "f32", rank: 8, alpha: 32, dropoutMicro: 100000,
  targets: ["q", "k", "v", "o", "gate", "up", "down"], learningRateNano: 200000, schedule: "cosine", warmupSteps: 10,
  weightDecayMicro: 0, clipMicro: 1000000, epochs: 2, tokensPerStep: 4096, sequenceLength: 512, loss: "text", systemPrompt: "none",
  compute: {
    provider: "0xa02b95aa6886b1116c4f334ede00381511e31a09", signer: "0x24135b4bd964872284728f79f5f17eb874c5583a",
    url: "https://provider.example:8443/ft", baseModel: "0xb4f76a886b8655c92bb021922d60b5e4d9271a5c9da98b6cb10937a06c2c75a7",
    maxFee: "500000000000000000", batchSize: 2, maxSteps: 0,
  },
};
const enclave = {
  ...good, trainer: "enclave", alpha: 16, dropoutMicro: 0, learningRateNano: 1000000, warmupSteps: 3, epochs: 1,
  tokensPerStep: 1024, loss: "answers",
};
delete enclave.compute;

// RFC 8785 for strings of ASCII, integers, arrays and objects.
const canonical = (v) =>
  Array.isArray(v) ? `[${v.map(canonical).join(",")}]`
  : v !== null && typeof v === "object" ? `{${Object.keys(v).sort().map((k) => `${JSON.stringify(k)}:${canonical(v[k])}`).join(",")}}`
  : JSON.stringify(v);

const sees = (r) =>
  r.compute === undefined ? ""
  : `these terms send all accepted rows out of the enclave to the 0G Compute provider ${getAddress(r.compute.provider)} at ${r.compute.url}, ` +
    "which trains on them and can read them";
const taken = (r) => ({ text: canonical(r), hash: keccak256(toUtf8Bytes(canonical(r))), whoSeesRows: sees(r) });
const without = (object, key) => Object.fromEntries(Object.entries(object).filter(([k]) => k !== key));
const refused = (error, change) => ({ text: canonical({ ...good, ...change }), error });
const refusedProvider = (error, change) => refused(error, { compute: { ...good.compute, ...change } });

const cases = [
  taken(good),
  taken(enclave),
  taken({ ...good, tokensPerStep: 8192, sequenceLength: 128, epochs: 10, learningRateNano: 10000,
          compute: { ...good.compute, url: "http://127.0.0.1:3080", batchSize: 4, maxSteps: 1000000, maxFee: "1" } }),
  { text: canonical(without(good, "compute")), error: "recipe.compute must be" },
  { text: canonical({ ...enclave, compute: good.compute }), error: "recipe.compute must be" },
  { text: canonical({ ...enclave, loss: "text" }), error: "recipe.loss must be" },
  refused("recipe.rank must be 8", { rank: 16 }),
  refused("recipe.alpha must be 32", { alpha: 16 }),
  refused("recipe.dropoutMicro must be 100000", { dropoutMicro: 0 }),
  refused("recipe.warmupSteps must be 10", { warmupSteps: 3 }),
  refused("recipe.tokensPerStep must be 4096", { tokensPerStep: 8192 }),
  refused("recipe.weightDecayMicro must be 0", { weightDecayMicro: 1 }),
  refused("recipe.clipMicro must be 1000000", { clipMicro: 0 }),
  refused("recipe.schedule must be", { schedule: "linear" }),
  refused("recipe.loss must be", { loss: "answers" }),
  refused("recipe.targets must be", { targets: ["q", "v"] }),
  refused("recipe.epochs must be from 1 to 10", { epochs: 11 }),
  refused("recipe.learningRateNano must be from 10000 to 1000000", { learningRateNano: 2000000 }),
  refused("recipe.sequenceLength must be from 8 to 512", { sequenceLength: 1024 }),
  refusedProvider("recipe.compute.provider must be", { provider: "0x" + "00".repeat(20) }),
  refusedProvider("recipe.compute.signer must be", { signer: "0x" + "00".repeat(20) }),
  refusedProvider("recipe.compute.url must be", { url: "ftp://provider.example" }),
  refusedProvider("recipe.compute.url must be", { url: "https://provider.example/" }),
  refusedProvider("recipe.compute.url must be", { url: "https://user@provider.example" }),
  refusedProvider("recipe.compute.url must be", { url: "https://a b" }),
  refusedProvider("recipe.compute.maxFee must be above 0", { maxFee: "0" }),
  refusedProvider("recipe.compute.batchSize must be from 1 to 4", { batchSize: 5 }),
  refusedProvider("recipe.compute.maxSteps must be from 0 to", { maxSteps: 1000001 }),
  refusedProvider("recipe.compute.password", { password: "no such member" }),
  { text: canonical({ ...good, compute: without(good.compute, "signer") }), error: "recipe.compute.signer" },
];
const rows = cases.map((c) => "    " + JSON.stringify(c));
writeFileSync(
  join(process.argv[2], "recipe-compute.json"),
  `{\n  "about": "recipes whose training leaves the enclave, and refused ones",\n  "cases": [\n${rows.join(",\n")}\n  ]\n}\n`,
);
