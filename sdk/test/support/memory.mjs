// What a contribution of so many bytes takes of this process's memory, step by step, as JSON.
// Usage: node --expose-gc memory.mjs BYTES (after npm run build)
import { Wallet } from 'ethers';
import { newFileSpool } from '../../dist/node/files.js';
import * as ffe from '../../dist/node/index.js';
import { storedFile } from '../../dist/storage/file.js';

const size = Number(process.argv[2]);
const word = (byte) => `0x${byte.repeat(32)}`;
const row = `${JSON.stringify({ text: 'x'.repeat(16_000) })}\n`;
const piece = new TextEncoder().encode(row.repeat(16));

const used = () => {
  global.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};
let base = 0;
let peak = 0;
async function* stream() {
  for (let done = 0, n = 0; done < size; done += piece.length, ++n) {
    if (n % 16 === 0) peak = Math.max(peak, used() - base);
    yield piece.slice();
  }
}
const source = { stream };
const out = {};
async function measured(name, work) {
  base = used();
  peak = 0;
  const result = await work();
  out[name] = Math.max(peak, used() - base);
  return result;
}

const wallet = new Wallet(word('41'));
const session = ffe.x25519KeyPair(ffe.fromHex(word('43')));
const context = {
  role: 1,
  domain: { chainId: 31337, coordinator: `0x${'55'.repeat(20)}` },
  binding: word('61'),
  contributor: wallet.address.toLowerCase(),
  enclaveId: word('62'),
  ownerKeyHash: word('63'),
};
const sign = (m) => wallet.signTypedData(m.domain, m.types, m.message);
const key = ffe.toHex(session.publicKey);
const client = new ffe.FFE({ network: 'devnet' });
const seal = async (writer) => {
  await ffe.sealBlob(source, key, context, sign, (bytes) => writer.write(bytes));
  return writer.finish();
};

await measured('warm-up', async () => seal(await newFileSpool())).then((spool) => spool.discard());
await measured('check', () => client.check(stream));
const spool = await measured('encrypt', async () => seal(await newFileSpool()));
await measured('tree', () => storedFile(spool));
const reader = async function* () {
  for (let at = 0; at < spool.size; at += 1 << 20) {
    if ((at >> 20) % 4 === 0) peak = Math.max(peak, used() - base);
    yield spool.slice(at, Math.min(at + (1 << 20), spool.size));
  }
};
await measured('open', () => ffe.openBlob({ stream: reader }, session, context, () => undefined));
out.bytes = spool.size;
await spool.discard();
console.log(JSON.stringify(out));
