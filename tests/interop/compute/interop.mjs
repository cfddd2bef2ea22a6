// 0G's official compute SDK runs its whole fine-tuning flow and asks for inference against our emulator of a provider, on
// our copy of its contracts; then our client does the same against the same provider. Real processes, real sockets.
// Usage: node interop.mjs path/to/ffe
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const require = createRequire(import.meta.url);
// The SDK's own copy: it asks whether a wallet is an instance of this very class.
const { ContractFactory, JsonRpcProvider, NonceManager, Wallet, keccak256, parseEther } = require("ethers");
const { createZGComputeNetworkBroker } = require("@0gfoundation/0g-compute-ts-sdk");
const AdmZip = require("adm-zip");

const ffe = resolve(process.argv[2]);
const share = join(dirname(dirname(ffe)), "share", "ffe");
const dir = mkdtempSync(join(tmpdir(), "ffe-compute-"));
const children = [];
const OWNER = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
// The SDK knows its hash; the emulator has a tiny model behind it.
const MODEL = "Qwen2.5-0.5B-Instruct";
const ROWS = [
  { instruction: "Translate to French", input: "Hello", output: "Bonjour" },
  { instruction: "Translate to French", input: "Thanks", output: "Merci" },
];
const PARAMS = {
  neftune_noise_alpha: 5, num_train_epochs: 1, per_device_train_batch_size: 2, learning_rate: 0.0002, max_steps: 2,
};

// Starts a program; resolves with its first line that matches.
function start(program, args, pattern, options = {}) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], ...options });
  children.push(child);
  return new Promise((done, fail) => {
    const lines = createInterface(child.stdout);
    lines.on("line", (line) => {
      const match = line.match(pattern);
      if (match) done(match);
    });
    child.once("exit", (code) => fail(new Error(`${program} ended with ${code}`)));
  });
}

const environment = { ...process.env, XDG_CONFIG_HOME: join(dir, "config"), XDG_DATA_HOME: join(dir, "data") };
async function run(...args) {
  const { stdout } = await promisify(execFile)(ffe, args, { env: environment });
  return stdout.trim();
}

// The SDK talks a lot on stdout.
async function quietly(work) {
  const { log, warn } = console;
  console.log = console.warn = () => {};
  try {
    return await work();
  } finally {
    Object.assign(console, { log, warn });
  }
}

// The SDK signs toBeArray(hash), which drops leading zeros: one second in 256 no provider accepts its signature.
async function signed(work) {
  try {
    return await quietly(work);
  } catch (error) {
    assert.match(String(error), /401/);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    return quietly(work);
  }
}

function step(text) {
  console.error(`interop: ${text}`);
}

async function deploy(owner, name, ...args) {
  const { abi, bytecode } = JSON.parse(readFileSync(join(share, "contracts", `${name}.json`), "utf8"));
  const contract = await new ContractFactory(abi, bytecode, owner).deploy(...args);
  await contract.waitForDeployment();
  return contract;
}

async function network(rpc) {
  const owner = new NonceManager(new Wallet(OWNER, rpc));
  const ledger = await deploy(owner, "LedgerManager", parseEther("3"), parseEther("1"));
  const serving = await deploy(owner, "FineTuningServing", false);
  const ownerAddress = await owner.getAddress();
  await (await ledger.initialize(ownerAddress)).wait();
  await (await serving.initialize(86400, await ledger.getAddress(), ownerAddress, 30)).wait();
  await (await ledger.registerService("fine-tuning", "v1.0", await serving.getAddress(), "")).wait();
  const inference = await deploy(owner, "InferenceServing");
  await (await inference.initialize(86400, await ledger.getAddress(), ownerAddress)).wait();
  await (await ledger.registerService("inference", "v1.0", await inference.getAddress(), "")).wait();
  return {
    owner, ledger: await ledger.getAddress(), serving: await serving.getAddress(), contract: serving,
    inference: await inference.getAddress(), inferenceContract: inference,
  };
}

