// Vectors that other libraries made (tests/vectors/session, gate, crypto).
import { TypedDataEncoder } from 'ethers';
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toAddress, toHex, type Hex } from '../src/base/bytes.js';
import { eciesOpen, sharedSecretOf } from '../src/crypto/ecies.js';
import { hkdfSha256, keccak256, sha256 } from '../src/crypto/hash.js';
import { hpkeReceiver, hpkeSender, x25519KeyPair } from '../src/crypto/hpke.js';
import { deriveArtifactKey, openArtifact, sealArtifact } from '../src/session/artifact.js';
import {
  blobInfo,
  blobSize,
  memorySource,
  openBlob,
  padme,
  sealBlob,
  type BlobContext,
  type BlobRole,
} from '../src/session/blob.js';
import { certificateMessage, certificateSigner } from '../src/session/certificates.js';
import {
  combined,
  floorOf,
  oneSided,
  suspicionTolerance,
  type EValue,
} from '../src/session/evidence.js';
import {
  checkOwnerKey,
  deriveOwnerKey,
  openKeySecp256k1,
  openKeyX25519,
  ownerKeyHash,
  sealKey,
  transferInfo,
} from '../src/session/owner-key.js';
import { keyRequestFromJson } from '../src/session/key-request.js';
import { leavesEnclave, parseRecipe, recipeText, whoSeesRows } from '../src/session/recipe.js';
import {
  encodeTerms,
  enclaveId,
  sealHash,
  sessionHash,
  sessionTag,
  termsFromJson,
  termsHash,
  termsToJson,
  textHash,
} from '../src/session/terms.js';
import {
  digestOf,
  recoverMessage,
  typedMessage,
  type MessageName,
} from '../src/session/typed-data.js';
import { failure, pattern, vectorCases, type Case } from './support/vectors.js';
import { Wallet } from 'ethers';

const lower = (text: string): Hex => text.toLowerCase() as Hex;
const signerOf = (privateKey: string) => {
  const wallet = new Wallet(privateKey);
  return async (typed: ReturnType<typeof typedMessage>): Promise<Hex> =>
    (await wallet.signTypedData(typed.domain, typed.types, typed.message)) as Hex;
};

describe('terms', () => {
  for (const c of vectorCases('session/terms.json')) {
    test(`session ${c.sessionId}`, () => {
      const domain = { chainId: c.chainId, coordinator: toAddress(c.coordinator) };
      const terms = termsFromJson(c.terms);
      expect(termsToJson(terms)).toEqual(c.terms);
      expect(toHex(encodeTerms(terms))).toBe(c.encodedTerms);
      expect(termsHash(terms)).toBe(c.termsHash);
      expect(sessionTag(domain, c.opener, terms.salt)).toBe(c.sessionTag);
      expect(toHex(keccak256(fromHex(c.seed)))).toBe(c.seedCommitment);
      const hash = sessionHash(
        domain,
        BigInt(c.sessionId),
        c.termsHash,
        c.sessionKey,
        c.seedCommitment,
      );
      expect(hash).toBe(c.sessionHash);
      expect(sealHash(hash, c.contributors, c.blobRoots, c.ownerKeyHashes)).toBe(c.sealHash);
      expect(enclaveId(c.signer, c.codeHash)).toBe(c.enclaveId);
    });
  }
});

describe('signed messages', () => {
  vectorCases('session/typed-data.json').forEach((c: Case, i: number) => {
    test(`${c.type} ${i}`, async () => {
      const domain = { chainId: c.chainId, coordinator: toAddress(c.coordinator) };
      const typed = typedMessage(domain, c.type as MessageName, c.message);
      expect(TypedDataEncoder.hashDomain(typed.domain)).toBe(c.domainSeparator);
      expect(digestOf(typed)).toBe(c.digest);
      expect(await signerOf(c.privateKey)(typed)).toBe(c.signature);
      expect(recoverMessage(typed, c.signature)).toBe(lower(c.signer));
      const kind = /^(Rejection|Result|Abort)Certificate$/.exec(c.type)?.[1]?.toLowerCase();
      if (kind !== undefined) {
        const certificate = { kind, ...c.message };
        expect(digestOf(certificateMessage(domain, certificate))).toBe(c.digest);
        const signed = { domain, sessionId: 1n, certificate, signature: c.signature };
        expect(certificateSigner(signed)).toBe(lower(c.signer));
      }
    });
  });
});

