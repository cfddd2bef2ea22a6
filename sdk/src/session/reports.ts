// The public reports gate.json and report.json (docs/spec/session.md, docs/spec/gate.md), and what
// anyone can recompute from them.
import { toAddress, type Hex, zeroHash } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { Fields, parseCanonical, type Json } from '../base/json.js';
import {
  reasonName,
  reasonNumber,
  verdictNumber,
  verdictOfReason,
  type ContributorVerdict,
  type ReasonName,
  type ResultCertificate,
  type VerdictName,
} from './certificates.js';
import { combined, enough, floorOf, oneSided, suspicionTolerance } from './evidence.js';
import {
  manifestText,
  parseManifest,
  parseRecipe,
  recipeText,
  type BaseModelManifest,
  type Recipe,
} from './recipe.js';
import {
  gatePolicyFromJson,
  maxParticipants,
  termsFromJson,
  termsToJson,
  textHash,
  type Domain,
  type GatePolicy,
  type SessionTerms,
} from './terms.js';

const MAX_REPORT = 64 << 20;
const MAX_PAIRS = 4096;
const MAX_STEPS = 10_000_000;

/** What became of a contributor's rows. */
export interface RowCounts {
  rows: number;
  invalid: number;
  duplicates: number;
  distinct: number;
  unusable: number;
  copies: number;
  empty: number;
  echo: number;
  repeated: number;
  unlikely: number;
  kept: number;
  used: number;
  gateRows: number;
}
const COUNTS: readonly (keyof RowCounts)[] = [
  'rows',
  'invalid',
  'duplicates',
  'distinct',
  'unusable',
  'copies',
  'empty',
  'echo',
  'repeated',
  'unlikely',
  'kept',
  'used',
  'gateRows',
];

/** One seed's training and measurement; values in micro-nats, ascending. */
export interface GateRun {
  harm: number[];
  relevanceLost: number[];
  /** Of more harm than the tolerances. */
  evidence: bigint;
  /** Of more harm than `suspicionTolerance` of them: never smaller. */
  suspicion: bigint;
}

export interface GateFinding {
  contributor: Hex;
  blobRoot: Hex;
  verdict: VerdictName;
  reason: ReasonName;
  /** What was found, with number and threshold. */
  text: string;
  counts: RowCounts;
  poolOverlap: number;
  repeatedAnswers: number;
  evidence: bigint;
  runs: GateRun[];
  gain: number[];
  gainEvidence: bigint;
}

export interface PoolFitness {
  relevance: number[];
  relevanceEvidence: bigint;
  calibration: number[];
  calibrationEvidence: bigint;
  poolLossMicroNats: number;
  sampleLossMicroNats: number;
}

export interface GateReport {
  sealHash: Hex;
  policy: GatePolicy;
  maxRows: number;
  engine: string;
  numericPath: string;
  /** `fit`, `unfit` or `too_small` (the pool). */
  outcome: string;
  outcomeText: string;
  pool: {
    rows: number;
    duplicates: number;
    overlap: number;
    pairs: number;
    sampleRows: number;
    calibrationRows: number;
  };
  fitness: PoolFitness;
  /** In sealing order. */
  contributors: GateFinding[];
}

export interface TrainingReport {
  domain: Domain;
  sessionId: bigint;
  sessionHash: Hex;
  sealHash: Hex;
  terms: SessionTerms;
  recipe: Recipe;
  baseModel: BaseModelManifest;
  gateRoot: Hex;
  engine: string;
  numericPath: string;
  /** The accepted, in sealing order. */
  shares: { contributor: Hex; rows: number; tokens: number }[];
  /** Micro-nats, one per step. */
  lossCurve: number[];
  tokens: number;
  targetTokens: number;
  /** Held out. */
  baseLossMicroNats: number;
  jointLossMicroNats: number;
}

function strict<T>(json: Json, where: string, read: (f: Fields) => T): T {
  const f = new Fields(json, where);
  const out = read(f);
  f.done();
  return out;
}

