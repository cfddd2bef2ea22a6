// What binds a quote to a signer, a chain and a registry (docs/spec/attestation.md).
import { concat, fromHex, fromUtf8, toHex, type Hex } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { Fields, parseJson } from '../base/json.js';
import { keccak256 } from '../crypto/hash.js';

const WORD = 32;

export interface EnclaveExt {
  chainId: number;
  registry: Hex;
  signer: Hex;
  appHash: Hex;
  blockNumber: number;
  nonce: Hex;
}

/** abi.encode(keccak256("ffe.enclave.v1"), chainId, registry, signer, appHash, blockNumber, nonce).
 * @throws FFEError `bad_input` */
export function parseEnclaveExt(ext: Uint8Array): EnclaveExt {
  const bad = (why: string, hint: string): never => {
    throw new FFEError('bad_input', `enclave ext: ${why}`, hint);
  };
  const damaged = 'the registration data is damaged or of another version';
  if (ext.length !== 7 * WORD) bad(`${ext.length} bytes, expected 224`, damaged);
  const word = (i: number): Uint8Array => ext.subarray(i * WORD, (i + 1) * WORD);
  const tail = (i: number, size: number, field: string): Uint8Array => {
    if (
      word(i)
        .subarray(0, WORD - size)
        .some((byte) => byte !== 0)
    ) {
      bad(`${field} is out of range`, damaged);
    }
    return word(i).subarray(WORD - size);
  };
  const uint = (i: number, field: string): number => {
    const value = tail(i, 7, field).reduce((sum, byte) => sum * 256 + byte, 0);
    return Number.isSafeInteger(value) ? value : bad(`${field} is out of range`, damaged);
  };
  if (toHex(word(0)) !== toHex(keccak256('ffe.enclave.v1'))) {
    bad('not for the domain ffe.enclave.v1', 'the quote was made for another protocol');
  }
  return {
    chainId: uint(1, 'chain id'),
    registry: toHex(tail(2, 20, 'registry')),
    signer: toHex(tail(3, 20, 'signer')),
    appHash: toHex(word(4)),
    blockNumber: uint(5, 'block number'),
    nonce: toHex(word(6)),
  };
}

const uintWord = (value: number): Uint8Array =>
  fromHex(`0x${value.toString(16).padStart(64, '0')}`);
const addressWord = (address: Hex): Uint8Array => concat(new Uint8Array(12), fromHex(address));

/** The inverse of parseEnclaveExt. */
export const enclaveExt = (ext: EnclaveExt): Uint8Array =>
  concat(
    keccak256('ffe.enclave.v1'),
    uintWord(ext.chainId),
    addressWord(ext.registry),
    addressWord(ext.signer),
    fromHex(ext.appHash),
    uintWord(ext.blockNumber),
    fromHex(ext.nonce),
  );

/** What 0G Tapp's runtime data names; its SHA-512 is the report data there.
 * @throws FFEError `bad_input` */
export function parseTappRuntimeData(text: Uint8Array): { nonce: Hex; signer: Hex } {
  const what = 'Tapp runtime data';
  const f = new Fields(parseJson(fromUtf8(text, what), what), what);
  return { nonce: f.hex('nonce', 32), signer: f.hex('signer', 20) };
}

/** signer ‖ keccak256(ext) ‖ zeros, 64 bytes. */
export const reportDataOf = (signer: Hex, ext: Uint8Array): Uint8Array =>
  concat(fromHex(signer), keccak256(ext), new Uint8Array(12));

/** The code hash where the application layer lives in an event log; elsewhere it is the workload id. */
export const codeHashOf = (platform: Hex, application: Hex): Hex =>
  toHex(keccak256(concat(fromHex(platform), fromHex(application))));
