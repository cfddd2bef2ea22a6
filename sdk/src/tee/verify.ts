// Verification of a TDX quote, check by check, with the names and the order of the C++ verifier
// (docs/spec/attestation.md). A pure function: no network, no clock.
import { concat, equalBytes, fromHex, toHex, utf8, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { sha256, sha512 } from '../crypto/hash.js';
import { applicationHash, namesApplication } from './application.js';
import { codeHashOf } from './binding.js';
import { Checklist, Stop, type Check } from './checklist.js';
import type { Collateral } from './collateral.js';
import { formatUtc } from './der.js';
import { checkReplay, parseEventLog, type LogEvent } from './event-log.js';
import type { Evidence } from './evidence.js';
import { pckExtension, type PckExtension } from './pck-extension.js';
import { judge, type Policy } from './policy.js';
import type { RollbackGuard } from './rollback.js';
import { parseQuote, platformHash, type Quote } from './quote.js';
import {
  convergedStatus,
  matchLevel,
  matchModule,
  matchQe,
  parseQeIdentity,
  parseTcbInfo,
  type QeIdentity,
  type SignedDates,
  type SvnLevel,
  type TcbInfo,
  type TcbStatus,
} from './tcb.js';
import { Certificate, parsePemChain, refuse, RevocationList, verifyP256 } from './x509.js';

/** The certificate that everything must lead to. */
export interface TrustAnchor {
  name: string;
  certificateSha256: Uint8Array;
  publicKey: Uint8Array;
  development: boolean;
}

/** Intel's root, compiled in and never read from anywhere. */
export const intelRoot: TrustAnchor = {
  name: 'Intel SGX Root CA',
  certificateSha256: fromHex('44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3'),
  publicKey: fromHex(
    '0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5' +
      '67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394',
  ),
  development: false,
};

/** A made-up root; results say `simulated`. @throws FFEError `usage` if it is Intel's. */
export function developmentRoot(der: Uint8Array): TrustAnchor {
  const root = new Certificate(der);
  if (equalBytes(root.publicKey, intelRoot.publicKey)) {
    throw new FFEError(
      'usage',
      "this is Intel's root, not a development root",
      "leave the root out: Intel's is built in",
    );
  }
  return {
    name: root.name,
    certificateSha256: sha256(der),
    publicKey: root.publicKey,
    development: true,
  };
}

export interface Verification {
  accepted: boolean;
  /** Verified against a development root: proves nothing. */
  simulated: boolean;
  tcbStatus: TcbStatus | '';
  advisories: string[];
  fmspc: string;
  ppid: string;
  platformInstanceId: string;
  tcbEvaluationNumber: number;
  /** Unix seconds after which this verdict no longer holds. */
  collateralExpires: number;
  checks: Check[];
  quote: Quote | undefined;
  /** What the replayed event log says runs there, and the code hash that follows. Undefined: no log,
   * or no application in it; the code is then the workload id. */
  appHash: Hex | undefined;
  codeHash: Hex | undefined;
}

const CHECKS = [
  'quote.format',
  'anchor.permitted',
  'pck_chain.certificates',
  'pck_chain.root',
  'pck_chain.intermediate',
  'pck_chain.leaf',
  'pck_chain.sgx_extension',
  'crl.root',
  'crl.pck',
  'crl.intermediate_not_revoked',
  'crl.pck_not_revoked',
  'tcb_info.issuer',
  'tcb_info.signature',
  'tcb_info.content',
  'tcb_info.validity',
  'qe_identity.issuer',
  'qe_identity.signature',
  'qe_identity.content',
  'qe_identity.validity',
  'collateral.not_rolled_back',
  'platform.match',
  'tdx_module.identity',
  'qe_report.signature',
  'qe_report.key_binding',
  'qe_report.identity',
  'quote.signature',
  'tcb.level',
  'tcb.status',
  'evidence.runtime_data',
  'evidence.event_log',
  'evidence.application',
  'td.debug',
  'td.attributes',
  'td.xfam',
  'td.service_td',
  'policy.tcb_status',
  'policy.advisories',
  'policy.fmspc',
  'policy.platform',
  'policy.measurement',
  'policy.report_data',
];

// One run: members are filled in by the steps, in the order of the check list.
class Procedure {
  private quote!: Quote;
  private leaf!: Certificate;
  private intermediate!: Certificate;
  private root!: Certificate;
  private pck!: PckExtension;
  private rootCrl!: RevocationList;
  private pckCrl!: RevocationList;
  private tcbInfo!: TcbInfo;
  private qeIdentity!: QeIdentity;
  private module: SvnLevel | undefined;
  private qeLevel!: SvnLevel;

  constructor(
    private readonly collateral: Collateral,
    private readonly anchor: TrustAnchor,
    private readonly now: number,
    private readonly policy: Policy,
    private readonly out: Verification,
    private readonly list: Checklist,
    private readonly guard: RollbackGuard | undefined,
  ) {}

  /** Names anchor and FMSPC. */
  get platformKey(): string {
    // Every simulator has the same FMSPC, and nothing to do with the next.
    const root = toHex(this.anchor.certificateSha256).slice(2, 18);
    return `${this.anchor.development ? `development-${root}` : 'intel'}/${this.out.fmspc}`;
  }

  async run(evidence: Evidence): Promise<void> {
    await this.quoteFormat(evidence.quote);
    await this.pckChain();
    await this.revocation();
    await this.tcbInfoDocument();
    await this.qeIdentityDocument();
    await this.platform();
    await this.signatures();
    await this.tcb();
    await this.besideTheQuote(evidence);
    const { out, policy, list } = this;
    await judge(policy, { ...out, td: this.quote.td, tcbStatus: out.tcbStatus as TcbStatus }, list);
  }

  private async quoteFormat(blob: Uint8Array): Promise<void> {
    await this.list.require('quote.format', () => {
      const quote = parseQuote(blob);
      this.out.quote = this.quote = quote;
      return (
        `TDX quote version ${quote.version}, TD report ${quote.td.version}, ${quote.size} bytes, ` +
        `${quote.trailing} unsigned bytes after it`
      );
    });
    await this.list.require('anchor.permitted', () => {
      const { name, development } = this.anchor;
      if (!development) return name;
      if (this.policy.allowDevelopment !== true) {
        refuse(
          `"${name}" is a development root`,
          'simulated enclaves protect nothing; only a development network may allow them',
        );
      }
      return `"${name}" is a development root: this proves nothing`;
    });
  }

  private async pckChain(): Promise<void> {
    const { list, now } = this;
    await list.require('pck_chain.certificates', () => {
      const pem = this.quote.pckChain;
      const chain = parsePemChain(pem, 3);
      const [leaf, intermediate, root] = chain;
      if (
        leaf === undefined ||
        intermediate === undefined ||
        root === undefined ||
        !pem.endsWith('\n')
      ) {
        return refuse(
          `the quote holds ${chain.length} certificates`,
          'it must hold leaf, intermediate and root, each as a complete PEM block',
        );
      }
      const names = chain.map((certificate) => certificate.name);
      if (
        !leaf.name.includes('SGX PCK Certificate') ||
        !intermediate.name.includes('CA') ||
        !root.name.includes('SGX Root CA')
      ) {
        refuse(
          `the chain is ${names.map((name) => `"${name}"`).join(', ')}`,
          'it must be PCK certificate, PCK CA, SGX root, in this order',
        );
      }
      [this.leaf, this.intermediate, this.root] = [leaf, intermediate, root];
      return names.join(', ');
    });
    await list.require('pck_chain.root', () => this.checkRoot(this.root));
    await list.require('pck_chain.intermediate', async () => {
      await this.intermediate.check(this.root, 'intermediate', now);
      return `valid until ${formatUtc(this.expires(this.intermediate.notAfter))}`;
    });
    await list.require('pck_chain.leaf', async () => {
      await this.leaf.check(this.intermediate, 'leaf', now);
      return `serial ${this.leaf.serial}, valid until ${formatUtc(this.expires(this.leaf.notAfter))}`;
    });
    await list.require('pck_chain.sgx_extension', () => {
      this.pck = pckExtension(this.leaf);
      const { fmspc, ppid, platformInstanceId } = this.pck;
      Object.assign(this.out, { fmspc, ppid, platformInstanceId });
      return `FMSPC ${fmspc}, PPID ${ppid}`;
    });
  }

  private async checkRoot(root: Certificate): Promise<string> {
    const { anchor } = this;
    const fingerprint = sha256(root.der);
    if (
      !equalBytes(fingerprint, anchor.certificateSha256) ||
      !equalBytes(root.publicKey, anchor.publicKey)
    ) {
      refuse(
        `untrusted root "${root.name}", expected "${anchor.name}"`,
        anchor.development
          ? "this quote does not belong to the development network's platform"
          : "only quotes below Intel's root prove anything; a simulator's do not",
      );
    }
    await root.check(root, 'root', this.now);
    return `${anchor.name}, SHA-256 ${toHex(fingerprint).slice(2)}`;
  }

  private async revocation(): Promise<void> {
    const { list, collateral, now } = this;
    await list.require('crl.root', async () => {
      this.rootCrl = new RevocationList(collateral.rootCaCrl);
      await this.rootCrl.check(this.root, now);
      return `valid until ${formatUtc(this.expires(this.rootCrl.nextUpdate))}`;
    });
    await list.require('crl.pck', async () => {
      this.pckCrl = new RevocationList(collateral.pckCrl);
      await this.pckCrl.check(this.intermediate, now);
      const until = formatUtc(this.expires(this.pckCrl.nextUpdate));
      return `${this.pckCrl.entries} entries, valid until ${until}`;
    });
    await list.require('crl.intermediate_not_revoked', () =>
      notRevoked(this.rootCrl, this.intermediate),
    );
    await list.require('crl.pck_not_revoked', () => notRevoked(this.pckCrl, this.leaf));
  }

  private async tcbInfoDocument(): Promise<void> {
    const { list, collateral } = this;
    let signer!: Certificate;
    await list.require('tcb_info.issuer', async () => {
      signer = await this.signerOf(collateral.tcbInfoIssuerChain);
      return `${signer.name} ${signer.serial}`;
    });
    await list.require('tcb_info.signature', () =>
      checkSignature(signer, collateral.tcbInfo, collateral.tcbInfoSignature),
    );
    await list.require('tcb_info.content', () => {
      this.tcbInfo = parseTcbInfo(collateral.tcbInfo);
      return `TDX version 3, ${this.tcbInfo.levels.length} levels`;
    });
    await list.require('tcb_info.validity', () => this.checkDates(this.tcbInfo));
  }

  private async qeIdentityDocument(): Promise<void> {
    const { list, collateral } = this;
    let signer!: Certificate;
    await list.require('qe_identity.issuer', async () => {
      signer = await this.signerOf(collateral.qeIdentityIssuerChain);
      return `${signer.name} ${signer.serial}`;
    });
    await list.require('qe_identity.signature', () =>
      checkSignature(signer, collateral.qeIdentity, collateral.qeIdentitySignature),
    );
    await list.require('qe_identity.content', () => {
      this.qeIdentity = parseQeIdentity(collateral.qeIdentity);
      return `TD_QE version 2, ${this.qeIdentity.levels.length} levels`;
    });
    await list.require('qe_identity.validity', () => this.checkDates(this.qeIdentity));
    await list.require('collateral.not_rolled_back', () => this.checkRollback());
  }

  private async signerOf(pem: string): Promise<Certificate> {
    const chain = parsePemChain(pem, 2);
    const [signer, root] = chain;
    if (signer === undefined || root === undefined || !signer.name.includes('SGX TCB Signing')) {
      return refuse(
        'the issuer chain is not TCB signing certificate and root',
        'fetch the collateral again',
      );
    }
    await this.checkRoot(root);
    await signer.check(root, 'leaf', this.now);
    this.expires(signer.notAfter);
    notRevoked(this.rootCrl, signer);
    return signer;
  }

  private checkDates({ issued, nextUpdate }: SignedDates): string {
    if (this.now < issued || this.now > nextUpdate) {
      refuse(
        `issued ${formatUtc(issued)}, next update ${formatUtc(nextUpdate)}, not valid at ` +
          formatUtc(this.now),
        "fetch fresh collateral, or check this machine's clock",
      );
    }
    return `until ${formatUtc(this.expires(nextUpdate))}`;
  }

  private async checkRollback(): Promise<string> {
    const number = this.tcbInfo.evaluationNumber;
    if (number !== this.qeIdentity.evaluationNumber) {
      refuse(
        `TCB info has evaluation number ${number}, QE identity ${this.qeIdentity.evaluationNumber}`,
        'fetch both documents again, together',
      );
    }
    const seen = (await this.guard?.highest(this.platformKey)) ?? 0;
    const least = Math.max(this.policy.minimumEvaluationNumber ?? 0, seen);
    if (number < least) {
      refuse(
        `TCB evaluation number ${number} is older than ${least}, which was seen before`,
        'fetch current collateral; somebody may be hiding a security advisory',
      );
    }
    this.out.tcbEvaluationNumber = number;
    return `evaluation number ${number}`;
  }

  private async platform(): Promise<void> {
    await this.list.require('platform.match', () => {
      const { pck, tcbInfo } = this;
      if (pck.fmspc !== tcbInfo.fmspc || pck.pceId !== tcbInfo.pceId) {
        refuse(
          `the TCB info is for FMSPC ${tcbInfo.fmspc} and PCE ${tcbInfo.pceId}, the machine is ` +
            `${pck.fmspc} and ${pck.pceId}`,
          "fetch the TCB info of the machine's FMSPC",
        );
      }
      return `FMSPC ${pck.fmspc}, PCE ${pck.pceId}`;
    });
    await this.list.require('tdx_module.identity', () => {
      const { identity, level } = matchModule(this.tcbInfo, this.quote.td);
      this.module = level;
      return level === undefined ? 'base module' : `${identity.id}, ${level.status}`;
    });
  }

  private async signatures(): Promise<void> {
    const { list, quote } = this;
    const forged = 'the quote is forged or damaged';
    await list.require('qe_report.signature', async () =>
      (await verifyP256(this.leaf.publicKey, quote.qe.raw, quote.qeSignature))
        ? 'by the PCK key'
        : refuse('the PCK key did not sign this QE report', forged),
    );
    await list.require('qe_report.key_binding', () => {
      const hash = sha256(concat(quote.attestationKey, quote.qeAuth));
      if (!equalBytes(quote.qe.reportData, concat(hash, new Uint8Array(32)))) {
        refuse('the QE report is not about this attestation key', forged);
      }
      return 'SHA-256 of attestation key and authentication data';
    });
    await list.require('qe_report.identity', () => {
      this.qeLevel = matchQe(this.qeIdentity, quote.qe);
      return `version ${quote.qe.isvSvn}, ${this.qeLevel.status}`;
    });
    await list.require('quote.signature', async () =>
      (await verifyP256(quote.attestationKey, quote.signedRegion, quote.signature))
        ? 'by the attestation key'
        : refuse('the attestation key did not sign this report', forged),
    );
  }

  private async tcb(): Promise<void> {
    const { list, out, tcbInfo, module, qeLevel } = this;
    const { td } = this.quote;
    let level!: ReturnType<typeof matchLevel>;
    await list.require('tcb.level', () => {
      level = matchLevel(tcbInfo, this.pck, td);
      return `level ${level.place} of ${tcbInfo.levels.length}, ${level.tdx.status}`;
    });
    await list.require('tcb.status', () => {
      out.tcbStatus = convergedStatus(tcbInfo, td, level, module, qeLevel);
      const all = [level.tdx, module, qeLevel].flatMap((part) => part?.advisories ?? []);
      out.advisories = [...new Set(all)].sort();
      if (out.tcbStatus === 'Revoked') {
        refuse("this platform's TCB is revoked", 'do not trust this machine');
      }
      return out.tcbStatus;
    });
  }

  private async besideTheQuote({ runtimeData, eventLog }: Evidence): Promise<void> {
    const { list, out } = this;
    const { td } = this.quote;
    if (runtimeData === undefined) {
      list.skip('evidence.runtime_data', 'none came with the quote');
    } else {
      await list.evaluate('evidence.runtime_data', () =>
        equalBytes(sha512(runtimeData), td.reportData)
          ? 'its SHA-512 is the report data'
          : refuse(
              'the report data is not the SHA-512 of the runtime data',
              'the runtime data was altered, or belongs to another quote',
            ),
      );
    }
    if (eventLog === undefined) {
      list.skip('evidence.event_log', 'none came with the quote');
      list.skip('evidence.application', 'no event log');
      return;
    }
    let events: LogEvent[] = [];
    const replayed = await list.evaluate('evidence.event_log', () => {
      events = parseEventLog(eventLog);
      checkReplay(events, td);
      return `${events.length} entries replay to RTMR0 to RTMR3`;
    });
    if (!replayed) return;
    if (!namesApplication(events)) {
      list.skip('evidence.application', 'the event log names none');
      return;
    }
    await list.evaluate('evidence.application', () => {
      out.appHash = applicationHash(events);
      out.codeHash = codeHashOf(platformHash(td), out.appHash);
      return `application ${out.appHash}, code ${out.codeHash}`;
    });
  }

  // Notes one more date after which this verdict no longer holds.
  private expires(time: number): number {
    const { out } = this;
    if (out.collateralExpires === 0 || time < out.collateralExpires) out.collateralExpires = time;
    return time;
  }
}

function notRevoked(list: RevocationList, certificate: Certificate): string {
  if (list.revokes(certificate)) {
    refuse(`${certificate.name} ${certificate.serial} is revoked`, 'do not trust this machine');
  }
  return `serial ${certificate.serial}`;
}

async function checkSignature(
  signer: Certificate,
  text: string,
  signature: Uint8Array,
): Promise<string> {
  const bytes = utf8(text);
  if (!(await verifyP256(signer.publicKey, bytes, signature))) {
    refuse(
      'the signature over the document is wrong',
      'fetch the collateral again and keep its bytes exactly as they came',
    );
  }
  return `over ${bytes.length} bytes`;
}

/** A quote, or a quote with what came beside it: runtime data must hash to its report data, an event
 * log must replay to its registers and name one application. `time`: unix seconds. Never throws for
 * what the evidence or the collateral hold. The
 * guard, if any, is asked, and told only about accepted quotes. */
export async function verifyQuote(
  evidence: Uint8Array | Evidence,
  collateral: Collateral,
  anchor: TrustAnchor,
  time: number,
  policy: Policy = {},
  guard?: RollbackGuard,
): Promise<Verification> {
  const list = new Checklist(CHECKS);
  const out: Verification = {
    accepted: false,
    simulated: anchor.development,
    tcbStatus: '',
    advisories: [],
    fmspc: '',
    ppid: '',
    platformInstanceId: '',
    tcbEvaluationNumber: 0,
    collateralExpires: 0,
    checks: list.checks,
    quote: undefined,
    appHash: undefined,
    codeHash: undefined,
  };
  const procedure = new Procedure(collateral, anchor, time, policy, out, list, guard);
  try {
    await procedure.run(evidence instanceof Uint8Array ? { quote: evidence } : evidence);
    out.accepted = list.checks.every((check) => check.state !== 'failed');
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
  }
  if (out.accepted) await guard?.record(procedure.platformKey, out.tcbEvaluationNumber);
  return out;
}

/** The check that decided. */
export const firstFailed = (verification: Verification): Check | undefined =>
  verification.checks.find((check) => check.state === 'failed');

/** @throws FFEError `attestation` naming the first check that failed. */
export function requireVerified(verification: Verification): void {
  if (verification.accepted) return;
  const check = firstFailed(verification);
  if (check === undefined) throw new FFEError('attestation', 'the quote was not verified');
  throw new FFEError('attestation', `${check.name}: ${check.detail}`, check.advice, {
    reason: check.name,
  });
}
