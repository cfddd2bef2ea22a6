// Writes the vector files of this folder with implementations that share nothing with FFE's own:
// ethers for ABI, hashes and EIP-712, hpke-js, eciesjs and noble for the rest. Copy it into an empty
// folder, install there, and run `node generate.mjs OUTPUT_FOLDER`:
//   npm i --ignore-scripts ethers@6.13.1 eciesjs@0.4.18 @noble/hashes@1.8.0 @noble/ciphers@1.3.0 \
//     @noble/curves@1.9.7 @hpke/core@1.9.0 @hpke/chacha20poly1305@1.8.0 @hpke/dhkem-x25519@1.8.0
// All keys and values come from one SHA-256 chain, so the files come out equal each time, except the
// ECIES ciphertexts in artifact.json, for which eciesjs draws its own randomness.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CipherSuite, HkdfSha256 } from "@hpke/core";
import { Chacha20Poly1305 } from "@hpke/chacha20poly1305";
import { DhkemX25519HkdfSha256 } from "@hpke/dhkem-x25519";
import { gcm } from "@noble/ciphers/aes";
import { chacha20 } from "@noble/ciphers/chacha";
import { x25519 } from "@noble/curves/ed25519";
import { hkdf } from "@noble/hashes/hkdf";
import { sha256 } from "@noble/hashes/sha2";
import { encrypt } from "eciesjs";
import { AbiCoder, getBytes, hexlify, keccak256, toUtf8Bytes, TypedDataEncoder, Wallet } from "ethers";

const out = process.argv[2];
const coder = AbiCoder.defaultAbiCoder();
const text = (s) => toUtf8Bytes(s);
const cat = (...parts) => new Uint8Array(Buffer.concat(parts.map((p) => getBytes(p))));

let chain = sha256(text("ffe session vectors"));
function draw(length) {
  const parts = [];
  for (let have = 0; have < length; have += 32) parts.push((chain = sha256(chain)));
  return new Uint8Array(Buffer.concat(parts).subarray(0, length));
}
const word = () => hexlify(draw(32));
const address = () => hexlify(draw(20));
const wallet = () => new Wallet(word());

function save(name, about, cases) {
  const rows = cases.map((c) => "    " + JSON.stringify(c, (_, v) => (typeof v === "bigint" ? v.toString() : v)));
  writeFileSync(join(out, name), `{\n  "about": ${JSON.stringify(about)},\n  "cases": [\n${rows.join(",\n")}\n  ]\n}\n`);
}

// --- terms and their hashes ------------------------------------------------------------------

const POLICY = "tuple(uint8 statistic,uint8 acceptRule,uint16 evalPairs,uint16 minRows,uint32 alphaInverse,uint32 harmToleranceMicro,uint32 relevanceToleranceMicro,uint16 invalidShareBps)";
const TERMS = `tuple(bytes32 enclaveId,bytes32 codeHash,address stakeToken,bytes32 baseModel,bytes32 recipe,bytes32 evalRoot,bytes32 sampleRoot,bytes32 salt,${POLICY} gate,uint64 submitDeadline,uint32 deliverPeriod,uint16 quorum,uint16 minAccepted,uint32 maxRows,address[] participants,uint256 stake,uint256 fee,uint256 operatorBond,uint16 slashBpsHarmful,uint16 slashBpsInvalid,address slashRecipient)`;

function makeTerms(participants, over = {}) {
  return {
    enclaveId: word(), codeHash: word(), stakeToken: "0x" + "00".repeat(20), baseModel: word(), recipe: word(),
    evalRoot: word(), sampleRoot: word(), salt: word(),
    gate: { statistic: 1, acceptRule: 0, evalPairs: 96, minRows: 16, alphaInverse: 1000, harmToleranceMicro: 60000, relevanceToleranceMicro: 60000, invalidShareBps: 1000 },
    submitDeadline: 1800000000, deliverPeriod: 86400, quorum: participants, minAccepted: 2, maxRows: 5000,
    participants: Array.from({ length: participants }, address),
    stake: "500000000000000000", fee: "100000000000000000", operatorBond: "1000000000000000000",
    slashBpsHarmful: 10000, slashBpsInvalid: 5000, slashRecipient: "0x000000000000000000000000000000000000dead",
    ...over,
  };
}

