// Encrypted blobs that wait to be committed, so that a repeated call continues with the same bytes:
// another encryption would be another blob, stored and paid for anew. Ciphertext only.
import type { Hex } from '../base/bytes.js';
import { newBlobSpool, type Spool, type SpoolWriter } from './spool.js';

/** What a kept blob is a blob of. */
export interface Note {
  dataHash: Hex;
  /** 0G Storage root of the blob. */
  root: Hex;
}

export interface Shelf {
  find(name: string): Promise<{ note: Note; blob: Spool } | undefined>;
  create(name: string): Promise<SpoolWriter>;
  /** Keeps the spool that {@link create}'s writer finished. Discarding what this returns clears its
   * place. */
  keep(name: string, blob: Spool, note: Note): Promise<Spool>;
}

/** Lasts as long as this object. */
export function memoryShelf(): Shelf {
  const kept = new Map<string, { note: Note; blob: Spool }>();
  return {
    find: async (name) => kept.get(name),
    create: () => newBlobSpool(),
    async keep(name, blob, note) {
      const discard = async (): Promise<void> => {
        kept.delete(name);
        await blob.discard();
      };
      const held = { ...blob, discard };
      kept.set(name, { note, blob: held });
      return held;
    },
  };
}