// A keystore account of ours, with money.
async function account(name, owner) {
  const password = join(dir, "password");
  if (!existsSync(password)) writeFileSync(password, "for tests\n", { mode: 0o600 });
  const { address } = JSON.parse(await run("--json", "key", "new", name, "--password-file", password));
  await (await owner.sendTransaction({ to: address, value: parseEther("1000") })).wait();
  return { address, options: ["--account", name, "--password-file", password] };
}

async function until(what, check, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    const found = await check();
    if (found) return found;
    await new Promise((next) => setTimeout(next, 200));
  }
  throw new Error(`${what} did not happen within ${seconds} seconds`);
}

// --- the official SDK, as its documentation uses it ---
async function officialFlow(rpc, net, provider) {
  const wallet = new Wallet(Wallet.createRandom().privateKey, rpc);
  await (await net.owner.sendTransaction({ to: wallet.address, value: parseEther("100") })).wait();
  const broker = await quietly(() => createZGComputeNetworkBroker(wallet, net.ledger, net.inference, net.serving));

  step("SDK: ledger and sub-account");
  await quietly(() => broker.ledger.addLedger(5));
  await quietly(() => broker.ledger.transferFund(provider, "fine-tuning", parseEther("2")));
  const ledger = await broker.ledger.getLedger();
  assert.equal(ledger.totalBalance, parseEther("5"));
  assert.equal(ledger.availableBalance, parseEther("3"));

  step("SDK: providers, models, acknowledgement of the signer");
  const services = await broker.fineTuning.listService();
  assert.equal(services.length, 1);
  assert.equal(services[0].provider, provider);
  const [models] = await broker.fineTuning.listModel();
  assert.ok(models.some(([name]) => name === "mock-model"));
  await quietly(() => broker.fineTuning.acknowledgeProviderSigner(provider));

  step("SDK: dataset, task");
  const data = join(dir, "sdk.jsonl");
  const text = ROWS.map((row) => JSON.stringify(row)).join("\n") + "\n";
  writeFileSync(data, text);
  const { datasetHash } = await signed(() => broker.fineTuning.uploadDatasetToTEE(provider, data));
  assert.equal(datasetHash, keccak256(Buffer.from(text)));
  const params = join(dir, "params.json");
  writeFileSync(params, JSON.stringify(PARAMS));
  // One in 256 of the SDK's signatures misses a leading zero and fails at any provider; then another nonce is tried.
  let id, task;
  for (let attempt = 0; attempt < 3; ++attempt) {
    id = await quietly(() => broker.fineTuning.createTask(provider, MODEL, datasetHash, params));
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    task = await until("delivery", async () => {
      const now = await quietly(() => broker.fineTuning.getTask(provider, id));
      return ["Delivered", "Failed"].includes(now.progress) && now;
    });
    if (task.progress === "Delivered") break;
    const log = await quietly(() => broker.fineTuning.getLog(provider, id));
    assert.match(log, /signature error/, log);
  }
  assert.equal(task.progress, "Delivered");
  assert.ok(BigInt(task.fee) > 0n);
  assert.equal((await quietly(() => broker.fineTuning.listTask(provider)))[0].id, id);
  const log = await quietly(() => broker.fineTuning.getLog(provider, id));
  for (const words of ["creating task....", "Container logs:", "step 1/1 loss"]) assert.ok(log.includes(words), words);

  step("SDK: download, acknowledge, decrypt");
  const encrypted = join(dir, "model.enc");
  await signed(() => broker.fineTuning.acknowledgeModel(provider, id, encrypted, { downloadMethod: "tee" }));
  const deliverable = await net.contract.getDeliverable(wallet.address, provider, id);
  assert.equal(deliverable.modelRootHash, keccak256(readFileSync(encrypted)));
  await until("settlement", async () => {
    const now = await net.contract.getDeliverable(wallet.address, provider, id);
    return now.encryptedSecret !== "0x";
  });
  const zip = join(dir, "model.zip");
  await quietly(() => broker.fineTuning.decryptModel(provider, id, encrypted, zip));
  const names = new AdmZip(zip).getEntries().map((entry) => entry.entryName);
  assert.ok(names.includes("output_model/adapter_model.safetensors"), names.join());
  assert.ok(names.includes("output_model/adapter_config.json"), names.join());
  const config = JSON.parse(new AdmZip(zip).readAsText("output_model/adapter_config.json"));
  assert.equal(config.r, 8);
  assert.equal(config.lora_alpha, 32);

  step("SDK: fee, refund");
  const spent = parseEther("5") - (await broker.ledger.getLedger()).totalBalance;
  assert.equal(spent, BigInt(task.fee));
  await quietly(() => broker.ledger.retrieveFund("fine-tuning"));
  const { account: sub, refunds } = await broker.fineTuning.getAccountWithDetail(provider);
  assert.equal(sub.pendingRefund, parseEther("2") - BigInt(task.fee));
  assert.equal(refunds.length, 1);
  return id;
}