const domainOf = (chainId, coordinator) => ({ name: "FFE", version: "1", chainId, verifyingContract: coordinator });

function sessions() {
  const max256 = (2n ** 256n - 1n).toString();
  const many = {
    stakeToken: address(), gate: { statistic: 2, acceptRule: 1, evalPairs: 4096, minRows: 65535, alphaInverse: 4294967295, harmToleranceMicro: 499999, relevanceToleranceMicro: 50000, invalidShareBps: 10000 },
    stake: max256, fee: "0", operatorBond: "1", submitDeadline: 9007199254740991, deliverPeriod: 1209600, maxRows: 4294967295, slashRecipient: address(),
  };
  return [[2, {}, 31337, 1n], [4, {}, 16602, 17n], [255, many, 16661, 2n ** 64n + 5n]].map(([n, over, chainId, sessionId]) => {
    const terms = makeTerms(n, over);
    const coordinator = address(), opener = address(), sessionKey = word(), seed = word();
    const seedCommitment = keccak256(seed);
    const encodedTerms = coder.encode([TERMS], [terms]);
    const termsHash = keccak256(encodedTerms);
    const sessionTag = keccak256(coder.encode(["uint256", "address", "address", "bytes32"], [chainId, coordinator, opener, terms.salt]));
    const sessionHash = keccak256(coder.encode(["bytes32", "uint256", "address", "uint256", "bytes32", "bytes32", "bytes32"],
      [keccak256(text("ffe.session.v1")), chainId, coordinator, sessionId, termsHash, sessionKey, seedCommitment]));
    const sealed = terms.participants.slice(0, Math.min(n, 5));
    const blobRoots = sealed.map(word), ownerKeyHashes = sealed.map(word);
    const sealHash = keccak256(coder.encode(["bytes32", "address[]", "bytes32[]", "bytes32[]"], [sessionHash, sealed, blobRoots, ownerKeyHashes]));
    const signer = wallet(), codeHash = word();
    const enclaveId = keccak256(coder.encode(["address", "bytes32"], [signer.address, codeHash]));
    return { chainId, coordinator, opener, sessionId, terms, encodedTerms, termsHash, sessionTag, sessionKey, seed, seedCommitment, sessionHash, contributors: sealed, blobRoots, ownerKeyHashes, sealHash, signer: signer.address, codeHash, enclaveId };
  });
}

// --- EIP-712 ----------------------------------------------------------------------------------

const field = (list) => list.split(",").map((f) => { const [type, name] = f.split(" "); return { type, name }; });
const TYPES = {
  SessionKey: field("bytes32 sessionTag,bytes32 sessionKey,bytes32 seedCommitment"),
  SessionOffer: field("bytes32 sessionTag,bytes32 sessionKey,bytes32 seedCommitment,bytes32 termsHash"),
  Submission: field("bytes32 binding,bytes32 dataHash,bytes32 ownerKeyHash"),
  OwnerKey: field("string purpose,bytes32 sessionTag"),
  ServiceKey: field("bytes32 enclaveId,bytes32 key,uint64 validUntil"),
  RejectionCertificate: field("bytes32 sealHash,address contributor,bytes32 blobRoot,uint8 reason,uint32 evalPairs,int64 harmMicroNats,int64 relevanceLostMicroNats,uint128 evidence,bytes32 gateRoot"),
  ResultCertificate: field("bytes32 sealHash,bytes32 artifactRoot,bytes32 gateRoot,bytes32 reportRoot,bytes32 seed,Verdict[] verdicts,Owner[] owners,uint32 baseLossMicroNats,uint32 jointLossMicroNats"),
  Verdict: field("address contributor,bytes32 blobRoot,uint8 verdict,uint8 reason,uint128 evidence"),
  Owner: field("address owner,bytes32 ownerKeyHash,bytes sealedKey"),
  AbortCertificate: field("bytes32 sealHash,uint8 reason,bytes32 gateRoot"),
};
const typesOf = (name) => (name === "ResultCertificate" ? { ResultCertificate: TYPES.ResultCertificate, Verdict: TYPES.Verdict, Owner: TYPES.Owner } : { [name]: TYPES[name] });

