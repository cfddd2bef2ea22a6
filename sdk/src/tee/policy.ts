// What a relying party accepts beyond "genuine": TCB status, advisories, machines, measurements.
import { toHex, type Hex } from '../base/bytes.js';
import type { Checklist } from './checklist.js';
import { platformHash, workloadId, type TdReport } from './quote.js';
import type { TcbStatus } from './tcb.js';
import { refuse } from './x509.js';

/** Every member is optional; unset lists are not judged. Hexadecimal in lower case without `0x`
 * where it names a machine. */
export interface Policy {
  /** Default UpToDate and SWHardeningNeeded. "Revoked" is refused whatever stands here; any other
   * needs `advisories` too. */
  tcbStatuses?: readonly TcbStatus[];
  /** Advisories that may be open at this platform. */
  advisories?: readonly string[];
  fmspcs?: readonly string[];
  /** Platform instance id or PPID. */
  platformIds?: readonly string[];
  workloadIds?: readonly Hex[];
  /** Of platform and application, where an event log names the application. */
  codeHashes?: readonly Hex[];
  platformHashes?: readonly Hex[];
  /** 64 bytes that must be in the quote. */
  reportData?: Hex;
  minimumEvaluationNumber?: number;
  /** A development root is refused unless this is set; {@link FFE} sets it on chain 31337 only. */
  allowDevelopment?: boolean;
}

const HEALTHY: readonly TcbStatus[] = ['UpToDate', 'SWHardeningNeeded'];
const SEPT_VE_DISABLE = 1n << 28n;
const ALLOWED_TD_ATTRIBUTES = 0x80000000d0000000n; // SEPT_VE_DISABLE, PKS, KL, PERFMON
const XFAM_FIXED = 3n; // x87 and SSE exist in every TD
const ALLOWED_XFAM = 0x65ae7n; // x87 SSE AVX AVX-512 PKRU CET UINTR AMX

const word = (bytes: Uint8Array): bigint =>
  new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
const plain = (bytes: Uint8Array): string => toHex(bytes).slice(2);

/** What the checks before found. */
export interface Found {
  td: TdReport;
  tcbStatus: TcbStatus;
  advisories: readonly string[];
  fmspc: string;
  ppid: string;
  platformInstanceId: string;
  codeHash: Hex | undefined;
}

async function judgeTd(td: TdReport, list: Checklist): Promise<void> {
  await list.evaluate('td.debug', () =>
    td.tdAttributes[0] === 0
      ? 'not a debug TD'
      : refuse(
          'this TD runs in debug mode: its host can read and change its memory',
          'never give data to it; the operator must start it without debug',
        ),
  );
  await list.evaluate('td.attributes', () => {
    const attributes = word(td.tdAttributes);
    const shown = `TDATTRIBUTES ${plain(td.tdAttributes)}`;
    if ((attributes & SEPT_VE_DISABLE) === 0n) {
      refuse(
        `${shown}: SEPT_VE_DISABLE is clear`,
        'the host could make the TD lose memory pages unnoticed; the operator must set it',
      );
    }
    if ((attributes & ~ALLOWED_TD_ATTRIBUTES & ~0xffn) !== 0n) {
      refuse(
        `${shown}: a reserved or forbidden bit is set`,
        'the operator must start the TD without it',
      );
    }
    return plain(td.tdAttributes);
  });
  await list.evaluate('td.xfam', () => {
    const xfam = word(td.xfam);
    if ((xfam & XFAM_FIXED) !== XFAM_FIXED || (xfam & ~ALLOWED_XFAM) !== 0n) {
      refuse(
        `XFAM ${plain(td.xfam)} holds CPU features that the policy does not allow`,
        'the operator must start the TD without them',
      );
    }
    return plain(td.xfam);
  });
  if (td.version === '1.0') {
    list.skip('td.service_td', 'TD report 1.0 has no such field');
    return;
  }
  await list.evaluate('td.service_td', () =>
    td.mrServiceTd.every((byte) => byte === 0)
      ? 'none'
      : refuse(
          'a service TD is bound to this TD (MRSERVICETD)',
          "it could migrate the TD's memory elsewhere; the operator must start it without one",
        ),
  );
}

