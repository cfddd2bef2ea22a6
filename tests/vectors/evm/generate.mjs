// Writes this folder's JSON files with ethers 6.13.1, an implementation independent of src/evm, and
// Probe.json and Token.json, the compiled contracts for tests on a live chain, with solc 0.8.37.
//
//   mkdir -p /tmp/vectors && cd /tmp/vectors
//   npm i --save-exact --ignore-scripts ethers@6.13.1 solc@0.8.37
//   node <project>/tests/vectors/evm/generate.mjs
//
// Packages are looked up from the current folder. Every run writes the same bytes.
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(process.cwd() + '/');
const ethers = require('ethers');
const solc = require('solc');
const folder = dirname(fileURLToPath(import.meta.url));
const coder = ethers.AbiCoder.defaultAbiCoder();

// ---- reproducible randomness: keccak256(seed ‖ counter)

let counter = 0;
function randomBytes(length) {
  let hex = '';
  while (hex.length < 2 * length) {
    hex += ethers.solidityPackedKeccak256(['string', 'uint256'], ['ffe evm vectors', counter++]).slice(2);
  }
  return '0x' + hex.slice(0, 2 * length);
}
const random = (n) => Number(BigInt(randomBytes(6)) % BigInt(n));
const pick = (list) => list[random(list.length)];

// Edges are likelier than chance would have them.
function randomUint(bits) {
  const top = (1n << BigInt(bits)) - 1n;
  switch (random(6)) {
    case 0: return 0n;
    case 1: return top;
    case 2: return BigInt(random(200)) & top;
    default: return BigInt(randomBytes(32)) & top;
  }
}
const randomInt = (bits) => BigInt.asIntN(bits, randomUint(bits));
const texts = ['', 'a', 'FFE', 'drei Zeilen\n\tund ein Tab', 'größer als 31 Bytes, damit zwei Wörter nötig sind',
  '数据不出门', 'e\u0301 \u{1f3c6} "quoted" \\', 'x'.repeat(32), 'y'.repeat(97)];

function randomValue(type) {
  if (type.arrayChildren) {
    const length = type.arrayLength === -1 ? pick([0, 1, 2, 3, 5]) : type.arrayLength;
    return Array.from({ length }, () => randomValue(type.arrayChildren));
  }
  if (type.baseType === 'tuple') return type.components.map(randomValue);
  const name = type.type;
  if (name === 'address') return ethers.getAddress(randomBytes(20));
  if (name === 'bool') return random(2) === 1;
  if (name === 'string') return pick(texts);
  if (name === 'bytes') return randomBytes(pick([0, 1, 31, 32, 33, 64, 100]));
  if (name.startsWith('bytes')) return randomBytes(Number(name.slice(5)));
  if (name.startsWith('uint')) return randomUint(Number(name.slice(4))).toString();
  if (name.startsWith('int')) return randomInt(Number(name.slice(3))).toString();
  throw new Error(name);
}

// One case a line.
function write(name, cases, extra = {}) {
  const head = JSON.stringify({ from: 'ethers 6.13.1, generate.mjs', ...extra }).slice(0, -1);
  writeFileSync(join(folder, name),
    head + ',"cases":[\n' + cases.map((c) => JSON.stringify(c)).join(',\n') + '\n]}\n');
}

// ---- ABI codec

function randomType(depth) {
  const atoms = () => pick([
    () => 'uint' + 8 * (1 + random(32)), () => 'int' + 8 * (1 + random(32)), () => 'bytes' + (1 + random(32)),
    () => 'address', () => 'bool', () => 'bytes', () => 'string', () => 'uint256',
  ])();
  let type = depth === 0 || random(3) === 0
    ? atoms()
    : 'tuple(' + Array.from({ length: 1 + random(4) }, () => randomType(depth - 1)).join(',') + ')';
  for (let left = 2; left > 0 && random(3) === 0; --left) type += pick(['[]', '[]', '[1]', '[2]', '[3]']);
  return type;
}