describe('blob', () => {
  for (const { length, padded } of vectorCases('session/padme.json')) {
    test(`padme ${length}`, () => expect(padme(length)).toBe(padded));
  }

  for (const c of vectorCases('session/blob.json')) {
    test(`role ${c.role}, ${c.dataLength} bytes`, async () => {
      const context: BlobContext = {
        role: c.role as BlobRole,
        domain: { chainId: c.chainId, coordinator: toAddress(c.coordinator) },
        binding: c.binding,
        contributor: lower(c.contributor),
        enclaveId: c.enclaveId,
        ownerKeyHash: c.ownerKeyHash,
      };
      expect(toHex(blobInfo(context))).toBe(lower(c.info));
      const data = pattern(c.dataLength);
      const parts: Uint8Array[] = [];
      const info = await sealBlob(
        memorySource(data),
        c.sessionKey,
        context,
        signerOf(c.privateKey),
        (bytes) => void parts.push(bytes),
        { ephemeral: x25519KeyPair(fromHex(c.ephemeralSecret)) },
      );
      const blob = concat(...parts);
      expect(info.dataHash).toBe(c.dataHash);
      expect(info.signature).toBe(c.signature);
      expect(toHex(blob.subarray(0, 48))).toBe(c.header);
      expect(blob.length).toBe(c.blobLength);
      expect(blobSize(c.dataLength)).toBe(c.blobLength);
      expect(toHex(keccak256(blob))).toBe(c.blobKeccak);
      if (c.blob !== undefined) expect(toHex(blob)).toBe(c.blob);

      const opened: Uint8Array[] = [];
      const again = await openBlob(
        memorySource(concat(blob, new Uint8Array(300))),
        x25519KeyPair(fromHex(c.sessionSecret)),
        context,
        (bytes) => void opened.push(bytes.slice()),
      );
      expect(again).toEqual(info);
      expect(concat(...opened)).toEqual(data);
    });
  }
});

describe('artifact and owner keys', () => {
  for (const c of vectorCases('session/artifact.json')) {
    test(`tar of ${c.tarLength} bytes`, async () => {
      const tar = pattern(c.tarLength);
      expect(toHex(sha256(tar))).toBe(c.tarSha256);
      const key = deriveArtifactKey(fromHex(c.sessionSecret), c.sessionHash, tar);
      expect(toHex(key.key)).toBe(c.key);
      expect(toHex(key.nonce)).toBe(c.nonce);
      const artifact = sealArtifact(key, tar);
      expect(toHex(keccak256(artifact))).toBe(c.artifactKeccak);
      expect(openArtifact(key.key, artifact)).toEqual(tar);

      const evm = c.secp256k1;
      const publicKey = fromHex(evm.publicKey);
      const ecdh = sharedSecretOf(fromHex(evm.privateKey));
      checkOwnerKey(publicKey, lower(evm.owner));
      expect(ownerKeyHash(publicKey)).toBe(evm.ownerKeyHash);
      expect(await openKeySecp256k1(fromHex(evm.sealedKey), ecdh)).toEqual(key.key);
      const sealed = await sealKey(key.key, publicKey, c.sessionHash, lower(evm.owner));
      expect(sealed.length).toBe(129);
      expect(await openKeySecp256k1(sealed, ecdh)).toEqual(key.key);

      const x = c.x25519;
      const pair = x25519KeyPair(fromHex(x.secret));
      expect(toHex(pair.publicKey)).toBe(x.publicKey);
      expect(ownerKeyHash(pair.publicKey)).toBe(x.ownerKeyHash);
      const ephemeral = x25519KeyPair(fromHex(x.ephemeralSecret));
      const single = await sealKey(key.key, pair.publicKey, c.sessionHash, x.owner, ephemeral);
      expect(toHex(single)).toBe(x.sealedKey);
      expect(await openKeyX25519(single, pair, c.sessionHash, x.owner)).toEqual(key.key);
    });
  }

  for (const c of vectorCases('session/owner-key.json')) {
    test(`owner key of ${c.owner}`, async () => {
      const domain = { chainId: c.chainId, coordinator: toAddress(c.coordinator) };
      const pair = await deriveOwnerKey(
        signerOf(c.privateKey),
        domain,
        c.sessionTag,
        lower(c.owner),
      );
      expect(toHex(pair.secret)).toBe(c.secret);
      expect(toHex(pair.publicKey)).toBe(c.publicKey);
    });
  }

  for (const c of vectorCases('session/transfer.json')) {
    test(`transfer to ${c.buyer}`, () => {
      expect(toHex(transferInfo({ ...c, tokenId: BigInt(c.tokenId) }))).toBe(c.info);
    });
  }
});

test('a key request has an owner key of either kind', async () => {
  const request = {
    tokenId: '1001',
    receiver: `0x${'22'.repeat(20)}`,
    key: `0x${'33'.repeat(32)}`,
    deadline: 2_000_000_000,
    salt: `0x${'44'.repeat(32)}`,
    signature: `0x${'55'.repeat(65)}`,
  };
  expect(keyRequestFromJson(request)).toEqual(request);
  for (const key of ['', '0x', `0x${'33'.repeat(31)}`, `0x${'33'.repeat(64)}`]) {
    const { message } = await failure(() => keyRequestFromJson({ ...request, key }));
    expect(message).toMatch(/key has \d+ bytes, not 32 or 65/);
  }
});