// Inference: a session token of the SDK's, a question as its documentation asks it, the signature as it checks it.
async function officialInference(rpc, net, provider) {
  const wallet = new Wallet(Wallet.createRandom().privateKey, rpc);
  await (await net.owner.sendTransaction({ to: wallet.address, value: parseEther("100") })).wait();
  const broker = await quietly(() => createZGComputeNetworkBroker(wallet, net.ledger, net.inference, net.serving));
  step("SDK: inference, its account, a question");
  await quietly(() => broker.ledger.addLedger(5));
  await quietly(() => broker.ledger.transferFund(provider, "inference", parseEther("2")));
  const services = await broker.inference.listService();
  assert.equal(services.length, 1);
  assert.equal(services[0].model, "tiny");
  await quietly(() => broker.inference.acknowledgeProviderSigner(provider));
  const { endpoint, model } = await broker.inference.getServiceMetadata(provider);
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }], max_tokens: 8 });
  const ask = async (headers) =>
    fetch(`${endpoint}/chat/completions`, {
      method: "POST", body, headers: { "content-type": "application/json", ...headers },
    });
  assert.equal((await ask({})).status, 401);
  const response = await ask(await quietly(() => broker.inference.getRequestHeaders(provider, "Hello")));
  assert.equal(response.status, 200, await response.clone().text());
  const answer = await response.json();
  assert.equal(answer.model, "tiny");
  const key = response.headers.get("ZG-Res-Key");

  step("SDK: processResponse");
  assert.equal(await quietly(() => broker.inference.processResponse(provider, key, JSON.stringify(answer.usage))), true);
  await assert.rejects(quietly(() => broker.inference.processResponse(provider, "no-such-answer")));
  // A signer that 0G did not acknowledge is not believed.
  await (await net.inferenceContract.revokeTEESignerAcknowledgement(provider)).wait();
  const fresh = await quietly(() => createZGComputeNetworkBroker(wallet, net.ledger, net.inference, net.serving));
  assert.equal(await quietly(() => fresh.inference.processResponse(provider, key)), false);
  await (await net.inferenceContract.acknowledgeTEESignerByOwner(provider)).wait();
}

// --- our client against the same provider ---
async function ourFlow(net, provider, rpcUrl) {
  const us = await account("us", net.owner);
  const where = ["--rpc-url", rpcUrl, "--ledger", net.ledger, "--fine-tuning", net.serving];
  step("ffe: providers, funding, status");
  const list = JSON.parse(await run("--json", "compute", "providers", ...where));
  assert.equal(list[0].provider, provider);
  await run("compute", "fund", provider, "1", ...us.options, ...where);
  const again = JSON.parse(await run("--json", "compute", "fund", provider, "1", ...us.options, ...where));
  assert.equal(again.depositedWei, "0");
  assert.equal(again.transferredWei, "0");

  step("ffe: task from rows to adapter");
  const data = join(dir, "ours.jsonl");
  writeFileSync(data, ROWS.map((row) => JSON.stringify(row)).join("\n") + "\n");
  const folder = join(dir, "job");
  const task = [
    "--json", "compute", "task", "run", data, "--provider", provider, "--model", MODEL, "--epochs", "1",
    "--max-steps", "2", "--max-fee", "0.5", "--poll-seconds", "1", "--out", folder, ...us.options, ...where,
  ];
  await assert.rejects(run(...task), /accept-provider-sees-data/);
  assert.ok(!existsSync(folder));
  const { adapter } = JSON.parse(await run(...task, "--accept-provider-sees-data"));
  assert.ok(existsSync(join(adapter, "adapter_model.safetensors")));
  const status = JSON.parse(await run("--json", "compute", "status", ...us.options, ...where));
  const [delivered] = status.providers[0].deliverables;
  assert.ok(delivered.acknowledged && delivered.settled && delivered.keyPublished);
  const resumed = JSON.parse(await run("--json", "compute", "task", "resume", folder, ...us.options, ...where));
  assert.equal(resumed.adapter, adapter);
  const tasks = JSON.parse(await run("--json", "compute", "task", "list", provider, ...us.options, ...where));
  assert.equal(tasks.length, 1);
  assert.equal(tasks[0].state, "Finished");
}