async function judgeTcb(policy: Policy, found: Found, list: Checklist): Promise<void> {
  const { advisories } = policy;
  await list.evaluate('policy.tcb_status', () => {
    if (!(policy.tcbStatuses ?? HEALTHY).includes(found.tcbStatus)) {
      refuse(
        `TCB status ${found.tcbStatus} is not accepted`,
        'the operator must update the platform; accepting it needs a policy that names the status ' +
          'and its advisories',
      );
    }
    if (!HEALTHY.includes(found.tcbStatus) && advisories === undefined) {
      refuse(
        `TCB status ${found.tcbStatus} is accepted only with a list of advisories`,
        'name the advisories that you judged harmless in the policy',
      );
    }
    return found.tcbStatus;
  });
  if (advisories === undefined) {
    list.skip('policy.advisories', 'the policy has no list of advisories');
    return;
  }
  await list.evaluate('policy.advisories', () => {
    const open = found.advisories.find((id) => !advisories.includes(id));
    if (open !== undefined) {
      refuse(
        `advisory ${open} is open at this platform`,
        'read it; if it does not matter to you, name it in the policy',
      );
    }
    return `${found.advisories.length} open, all allowed`;
  });
}

async function judgeMachine(policy: Policy, found: Found, list: Checklist): Promise<void> {
  const { fmspcs, platformIds } = policy;
  if (fmspcs === undefined) list.skip('policy.fmspc', 'the policy has no list of FMSPCs');
  else {
    await list.evaluate('policy.fmspc', () =>
      fmspcs.includes(found.fmspc)
        ? found.fmspc
        : refuse(`FMSPC ${found.fmspc} is not in the policy`, 'use a machine that is'),
    );
  }
  if (platformIds === undefined) {
    list.skip('policy.platform', 'the policy has no list of machines');
    return;
  }
  await list.evaluate(
    'policy.platform',
    () =>
      [found.platformInstanceId, found.ppid].find((id) => platformIds.includes(id)) ??
      refuse(
        `machine ${found.platformInstanceId} (PPID ${found.ppid}) is not in the policy`,
        'use a machine that is, or add this one after checking where it stands',
      ),
  );
}

async function judgeCode(policy: Policy, found: Found, list: Checklist): Promise<void> {
  const { workloadIds, codeHashes, platformHashes, reportData } = policy;
  const { td, codeHash } = found;
  if (workloadIds === undefined && codeHashes === undefined && platformHashes === undefined) {
    list.skip('policy.measurement', 'the policy names no measurement: any code would pass');
  } else {
    await list.evaluate('policy.measurement', () => {
      const workload = workloadId(td);
      const platform = platformHash(td);
      if (workloadIds?.includes(workload) === true) return `workload ${workload}`;
      if (codeHash !== undefined && codeHashes?.includes(codeHash) === true)
        return `code ${codeHash}`;
      if (platformHashes?.includes(platform) === true) return `platform ${platform}`;
      return refuse(
        `workload ${workload}, platform ${platform} is not in the policy`,
        'this enclave runs other code than you agreed to',
      );
    });
  }
  if (reportData === undefined) {
    list.skip('policy.report_data', 'no report data was expected');
    return;
  }
  await list.evaluate('policy.report_data', () =>
    toHex(td.reportData) === reportData
      ? 'as expected'
      : refuse(
          `report data is ${plain(td.reportData)}, expected ${reportData.slice(2)}`,
          'the quote was made for another signer, registry or moment',
        ),
  );
}

/** Judges a quote that was verified; each check on its own. */
export async function judge(policy: Policy, found: Found, list: Checklist): Promise<void> {
  await judgeTd(found.td, list);
  await judgeTcb(policy, found, list);
  await judgeMachine(policy, found, list);
  await judgeCode(policy, found, list);
}
