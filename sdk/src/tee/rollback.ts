// The newest collateral that was ever accepted, so that older (still unexpired) collateral cannot be
// fed later.
import { Fields, parseJson } from '../base/json.js';
import { FFEError } from '../base/errors.js';

export interface RollbackGuard {
  /** `platform` names anchor and FMSPC. 0 where nothing is remembered. */
  highest(platform: string): Promise<number>;
  record(platform: string, evaluationNumber: number): Promise<void>;
}

/** Where the numbers are kept, as the JSON text of an object. */
export interface GuardStore {
  name: string;
  read(): Promise<string | undefined>;
  write(text: string): Promise<void>;
}

/** @throws FFEError `corrupt` if the text is not its own. */
export function rollbackGuard(store: GuardStore): RollbackGuard {
  const load = async (): Promise<Map<string, number>> => {
    const text = await store.read();
    if (text === undefined) return new Map();
    try {
      const json = parseJson(text, store.name, { maxLength: 1 << 20 });
      const f = new Fields(json, store.name);
      return new Map(Object.keys(json as object).map((key) => [key, f.integer(key, 2 ** 32 - 1)]));
    } catch (cause) {
      throw new FFEError(
        'corrupt',
        `${store.name}: not a list of evaluation numbers`,
        `delete it; older collateral will be accepted once more`,
        { cause },
      );
    }
  };
  return {
    highest: async (platform) => (await load()).get(platform) ?? 0,
    async record(platform, evaluationNumber) {
      const all = await load();
      if ((all.get(platform) ?? 0) >= evaluationNumber) return;
      all.set(platform, evaluationNumber);
      await store.write(`${JSON.stringify(Object.fromEntries(all), null, 2)}\n`);
    },
  };
}

const KEY = 'ffe.attestation';
let page: string | undefined; // where the browser keeps nothing for this page

/** In the browser's storage for this origin; without one, as long as the page lives. */
export const browserGuard: RollbackGuard = rollbackGuard({
  name: `localStorage ${KEY}`,
  async read() {
    try {
      return globalThis.localStorage.getItem(KEY) ?? page;
    } catch {
      return page;
    }
  },
  async write(text) {
    page = text;
    try {
      globalThis.localStorage.setItem(KEY, text);
    } catch {
      // remembered above
    }
  },
});
