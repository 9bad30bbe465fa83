/** Digests, names, tags and derived keys against answers from outside. */
import { createHash, hkdfSync } from 'node:crypto';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { Encoder } from 'cbor-x';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, toHex, utf8 } from '../../../src/core/base/bytes.ts';
import { AssertionFailure } from '../../../src/core/base/fault.ts';
import { deriveDeviceKeys } from '../../../src/core/crypto/device-keys.ts';
import { type DigestProvider, nodeDigest, sha256 } from '../../../src/core/crypto/digest.ts';
import { signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import { createVerityHasher } from '../../../src/core/crypto/fs-verity.ts';
import { openRecord, sealRecord } from '../../../src/core/crypto/mac.ts';
import { cryptoSelfTest, signingSelfTest } from '../../../src/core/crypto/self-test.ts';
import { coseKeyBytes, thumbprintOf } from '../../../src/core/crypto/thumbprint.ts';
import { classUuid, vendorUuid } from '../../../src/core/crypto/uuid.ts';
import { codeOf, faultIn } from '../base/outcome.ts';

describe('the self-test', () => {
  it('passes here, and with another provider that is right', () => {
    expect(codeOf(cryptoSelfTest())).toBe('accepted');
    expect(codeOf(signingSelfTest())).toBe('accepted');
    expect(codeOf(cryptoSelfTest([fake((pieces) => nobleSha256(pieces()))]))).toBe('accepted');
  });

  const wrong: [string, (message: Uint8Array) => Uint8Array][] = [
    ['gives zeros', () => new Uint8Array(32)],
    ['gives nothing', () => new Uint8Array(0)],
    ['gives a digest and more', (m) => concatBytes(sha256(m), new Uint8Array(1))],
    ['is right about the empty message only', (m) => sha256(m.subarray(0, 0))],
    ['is right about short messages only', (m) => sha256(m.subarray(0, 3))],
    ['has one bit wrong', (m) => sha256(m).map((byte, i) => (i === 31 ? byte ^ 1 : byte))],
    ['is SHA-512/256', (m) => new Uint8Array(createHash('sha512-256').update(m).digest())],
  ];

  it.each(wrong)('catches a provider that %s, by name', (_, digest) => {
    const fault = faultIn(cryptoSelfTest([nodeDigest, fake((pieces) => digest(pieces()))]));
    expect(fault.code).toBe('crypto.self-test');
    expect(fault.message).toContain('fake');
  });

  it('catches a provider that keeps the last piece only', () => {
    const provider: DigestProvider = {
      name: 'fake',
      create() {
        let last = new Uint8Array(0);
        return {
          update: (piece) => {
            last = Uint8Array.from(piece);
          },
          digest: () => sha256(last),
        };
      },
    };
    expect(codeOf(cryptoSelfTest([provider]))).toBe('crypto.self-test');
  });
});

describe('the digest provider', () => {
  it('agrees with noble, in whatever pieces the message comes', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 6 });
    fc.assert(
      fc.property(pieces, (parts) => {
        const hasher = nodeDigest.create();
        for (const part of parts) hasher.update(part);
        expect(toHex(hasher.digest())).toBe(toHex(nobleSha256(concatBytes(...parts))));
      }),
      { seed: 7 },
    );
  });
});

// `fsverity digest --compact` of files filled with byte 7 (SHA-256, 4,096-byte blocks, no salt).
const VERITY: [sizeBytes: number, digest: string][] = [
  [0, '3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95'],
  [1, 'f30ad420d7e839002c5bfec7fe47367c7cd3759445359f0c9ac78bac40d9108f'],
  [4096, '4bfdd014db8b3da9531137e15d3de26896957afe904200dfc90f35797c886790'],
  [4097, 'd9506b21de2c8f9f6c53729c5f642eba79d11ec2d2f72767b3d315fe26038bfc'],
  [524288, 'cb5668ad97421170c0682ff7e4aca498373cd05f6a5d19ad1cc89e452783a989'],
  [524289, '7830e7d544330293beb949fda48361a11824bf9a9fed526a201b4c3640d1251c'],
  [1585157, '1669030ce4e6e2fe22ba6cdfcd66346056f97a2e46b5db9134f535fd0a978096'],
];

describe('fs-verity', () => {
  it.each(VERITY)('of %i bytes is what the fsverity tool says, in any pieces', (size, digest) => {
    const file = new Uint8Array(size).fill(7);
    for (const pieceBytes of [4096, 262_144, 1_000_003, 4099]) {
      expect(verityOf(file, pieceBytes)).toBe(digest);
    }
    if (size < 10_000) expect(verityOf(file, 1)).toBe(digest);
  });

  it('equals the tree written down plainly, at any size', () => {
    const size = fc.oneof(fc.nat(20_000), fc.constantFrom(8192, 12_288, 524_288, 528_384));
    fc.assert(
      fc.property(size, fc.integer({ min: 100, max: 9000 }), (sizeBytes, pieceBytes) => {
        const file = Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 31 + (i >> 8)) & 255);
        expect(verityOf(file, pieceBytes)).toBe(toHex(plainVerity(file)));
      }),
      { seed: 8, numRuns: 40 },
    );
  });
});

