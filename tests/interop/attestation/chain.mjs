// The contracts' verdict: DcapVerifier on anvil, taught a quote's collateral, certificates and key as a registrar would.
import fs from "node:fs";
import path from "node:path";
import { spawn } from "node:child_process";
import { AbiCoder, Interface, keccak256 } from "ethers";
import { layout } from "./corpus.mjs";

const INTEL_ROOT_KEY = "0x89f72d7c488e5b53a77c23ebcb36970ef7eb5bcf6658e9b8292cfbe4703a8473";
const FROM = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"; // anvil's first account

// One DER element: where its content starts, and where it ends.
function tlv(der, at) {
  let [length, start] = [der[at + 1], at + 2];
  if (length & 0x80) {
    const n = length & 0x7f;
    length = der.readUIntBE(start, n);
    start += n;
  }
  return { start, end: start + length };
}

// keccak256 of the subject's name, and the P-256 key, of a certificate.
function certificate(der) {
  let at = tlv(der, tlv(der, 0).start).start;
  for (let i = 0; i < 5; ++i) at = tlv(der, at).end; // version, serial, algorithm, issuer, validity
  const subject = tlv(der, at).end;
  const key = der.subarray(tlv(der, subject).end - 64, tlv(der, subject).end);
  return { subject: keccak256(der.subarray(at, subject)), key, id: keccak256(key) };
}

export function pem(text) {
  return [...text.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g)].map((m) =>
    Buffer.from(m[1], "base64"));
}

const hex = (b) => "0x" + Buffer.from(b).toString("hex");

export class Chain {
  // tools: the folder with contracts/ and tools/anvil that a build makes.
  static async start(tools, time) {
    const chain = new Chain();
    const artifact = JSON.parse(fs.readFileSync(path.join(tools, "contracts/DcapVerifier.json"), "utf8"));
    chain.abi = new Interface(artifact.abi);
    chain.bytecode = artifact.bytecode;
    const args = ["--port", "0", "--timestamp", String(time), "--chain-id", "31337", "--gas-limit", "60000000"];
    chain.process = spawn(path.join(tools, "tools/anvil"), args, { stdio: ["ignore", "pipe", "inherit"] });
    chain.url = await new Promise((resolve, reject) => {
      let text = "";
      chain.process.stdout.on("data", (d) => {
        text += d;
        const found = text.match(/Listening on ([0-9.:]+)/);
        if (found) resolve("http://" + found[1]);
      });
      chain.process.on("exit", () => reject(new Error("anvil ended: " + text)));
    });
    return chain;
  }

  stop() {
    this.process.kill();
  }

  async rpc(method, ...params) {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const answer = await fetch(this.url, { method: "POST", headers: { "content-type": "application/json" }, body });
    const { result, error } = await answer.json();
    if (error) throw Object.assign(new Error(error.message), { data: error.data });
    return result;
  }

  // Calls, so that a refusal has its reason, then sends. Null, or the name of the error.
  async send(name, ...args) {
    const data = this.abi.encodeFunctionData(name, args);
    const call = { from: FROM, to: this.address, data, gas: "0x2faf080" };
    const refused = await this.call(data);
    if (refused) return refused;
    return (await this.transaction(call)).status === "0x1" ? null : `${name} failed`;
  }

  async transaction(call) {
    const hash = await this.rpc("eth_sendTransaction", call);
    for (const end = Date.now() + 30_000; Date.now() < end;) {
      const receipt = await this.rpc("eth_getTransactionReceipt", hash);
      if (receipt) return receipt;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    throw new Error(`transaction ${hash} was not mined`);
  }

  async call(data) {
    try {
      await this.rpc("eth_call", { from: FROM, to: this.address, data, gas: "0x2faf080" }, "latest");
      return null;
    } catch (e) {
      if (typeof e.data !== "string") throw e; // not a revert
      const error = e.data.length >= 10 ? this.abi.parseError(e.data) : null;
      return error ? `${error.name}(${error.args.join(", ")})` : `revert ${e.data.slice(0, 10)}`;
    }
  }

  // A new verifier below this root that knows what the collateral says. Null, or why it takes none of it.
  async teach(base) {
    const root = certificate(base.root);
    const development = keccak256(root.key) !== INTEL_ROOT_KEY;
    const init = AbiCoder.defaultAbiCoder().encode(["bytes32", "bytes32", "bytes32", "bool"],
      [root.key.subarray(0, 32), root.key.subarray(32), root.subject, development]);
    const data = this.bytecode + init.slice(2);
    this.address = (await this.transaction({ from: FROM, data, gas: "0x2faf080" })).contractAddress;
    const c = base.collateral;
    const signing = pem(c.tcb_info_issuer_chain)[0];
    const signer = certificate(signing).id;
    const intermediate = base.intermediate ?? pem(c.pck_crl_issuer_chain)[0];
    this.issuer = certificate(intermediate).id;
    const text = (t) => hex(Buffer.from(t));
    const steps = [
      ["addAuthority", hex(intermediate)], ["addAuthority", hex(signing)],
      ["updateCrl", "0x" + c.root_ca_crl, "0x" + "0".repeat(64)], ["updateCrl", "0x" + c.pck_crl, this.issuer],
      ["updateTcbInfo", text(c.tcb_info), "0x" + c.tcb_info_signature, signer],
      ["updateQeIdentity", text(c.qe_identity), "0x" + c.qe_identity_signature, signer],
    ];
    for (const step of steps) {
      const refused = await this.send(...step);
      if (refused) return `${step[0]}: ${refused}`;
    }
    return null;
  }

  // Null if the quote is accepted by a verifier that has seen nothing of this machine before, or the reason.
  async judge(quote) {
    let l, leaf;
    try {
      l = layout(quote);
      leaf = pem(quote.subarray(l.inner + 6).toString("latin1"))[0];
    } catch {
      return "nothing to bring: it ends too early";
    }
    const proof = Buffer.concat([
      quote.subarray(l.s + 64, l.s + 128), quote.subarray(l.s + 134, l.s + 582), quote.subarray(l.s + 584, l.inner),
    ]);
    if (!leaf) return "nothing to bring: no certificate";
    const snapshot = await this.rpc("evm_snapshot");
    try {
      const refused = await this.send("addPck", hex(leaf), this.issuer);
      if (refused) return `addPck: ${refused}`;
      const missing = await this.send("addAttestationKey", hex(proof), certificate(leaf).id);
      if (missing) return `addAttestationKey: ${missing}`;
      const verdict = await this.call(this.abi.encodeFunctionData("verifyQuote", [hex(quote)]));
      // What a registration does must say the same, and again when the verdict is kept.
      for (let i = 0; i < 2; ++i) {
        const cached = await this.send("verifyAndCache", hex(quote));
        if (cached !== verdict) throw new Error(`verifyQuote: ${verdict}, verifyAndCache: ${cached}`);
      }
      return verdict;
    } finally {
      await this.rpc("evm_revert", snapshot);
    }
  }
}
