/** Error codes, the same as in the C++ client and its `--json` output (docs/spec/errors.md). */
export type ErrorCode =
  | 'failed'
  | 'internal'
  | 'io'
  | 'bad_input'
  | 'corrupt'
  | 'unsupported'
  | 'usage'
  | 'attestation'
  | 'key'
  | 'session'
  | 'network'
  | 'chain'
  | 'gate'
  | 'interrupted';

/** Exit status of a command that fails with a code. */
export const exitStatus: Readonly<Record<ErrorCode, number>> = {
  failed: 1,
  internal: 1,
  io: 1,
  bad_input: 1,
  corrupt: 1,
  unsupported: 1,
  usage: 2,
  attestation: 3,
  key: 4,
  session: 5,
  network: 6,
  chain: 6,
  gate: 7,
  interrupted: 130,
};

export interface FFEErrorOptions {
  /** A name for programs: a contract's error (`SubmitClosed`), `WrongChain`, `SignatureRejected`,
   * `InsufficientFunds`, a blob's `invalid`, `not_available` or `bad_signature`. */
  reason?: string;
  cause?: unknown;
}

/** Every failure of this package: a code, a message that names what is wrong, and what to do. */
export class FFEError extends Error {
  override readonly name = 'FFEError';
  readonly code: ErrorCode;
  /** What to do about it; empty where nothing is known. */
  readonly hint: string;
  readonly reason: string | undefined;

  constructor(code: ErrorCode, message: string, hint = '', options: FFEErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = hint;
    this.reason = options.reason;
  }
}

/** Throws FFEError `interrupted` once `signal` is aborted. */
export function checkAborted(signal?: AbortSignal): void {
  if (signal?.aborted) {
    throw new FFEError('interrupted', 'stopped by the caller', 'call again to continue', {
      cause: signal.reason,
    });
  }
}

/** Waits; throws FFEError `interrupted` as soon as `signal` is aborted. */
export async function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  checkAborted(signal);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done);
  });
  checkAborted(signal);
}
