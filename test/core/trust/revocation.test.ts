/** The revocation list: what it may say, who must have signed it, and which list may follow which. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  REVOCATION_BYTES_MAX,
  REVOCATION_MINIMUMS_MAX,
  REVOCATION_STEP_MAX,
  REVOKED_KEYS_MAX,
  REVOKED_MANIFESTS_MAX,
  SIGNATURES_MAX,
} from '../../../src/core/base/limits.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { externalAad } from '../../../src/core/cose/domain.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import { sign1 } from '../../../src/core/cose/sign1.ts';
import type { CborValue } from '../../../src/core/cose/value.ts';
import type { Signer } from '../../../src/core/crypto/ed25519.ts';
import {
  addRevocationSignature,
  checkRecorded,
  decodeRevocations,
  draftRevocations,
  inspectRevocations,
  isRevokedKey,
  isRevokedManifest,
  type Minimum,
  minimumOf,
  type RevocationContent,
} from '../../../src/core/trust/revocation.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';
import { keyOf, RELEASE } from '../bundle/specimen.ts';
import { listOf, REVOCATION_KEY, REVOKING, ROOT, ROOT_KEY, roleOf, rootOf } from './trusting.ts';

const SECOND = keyOf(27);
const OLD = keyOf(28);
const digest = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const minimum = (hardwareClass: string, model: string, securityVersion: number): Minimum => ({
  hardwareClass,
  model,
  securityVersion,
});
const FULL: RevocationContent = {
  version: 4,
  issuedS: 1_710_000_000,
  keys: [digest(1), digest(2)],
  manifests: [digest(3)],
  minimums: [minimum('a', 'm', 7), minimum('a', 'n', 2), minimum('b', 'm', 1)],
};
const sealed = (content: RevocationContent, ...signers: readonly Signer[]): Uint8Array =>
  accepted(draftRevocations(content, signers, REVOKING));
const BYTES = sealed(FULL, REVOCATION_KEY);

describe('a revocation list', () => {
  it('comes back as it was signed, in one order', () => {
    const list = accepted(decodeRevocations(BYTES, REVOKING));
    expect(list).toMatchObject({ ...FULL, retired: false });
    const shuffled = {
      ...FULL,
      keys: FULL.keys.toReversed(),
      minimums: FULL.minimums.toReversed(),
    };
    expect(sealed(shuffled, REVOCATION_KEY)).toEqual(BYTES);
  });

  it('tells what it revokes', () => {
    const list = accepted(decodeRevocations(BYTES, REVOKING));
    expect([1, 2, 3].map((fill) => isRevokedKey(list, digest(fill)))).toEqual([true, true, false]);
    expect([2, 3].map((fill) => isRevokedManifest(list, digest(fill)))).toEqual([false, true]);
    expect(minimumOf(list, 'a', 'm')).toBe(7);
    expect(minimumOf(list, 'b', 'm')).toBe(1);
    expect(minimumOf(list, 'b', 'n')).toBe(0);
  });

  it('is signed by revocation keys, and by no others', () => {
    for (const signer of [ROOT_KEY, RELEASE, SECOND]) {
      expect(codeOf(draftRevocations(FULL, [signer], REVOKING))).toBe('cose.unknown-key');
    }
    expect(codeOf(decodeRevocations(BYTES, rootOf()))).toBe('revocation.no-role');
    const twice = sealed(FULL, REVOCATION_KEY);
    const [payload, [block]] = accepted(decodeCbor(twice)) as [Uint8Array, [Uint8Array]];
    expect(codeOf(decodeRevocations(encodeCbor([payload, [block, block]]), REVOKING))).toBe(
      'trust.duplicate-signature',
    );
  });

  it('needs the threshold, and can be signed on several machines', () => {
    const pair = rootOf({
      roles: { ...ROOT.roles, revocation: roleOf(2, REVOCATION_KEY, SECOND) },
    });
    const half = accepted(draftRevocations(FULL, [SECOND], pair));
    expect(accepted(inspectRevocations(half, pair))).toMatchObject({
      missing: 1,
      signers: [SECOND.thumbprint],
    });
    expect(codeOf(decodeRevocations(half, pair))).toBe('revocation.threshold');
    const whole = accepted(addRevocationSignature(half, REVOCATION_KEY, pair));
    expect(codeOf(decodeRevocations(whole, pair))).toBe('accepted');
    expect(whole).toEqual(accepted(draftRevocations(FULL, [REVOCATION_KEY, SECOND], pair)));
    expect(codeOf(addRevocationSignature(half, SECOND, pair))).toBe('trust.duplicate-signature');
    expect(codeOf(addRevocationSignature(half, ROOT_KEY, pair))).toBe('trust.unauthorised');
  });

  it('is not what was signed as a root, nor with attached or other external data', () => {
    const [payload] = accepted(decodeCbor(BYTES)) as [Uint8Array];
    const typ = 'application/edgeward-revocation+cbor';
    const aad = externalAad('revocation', '');
    const input = { payload, detached: true, signer: REVOCATION_KEY };
    const judge = (block: Uint8Array): string =>
      codeOf(decodeRevocations(encodeCbor([payload, [block]]), REVOKING));
    expect(judge(sign1({ ...input, typ, externalAad: aad }))).toBe('accepted');
    expect(judge(sign1({ ...input, externalAad: aad }))).toBe('cose.type');
    expect(
      judge(sign1({ ...input, typ: 'application/edgeward-root+cbor', externalAad: aad })),
    ).toBe('cose.type');
    expect(judge(sign1({ ...input, typ, externalAad: externalAad('root', '') }))).toBe(
      'crypto.bad-signature',
    );
    expect(judge(sign1({ ...input, typ, externalAad: aad, detached: false }))).toBe('cose.payload');
  });

  it('signed by retired keys is known as such', () => {
    const root = rootOf({
      roles: {
        ...ROOT.roles,
        revocation: { ...roleOf(1, REVOCATION_KEY), retired: roleOf(1, OLD) },
      },
    });
    const old = accepted(draftRevocations(FULL, [OLD], root));
    expect(accepted(decodeRevocations(old, root)).retired).toBe(true);
    const both = accepted(addRevocationSignature(old, REVOCATION_KEY, root));
    expect(accepted(decodeRevocations(both, root)).retired).toBe(false);
    expect(codeOf(decodeRevocations(accepted(draftRevocations(FULL, [], root)), root))).toBe(
      'revocation.threshold',
    );
  });
});

const [PAYLOAD, BLOCKS] = accepted(decodeCbor(BYTES)) as [Uint8Array, Uint8Array[]];
const TREE = accepted(decodeCbor(PAYLOAD)) as Map<string, CborValue>;

function fileOf(tree: CborValue): Uint8Array {
  const payload = encodeCbor(tree);
  const typ = 'application/edgeward-revocation+cbor';
  const aad = externalAad('revocation', '');
  const signer = REVOCATION_KEY;
  return encodeCbor([payload, [sign1({ payload, detached: true, typ, externalAad: aad, signer })]]);
}

const having = (name: string, value: CborValue): Uint8Array =>
  fileOf(new Map(TREE).set(name, value));
const entry = (hardwareClass: CborValue, model: CborValue, securityVersion: CborValue) =>
  new Map([
    ['class', hardwareClass],
    ['model', model],
    ['securityVersion', securityVersion],
  ]);
const distinct = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => {
    const bytes = new Uint8Array(32);
    new DataView(bytes.buffer).setUint32(0, i);
    return bytes;
  });

const REFUSED: [code: string, what: string, bytes: Uint8Array][] = [
  ['cbor.truncated', 'nothing', new Uint8Array(0)],
  ['cbor.size', 'more than the limit', new Uint8Array(REVOCATION_BYTES_MAX + 1)],
  ['revocation.malformed', 'a map', encodeCbor(new Map())],
  ['revocation.malformed', 'a block that is no byte string', encodeCbor([PAYLOAD, [1]])],
  [
    'revocation.malformed',
    'nine signatures',
    encodeCbor([PAYLOAD, Array(SIGNATURES_MAX + 1).fill(BLOCKS[0])]),
  ],
  ['revocation.malformed', 'a payload that is a list', fileOf([])],
  ['revocation.malformed', 'another profile', having('profile', 'edgeward-revocation/2')],
  ['revocation.malformed', 'a key that is a text', having('keys', ['x'])],
  ['revocation.malformed', 'a short digest', having('manifests', [new Uint8Array(31)])],
  ['revocation.threshold', 'no signature', encodeCbor([PAYLOAD, []])],
  ['revocation.invalid', 'keys that do not ascend', having('keys', [digest(2), digest(1)])],
  ['revocation.invalid', 'a release twice', having('manifests', [digest(1), digest(1)])],
  [
    'revocation.invalid',
    'two minimums for one model',
    having('minimums', [entry('a', 'm', 1), entry('a', 'm', 2)]),
  ],
  ['field.range', 'version 0', having('version', 0)],
  ['field.type', 'a version beyond 2^53', having('version', 2n ** 60n)],
  ['field.range', 'an issue time after 9999', having('issued', 2 ** 50)],
  ['field.range', 'too many keys', having('keys', distinct(REVOKED_KEYS_MAX + 1))],
  ['field.range', 'too many releases', having('manifests', distinct(REVOKED_MANIFESTS_MAX + 1))],
  [
    'field.range',
    'too many minimums',
    having('minimums', Array(REVOCATION_MINIMUMS_MAX + 1).fill(entry('a', 'm', 1))),
  ],
  ['field.range', 'a long class', having('minimums', [entry('a'.repeat(65), 'm', 1)])],
  ['field.range', 'a negative minimum', having('minimums', [entry('a', 'm', -1)])],
  ['field.type', 'a minimum that is a fraction', having('minimums', [entry('a', 'm', 0.5)])],
  ['field.unknown', 'an unknown member', having('x', 0)],
  [
    'crypto.bad-signature',
    'another payload',
    encodeCbor([encodeCbor(new Map(TREE).set('version', 5)), BLOCKS]),
  ],
];

describe('a list that is refused', () => {
  it('not when it is put together as it was', () => {
    expect(fileOf(TREE)).toEqual(BYTES);
  });

  it.each(REFUSED)('%s: %s', (code, _, bytes) => {
    expect(faultIn(decodeRevocations(bytes, REVOKING)).code).toBe(code);
  });

  it('on arbitrary bytes, without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => {
        expect(decodeRevocations(noise, REVOKING).ok).toBe(false);
        expect(decodeRevocations(encodeCbor([noise, [noise]]), REVOKING).ok).toBe(false);
      }),
      { seed: 52, numRuns: 300 },
    );
  });

  it('but the longest lists fit', () => {
    const minimums = Array.from({ length: REVOCATION_MINIMUMS_MAX }, (_, i) =>
      minimum('c'.repeat(64), `${i}`.padStart(64, '0'), Number.MAX_SAFE_INTEGER),
    );
    const whole = {
      ...FULL,
      keys: distinct(REVOKED_KEYS_MAX),
      manifests: distinct(REVOKED_MANIFESTS_MAX),
      minimums,
    };
    const bytes = sealed(whole, REVOCATION_KEY);
    expect(bytes.length).toBeLessThan(REVOCATION_BYTES_MAX - 7 * 512);
    expect(accepted(decodeRevocations(bytes, REVOKING)).minimums).toEqual(minimums);
  });
});

describe('a list beside what the device has recorded', () => {
  const recorded = { revocationVersion: 4, revocationSha256: listOf().sha256 };
  const NEVER = { revocationVersion: 0 };

  it.each<[code: string, what: string, list: Parameters<typeof checkRecorded>[0], at: object]>([
    ['accepted', 'none, where none was ever recorded', undefined, NEVER],
    ['accepted', 'the first', listOf(), NEVER],
    ['accepted', 'the recorded one', listOf(), recorded],
    [
      'accepted',
      'the recorded one, signed by keys that were retired since',
      { ...listOf(), retired: true },
      recorded,
    ],
    ['accepted', 'a later one', listOf({ version: 9 }), recorded],
    [
      'accepted',
      'as far above as it may be',
      listOf({ version: 4 + REVOCATION_STEP_MAX }),
      recorded,
    ],
    ['revocation.missing', 'none', undefined, recorded],
    [
      'revocation.missing',
      'none, under a number that is none',
      undefined,
      { revocationVersion: Number.NaN },
    ],
    ['revocation.older', 'an older one', listOf({ version: 3 }), recorded],
    [
      'revocation.older',
      'any, under a number that is none',
      listOf(),
      { revocationVersion: Number.NaN },
    ],
    ['revocation.differs', 'another of the same version', listOf({ issuedS: 1 }), recorded],
    ['revocation.differs', 'the same version without a digest', listOf(), { revocationVersion: 4 }],
    [
      'revocation.threshold',
      'a later one of retired keys',
      { ...listOf({ version: 5 }), retired: true },
      recorded,
    ],
    ['revocation.threshold', 'a first one of retired keys', { ...listOf(), retired: true }, NEVER],
    [
      'revocation.step',
      'one that no other could follow',
      listOf({ version: 2 ** 53 - 1 }),
      recorded,
    ],
    [
      'revocation.step',
      'a first one too far above',
      listOf({ version: REVOCATION_STEP_MAX + 1 }),
      NEVER,
    ],
  ])('%s: %s', (code, _, list, at) => {
    expect(codeOf(checkRecorded(list, at as typeof recorded))).toBe(code);
  });
});