async function typedData() {
  const maxEvidence = (2n ** 128n - 1n).toString();
  const verdict = (v, reason, evidence) => ({ contributor: address(), blobRoot: word(), verdict: v, reason, evidence });
  const owner = (length) => ({ owner: address(), ownerKeyHash: word(), sealedKey: hexlify(draw(length)) });
  const messages = [
    ["SessionKey", () => ({ sessionTag: word(), sessionKey: word(), seedCommitment: word() })],
    ["SessionOffer", () => ({ sessionTag: word(), sessionKey: word(), seedCommitment: word(), termsHash: word() })],
    ["Submission", () => ({ binding: word(), dataHash: word(), ownerKeyHash: word() })],
    ["OwnerKey", () => ({ purpose: "FFE owner key v1", sessionTag: word() })],
    ["ServiceKey", () => ({ enclaveId: word(), key: word(), validUntil: 1800000000 })],
    ["RejectionCertificate", () => ({ sealHash: word(), contributor: address(), blobRoot: word(), reason: 1, evalPairs: 96, harmMicroNats: -56000, relevanceLostMicroNats: 347123, evidence: "98765432109876", gateRoot: word() })],
    ["RejectionCertificate", () => ({ sealHash: word(), contributor: address(), blobRoot: word(), reason: 2, evalPairs: 96, harmMicroNats: 0, relevanceLostMicroNats: 0, evidence: "0", gateRoot: word() })],
    ["RejectionCertificate", () => ({ sealHash: word(), contributor: address(), blobRoot: word(), reason: 1, evalPairs: 4096, harmMicroNats: 1000000, relevanceLostMicroNats: -500000, evidence: maxEvidence, gateRoot: word() })],
    ["ResultCertificate", () => ({ sealHash: word(), artifactRoot: word(), gateRoot: word(), reportRoot: word(), seed: word(), verdicts: [verdict(1, 0, "0"), verdict(3, 1, "123456"), verdict(1, 0, "1"), verdict(2, 17, "3")], owners: [owner(129), owner(80)], baseLossMicroNats: 5012345, jointLossMicroNats: 3654321 })],
    ["ResultCertificate", () => ({ sealHash: word(), artifactRoot: "0x" + "00".repeat(32), gateRoot: word(), reportRoot: "0x" + "00".repeat(32), seed: word(), verdicts: [verdict(1, 0, "0"), verdict(3, 2, "0")], owners: [], baseLossMicroNats: 0, jointLossMicroNats: 0 })],
    ["AbortCertificate", () => ({ sealHash: word(), reason: 1, gateRoot: word() })],
    ["AbortCertificate", () => ({ sealHash: word(), reason: 2, gateRoot: "0x" + "00".repeat(32) })],
  ];
  const cases = [];
  for (const [type, make] of messages) {
    const signer = wallet(), chainId = 31337 + cases.length, coordinator = address(), message = make();
    const domain = domainOf(chainId, coordinator), types = typesOf(type);
    cases.push({
      type, chainId, coordinator, message,
      typeHash: keccak256(text(TypedDataEncoder.from(types).encodeType(type))),
      domainSeparator: TypedDataEncoder.hashDomain(domain),
      structHash: TypedDataEncoder.hashStruct(type, types, message),
      digest: TypedDataEncoder.hash(domain, types, message),
      privateKey: signer.privateKey, signer: signer.address, signature: await signer.signTypedData(domain, types, message),
    });
  }
  return cases;
}

// --- blob -------------------------------------------------------------------------------------