describe('names', () => {
  it('the thumbprint is the hash of the COSE_Key that cbor-x writes from its members', () => {
    const { publicKey, thumbprint } = signerFromSeed(new Uint8Array(32).fill(1));
    const members = new Map<number, number | Buffer>([
      [1, 1],
      [-1, 6],
      [-2, Buffer.from(publicKey)],
    ]);
    const written = new Encoder({ useRecords: false, mapsAsObjects: false }).encode(members);
    expect(toHex(coseKeyBytes(publicKey))).toBe(toHex(written));
    const expected = createHash('sha256').update(written).digest('hex');
    expect(toHex(thumbprintOf(publicKey))).toBe(expected);
    expect(toHex(thumbprint)).toBe(expected);
  });

  it('UUIDs of version 5: RFC 9562 appendix A.4, Python docs, the SUIT drafts', () => {
    expect(toHex(vendorUuid('www.example.com'))).toBe('2ed6657de927568b95e12665a8aea6a2');
    expect(toHex(vendorUuid('python.org'))).toBe('886313e13b8a53729b900c9aee199e5d');
    // The vendor of the examples in draft-ietf-suit-manifest.
    expect(toHex(vendorUuid('arm.com'))).toBe('fa6b4a53d5ad5fdfbe9de663e4d41ffe');
  });

  it('a class belongs to its vendor', () => {
    const [a, b] = [classUuid('a.example', 'pi'), classUuid('b.example', 'pi')];
    expect(toHex(a)).not.toBe(toHex(b));
    expect(a.length).toBe(16);
    expect((a[6] as number) >> 4).toBe(5);
    expect((a[8] as number) >> 6).toBe(2);
  });
});

describe('device keys', () => {
  const secret = Uint8Array.from({ length: 32 }, (_, i) => i);
  const keys = deriveDeviceKeys(secret);

  it('are HKDF-SHA256 with one label each, as noble derives them', () => {
    const derived = (use: string): Uint8Array =>
      hkdf(nobleSha256, secret, new Uint8Array(0), utf8(`edgeward/device/${use}/v1`), 32);
    expect(keys.macKey).toEqual(derived('mac'));
    expect(keys.signer.publicKey).toEqual(signerFromSeed(derived('sign')).publicKey);
    const byNode = hkdfSync('sha256', secret, '', 'edgeward/device/mac/v1', 32);
    expect(keys.macKey).toEqual(new Uint8Array(byNode));
  });

  it('serve one purpose each and differ from the secret and between devices', () => {
    const asSeed = (seed: Uint8Array): string => toHex(signerFromSeed(seed).publicKey);
    const names = [asSeed(secret), asSeed(keys.macKey), toHex(keys.signer.publicKey)];
    expect(new Set(names).size).toBe(3);
    expect(keys.macKey).not.toEqual(secret);
    const other = deriveDeviceKeys(secret.map((byte, i) => (i === 0 ? byte ^ 1 : byte)));
    expect(other.macKey).not.toEqual(keys.macKey);
    expect(other.signer.publicKey).not.toEqual(keys.signer.publicKey);
  });

  it('need a secret of 32 bytes', () => {
    expect(() => deriveDeviceKeys(new Uint8Array(31))).toThrow(AssertionFailure);
    expect(() => signerFromSeed(new Uint8Array(33))).toThrow(AssertionFailure);
  });
});

describe('sealed records', () => {
  const key = utf8('Jefe');
  const body = utf8('what do ya want for nothing?');

  it('carry the HMAC of RFC 4231 test case 2 behind the body', () => {
    const tag = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843';
    expect(toHex(sealRecord(key, body))).toBe(toHex(body) + tag);
    expect(openRecord(key, sealRecord(key, body))).toEqual(body);
    expect(openRecord(key, sealRecord(key, new Uint8Array(0)))).toEqual(new Uint8Array(0));
  });

  it('do not open after any flipped bit, at any other length, or under another key', () => {
    const sealed = sealRecord(key, body);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const damaged = sealed.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(openRecord(key, damaged)).toBeUndefined();
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(openRecord(key, sealed.subarray(0, length))).toBeUndefined();
    }
    expect(openRecord(key, concatBytes(sealed, new Uint8Array(1)))).toBeUndefined();
    expect(openRecord(utf8('jefe'), sealed)).toBeUndefined();
  });
});

/** A provider that digests what it was fed by `digest`. */
function fake(digest: (message: () => Uint8Array) => Uint8Array): DigestProvider {
  return {
    name: 'fake',
    create() {
      const pieces: Uint8Array[] = [];
      return {
        update: (piece) => pieces.push(Uint8Array.from(piece)),
        digest: () => digest(() => concatBytes(...pieces)),
      };
    },
  };
}

function verityOf(file: Uint8Array, pieceBytes: number): string {
  const hasher = createVerityHasher();
  for (let at = 0; at < file.length; at += pieceBytes) {
    hasher.update(file.subarray(at, at + pieceBytes));
  }
  return toHex(hasher.digest());
}

/** The kernel's fsverity.rst taken literally: hash every block, then the hashes, then describe. */
function plainVerity(file: Uint8Array): Uint8Array {
  let level = file;
  while (level.length > 32 || level === file) {
    const hashes: Uint8Array[] = [];
    for (let at = 0; at < level.length; at += 4096) {
      const block = new Uint8Array(4096);
      block.set(level.subarray(at, at + 4096));
      hashes.push(sha256(block));
    }
    level = hashes.length === 0 ? new Uint8Array(32) : concatBytes(...hashes);
  }
  const descriptor = new Uint8Array(256);
  descriptor.set([1, 1, 12]);
  new DataView(descriptor.buffer).setBigUint64(8, BigInt(file.length), true);
  descriptor.set(level, 16);
  return sha256(descriptor);
}
