import { fileURLToPath } from 'node:url';

/** Recorded quotes and logs of other projects, where they are at hand. */
export const samplesFolder =
  process.env.FFE_SAMPLES ?? fileURLToPath(new URL('../../../../shared/samples', import.meta.url));
