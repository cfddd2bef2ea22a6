// What a quote is verified against (docs/spec/attestation.md).
import { fromHex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { Fields, type Json } from '../base/json.js';

const MAX_TEXT = 256 * 1024;
const MAX_CRL = 4 << 20;

export interface Collateral {
  rootCaCrl: Uint8Array;
  pckCrl: Uint8Array;
  tcbInfoIssuerChain: string;
  tcbInfo: string;
  tcbInfoSignature: Uint8Array;
  qeIdentityIssuerChain: string;
  qeIdentity: string;
  qeIdentitySignature: Uint8Array;
}

/** The bundle as PCCS clients and the enclave service write it. @throws FFEError `bad_input` */
export function collateralFromJson(json: Json): Collateral {
  const f = new Fields(json, 'collateral');
  const text = (key: string, most = MAX_TEXT): string => {
    const value = f.string(key);
    if (value.length <= most) return value;
    throw new FFEError('bad_input', `${f.path(key)} is too long`, 'fetch the collateral again');
  };
  const crl = (key: string): Uint8Array => fromHex(text(key, 2 * MAX_CRL), f.path(key));
  const signature = (key: string): Uint8Array => fromHex(text(key), f.path(key), 64);
  return {
    rootCaCrl: crl('root_ca_crl'),
    pckCrl: crl('pck_crl'),
    tcbInfoIssuerChain: text('tcb_info_issuer_chain'),
    tcbInfo: text('tcb_info'),
    tcbInfoSignature: signature('tcb_info_signature'),
    qeIdentityIssuerChain: text('qe_identity_issuer_chain'),
    qeIdentity: text('qe_identity'),
    qeIdentitySignature: signature('qe_identity_signature'),
  };
}
