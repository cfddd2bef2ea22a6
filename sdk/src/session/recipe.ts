// What is trained and on what (docs/spec/session.md): recipe and base-model manifest, canonical JSON
// whose keccak256 stands in the terms.
import { getAddress } from 'ethers';
import type { Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { canonicalJson, Fields, parseCanonical, type Json } from '../base/json.js';

/** With trainer `0g-compute`: who trains outside the enclave, and sees the accepted rows. */
export interface ComputeProvider {
  /** Its account at 0G Compute. */
  provider: Hex;
  /** Of its enclave, as the chain names it now. */
  signer: Hex;
  /** Where it serves; https, except on local networks; no / at its end. */
  url: string;
  /** What 0G Compute calls the model: preTrainedModelHash. */
  baseModel: Hex;
  /** Wei, decimal: a task that costs more is cancelled. */
  maxFee: string;
  /** 1 to 4. */
  batchSize: number;
  /** 0: by epochs. */
  maxSteps: number;
}

/** Everything that changes a weight, besides model, rows and seed. Micro and nano: millionths and
 * thousand-millionths. */
export interface Recipe {
  /** `0g-compute`: the union leaves the enclave. */
  trainer: string;
  numericPath: string;
  rank: number;
  alpha: number;
  dropoutMicro: number;
  targets: string[];
  learningRateNano: number;
  schedule: string;
  warmupSteps: number;
  weightDecayMicro: number;
  clipMicro: number;
  epochs: number;
  tokensPerStep: number;
  sequenceLength: number;
  loss: string;
  systemPrompt: string;
  /** With trainer `0g-compute`, and only then. */
  compute?: ComputeProvider;
}

const TARGETS = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'];

/** The C++ client's defaults. */
export const defaultRecipe: Readonly<Recipe> = {
  trainer: 'enclave',
  numericPath: 'f32',
  rank: 8,
  alpha: 16,
  dropoutMicro: 0,
  targets: TARGETS,
  learningRateNano: 1_000_000,
  schedule: 'cosine',
  warmupSteps: 3,
  weightDecayMicro: 0,
  clipMicro: 1_000_000,
  epochs: 1,
  tokensPerStep: 1024,
  sequenceLength: 512,
  loss: 'answers',
  systemPrompt: 'none',
};

const MAX_TEXT = 256 << 10;
const MAX_FILES = 1024;

function bad(field: string, rule: string): never {
  throw new FFEError('bad_input', `${field} must be ${rule}`, "change it in the session's terms");
}

const RANGES: readonly (readonly [keyof Recipe, number, number])[] = [
  ['rank', 1, 256],
  ['alpha', 1, 1024],
  ['dropoutMicro', 0, 999_999],
  ['learningRateNano', 1, 100_000_000],
  ['warmupSteps', 0, 1_000_000],
  ['weightDecayMicro', 0, 1_000_000],
  ['clipMicro', 0, 1_000_000_000],
  ['epochs', 1, 100],
  ['tokensPerStep', 8, 1 << 20],
];
const WORDS: readonly (readonly [keyof Recipe, readonly string[]])[] = [
  ['trainer', ['enclave', '0g-compute']],
  ['numericPath', ['amx-bf16', 'avx512-bf16', 'f32', 'bf16-emulated']],
  ['schedule', ['cosine', 'linear', 'constant']],
  ['loss', ['answers', 'text']],
  ['systemPrompt', ['none', 'model']],
];

function checkRange(field: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    bad(`recipe.${field}`, `from ${low} to ${high}, not ${value}`);
  }
}

const PROVIDER_TOKENS = 512;
const PROVIDER_ACCUMULATION = 4;

/** What a 0G Compute provider does to every task; a recipe that says otherwise is not the truth. */
export const providerTrains: Readonly<Partial<Recipe>> = {
  rank: 8,
  alpha: 32,
  dropoutMicro: 100_000,
  targets: TARGETS,
  schedule: 'cosine',
  warmupSteps: 10,
  weightDecayMicro: 0,
  clipMicro: 1_000_000,
  loss: 'text',
};

