// A session as the chain and the enclave's service tell of it, once and as it goes on.
import { checkAborted, sleep } from '../base/errors.js';
import type { Json } from '../base/json.js';
import { currencyOf } from '../chain/erc20.js';
import type { Context } from './context.js';
import { EnclaveService } from './enclave.js';
import type { Status, WatchEvent } from './types.js';

/** See `FFE.status`. */
export async function status(context: Context, id: bigint): Promise<Status> {
  const { sessions, provider } = await context.parts();
  const opened = await sessions.opened(id);
  const [view, submissions, slashes, result, verdicts, currency] = await Promise.all([
    sessions.view(id),
    sessions.submissions(opened),
    sessions.slashes(opened),
    sessions.finalRecord(opened),
    sessions.verdicts(opened),
    currencyOf(provider, opened.terms.stakeToken),
  ]);
  return { opened, view, submissions, slashes, result, verdicts, currency };
}

/** See `FFE.enclaveStatus`. */
export async function enclaveStatus(context: Context, id: bigint): Promise<Json | undefined> {
  const { network } = await context.parts();
  for (const url of network.enclaveUrls) {
    try {
      return await new EnclaveService(url).ask(`/v1/sessions/${id}`);
    } catch {
      continue; // another service may run this session
    }
  }
  return undefined;
}

/** See `FFE.watch`. */
export async function* watch(
  context: Context,
  id: bigint,
  { signal, interval = 2000 }: { signal?: AbortSignal; interval?: number },
): AsyncGenerator<WatchEvent, void, void> {
  const { sessions } = await context.parts();
  await sessions.opened(id);
  for (let last = ''; ;) {
    checkAborted(signal);
    const view = await sessions.view(id);
    const words = (await enclaveStatus(context, id)) as Partial<WatchEvent> | undefined;
    const event: WatchEvent = {
      ...view,
      stage: String(words?.stage ?? ''),
      done: Number(words?.done ?? 0),
      total: Number(words?.total ?? 0),
      error: String(words?.error ?? ''),
    };
    const text = JSON.stringify(event);
    if (text !== last) yield event;
    last = text;
    if (event.state !== 'open' && event.state !== 'sealed') return;
    await sleep(interval, signal);
  }
}