const countsFrom = (json: Json, where: string): RowCounts =>
  strict(
    json,
    where,
    (f) => Object.fromEntries(COUNTS.map((key) => [key, f.integer(key)])) as unknown as RowCounts,
  );

function findingFrom(json: Json, where: string): GateFinding {
  return strict(json, where, (f) => {
    const verdict = f.string('verdict');
    const reason = f.string('reason');
    verdictNumber(verdict);
    reasonNumber(reason);
    return {
      contributor: f.hex('contributor', 20),
      blobRoot: f.hex('blobRoot', 32),
      verdict: verdict as VerdictName,
      reason: reason as ReasonName,
      text: f.string('text'),
      counts: countsFrom(f.member('counts'), f.path('counts')),
      poolOverlap: f.integer('poolOverlap'),
      repeatedAnswers: f.integer('repeatedAnswers'),
      evidence: f.decimal('evidence', 128),
      runs: f.array('runs', 16, (item, path) =>
        strict(item, path, (r) => ({
          harm: r.integers('harm', MAX_PAIRS),
          relevanceLost: r.integers('relevanceLost', MAX_PAIRS),
          evidence: r.decimal('evidence', 128),
          suspicion: r.decimal('suspicion', 128),
        })),
      ),
      gain: f.integers('gain', MAX_PAIRS),
      gainEvidence: f.decimal('gainEvidence', 128),
    };
  });
}

/** Reads gate.json. @throws FFEError `bad_input` naming the member. */
export function parseGateReport(text: string): GateReport {
  return strict(parseCanonical(text, 'gate.json', MAX_REPORT), 'gate.json', (f) => {
    f.expect('format', 'ffe.gate.v1');
    return {
      sealHash: f.hex('sealHash', 32),
      policy: gatePolicyFromJson(f.member('policy')),
      maxRows: f.integer('maxRows'),
      engine: f.string('engine'),
      numericPath: f.string('numericPath'),
      outcome: f.string('outcome'),
      outcomeText: f.string('outcomeText'),
      pool: strict(f.member('pool'), f.path('pool'), (p) => ({
        rows: p.integer('rows'),
        duplicates: p.integer('duplicates'),
        overlap: p.integer('overlap'),
        pairs: p.integer('pairs'),
        sampleRows: p.integer('sampleRows'),
        calibrationRows: p.integer('calibrationRows'),
      })),
      fitness: strict(f.member('fitness'), f.path('fitness'), (p) => ({
        relevance: p.integers('relevance', MAX_PAIRS),
        relevanceEvidence: p.decimal('relevanceEvidence', 128),
        calibration: p.integers('calibration', MAX_PAIRS),
        calibrationEvidence: p.decimal('calibrationEvidence', 128),
        poolLossMicroNats: p.signed('poolLossMicroNats'),
        sampleLossMicroNats: p.signed('sampleLossMicroNats'),
      })),
      contributors: f.array('contributors', maxParticipants, findingFrom),
    };
  });
}

/** Reads report.json. @throws FFEError `bad_input` naming the member. */
export function parseTrainingReport(text: string): TrainingReport {
  return strict(parseCanonical(text, 'report.json', MAX_REPORT), 'report.json', (f) => {
    f.expect('format', 'ffe.report.v1');
    return {
      domain: { chainId: f.integer('chainId'), coordinator: toAddress(f.string('coordinator')) },
      sessionId: f.decimal('sessionId', 256),
      sessionHash: f.hex('sessionHash', 32),
      sealHash: f.hex('sealHash', 32),
      terms: termsFromJson(f.member('terms')),
      recipe: parseRecipe(f.string('recipe')),
      baseModel: parseManifest(f.string('baseModel')),
      gateRoot: f.hex('gateRoot', 32),
      engine: f.string('engine'),
      numericPath: f.string('numericPath'),
      shares: f.array('shares', maxParticipants, (item, where) =>
        strict(item, where, (s) => ({
          contributor: s.hex('contributor', 20),
          rows: s.integer('rows'),
          tokens: s.integer('tokens'),
        })),
      ),
      lossCurve: f.integers('lossCurve', MAX_STEPS),
      tokens: f.integer('tokens'),
      targetTokens: f.integer('targetTokens'),
      baseLossMicroNats: f.integer('baseLossMicroNats', 0xffffffff),
      jointLossMicroNats: f.integer('jointLossMicroNats', 0xffffffff),
    };
  });
}