function goodUrl(url: string): boolean {
  return url.length <= 200 && /^https?:\/\/[A-Za-z0-9:/._[\]-]*[A-Za-z0-9:._[\]-]$/.test(url);
}

function checkCompute(recipe: Recipe, compute: ComputeProvider): void {
  for (const field of ['provider', 'signer'] as const) {
    if (!/^0x(?!0{40}$)[0-9a-f]{40}$/.test(compute[field])) {
      bad(`recipe.compute.${field}`, 'an address that is not zero, in lower case');
    }
  }
  if (!/^0x[0-9a-f]{64}$/.test(compute.baseModel)) {
    bad('recipe.compute.baseModel', '32 bytes in lower-case hexadecimal');
  }
  if (!goodUrl(compute.url)) {
    bad(
      'recipe.compute.url',
      'http(s)://HOST of at most 200 plain characters, without / at its end',
    );
  }
  if (!/^[1-9][0-9]{0,77}$/.test(compute.maxFee)) bad('recipe.compute.maxFee', 'above 0 wei');
  checkRange('compute.batchSize', compute.batchSize, 1, 4);
  checkRange('compute.maxSteps', compute.maxSteps, 0, 1_000_000);
  checkRange('epochs', recipe.epochs, 1, 10);
  checkRange('learningRateNano', recipe.learningRateNano, 10_000, 1_000_000);
  checkRange('sequenceLength', recipe.sequenceLength, 8, PROVIDER_TOKENS);
  const tokensPerStep = PROVIDER_TOKENS * PROVIDER_ACCUMULATION * compute.batchSize;
  for (const [field, value] of Object.entries({ ...providerTrains, tokensPerStep })) {
    const ours = recipe[field as keyof Recipe];
    if (JSON.stringify(ours) !== JSON.stringify(value)) {
      bad(`recipe.${field}`, `${String(value)} with trainer 0g-compute, not ${String(ours)}`);
    }
  }
}

/** Whether the accepted rows leave the enclave. */
export const leavesEnclave = (recipe: Recipe): boolean => recipe.trainer === '0g-compute';

/** One sentence for contributors: who will see their rows. Empty with trainer `enclave`. */
export function whoSeesRows({ compute }: Recipe): string {
  if (compute === undefined) return '';
  return (
    'these terms send all accepted rows out of the enclave to the 0G Compute provider ' +
    `${getAddress(compute.provider)} at ${compute.url}, which trains on them and can read them`
  );
}

/** @throws FFEError `bad_input` naming the member and its bounds. */
export function checkRecipe(recipe: Recipe): void {
  for (const [field, words] of WORDS) {
    if (!words.includes(recipe[field] as string)) {
      bad(`recipe.${field}`, `one of ${words.join(', ')}`);
    }
  }
  for (const [field, low, high] of RANGES) checkRange(field, recipe[field] as number, low, high);
  checkRange('sequenceLength', recipe.sequenceLength, 8, Math.min(131_072, recipe.tokensPerStep));
  if (recipe.targets.length === 0) bad('recipe.targets', 'at least one projection');
  const places = recipe.targets.map((target) => TARGETS.indexOf(target));
  if (places.some((place, i) => place < 0 || (i > 0 && place <= (places[i - 1] as number)))) {
    bad('recipe.targets', `a selection of ${TARGETS.join(', ')} in this order`);
  }
  if (leavesEnclave(recipe) !== (recipe.compute !== undefined)) {
    bad('recipe.compute', 'there with trainer 0g-compute, and only then');
  }
  if (recipe.compute !== undefined) {
    checkCompute(recipe, recipe.compute);
  } else if (recipe.loss !== 'answers') {
    bad('recipe.loss', 'one of answers');
  }
}

/** Canonical JSON. @throws FFEError `bad_input` naming the member and its bounds. */
export function recipeText(recipe: Recipe): string {
  checkRecipe(recipe);
  const { compute, ...rest } = recipe;
  const json: Json = { format: 'ffe.recipe.v1', ...rest };
  if (compute !== undefined) json.compute = { ...compute };
  return canonicalJson(json);
}

