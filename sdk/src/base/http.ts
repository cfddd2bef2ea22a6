// One HTTP exchange, with limits of time and size.
import { concat } from './bytes.js';
import { FFEError } from './errors.js';

export interface HttpRequest {
  /** Posted as JSON. */
  body?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Milliseconds. */
  timeout?: number;
  maxBytes?: number;
  /** What to do where nobody answers. */
  hint: string;
}

export interface HttpAnswer {
  ok: boolean;
  status: number;
  headers: Headers;
  bytes: Uint8Array;
}

async function readAll(response: Response, maxBytes: number): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array();
  const reader = response.body.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    size += part.value.length;
    if (size > maxBytes) {
      await reader.cancel();
      throw new FFEError('network', `${response.url} answers with more than ${maxBytes} bytes`);
    }
    parts.push(part.value);
  }
  return concat(...parts);
}

/** @throws FFEError `network` if nobody answers, `interrupted` for the caller's signal. */
export async function exchange(url: string, request: HttpRequest): Promise<HttpAnswer> {
  const { body, signal, timeout = 30_000, maxBytes = 16 << 20, hint } = request;
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  const timer = setTimeout(stop, timeout);
  signal?.addEventListener('abort', stop);
  try {
    if (signal?.aborted === true) stop();
    const response = await fetch(url, {
      signal: controller.signal,
      ...(body !== undefined && {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      }),
    });
    const bytes = await readAll(response, maxBytes);
    return { ok: response.ok, status: response.status, headers: response.headers, bytes };
  } catch (cause) {
    if (cause instanceof FFEError) throw cause;
    if (signal?.aborted === true) throw new FFEError('interrupted', 'stopped by the caller');
    throw new FFEError('network', `${url} does not answer`, hint, { cause });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}
