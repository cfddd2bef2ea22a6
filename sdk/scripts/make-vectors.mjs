// Writes tests/vectors/session/typescript.json with this package, for the C++ reader
// (tests/session/typescript_test.cpp). Ephemeral keys and nonces are fresh, so the file differs from
// run to run: run it when a format changes. Usage: npm run build && node scripts/make-vectors.mjs
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SigningKey, Wallet } from 'ethers';
import * as ffe from '../dist/index.js';

const file = join(
  dirname(fileURLToPath(import.meta.url)),
  '../../tests/vectors/session/typescript.json',
);
const word = (byte) => `0x${byte.toString(16).padStart(2, '0').repeat(32)}`;
const address = (byte) => `0x${byte.toString(16).padStart(2, '0').repeat(20)}`;
const utf8 = (text) => new TextEncoder().encode(text);
const wallet = new Wallet(word(0x41));
const contributor = wallet.address.toLowerCase();
const sign = (m) => wallet.signTypedData(m.domain, m.types, m.message);
const domain = { chainId: 31337, coordinator: address(0x55) };
const enclave = new Wallet(word(0x42));

async function blob(text, role) {
  const session = ffe.x25519KeyPair(ffe.fromHex(word(0x43)));
  const context = {
    role,
    domain,
    binding: word(0x61),
    contributor,
    enclaveId: word(0x62),
    ownerKeyHash: role === 1 ? word(0x63) : word(0),
  };
  const parts = [];
  const key = ffe.toHex(session.publicKey);
  await ffe.sealBlob(ffe.memorySource(utf8(text)), key, context, sign, (b) => parts.push(...b));
  const { domain: d, ...rest } = context;
  return {
    kind: 'blob',
    ...d,
    ...rest,
    sessionSecret: word(0x43),
    data: text,
    blob: ffe.toHex(parts),
  };
}

async function keys() {
  const key = word(0x71);
  const tag = word(0x72);
  const sessionHash = word(0x73);
  const derived = await ffe.deriveOwnerKey(sign, domain, tag, contributor);
  const publicKey = ffe.fromHex(new SigningKey(wallet.privateKey).publicKey);
  return {
    kind: 'keys',
    ...domain,
    privateKey: wallet.privateKey,
    owner: contributor,
    sessionTag: tag,
    sessionHash,
    key,
    x25519: ffe.toHex(derived.publicKey),
    sealedX25519: ffe.toHex(
      await ffe.sealKey(ffe.fromHex(key), derived.publicKey, sessionHash, contributor),
    ),
    sealedSecp256k1: ffe.toHex(
      await ffe.sealKey(ffe.fromHex(key), publicKey, sessionHash, contributor),
    ),
  };
}

function artifact() {
  const files = {
    'README.md': 'read me',
    'adapter_config.json': '{}',
    'report.json': 'x'.repeat(600),
  };
  const tar = ffe.writeTar(new Map(Object.entries(files).map(([n, t]) => [n, utf8(t)])));
  const key = ffe.deriveArtifactKey(ffe.fromHex(word(0x81)), word(0x82), tar);
  const sealed = ffe.toHex(ffe.sealArtifact(key, tar));
  return {
    kind: 'artifact',
    sessionSecret: word(0x81),
    sessionHash: word(0x82),
    files,
    artifact: sealed,
  };
}

async function certificate() {
  const certificate = {
    kind: 'result',
    sealHash: word(0x91),
    artifactRoot: word(0x92),
    gateRoot: word(0x93),
    reportRoot: word(0x94),
    seed: word(0x95),
    verdicts: [
      { contributor, blobRoot: word(0x96), verdict: 1, reason: 0, evidence: 3n },
      {
        contributor: address(7),
        blobRoot: word(0x97),
        verdict: 3,
        reason: 1,
        evidence: 2n ** 100n,
      },
    ],
    owners: [{ owner: contributor, ownerKeyHash: word(0x98), sealedKey: `0x${'ab'.repeat(80)}` }],
    baseLossMicroNats: 5_000_000,
    jointLossMicroNats: 3_000_001,
  };
  const { kind, ...message } = certificate;
  const typed = ffe.typedMessage(domain, 'ResultCertificate', message);
  const signature = await enclave.signTypedData(typed.domain, typed.types, message);
  const json = ffe.certificateToJson({ domain, sessionId: 2n ** 70n, certificate, signature });
  return { kind: 'certificate', signer: enclave.address.toLowerCase(), certificate: json };
}

function texts() {
  const terms = {
    enclaveId: word(1),
    codeHash: word(2),
    stakeToken: address(0),
    baseModel: word(3),
    recipe: word(4),
    evalRoot: word(5),
    sampleRoot: word(6),
    salt: word(7),
    gate: ffe.defaultGatePolicy,
    submitDeadline: 1_900_000_000,
    deliverPeriod: 86_400,
    quorum: 2,
    minAccepted: 2,
    maxRows: 1000,
    participants: [contributor, address(9)],
    stake: 2n ** 100n,
    fee: 0n,
    operatorBond: 7n,
    slashBpsHarmful: 10_000,
    slashBpsInvalid: 2500,
    slashRecipient: ffe.burnAddress,
  };
  const recipe = ffe.recipeText({ ...ffe.defaultRecipe, epochs: 3 });
  const files = [
    { path: 'config.json', sha256: word(0xa1), size: 700 },
    { path: 'model.safetensors', sha256: word(0xa2), size: 2 ** 40 },
  ];
  const manifest = ffe.manifestText({ name: 'Modell „Ü“', files });
  return {
    kind: 'texts',
    terms: ffe.termsToJson(terms),
    termsHash: ffe.termsHash(terms),
    recipe,
    recipeHash: ffe.textHash(recipe),
    manifest,
    manifestHash: ffe.textHash(manifest),
  };
}

const cases = [
  await blob('{"text":"one row"}\n', 1),
  await blob('', 1),
  await blob('{"prompt":"p","completion":"c"}\n'.repeat(9), 2),
  await keys(),
  artifact(),
  await certificate(),
  texts(),
];
const lines = cases.map((c) => `    ${JSON.stringify(c)}`).join(',\n');
const about = 'made by @0g/ffe (sdk/scripts/make-vectors.mjs)';
writeFileSync(file, `{\n  "about": ${JSON.stringify(about)},\n  "cases": [\n${lines}\n  ]\n}\n`);