const chosen = [
  ['uint256'], ['uint8', 'int8', 'bool', 'address'], ['bytes1', 'bytes20', 'bytes32'], ['bytes'], ['string'],
  ['uint256[]'], ['uint256[3]'], ['string[]'], ['string[2]'], ['bytes[][]'], ['uint64[2][]'], ['uint64[][2]'],
  ['tuple(uint256,uint64)'], ['tuple(string,bytes)'], ['tuple(bytes32,uint64)[]'], ['tuple(string,uint8)[2]'],
  ['tuple(tuple(address,bytes32),tuple(uint16[],bool)[])'], ['tuple(tuple(tuple(bytes)[])[1])[]'],
  // the protocol's session terms, a seal and a result certificate
  ['tuple(bytes32,bytes32,address,bytes32,bytes32,bytes32,bytes32,bytes32,' +
   'tuple(uint8,uint8,uint16,uint16,uint32,uint32,uint32,uint16),' +
   'uint64,uint32,uint16,uint16,uint32,address[],uint256,uint256,uint256,uint16,uint16,address)'],
  ['bytes32', 'address[]', 'bytes32[]', 'bytes32[]'],
  ['bytes32', 'bytes32', 'bytes32', 'bytes32', 'bytes32', 'tuple(address,bytes32,uint8,uint8,uint128)[]',
   'tuple(address,bytes32,bytes)[]', 'uint32', 'uint32'],
];
const abiCases = [];
for (let i = 0; abiCases.length < 120; ++i) {
  const types = i < 2 * chosen.length
    ? chosen[i >> 1]
    : Array.from({ length: 1 + random(4) }, () => randomType(3));
  const params = types.map((t) => ethers.ParamType.from(t));
  const values = params.map(randomValue);
  const encoded = coder.encode(types, values);
  if (encoded.length <= 5000) abiCases.push({ types, values, encoded });
}
write('abi.json', abiCases);

