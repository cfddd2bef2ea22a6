// Writes the vector files of this folder (but rfc9180.json, which is typed from the RFC) with
// independent implementations. Modules are found from the script's own folder, so copy it into an
// empty one, install there, and run `node generate.mjs OUTPUT_FOLDER`:
//   npm i --ignore-scripts ethers@6.13.1 eciesjs@0.4.18 @noble/hashes@1.8.0 @noble/ciphers@1.3.0 \
//     @noble/curves@1.9.7 @hpke/core@1.9.0 @hpke/chacha20poly1305@1.8.0 @hpke/dhkem-x25519@1.8.0
// Keys and messages come from one SHA-256 chain, so the files come out equal each time, except
// ecies.json, whose ephemeral keys and nonces eciesjs draws itself.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CipherSuite, HkdfSha256 } from "@hpke/core";
import { Chacha20Poly1305 } from "@hpke/chacha20poly1305";
import { DhkemX25519HkdfSha256 } from "@hpke/dhkem-x25519";
import { gcm } from "@noble/ciphers/aes";
import { chacha20, chacha20poly1305 } from "@noble/ciphers/chacha";
import { secp256k1 } from "@noble/curves/secp256k1";
import { x25519 } from "@noble/curves/ed25519";
import { hkdf } from "@noble/hashes/hkdf";
import { hmac } from "@noble/hashes/hmac";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2";
import { decrypt, encrypt } from "eciesjs";
import { computeAddress, getAddress, keccak256, SigningKey } from "ethers";

const out = process.argv[2];
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bytes = (text) => new Uint8Array(Buffer.from(text.replace(/^0x/, ""), "hex"));

let chain = sha256(new TextEncoder().encode("ffe crypto vectors"));
function draw(length) {
  const parts = [];
  for (let have = 0; have < length; have += 32) parts.push((chain = sha256(chain)));
  return new Uint8Array(Buffer.concat(parts).subarray(0, length));
}

function save(name, from, cases) {
  const rows = cases.map((c) => "    " + JSON.stringify(c)).join(",\n");
  writeFileSync(join(out, name), `{\n  "from": ${JSON.stringify(from)},\n  "cases": [\n${rows}\n  ]\n}\n`);
}

function hashes() {
  const lengths = [0, 1, 31, 32, 55, 56, 63, 64, 111, 112, 127, 128, 135, 136, 137, 200, 256, 271, 272, 273, 1000];
  return lengths.map((length) => {
    const message = draw(length);
    return {
      message: hex(message),
      keccak256: keccak256(message).slice(2),
      sha256: hex(sha256(message)),
      sha384: hex(sha384(message)),
      sha512: hex(sha512(message)),
    };
  });
}

function keyed() {
  const shapes = [[0, 0, 0, 32], [32, 0, 0, 42], [22, 13, 10, 42], [80, 80, 80, 82], [130, 0, 0, 32], [64, 65, 1, 255 * 32]];
  return shapes.map(([ikmLength, saltLength, infoLength, length]) => {
    const [ikm, salt, info] = [draw(ikmLength), draw(saltLength), draw(infoLength)];
    return {
      ikm: hex(ikm), salt: hex(salt), info: hex(info), length,
      hkdf: length > 100 ? undefined : hex(hkdf(sha256, ikm, salt, info, length)),
      hkdf_sha256: hex(sha256(hkdf(sha256, ikm, salt, info, length))),
      hmac: hex(hmac(sha256, salt, ikm)),
    };
  });
}