describe('evidence', () => {
  const shown = ({ mantissa, exponent }: EValue) => [mantissa, exponent];
  const double = ([text, exponent]: [string, number]) => {
    // Hexadecimal floats: 0x1.<13 digits>p<exponent>
    const [, lead = '0', digits = '', power = '0'] =
      /^0x([01])\.?([0-9a-f]*)p([+-]?\d+)$/.exec(text) ?? [];
    const fraction = digits === '' ? 0 : parseInt(digits, 16) / 16 ** digits.length;
    return [(Number(lead) + fraction) * 2 ** Number(power), exponent];
  };
  for (const c of vectorCases('gate/evidence.json')) {
    test(c.name, () => {
      const harm = oneSided(c.harm, c.harmTolerance);
      const lost = oneSided(c.relevanceLost, c.relevanceTolerance);
      const both = combined(c.harm, c.harmTolerance, c.relevanceLost, c.relevanceTolerance);
      expect(shown(harm)).toEqual(double(c.double.harm));
      expect(shown(lost)).toEqual(double(c.double.relevanceLost));
      expect(shown(both)).toEqual(double(c.double.combined));
      const [d1, d2] = [c.harmTolerance, c.relevanceTolerance].map(suspicionTolerance);
      const suspicion = combined(c.harm, d1 as number, c.relevanceLost, d2 as number);
      expect(shown(suspicion)).toEqual(double(c.double.suspicion));
      // The exact floor is met unless rounding crosses a whole number.
      const exact = BigInt(c.exact.combined.floor);
      const max = (1n << 128n) - 1n;
      const wanted = exact > max ? max : exact;
      const gap = floorOf(both) - wanted;
      expect((gap < 0n ? -gap : gap) <= 1n + (wanted >> 40n)).toBe(true);
    });
  }
});

describe('primitives', () => {
  test('HPKE', async () => {
    for (const file of ['crypto/hpke.json', 'crypto/rfc9180.json']) {
      for (const c of vectorCases(file)) {
        if (c.ephemeral === undefined) continue;
        const pair = x25519KeyPair(fromHex(c.recipient));
        const ephemeral = x25519KeyPair(fromHex(c.ephemeral));
        const sender = await hpkeSender(pair.publicKey, fromHex(c.info), ephemeral);
        expect(toHex(sender.enc)).toBe(`0x${c.enc}`);
        const receiver = await hpkeReceiver(pair, sender.enc, fromHex(c.info));
        for (const [i, m] of c.messages.entries()) {
          if ((m.sequence ?? i) !== i) break; // the RFC's list goes on with 4
          const plaintext = fromHex(m.plaintext ?? c.plaintext);
          const sealed = await sender.seal(plaintext, fromHex(m.aad));
          expect(toHex(sealed)).toBe(`0x${m.ciphertext}`);
          expect(await receiver.open(sealed, fromHex(m.aad))).toEqual(plaintext);
        }
      }
    }
  });

  test('ECIES', async () => {
    for (const file of ['crypto/ecies.json', 'crypto/ecies_known.json']) {
      for (const c of vectorCases(file)) {
        const opened = await eciesOpen(sharedSecretOf(fromHex(c.secret)), fromHex(c.sealed));
        expect(toHex(opened)).toBe(`0x${c.plaintext}`);
      }
    }
  });

  test('HKDF', () => {
    for (const c of vectorCases('crypto/hkdf.json')) {
      const okm = hkdfSha256(fromHex(c.ikm), fromHex(c.salt), fromHex(c.info), c.length);
      expect(toHex(sha256(okm))).toBe(`0x${c.hkdf_sha256}`);
    }
  });
});

describe('recipes that let a provider train', () => {
  const cases = vectorCases('session/recipe-compute.json');
  test('are read as the vectors say', () => {
    const good = cases.filter((c: Case) => c.error === undefined);
    expect(good.length).toBeGreaterThan(1);
    for (const c of good) {
      const recipe = parseRecipe(c.text);
      expect(recipeText(recipe)).toBe(c.text);
      expect(textHash(c.text)).toBe(c.hash);
      expect(whoSeesRows(recipe)).toBe(c.whoSeesRows);
      expect(leavesEnclave(recipe)).toBe(c.whoSeesRows !== '');
    }
  });
  test('are refused where they say what no provider does', async () => {
    const bad = cases.filter((c: Case) => c.error !== undefined);
    expect(bad.length).toBeGreaterThan(15);
    for (const c of bad) {
      expect((await failure(() => parseRecipe(c.text))).message).toContain(c.error);
    }
  });
});