const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Chacha20Poly1305() });
const buffer = (bytes) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);

async function keyPair(secret) {
  return { privateKey: await suite.kem.importKey("raw", buffer(secret), false), publicKey: await suite.kem.importKey("raw", buffer(x25519.getPublicKey(secret)), true) };
}
async function sender(recipient, ephemeral, info) {
  return suite.createSenderContext({ recipientPublicKey: (await keyPair(recipient)).publicKey, ekm: await keyPair(ephemeral), info: buffer(info) });
}

function padme(length) {
  const e = Math.floor(Math.log2(length)), s = Math.floor(Math.log2(e)) + 1, step = 2 ** (e - s);
  return Math.ceil(length / step) * step;
}
function le64(n) { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(n)); return b; }
function be64(n) { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); return b; }
// Large data are told by length only: byte i is (i * 7 + 3) mod 251.
const pattern = (length) => Uint8Array.from({ length }, (_, i) => (i * 7 + 3) % 251);

const CHUNK = 65536;
async function blobs() {
  const cases = [];
  for (const [length, role] of [[0, 1], [1, 1], [7, 2], [183, 1], [CHUNK - 73, 1], [CHUNK - 72, 1], [140000, 2]]) {
    const signer = wallet(), chainId = 31337, coordinator = address(), binding = word(), enclaveId = word();
    const ownerKeyHash = role === 1 ? word() : "0x" + "00".repeat(32);
    const secret = draw(32), ephemeral = draw(32), data = pattern(length);
    const dataHash = keccak256(data);
    const signature = await signer.signTypedData(domainOf(chainId, coordinator), typesOf("Submission"), { binding, dataHash, ownerKeyHash });
    const info = cat(text("ffe/blob/v1"), new Uint8Array([role]), binding, signer.address, enclaveId);
    const plain = new Uint8Array(padme(73 + length));
    plain.set(cat(signature, le64(length), data));
    const chunks = Math.ceil(plain.length / CHUNK);
    const context = await sender(secret, ephemeral, info);
    const header = cat(text("FFEB"), new Uint8Array([1, role, 0, 0]), be64(plain.length + 16 * chunks), new Uint8Array(context.enc));
    const parts = [header];
    for (let i = 0; i < chunks; ++i) {
      const aad = cat(header, new Uint8Array([i === chunks - 1 ? 1 : 0]));
      parts.push(new Uint8Array(await context.seal(buffer(plain.slice(i * CHUNK, (i + 1) * CHUNK)), buffer(aad))));
    }
    const blob = cat(...parts);
    const whole = blob.length <= 600;
    cases.push({
      role, chainId, coordinator, binding, enclaveId, contributor: signer.address, privateKey: signer.privateKey, ownerKeyHash,
      sessionSecret: hexlify(secret), sessionKey: hexlify(x25519.getPublicKey(secret)), ephemeralSecret: hexlify(ephemeral),
      dataLength: length, dataHash, signature, info: hexlify(info), blobLength: blob.length, blobKeccak: keccak256(blob), header: hexlify(header),
      ...(whole ? { blob: hexlify(blob) } : {}),
    });
  }
  return cases;
}

function padmeCases() {
  return [1, 2, 7, 8, 9, 73, 74, 100, 1000, 4097, 65536, 65537, 1000000, 123456789, 4294967295, 4294967296].map((length) => ({ length, padded: length < 2 ? length : padme(length) }));
}

// --- artifact, owner keys, randomness -----------------------------------------------------------