function signatures() {
  const n = secp256k1.CURVE.n;
  const edge = [1n, 2n, n - 1n].map((k) => bytes(k.toString(16).padStart(64, "0")));
  const keys = [...edge, ...Array.from({ length: 13 }, () => draw(32))];
  return keys.map((key, i) => {
    const digest = i === 0 ? new Uint8Array(32) : i === 1 ? new Uint8Array(32).fill(255) : draw(32);
    const peer = draw(32);
    const signing = new SigningKey(key);
    const signed = signing.sign(digest);
    const noble = secp256k1.sign(digest, key);
    const both = signed.r.slice(2) + signed.s.slice(2) === hex(noble.toCompactRawBytes());
    if (!both || signed.v !== 27 + noble.recovery) throw new Error("ethers and noble differ");
    return {
      secret: hex(key),
      public_key: signing.publicKey.slice(2),
      compressed: signing.compressedPublicKey.slice(2),
      address: computeAddress(signing.publicKey),
      digest: hex(digest),
      signature: signed.r.slice(2) + signed.s.slice(2) + signed.v.toString(16),
      peer: hex(secp256k1.getPublicKey(peer, false)),
      shared_point: hex(secp256k1.getSharedSecret(key, secp256k1.getPublicKey(peer), false)),
    };
  });
}

function addresses() {
  return Array.from({ length: 12 }, () => getAddress("0x" + hex(draw(20))));
}

function ecies() {
  return [0, 1, 32, 33, 100].map((length) => {
    const [secret, message] = [draw(32), draw(length)];
    const sealed = encrypt(secp256k1.getPublicKey(secret, false), message);
    if (hex(decrypt(secret, sealed)) !== hex(message)) throw new Error("eciesjs does not open its own");
    return { secret: hex(secret), plaintext: hex(message), sealed: hex(sealed) };
  });
}

// The same format from its parts, with a known ephemeral key; eciesjs must open it.
function eciesKnown() {
  return [0, 32, 77].map((length) => {
    const [secret, ephemeral, nonce, message] = [draw(32), draw(32), draw(16), draw(length)];
    const recipient = secp256k1.getPublicKey(secret, false);
    const enc = secp256k1.getPublicKey(ephemeral, false);
    const ikm = Buffer.concat([enc, secp256k1.getSharedSecret(ephemeral, recipient, false)]);
    const sealed = gcm(hkdf(sha256, ikm, undefined, undefined, 32), nonce).encrypt(message);
    const all = Buffer.concat([enc, nonce, sealed.subarray(length), sealed.subarray(0, length)]);
    if (hex(decrypt(secret, all)) !== hex(message)) throw new Error("eciesjs refuses");
    return { secret: hex(secret), ephemeral: hex(ephemeral), nonce: hex(nonce), plaintext: hex(message), sealed: hex(all) };
  });
}

async function hpke() {
  const kem = new DhkemX25519HkdfSha256();
  const suite = new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Chacha20Poly1305() });
  const cases = [];
  for (const infoLength of [0, 7, 97]) {
    const ikmE = draw(32);
    const ikmR = draw(32);
    const ephemeral = await kem.deriveKeyPair(ikmE);
    const recipient = await kem.deriveKeyPair(ikmR);
    const info = draw(infoLength);
    const sender = await suite.createSenderContext({ recipientPublicKey: recipient.publicKey, info, ekm: ephemeral });
    const messages = [];
    for (const [aadLength, length] of [[0, 0], [5, 29], [49, 200], [16, 1]]) {
      const [aad, plaintext] = [draw(aadLength), draw(length)];
      messages.push({ aad: hex(aad), plaintext: hex(plaintext), ciphertext: hex(new Uint8Array(await sender.seal(plaintext, aad))) });
    }
    const context = draw(9);
    cases.push({
      info: hex(info),
      ephemeral: hex(new Uint8Array(await kem.serializePrivateKey(ephemeral.privateKey))),
      recipient: hex(new Uint8Array(await kem.serializePrivateKey(recipient.privateKey))),
      enc: hex(new Uint8Array(sender.enc)),
      messages,
      exporter_context: hex(context),
      exported: hex(new Uint8Array(await sender.export(context, 64))),
    });
  }
  return cases;
}

