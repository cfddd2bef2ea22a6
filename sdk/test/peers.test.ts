// The file that the C++ test reads opens here too.
import { describe, expect, test } from 'vitest';
import { fromHex, toHex, type Hex } from '../src/base/bytes.js';
import { x25519KeyPair } from '../src/crypto/hpke.js';
import { memorySource, openBlob, type BlobContext } from '../src/session/blob.js';
import { certificateFromJson, certificateSigner } from '../src/session/certificates.js';
import { recipeText, parseRecipe } from '../src/session/recipe.js';
import { termsFromJson, termsHash } from '../src/session/terms.js';
import { vectorCases, type Case } from './support/vectors.js';

const ofKind = (kind: string): Case[] =>
  vectorCases('session/typescript.json').filter((c: Case) => c.kind === kind);

describe("this package's own vectors", () => {
  test('blobs', async () => {
    for (const c of ofKind('blob')) {
      const context = { ...c, domain: { chainId: c.chainId, coordinator: c.coordinator } };
      let data = '';
      await openBlob(
        memorySource(fromHex(c.blob)),
        x25519KeyPair(fromHex(c.sessionSecret)),
        context as BlobContext,
        (bytes) => void (data += new TextDecoder().decode(bytes)),
      );
      expect(data).toBe(c.data);
    }
  });
  test('certificate', () => {
    for (const c of ofKind('certificate')) {
      expect(certificateSigner(certificateFromJson(c.certificate))).toBe(c.signer as Hex);
    }
  });
  test('texts', () => {
    for (const c of ofKind('texts')) {
      expect(termsHash(termsFromJson(c.terms))).toBe(c.termsHash);
      expect(recipeText(parseRecipe(c.recipe))).toBe(c.recipe);
    }
    expect(toHex(new Uint8Array())).toBe('0x');
  });
});