const packed = [];
for (let i = 0; i < 12; ++i) {
  const types = Array.from({ length: 1 + random(5) }, () => randomType(0).replace(/\[.*$/, ''));
  const values = types.map((t) => randomValue(ethers.ParamType.from(t)));
  packed.push({ types, values, encoded: ethers.solidityPacked(types, values) });
}
write('packed.json', packed);

// ---- functions, events, errors: texts as people write them, JSON as compilers do

const human = [
  'function submit(uint256 id, bytes32 blobRoot, bytes ownerKey) payable',
  'function f(uint256 id, (bytes32 a, uint64 b)[] xs) payable returns (bool)',
  'function terms(uint256 id) view returns (tuple(bytes32 enclaveId, (uint8 kind, uint16[] n) gate, address[] who) t, uint64 deadline)',
  'function transfer(address to, uint256 amount) returns (bool)',
  'function nothing()',
  'function matrix(int8[2][3] m, string[] calldata names) external pure returns (int256)',
  'event Transfer(address indexed from, address indexed to, uint256 amount)',
  'event Opened(uint256 indexed id, address indexed opener, bytes32 termsHash, string recipe)',
  'event Keys(bytes32 indexed seal, string indexed label, bytes indexed raw, (address who, bytes key)[] keys)',
  'event Plain(uint64 a, bool b)',
  'event Hidden(uint256 indexed x, bytes data) anonymous',
  'error SubmitClosed(uint64 deadline)',
  'error Missing()',
  'error Bad((address who, bytes32 root) entry, string why)',
];
// ethers does not read "anonymous" in a text; it knows it from JSON.
const fragments = human.map((text) => {
  if (!text.endsWith(' anonymous')) return ethers.Fragment.from(text);
  const named = ethers.EventFragment.from(text.slice(0, -' anonymous'.length));
  return ethers.EventFragment.from({ ...JSON.parse(named.format('json')), anonymous: true });
});
const iface = new ethers.Interface(fragments);
const items = human.map((text, i) => {
  const fragment = fragments[i];
  const values = fragment.inputs.map(randomValue);
  const out = { text, kind: fragment.type, name: fragment.name, signature: fragment.format('sighash'), values };
  if (fragment.type === 'event') {
    const log = iface.encodeEventLog(fragment, values);
    return { ...out, topics: log.topics, data: log.data };
  }
  if (fragment.type === 'error') return { ...out, data: iface.encodeErrorResult(fragment, values) };
  const results = fragment.outputs.map(randomValue);
  return { ...out, data: iface.encodeFunctionData(fragment, values), results,
    result: iface.encodeFunctionResult(fragment, results) };
});
write('items.json', items, { abi: JSON.parse(iface.formatJson()) });

// ---- EIP-712

const certificates = {
  RejectionCertificate: [
    ['bytes32', 'sealHash'], ['address', 'contributor'], ['bytes32', 'blobRoot'], ['uint8', 'reason'],
    ['uint32', 'evalPairs'], ['int64', 'harmMicroNats'], ['int64', 'relevanceLostMicroNats'],
    ['uint128', 'evidence'], ['bytes32', 'gateRoot']],
  ResultCertificate: [
    ['bytes32', 'sealHash'], ['bytes32', 'artifactRoot'], ['bytes32', 'gateRoot'], ['bytes32', 'reportRoot'],
    ['bytes32', 'seed'], ['Verdict[]', 'verdicts'], ['Owner[]', 'owners'], ['uint32', 'baseLossMicroNats'],
    ['uint32', 'jointLossMicroNats']],
  Verdict: [['address', 'contributor'], ['bytes32', 'blobRoot'], ['uint8', 'verdict'], ['uint8', 'reason'],
    ['uint128', 'evidence']],
  Owner: [['address', 'owner'], ['bytes32', 'ownerKeyHash'], ['bytes', 'sealedKey']],
  OwnerKey: [['string', 'purpose'], ['bytes32', 'sessionTag']],
  // nothing of the protocol: arrays of arrays, order of references, a struct used twice
  Zoo: [['Pen[2][]', 'pens'], ['Animal', 'mascot'], ['string[]', 'names'], ['uint16[3]', 'counts'],
    ['bytes[]', 'scans'], ['bool', 'open']],
  Pen: [['Animal[]', 'animals'], ['int256', 'depth']],
  Animal: [['string', 'name'], ['bytes4', 'tag']],
};
const definition = (name) =>
  name + '(' + certificates[name].map(([type, member]) => type + ' ' + member).join(',') + ')';
function references(name, found = new Set()) {
  if (!certificates[name] || found.has(name)) return found;
  found.add(name);
  for (const [type] of certificates[name]) references(type.replace(/\[.*$/, ''), found);
  return found;
}
// A struct's ABI type, so that randomValue can fill it.
const abiOf = (name) => 'tuple(' + certificates[name].map(([type, member]) => {
  const base = type.replace(/\[.*$/, '');
  return (certificates[base] ? abiOf(base) : base) + type.slice(base.length) + ' ' + member;
}).join(',') + ')';
function asObject(type, value) {
  if (type.arrayChildren) return value.map((v) => asObject(type.arrayChildren, v));
  if (type.baseType !== 'tuple') return value;
  return Object.fromEntries(type.components.map((c, i) => [c.name, asObject(c, value[i])]));
}
const typed = [];
for (const primary of ['RejectionCertificate', 'ResultCertificate', 'OwnerKey', 'Zoo', 'ResultCertificate', 'Zoo']) {
  const names = [...references(primary)];
  const types = Object.fromEntries(names.map((n) =>
    [n, certificates[n].map(([type, name]) => ({ type, name }))]));
  const domain = { name: 'FFE', version: '1', chainId: pick([31337, 16602, 16661]),
    verifyingContract: ethers.getAddress(randomBytes(20)) };
  const shape = ethers.ParamType.from(abiOf(primary));
  const values = randomValue(shape);
  const encoder = ethers.TypedDataEncoder.from(types);
  const message = asObject(shape, values);
  const wallet = new ethers.Wallet(randomBytes(32));
  typed.push({ domain, primary, definitions: names.map(definition).reverse(), abi: shape.format('full'), values,
    encodeType: encoder.encodeType(primary), domainSeparator: ethers.TypedDataEncoder.hashDomain(domain),
    structHash: encoder.hashStruct(primary, message), digest: ethers.TypedDataEncoder.hash(domain, types, message),
    key: wallet.privateKey, signature: wallet.signingKey.sign(ethers.TypedDataEncoder.hash(domain, types, message)).serialized });
}
write('typed_data.json', typed);

// ---- transactions

const transactions = [];
for (let i = 0; i < 24; ++i) {
  const wallet = new ethers.Wallet(randomBytes(32));
  const legacy = i % 3 === 0;
  const fields = {
    type: legacy ? 0 : 2, chainId: pick([1, 16661, 31337, 4294967296]), nonce: pick([0, 1, 127, 128, 70000]),
    gasLimit: pick([21000, 30000000]), value: randomUint(pick([1, 64, 128])).toString(),
    data: randomBytes(pick([0, 1, 4, 55, 56, 300])),
    to: i % 5 === 4 ? null : ethers.getAddress(randomBytes(20)),
  };
  if (legacy) fields.gasPrice = randomUint(40).toString();
  else {
    fields.maxPriorityFeePerGas = randomUint(36).toString();
    fields.maxFeePerGas = (BigInt(fields.maxPriorityFeePerGas) + randomUint(38)).toString();
    fields.accessList = Array.from({ length: i % 4 === 1 ? 2 : 0 }, (_, k) =>
      ({ address: ethers.getAddress(randomBytes(20)), storageKeys: Array.from({ length: k }, () => randomBytes(32)) }));
  }
  const transaction = ethers.Transaction.from(fields);
  const signingHash = transaction.unsignedHash;
  transaction.signature = wallet.signingKey.sign(signingHash);
  transactions.push({ key: wallet.privateKey, from: wallet.address, fields, signingHash,
    raw: transaction.serialized, hash: transaction.hash });
}
write('transactions.json', transactions);

// ---- addresses, RLP, units, key files

const addresses = [];
for (let i = 0; i < 8; ++i) {
  const from = ethers.getAddress(randomBytes(20));
  const nonce = pick([0, 1, 127, 128, 255, 256, 1000000]);
  const salt = randomBytes(32);
  const codeHash = randomBytes(32);
  addresses.push({ from, nonce, salt, codeHash, create: ethers.getCreateAddress({ from, nonce }),
    create2: ethers.getCreate2Address(from, salt, codeHash) });
}
write('addresses.json', addresses);

const tree = (depth) => depth === 0 || random(2) === 0
  ? randomBytes(pick([0, 1, 1, 2, 55, 56, 300]))
  : Array.from({ length: random(5) }, () => tree(depth - 1));
write('rlp.json', Array.from({ length: 24 }, () => tree(4)).map((value) => ({ value, encoded: ethers.encodeRlp(value) })));

write('units.json', [[0n, 18], [1n, 18], [10n ** 18n, 18], [1500000000000000000n, 18], [2n * 10n ** 9n, 9],
  [(1n << 256n) - 1n, 18], [(1n << 256n) - 1n, 0], [123456789n, 6], [randomUint(200), 18], [randomUint(90), 27]]
  .map(([amount, decimals]) => ({ amount: amount.toString(), decimals,
    hex: ethers.toQuantity(amount), text: ethers.formatUnits(amount, decimals).replace(/\.0$/, '') })));

const keystores = [];
for (const [password, n] of [['', 2], ['correct horse battery staple', 1024], ['pässwörd 数据', 4096]]) {
  const wallet = new ethers.Wallet(randomBytes(32));
  const options = { scrypt: { N: n, r: 8, p: 1 }, iv: randomBytes(16), salt: randomBytes(32), uuid: randomBytes(16) };
  keystores.push({ password, address: wallet.address, privateKey: wallet.privateKey,
    file: JSON.parse(ethers.encryptKeystoreJsonSync(wallet, password, options)) });
}
write('keystore.json', keystores);

// ---- the contracts

for (const name of ['Probe', 'Token']) {
  const file = `${name}.sol`;
  const compiled = JSON.parse(solc.compile(JSON.stringify({
    language: 'Solidity',
    sources: { [file]: { content: readFileSync(join(folder, file), 'utf8') } },
    settings: { evmVersion: 'cancun', optimizer: { enabled: true, runs: 200 }, metadata: { bytecodeHash: 'none' },
      outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } } },
  })));
  for (const error of compiled.errors ?? []) console.error(error.formattedMessage);
  const contract = compiled.contracts[file][name];
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ from: 'solc 0.8.37, generate.mjs', abi: contract.abi,
    bytecode: { object: '0x' + contract.evm.bytecode.object } }) + '\n');
}
