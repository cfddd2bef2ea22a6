// Trees and proofs of 0G Storage, against the official SDK's vectors.
import { describe, expect, test } from 'vitest';
import type { Hex } from '../src/base/bytes.js';
import {
  checkSegment,
  rootOfSegments,
  segmentChunks,
  segmentSize,
  segmentsOf,
  storedFile,
} from '../src/storage/file.js';
import { memorySpool, newBlobSpool } from '../src/storage/spool.js';
import { failure, vectorCases } from './support/vectors.js';

const pattern = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => i % 251);

function segment(data: Uint8Array, index: number): Uint8Array {
  const { chunks } = segmentsOf(data.length);
  const out = new Uint8Array(Math.min(segmentChunks, chunks - index * segmentChunks) * 256);
  out.set(data.subarray(index * segmentSize, (index + 1) * segmentSize));
  return out;
}

describe('0G Storage', () => {
  // The large ones cost seconds of hashing and show nothing new.
  for (const c of vectorCases('storage/files.json').filter(({ size }) => size <= 600_000)) {
    test(`${c.size} bytes`, async () => {
      const data = pattern(c.size);
      const writer = await newBlobSpool();
      for (let at = 0; at < data.length; at += 70_000) {
        await writer.write(data.subarray(at, at + 70_000));
      }
      const { root, tree } = await storedFile(await writer.finish());
      expect(root).toBe(c.root);
      const roots: Hex[] = [];
      for (let i = 0; i < segmentsOf(c.size).segments; ++i) {
        const proof = tree.proofAt(i);
        if (c.proofs[i] !== undefined) expect({ ...proof }).toEqual(c.proofs[i]);
        const bytes = segment(data, i);
        roots.push(checkSegment(root, c.size, i, bytes, proof as never));
        bytes[0] = (bytes[0] as number) ^ 1;
        const altered = await failure(() => checkSegment(root, c.size, i, bytes, proof as never));
        expect(altered.code).toBe('corrupt');
      }
      expect(rootOfSegments(c.size, roots)).toBe(root);
    });
  }

  test('a proof that names the segment as root', async () => {
    const data = pattern(1000);
    const { root } = await storedFile(memorySpool(data));
    const other = pattern(1000).reverse();
    const forged = (await storedFile(memorySpool(other))).root;
    const proof = { lemma: [forged], path: [] };
    const error = await failure(() => checkSegment(root, 1000, 0, segment(other, 0), proof));
    expect(error.message).toContain('another root');
  });

  test('nothing is refused', async () => {
    expect((await failure(() => storedFile(memorySpool(new Uint8Array())))).code).toBe('bad_input');
  });
});
