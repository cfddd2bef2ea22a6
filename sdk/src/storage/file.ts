// 0G Storage's Merkle tree over a spool, by the official SDK's code, and the proofs of segments.
import { Blob as StorageBlob, computePaddedSize, MerkleTree, Proof } from '@0gfoundation/0g-ts-sdk';
import { toHash, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import type { Spool } from './spool.js';

export const chunkSize = 256;
export const segmentChunks = 1024;
export const segmentSize = chunkSize * segmentChunks;

const ceil = (size: number, unit: number): number => Math.ceil(size / unit);

// As much of a File as the SDK's file uses.
function fileOf(spool: Spool): File {
  const slice = (start: number, end: number) => ({
    arrayBuffer: async (): Promise<ArrayBuffer> => {
      const bytes = await spool.slice(start, end);
      if (bytes.length !== end - start) throw new FFEError('io', 'the spooled bytes were cut off');
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    },
  });
  return { size: spool.size, slice } as unknown as File;
}

export interface StoredFile {
  root: Hex;
  tree: MerkleTree;
  file: StorageBlob;
}

/** @throws FFEError `bad_input` for an empty file: the tree has no root for it. */
export async function storedFile(spool: Spool): Promise<StoredFile> {
  if (spool.size === 0 || spool.size > 2 ** 32) {
    throw new FFEError('bad_input', '0G Storage takes files of 1 byte to 4 GiB');
  }
  const file = new StorageBlob(fileOf(spool));
  const [tree, error] = await file.merkleTree();
  const root = tree?.rootHash();
  if (error !== null || tree === null || root === null || root === undefined) {
    throw new FFEError('internal', `no Merkle tree: ${String(error)}`, '', { cause: error });
  }
  return { root: toHash(root), tree, file };
}

/** How a file of so many bytes is cut. */
export function segmentsOf(size: number): {
  chunks: number;
  segments: number;
  /** Of the tree, with flow padding. */
  paddedSegments: number;
  paddedChunks: number;
} {
  const chunks = ceil(size, chunkSize);
  const paddedChunks = computePaddedSize(chunks)[0];
  return {
    chunks,
    segments: ceil(chunks, segmentChunks),
    paddedChunks,
    paddedSegments: ceil(paddedChunks, segmentChunks),
  };
}

/** Checks a downloaded segment against the file's root; returns its own root.
 * @throws FFEError `corrupt` */
export function checkSegment(
  root: Hex,
  size: number,
  index: number,
  data: Uint8Array,
  proof: { lemma: string[]; path: boolean[] },
): Hex {
  const { chunks, paddedChunks, paddedSegments } = segmentsOf(size);
  const fail = (why: string): never => {
    throw new FFEError('corrupt', `segment ${index}: ${why}`);
  };
  const wanted = Math.min(segmentChunks, chunks - index * segmentChunks) * chunkSize;
  if (data.length !== wanted) fail(`${data.length} bytes, not ${wanted}`);
  const padded = Math.min(segmentChunks, paddedChunks - index * segmentChunks);
  const own = StorageBlob.segmentRoot(data, padded - data.length / chunkSize);
  // The SDK does not look at the root of a proof without siblings.
  if (proof.lemma.at(-1) !== root) fail('the proof leads to another root');
  const error = new Proof(proof.lemma, proof.path).validateHash(root, own, index, paddedSegments);
  if (error !== null) fail(String(error));
  return toHash(own);
}

/** The root of a file whose segments have these roots. */
export function rootOfSegments(size: number, segmentRoots: readonly Hex[]): Hex {
  const { paddedChunks, paddedSegments } = segmentsOf(size);
  const tree = new MerkleTree();
  for (const hash of segmentRoots) tree.addLeafByHash(hash);
  for (let i = segmentRoots.length; i < paddedSegments; ++i) {
    const zeros = Math.min(segmentChunks, paddedChunks - i * segmentChunks);
    tree.addLeafByHash(StorageBlob.segmentRoot(new Uint8Array(), zeros));
  }
  return toHash(tree.build()?.rootHash() ?? '');
}