async function ourInference(net, provider, rpcUrl) {
  const us = await account("asker", net.owner);
  const where = [
    ...us.options, "--rpc-url", rpcUrl, "--ledger", net.ledger, "--fine-tuning", net.serving,
    "--inference-contract", net.inference,
  ];
  step("ffe: inference, sealed and plain");
  const [service] = JSON.parse(await run("--json", "compute", "models", ...where.slice(us.options.length)));
  assert.equal(service.model, "tiny");
  await assert.rejects(run("compute", "chat", provider, "Hello", ...where), /ffe compute fund .* --inference/);
  await run("compute", "fund", provider, "1", "--inference", ...where);
  const answers = [];
  for (const way of [[], ["--plain"]]) {
    const answer = JSON.parse(
      await run("--json", "compute", "chat", provider, "Hello", "--max-tokens", "8", ...way, ...where),
    );
    assert.equal(answer.sealed, way.length === 0);
    assert.match(answer.signed, way.length === 0 ? /^zg-sig-v1\/e2ee-ct:/ : /^zg-sig-v1\/plain:/);
    answers.push(answer.text);
  }
  assert.equal(answers[0], answers[1]);
  // The adapters of both clients' tasks are there.
  const adapters = JSON.parse(await run("--json", "compute", "adapters", provider, ...where));
  assert.equal(adapters.length, 2);
}

async function main() {
  const port = 20000 + Math.floor(Math.random() * 20000);
  const rpcUrl = `http://127.0.0.1:${port}`;
  await start(join(share, "tools", "anvil"), ["--hardfork", "cancun", "--port", String(port)], /Listening on/);
  const rpc = new JsonRpcProvider(rpcUrl, 31337, { staticNetwork: true, pollingInterval: 50 });
  const net = await network(rpc);

  const model = join(dir, "tiny");
  execFileSync("python3", ["-B", "-c", `import tiny_model; tiny_model.write(${JSON.stringify(model)})`], {
    cwd: resolve(import.meta.dirname, "../../e2e"),
  });
  mkdirSync(environment.XDG_CONFIG_HOME);
  const operator = await account("provider", net.owner);
  const [, url] = await start(
    ffe,
    [
      "compute", "serve", "--dir", join(dir, "provider"), "--model", model, "--poll-ms", "200", "--rpc-url", rpcUrl,
      "--ledger", net.ledger, "--fine-tuning", net.serving, "--inference-contract", net.inference,
      "--inference-model", "tiny", ...operator.options,
    ],
    /^(http:\/\/\S+)/,
    { env: environment },
  );
  await (await net.contract.acknowledgeTEESignerByOwner(operator.address)).wait();
  await (await net.inferenceContract.acknowledgeTEESignerByOwner(operator.address)).wait();
  step(`provider at ${url}`);
  await officialFlow(rpc, net, operator.address);
  await ourFlow(net, operator.address, rpcUrl);
  await officialInference(rpc, net, operator.address);
  await ourInference(net, operator.address, rpcUrl);
  step("ok");
}

try {
  await main();
  process.exitCode = 0;
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  for (const child of children) child.kill();
  rmSync(dir, { recursive: true, force: true });
  process.exit();
}