/** One check of what a report claims. */
export interface ReportCheck {
  name: string;
  passed: boolean;
  detail: string;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const verdictOf = (finding: GateFinding): ContributorVerdict => ({
  contributor: finding.contributor,
  blobRoot: finding.blobRoot,
  verdict: verdictNumber(finding.verdict),
  reason: reasonNumber(finding.reason),
  evidence: finding.evidence,
});

const sameVerdict = (a: ContributorVerdict, b: ContributorVerdict): boolean =>
  a.contributor === b.contributor &&
  a.blobRoot === b.blobRoot &&
  a.verdict === b.verdict &&
  a.reason === b.reason &&
  a.evidence === b.evidence;

/** What the certificate, gate.json and report.json say about each other. Without `report` nobody
 * was trained on. */
export function checkReports(
  result: ResultCertificate,
  gate: GateReport,
  report?: TrainingReport,
): ReportCheck[] {
  const checks: ReportCheck[] = [];
  const add = (name: string, passed: boolean, detail: string): void => {
    checks.push({ name, passed, detail });
  };
  add("gate.json is this session's", gate.sealHash === result.sealHash, gate.sealHash);
  const found = gate.contributors.map(verdictOf);
  const agree =
    found.length === result.verdicts.length &&
    result.verdicts.every((verdict, i) => sameVerdict(verdict, found[i] as ContributorVerdict));
  add('verdicts agree with gate.json', agree, `${result.verdicts.length} verdicts`);
  if (report === undefined) {
    const none = result.artifactRoot === zeroHash && result.owners.length === 0;
    add('no model without a report', none, `${result.owners.length} owners`);
    return checks;
  }
  const { terms } = report;
  add("report.json is this session's", report.sealHash === result.sealHash, report.sealHash);
  add('report names gate.json', report.gateRoot === result.gateRoot, report.gateRoot);
  add(
    "gate policy is the terms'",
    same(termsToJson(terms), termsToJson({ ...terms, gate: gate.policy, maxRows: gate.maxRows })),
    'gate.json and terms',
  );
  add("recipe is the terms'", textHash(recipeText(report.recipe)) === terms.recipe, terms.recipe);
  add(
    "base model is the terms'",
    textHash(manifestText(report.baseModel)) === terms.baseModel,
    terms.baseModel,
  );
  const accepted = result.verdicts.filter((v) => v.verdict === 1).map((v) => v.contributor);
  const trained = report.shares.map((s) => s.contributor);
  const owners = result.owners.map((o) => o.owner);
  add('trained on the accepted', same(trained, accepted), `${trained.length} shares`);
  add('owned by the accepted', same(owners, accepted), `${owners.length} owners`);
  add(
    'losses agree with the certificate',
    report.baseLossMicroNats === result.baseLossMicroNats &&
      report.jointLossMicroNats === result.jointLossMicroNats,
    `${result.baseLossMicroNats} to ${result.jointLossMicroNats} micro-nats`,
  );
  return checks;
}

// A value that cannot be recomputed (out of order or range) fails its check, not the whole run.
function check(name: string, passed: () => boolean, detail: string): ReportCheck {
  try {
    return { name, passed: passed(), detail };
  } catch (error) {
    if (!(error instanceof FFEError)) throw error;
    return { name, passed: false, detail: error.message };
  }
}

const smallest = (finding: GateFinding): bigint =>
  finding.runs.reduce<bigint | undefined>(
    (least, run) => (least === undefined || run.evidence < least ? run.evidence : least),
    undefined,
  ) ?? 0n;

function runsAgree(finding: GateFinding, { policy }: GateReport): boolean {
  const { evalPairs, harmToleranceMicro: harmful, relevanceToleranceMicro: lossy } = policy;
  const found = (run: GateRun, tolerance: (micro: number) => number): bigint =>
    floorOf(combined(run.harm, tolerance(harmful), run.relevanceLost, tolerance(lossy)));
  return finding.runs.every(
    (run) =>
      run.harm.length === evalPairs &&
      run.relevanceLost.length === evalPairs &&
      found(run, (micro) => micro) === run.evidence &&
      found(run, suspicionTolerance) === run.suspicion,
  );
}

function gainAgrees(finding: GateFinding, { policy }: GateReport): boolean {
  if (policy.acceptRule === 0 || finding.runs.length === 0) return finding.gain.length === 0;
  if (
    finding.gain.length !== policy.evalPairs ||
    floorOf(oneSided(finding.gain, 0)) !== finding.gainEvidence
  ) {
    return false;
  }
  return finding.verdict !== 'accept' || finding.gainEvidence >= enough;
}

const SEEDS = 3; // of both statistics

// What the evidence alone commands; verdicts for other reasons need none.
function verdictFollows(finding: GateFinding, threshold: bigint): boolean {
  const { reason, runs, evidence } = finding;
  if (verdictOfReason(reasonNumber(reason)) !== verdictNumber(finding.verdict)) return false;
  if (evidence !== smallest(finding)) return false;
  const first = runs[0];
  if (first === undefined) {
    return reason !== 'harmful' && reason !== 'suspected_harm' && reason !== reasonName(0);
  }
  if (runs.length !== (first.evidence >= threshold ? SEEDS : 1)) return false;
  if (evidence >= threshold) return reason === 'harmful';
  if (first.suspicion >= enough) return reason === 'suspected_harm';
  return reason !== 'harmful' && reason !== 'suspected_harm';
}

function fitnessChecks({ fitness: f, policy, pool }: GateReport): ReportCheck[] {
  const needed = BigInt(policy.alphaInverse);
  const holds = (values: number[], tolerance: number, evidence: bigint) => (): boolean =>
    values.length === policy.evalPairs &&
    floorOf(oneSided(values, tolerance)) === evidence &&
    evidence >= needed;
  // One micro-nat of rounding on either side.
  const apart = Math.abs(f.poolLossMicroNats - f.sampleLossMicroNats);
  return [
    check(
      'pool: answers are relevant',
      holds(f.relevance, 50_000, f.relevanceEvidence),
      `evidence ${f.relevanceEvidence}`,
    ),
    check(
      'pool: calibration helps',
      holds(f.calibration, 0, f.calibrationEvidence),
      `evidence ${f.calibrationEvidence}`,
    ),
    {
      name: 'pool: the public sample looks like it',
      passed: pool.sampleRows > 0 && apart <= 500_001,
      detail: `${apart} micro-nats apart`,
    },
  ];
}

/** Checks every evidence of gate.json bit for bit, the thresholds, and that each verdict follows. */
export function recompute(report: GateReport): ReportCheck[] {
  if (report.outcome !== 'fit') {
    return [
      {
        name: 'session was aborted',
        passed: report.contributors.every((finding) => finding.reason !== 'harmful'),
        detail: report.outcomeText,
      },
    ];
  }
  const threshold = BigInt(report.contributors.length) * BigInt(report.policy.alphaInverse);
  const checks = fitnessChecks(report);
  for (const finding of report.contributors) {
    checks.push(
      check(
        `${finding.contributor}: evidence`,
        () => runsAgree(finding, report) && gainAgrees(finding, report),
        `${finding.evidence} of ${finding.runs.length} seeds, threshold ${threshold}`,
      ),
      check(
        `${finding.contributor}: verdict`,
        () => verdictFollows(finding, threshold),
        `${finding.verdict} (${finding.reason})`,
      ),
    );
  }
  return checks;
}
