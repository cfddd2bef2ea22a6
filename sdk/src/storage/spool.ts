// Encrypted bytes on their way: written once, read in pieces. In browsers a Blob (which the browser
// keeps out of the page's memory), in Node a temporary file (src/node/files.ts).

/** Bytes that can be read in pieces. */
export interface Spool {
  readonly size: number;
  slice(start: number, end: number): Promise<Uint8Array>;
  /** Gives the space back. */
  discard(): Promise<void>;
}

export interface SpoolWriter {
  write(bytes: Uint8Array): Promise<void>;
  finish(): Promise<Spool>;
  discard(): Promise<void>;
}

const FLUSH = 4 << 20;

/** Spools into a Blob. */
export async function newBlobSpool(): Promise<SpoolWriter> {
  let blob = new Blob();
  let parts: Uint8Array[] = [];
  let waiting = 0;
  const flush = (): void => {
    blob = new Blob([blob, ...(parts as BlobPart[])]);
    parts = [];
    waiting = 0;
  };
  return {
    async write(bytes) {
      parts.push(bytes.slice());
      waiting += bytes.length;
      if (waiting >= FLUSH) flush();
    },
    async finish() {
      flush();
      return blobSpool(blob);
    },
    async discard() {
      blob = new Blob();
      parts = [];
    },
  };
}

export function blobSpool(blob: Blob): Spool {
  return {
    size: blob.size,
    slice: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
    async discard() {},
  };
}

export function memorySpool(bytes: Uint8Array): Spool {
  return {
    size: bytes.length,
    slice: async (start, end) => bytes.slice(start, end),
    async discard() {},
  };
}