function x25519Pairs() {
  return Array.from({ length: 8 }, () => {
    const [secret, peer] = [draw(32), draw(32)];
    const peerPublic = x25519.getPublicKey(peer);
    return { secret: hex(secret), public_key: hex(x25519.getPublicKey(secret)), peer: hex(peerPublic), shared: hex(x25519.getSharedSecret(secret, peerPublic)) };
  });
}

function aeads() {
  const cases = [];
  for (const [name, cipher, nonceLength] of [["aes256gcm", gcm, 12], ["aes256gcm", gcm, 16], ["chacha20poly1305", chacha20poly1305, 12]]) {
    for (const [aadLength, length] of [[0, 0], [0, 1], [20, 16], [49, 100], [3, 1000]]) {
      const [key, nonce, aad, plaintext] = [draw(32), draw(nonceLength), draw(aadLength), draw(length)];
      cases.push({ cipher: name, key: hex(key), nonce: hex(nonce), aad: hex(aad), plaintext: hex(plaintext), sealed: hex(cipher(key, nonce, aad).encrypt(plaintext)) });
    }
  }
  return cases;
}

// The stream of docs/spec/crypto.md, on noble's ChaCha20.
class Rng {
  constructor(key) {
    this.stream = chacha20(key, new Uint8Array(12), new Uint8Array(1 << 20));
    this.view = new DataView(this.stream.buffer, this.stream.byteOffset);
    this.at = 0;
  }
  u32() {
    const v = this.view.getUint32(this.at, true);
    this.at += 4;
    return v;
  }
  u64() {
    const low = BigInt(this.u32());
    return low | (BigInt(this.u32()) << 32n);
  }
  below(n) {
    const limit = ((1n << 64n) / n) * n;
    for (;;) {
      const v = this.u64();
      if (v < limit) return v % n;
    }
  }
  uniform01() {
    return Number(this.u64() >> 11n) * 2 ** -53;
  }
  shuffle(values) {
    for (let i = values.length - 1; i >= 1; --i) {
      const j = Number(this.below(BigInt(i + 1)));
      [values[i], values[j]] = [values[j], values[i]];
    }
    return values;
  }
}

function rng() {
  return [new Uint8Array(32), draw(32), draw(32)].map((key) => {
    const bounds = [1n, 2n, 3n, 10n, 1n << 32n, (1n << 63n) + 1n, (1n << 64n) - 1n, 3n << 62n];
    const below = new Rng(key);
    const uniform = new Rng(key);
    return {
      key: hex(key),
      u32: ((r) => Array.from({ length: 40 }, () => r.u32()))(new Rng(key)),
      u64: ((r) => Array.from({ length: 9 }, () => r.u64().toString()))(new Rng(key)),
      below: Array.from({ length: 6 }, () => bounds).flat().map((n) => [n.toString(), below.below(n).toString()]),
      uniform01: Array.from({ length: 4 }, () => uniform.uniform01()),
      shuffle: new Rng(key).shuffle(Array.from({ length: 100 }, (_, i) => i)),
    };
  });
}

save("hash.json", "keccak256: ethers 6.13.1; SHA-2: @noble/hashes 1.8.0", hashes());
save("hkdf.json", "@noble/hashes 1.8.0", keyed());
save("secp256k1.json", "ethers 6.13.1 and @noble/curves 1.9.7", signatures());
save("address.json", "ethers 6.13.1", addresses());
save("ecies.json", "eciesjs 0.4.18", ecies());
save("ecies_known.json", "@noble/curves 1.9.7 and @noble/ciphers 1.3.0; opened by eciesjs 0.4.18", eciesKnown());
save("hpke.json", "@hpke/core 1.9.0, @hpke/chacha20poly1305 1.8.0, @hpke/dhkem-x25519 1.8.0", await hpke());
save("x25519.json", "@noble/curves 1.9.7", x25519Pairs());
save("aead.json", "@noble/ciphers 1.3.0", aeads());
save("rng.json", "@noble/ciphers 1.3.0", rng());
