// Collateral from Intel's provisioning service, or a cache of it (PCCS). Nothing fetched is believed:
// the verifier checks every signature.
import { fromHex, fromUtf8 } from '../base/bytes.js';
import { FFEError } from '../base/errors.js';
import { exchange, type HttpAnswer } from '../base/http.js';
import type { Collateral } from './collateral.js';
import { pckExtension } from './pck-extension.js';
import type { Quote } from './quote.js';
import { parsePemChain } from './x509.js';

export interface CollateralSource {
  /** A PCCS that mirrors the paths of Intel's service. */
  url: string;
  /** Where the root's revocation list lies in DER. */
  rootCrlUrl: string;
}

export const intelService: CollateralSource = {
  url: 'https://api.trustedservices.intel.com',
  rootCrlUrl: 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der',
};

const MAX_ANSWER = 8 << 20;

async function request(url: string, signal?: AbortSignal): Promise<HttpAnswer> {
  const limits = { signal, timeout: 20_000, maxBytes: MAX_ANSWER };
  const answer = await exchange(url, { ...limits, hint: 'check the connection, or try later' });
  if (answer.ok) return answer;
  throw new FFEError(
    'network',
    `${url} answers HTTP ${answer.status}`,
    answer.status === 404
      ? "the service does not know this machine's FMSPC"
      : 'try later, or use another PCCS',
  );
}

// Issuer chains come percent-encoded in a header.
function chainHeader({ headers }: HttpAnswer, name: string, url: string): string {
  const text = headers.get(name);
  try {
    if (text !== null) return decodeURIComponent(text);
  } catch {
    // malformed
  }
  throw new FFEError(
    'network',
    `${url}: the answer has no header ${name}`,
    'the server is no PCCS of version 4, or it hides headers from web pages',
  );
}

// Intel's service sends DER, some PCCS versions hexadecimal.
function derOf(bytes: Uint8Array, url: string): Uint8Array {
  if (bytes[0] === 0x30 && (bytes.length < 2 || ((bytes[1] as number) & 0x80) !== 0)) return bytes;
  return fromHex(fromUtf8(bytes, url).trimEnd(), url);
}

/** `{"<member>":{…},"signature":"<hex>"}`: the text between, byte for byte, since it is signed. */
function splitSignedDocument(
  body: Uint8Array,
  member: string,
): { text: string; signature: Uint8Array } {
  const form = new RegExp(`^{"${member}":({.*}),"signature":"([0-9a-fA-F]{128})"}\\s*$`, 's');
  const [, text, signature] = form.exec(fromUtf8(body, member)) ?? [];
  if (text === undefined || signature === undefined) {
    throw new FFEError(
      'bad_input',
      `${member}: not a signed document`,
      'fetch the collateral again',
    );
  }
  return { text, signature: fromHex(signature) };
}

/** For the machine that made `quote`. @throws FFEError `network`, `bad_input` for a quote without a
 * usable PCK chain. */
export async function fetchCollateral(
  quote: Quote,
  signal?: AbortSignal,
  source: CollateralSource = intelService,
): Promise<Collateral> {
  const [leaf, intermediate, root] = parsePemChain(quote.pckChain, 3);
  if (leaf === undefined || intermediate === undefined || root === undefined) {
    throw new FFEError(
      'bad_input',
      'quote: no complete PCK chain',
      'the platform must put its PCK certificate chain into the quote',
    );
  }
  const { fmspc } = pckExtension(leaf);
  const ca = intermediate.name.includes('Platform') ? 'platform' : 'processor';
  const sgx = `${source.url}/sgx/certification/v4/`;
  const tdx = `${source.url}/tdx/certification/v4/`;

  const crlUrl = `${sgx}pckcrl?ca=${ca}&encoding=der`;
  const tcbUrl = `${tdx}tcb?fmspc=${fmspc}`;
  const qeUrl = `${tdx}qe/identity`;
  const [crl, tcb, qe, rootCrl] = (await Promise.all(
    [crlUrl, tcbUrl, qeUrl, source.rootCrlUrl].map((url) => request(url, signal)),
  )) as [HttpAnswer, HttpAnswer, HttpAnswer, HttpAnswer];
  const tcbInfo = splitSignedDocument(tcb.bytes, 'tcbInfo');
  const qeIdentity = splitSignedDocument(qe.bytes, 'enclaveIdentity');
  return {
    rootCaCrl: derOf(rootCrl.bytes, source.rootCrlUrl),
    pckCrl: derOf(crl.bytes, crlUrl),
    tcbInfoIssuerChain: chainHeader(tcb, 'tcb-info-issuer-chain', tcbUrl),
    tcbInfo: tcbInfo.text,
    tcbInfoSignature: tcbInfo.signature,
    qeIdentityIssuerChain: chainHeader(qe, 'sgx-enclave-identity-issuer-chain', qeUrl),
    qeIdentity: qeIdentity.text,
    qeIdentitySignature: qeIdentity.signature,
  };
}
