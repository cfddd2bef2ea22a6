// Intel's extension of a PCK certificate: which machine, at which security versions.
import { FFEError } from '../base/errors.js';
import { toHex } from '../base/bytes.js';
import { DerReader, derTag } from './der.js';
import type { Certificate } from './x509.js';

const OID = '1.2.840.113741.1.13.1';

export interface PckExtension {
  /** Hexadecimal without `0x`, as policies name them. */
  ppid: string;
  fmspc: string;
  pceId: string;
  platformInstanceId: string;
  /** 16 SGX component security versions. */
  components: number[];
  pceSvn: number;
}

function bad(why: string): never {
  throw new FFEError(
    'bad_input',
    `SGX extension: ${why}`,
    'the PCK certificate is damaged or of an unknown form',
  );
}

// SEQUENCE { OID below `prefix`, value }: the last number of the OID, and the value.
function item(list: DerReader, prefix: string): [number, DerReader] {
  const inside = list.inside(derTag.sequence);
  const oid = inside.oid();
  const last = Number(oid.slice(prefix.length + 1));
  if (!oid.startsWith(`${prefix}.`) || !Number.isInteger(last)) bad('an item has a foreign OID');
  return [last, inside];
}

function octets(inside: DerReader, field: string, size: number): string {
  const { value } = inside.take(derTag.octets);
  if (value.length !== size) bad(`${field} is not an octet string of ${size} bytes`);
  return toHex(value).slice(2);
}

function readTcb(list: DerReader, out: PckExtension): void {
  const seen = new Set<number>();
  while (!list.empty) {
    const [index, inside] = item(list, `${OID}.2`);
    if (index < 1 || index > 18) bad('unknown TCB item');
    if (seen.has(index)) bad('a TCB item appears twice');
    seen.add(index);
    if (index <= 16) out.components[index - 1] = inside.small(255);
    else if (index === 17) out.pceSvn = inside.small(65535);
    else octets(inside, 'CPUSVN', 16);
    inside.end();
  }
  if (seen.size !== 18) bad('a TCB item is missing');
}

/** @throws FFEError `bad_input` */
export function pckExtension(pck: Certificate): PckExtension {
  const der = pck.extensions.get(OID);
  if (der === undefined) return bad(`absent from ${pck.name}`);
  const all = new DerReader(der, 'SGX extension');
  const list = all.inside(derTag.sequence);
  all.end();
  const out: PckExtension = {
    ppid: '',
    fmspc: '',
    pceId: '',
    platformInstanceId: '',
    components: [],
    pceSvn: 0,
  };
  const seen = new Set<number>();
  while (!list.empty) {
    const [id, inside] = item(list, OID);
    if (id < 1 || id > 31) bad('unknown item');
    if (seen.has(id)) bad('an item appears twice');
    seen.add(id);
    if (id === 1) out.ppid = octets(inside, 'PPID', 16);
    else if (id === 2) readTcb(inside.inside(derTag.sequence), out);
    else if (id === 3) out.pceId = octets(inside, 'PCEID', 2);
    else if (id === 4) out.fmspc = octets(inside, 'FMSPC', 6);
    else if (id === 6) out.platformInstanceId = octets(inside, 'platform instance id', 16);
    else inside.take();
    inside.end();
  }
  if (![1, 2, 3, 4, 5].every((id) => seen.has(id))) bad('a mandatory item is missing');
  return out;
}