async function artifacts() {
  const cases = [];
  for (const length of [0, 1, 1536, 70000]) {
    const secret = draw(32), sessionHash = word(), tar = pattern(length);
    const okm = hkdf(sha256, secret, undefined, cat(text("ffe/artifact/v1"), sessionHash, sha256(tar)), 44);
    const key = okm.slice(0, 32), nonce = okm.slice(32);
    const artifact = cat(nonce, gcm(key, nonce).encrypt(tar));
    const evm = wallet(), x = draw(32), ephemeral = draw(32), owner = address();
    const info = cat(text("ffe/key/v1"), sessionHash, owner);
    const context = await sender(x, ephemeral, info);
    const sealed = cat(new Uint8Array(context.enc), new Uint8Array(await context.seal(buffer(key))));
    const publicKey = evm.signingKey.publicKey;
    cases.push({
      sessionSecret: hexlify(secret), sessionHash, tarLength: length, tarSha256: hexlify(sha256(tar)), key: hexlify(key), nonce: hexlify(nonce), artifactKeccak: keccak256(artifact),
      secp256k1: { owner: evm.address, privateKey: evm.privateKey, publicKey, ownerKeyHash: keccak256(publicKey), sealedKey: hexlify(new Uint8Array(encrypt(getBytes(publicKey), key))) },
      x25519: { owner, secret: hexlify(x), publicKey: hexlify(x25519.getPublicKey(x)), ownerKeyHash: keccak256(x25519.getPublicKey(x)), info: hexlify(info), ephemeralSecret: hexlify(ephemeral), sealedKey: hexlify(sealed) },
    });
  }
  return cases;
}

async function ownerKeys() {
  const cases = [];
  for (let i = 0; i < 3; ++i) {
    const signer = wallet(), chainId = 16602, coordinator = address(), sessionTag = word();
    const signature = await signer.signTypedData(domainOf(chainId, coordinator), typesOf("OwnerKey"), { purpose: "FFE owner key v1", sessionTag });
    const secret = hkdf(sha256, getBytes(signature).slice(0, 64), text("ffe/owner/v1"), getBytes(sessionTag), 32);
    secret[0] &= 248;
    secret[31] = (secret[31] & 127) | 64;
    cases.push({ chainId, coordinator, sessionTag, privateKey: signer.privateKey, owner: signer.address, signature, secret: hexlify(secret), publicKey: hexlify(x25519.getPublicKey(secret)) });
  }
  return cases;
}

function randomness() {
  const cases = [];
  for (let i = 0; i < 2; ++i) {
    const seed = draw(32), sealHash = word(), contributor = address();
    const labels = { pool: text("pool"), rows: cat(text("rows"), contributor), mini0: cat(text("mini"), new Uint8Array([0])), mini2: cat(text("mini"), new Uint8Array([2])), joint: text("joint") };
    const streams = {};
    for (const [name, label] of Object.entries(labels)) {
      const key = hkdf(sha256, seed, undefined, cat(label, sealHash), 32);
      streams[name] = { key: hexlify(key), first64: hexlify(chacha20(key, new Uint8Array(12), new Uint8Array(64))) };
    }
    cases.push({ seed: hexlify(seed), seedCommitment: keccak256(seed), sealHash, contributor, streams });
  }
  return cases;
}

function transfers() {
  return [31337, 16661].map((chainId) => {
    const t = { chainId, inft: address(), tokenId: "12345678901234567890123", enclaveId: word(), buyer: address(), buyerKeyHash: word(), deadline: 1800000000 };
    const hash = keccak256(coder.encode(["uint256", "address", "uint256", "bytes32", "address", "bytes32", "uint256"], Object.values(t)));
    return { ...t, info: hexlify(cat(text("ffe/transfer/v1"), hash)) };
  });
}

save("terms.json", "SessionTerms and the hashes of a session", sessions());
save("typed-data.json", "EIP-712 messages in the coordinator's domain", await typedData());
save("blob.json", "encrypted blobs; data byte i is (i * 7 + 3) mod 251", await blobs());
save("padme.json", "padded sizes", padmeCases());
save("artifact.json", "artifact keys and sealed keys; tar byte i is (i * 7 + 3) mod 251", await artifacts());
save("owner-key.json", "X25519 owner keys derived from a wallet's signature", await ownerKeys());
save("randomness.json", "streams drawn from the session's seed", randomness());
save("transfer.json", "HPKE info of a transfer", transfers());