function computeFrom(json: Json): ComputeProvider {
  const f = new Fields(json, 'recipe.compute');
  const compute = {
    provider: f.hex('provider', 20),
    signer: f.hex('signer', 20),
    url: f.string('url'),
    baseModel: f.hex('baseModel', 32),
    maxFee: f.decimal('maxFee', 256).toString(),
    batchSize: f.integer('batchSize'),
    maxSteps: f.integer('maxSteps'),
  };
  f.done();
  return compute;
}

/** Strict: every member once, no other, in canonical form byte for byte. */
export function parseRecipe(text: string): Recipe {
  const f = new Fields(parseCanonical(text, 'recipe', MAX_TEXT), 'recipe');
  f.expect('format', 'ffe.recipe.v1');
  const recipe: Recipe = {
    trainer: f.string('trainer'),
    numericPath: f.string('numericPath'),
    rank: f.integer('rank'),
    alpha: f.integer('alpha'),
    dropoutMicro: f.integer('dropoutMicro'),
    targets: f.array('targets', TARGETS.length, (item, where) =>
      typeof item === 'string' ? item : bad(where, 'a string'),
    ),
    learningRateNano: f.integer('learningRateNano'),
    schedule: f.string('schedule'),
    warmupSteps: f.integer('warmupSteps'),
    weightDecayMicro: f.integer('weightDecayMicro'),
    clipMicro: f.integer('clipMicro'),
    epochs: f.integer('epochs'),
    tokensPerStep: f.integer('tokensPerStep'),
    sequenceLength: f.integer('sequenceLength'),
    loss: f.string('loss'),
    systemPrompt: f.string('systemPrompt'),
    ...(f.has('compute') && { compute: computeFrom(f.member('compute')) }),
  };
  f.done();
  checkRecipe(recipe);
  return recipe;
}

export interface ModelFile {
  path: string;
  sha256: Hex;
  size: number;
}

export interface BaseModelManifest {
  /** For people. */
  name: string;
  /** Sorted by path, at least one. */
  files: ModelFile[];
}

const encoder = new TextEncoder();
const bytesOf = (text: string): number => encoder.encode(text).length;

// Byte order, which is not JavaScript's where surrogates are involved.
function before(a: string, b: string): boolean {
  const x = encoder.encode(a);
  const y = encoder.encode(b);
  for (let i = 0; i < Math.min(x.length, y.length); ++i) {
    if (x[i] !== y[i]) return (x[i] as number) < (y[i] as number);
  }
  return x.length < y.length;
}

function goodPath(path: string): boolean {
  return (
    bytesOf(path) <= 255 &&
    !/[\\\0]/.test(path) &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

export function checkManifest(manifest: BaseModelManifest): void {
  if (manifest.name === '' || bytesOf(manifest.name) > 200) bad('model.name', '1 to 200 bytes');
  const { files } = manifest;
  if (files.length === 0 || files.length > MAX_FILES) bad('model.files', '1 to 1024 files');
  files.forEach(({ path }, i) => {
    const field = `model.files[${i}].path`;
    if (!goodPath(path)) bad(field, 'a relative path without . and ..');
    if (i > 0 && !before(files[i - 1]?.path ?? '', path)) bad(field, 'above the one before it');
  });
}

export function manifestText(manifest: BaseModelManifest): string {
  checkManifest(manifest);
  const files: Json[] = manifest.files.map((file) => ({ ...file }));
  return canonicalJson({ format: 'ffe.model.v1', name: manifest.name, files });
}

export function parseManifest(text: string): BaseModelManifest {
  const f = new Fields(parseCanonical(text, 'model', MAX_TEXT), 'model');
  f.expect('format', 'ffe.model.v1');
  const manifest: BaseModelManifest = {
    name: f.string('name'),
    files: f.array('files', MAX_FILES, (item, where) => {
      const e = new Fields(item, where);
      const file = { path: e.string('path'), sha256: e.hex('sha256', 32), size: e.integer('size') };
      e.done();
      return file;
    }),
  };
  f.done();
  checkManifest(manifest);
  return manifest;
}
