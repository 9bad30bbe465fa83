/** The root set: who may sign what, and every root that must not be trusted. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../../../src/core/base/bytes.ts';
import {
  ROOT_BYTES_MAX,
  ROOT_KEYS_MAX,
  ROOT_SIGNATURES_MAX,
  SIGNATURES_MAX,
} from '../../../src/core/base/limits.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { externalAad } from '../../../src/core/cose/domain.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import { sign1 } from '../../../src/core/cose/sign1.ts';
import type { CborValue } from '../../../src/core/cose/value.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import type { Signer } from '../../../src/core/crypto/ed25519.ts';
import {
  decodeRoot,
  keyInRole,
  knownKey,
  type RootSet,
  sealRoot,
} from '../../../src/core/trust/root.ts';
import { ROLE_NAMES, type Role } from '../../../src/core/trust/root-codec.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';
import { keyOf, RELEASE } from '../bundle/specimen.ts';
import { TORSION, TORSION_NON_CANONICAL } from '../crypto/curve.ts';
import { keyForRole, ROOT, ROOT_KEY, roleOf, rootOf } from './trusting.ts';

const SECOND = keyOf(22);
const STRANGER = keyOf(23);
const seal = (change: Partial<RootSet>, signers: readonly Signer[] = [ROOT_KEY]) =>
  sealRoot({ ...ROOT, ...change }, signers);
const BYTES = accepted(seal({}));

describe('a root', () => {
  it('comes back as it was sealed, with the digest that an image pins', () => {
    const [payload] = accepted(decodeCbor(BYTES)) as [Uint8Array];
    const root = accepted(decodeRoot(BYTES));
    expect(root).toEqual({ ...ROOT, sha256: sha256(payload) });
    const full = {
      expiresS: 1_900_000_000,
      scope: { modelPrefixes: ['rotor', 'pump-'], classes: ['generic-arm64'] },
    };
    expect(rootOf(full)).toMatchObject({ ...ROOT, ...full });
    expect(accepted(seal({}))).toEqual(BYTES);
  });

  it('finds keys by computed thumbprint, within their role only', () => {
    const root = rootOf();
    expect(keyInRole(root, 'release', RELEASE.thumbprint)?.publicKey).toEqual(RELEASE.publicKey);
    expect(keyInRole(root, 'root', RELEASE.thumbprint)).toBeUndefined();
    expect(keyInRole(root, 'release', ROOT_KEY.thumbprint)).toBeUndefined();
    expect(keyInRole(root, 'release', new Uint8Array(32))).toBeUndefined();
  });

  it('knows retired keys apart from those in use', () => {
    const root = rootOf({
      roles: { ...ROOT.roles, release: retiring(roleOf(1, RELEASE), SECOND) },
    });
    expect(keyInRole(root, 'release', SECOND.thumbprint)).toBeUndefined();
    expect(knownKey(root, 'release', SECOND.thumbprint)?.publicKey).toEqual(SECOND.publicKey);
    expect(knownKey(root, 'release', RELEASE.thumbprint)?.publicKey).toEqual(RELEASE.publicKey);
    expect(knownKey(root, 'release', ROOT_KEY.thumbprint)).toBeUndefined();
    expect(knownKey(root, 'operator', SECOND.thumbprint)).toBeUndefined();
  });

  it('may have every role, each with its own keys', () => {
    const others = ROLE_NAMES.slice(2).map(
      (name, i) => [name, roleOf(1, keyForRole(name, 60 + i))] as const,
    );
    const roles = { ...ROOT.roles, ...Object.fromEntries(others) };
    const root = rootOf({ roles });
    expect(root.roles).toEqual(roles);
    for (const [i, name] of ROLE_NAMES.slice(2).entries()) {
      const kid = keyForRole(name, 60 + i).thumbprint;
      const holding = ROLE_NAMES.filter((role) => keyInRole(root, role, kid) !== undefined);
      expect(holding).toEqual([name]);
    }
  });

  it('refuses development keys in every role of a production root', () => {
    const role: Role = { threshold: 1, keys: [{ ...SECOND, development: true }] };
    const before = { previous: { sha256: new Uint8Array(32), root: role } };
    for (const name of ROLE_NAMES.slice(2)) {
      const own: Role = {
        threshold: 1,
        keys: [{ ...keyForRole(name, 61), development: true }],
      };
      const others = { ...roleOf(1, keyForRole(name, 62)), retired: own };
      for (const one of [own, others]) {
        const roles = { ...ROOT.roles, [name]: one };
        expect(codeOf(seal({ roles })), name).toBe('trust.development-key');
        expect(codeOf(seal({ roles, production: false })), name).toBe('accepted');
      }
    }
    expect(codeOf(seal(before))).toBe('trust.development-key');
  });

  it('wants its own threshold of its own keys', () => {
    const roles = { root: roleOf(2, ROOT_KEY, SECOND), release: roleOf(1, RELEASE) };
    expect(codeOf(seal({ roles }, [ROOT_KEY, SECOND]))).toBe('accepted');
    expect(codeOf(seal({ roles }, [SECOND, ROOT_KEY]))).toBe('accepted');
    expect(codeOf(seal({ roles }, [ROOT_KEY]))).toBe('root.threshold');
    expect(codeOf(seal({ roles }, []))).toBe('root.threshold');
    expect(codeOf(seal({ roles }, [ROOT_KEY, ROOT_KEY]))).toBe('trust.duplicate-signature');
    expect(codeOf(seal({ roles }, [ROOT_KEY, SECOND, STRANGER]))).toBe('cose.unknown-key');
    expect(codeOf(seal({}, [RELEASE]))).toBe('cose.unknown-key');
  });
});

const retiring = (role: Role, ...signers: readonly Signer[]): Role => ({
  ...role,
  retired: roleOf(1, ...signers),
});
const keys = (count: number, from: number): Signer[] =>
  Array.from({ length: count }, (_, i) => keyOf(from + i));
const many = keys(ROOT_KEYS_MAX + 1, 100);

const INVALID: [code: string, what: string, change: Partial<RootSet>][] = [
  [
    'root.invalid',
    'a key in two roles',
    { roles: { root: roleOf(1, ROOT_KEY), release: roleOf(1, ROOT_KEY) } },
  ],
  [
    'root.invalid',
    'a key twice in a role',
    { roles: { root: roleOf(1, ROOT_KEY), release: roleOf(2, RELEASE, RELEASE) } },
  ],
  [
    'root.invalid',
    'a threshold above the keys',
    { roles: { root: roleOf(1, ROOT_KEY), release: roleOf(2, RELEASE) } },
  ],
  [
    'root.invalid',
    'a role without keys',
    { roles: { root: roleOf(1, ROOT_KEY), release: roleOf(1) } },
  ],
  [
    'field.range',
    'a threshold of none',
    { roles: { root: roleOf(1, ROOT_KEY), release: roleOf(0, RELEASE) } },
  ],
  [
    'field.range',
    'a root threshold of none',
    { roles: { root: roleOf(0, ROOT_KEY), release: roleOf(1, RELEASE) } },
  ],
  [
    'field.range',
    'a threshold that no bundle can carry signatures for',
    { roles: { root: roleOf(1, ROOT_KEY), release: roleOf(SIGNATURES_MAX + 1, ...keys(9, 50)) } },
  ],
  [
    'field.range',
    'too many keys',
    { roles: { root: roleOf(1, ROOT_KEY), release: roleOf(1, ...many) } },
  ],
  ['field.range', 'a version of 0', { version: 0 }],
  ['field.range', 'an issue time before 1970', { issuedS: -1 }],
  [
    'field.range',
    'an issue time that no floor record could hold in milliseconds',
    { issuedS: 2 ** 53 - 1 },
  ],
  ['field.range', 'an expiry after the year 9999', { expiresS: 2 ** 50 }],
  ['field.type', 'a version that is a fraction', { version: 1.5 }],
  [
    'field.range',
    'too many prefixes',
    { scope: { modelPrefixes: Array(65).fill('a'), classes: [] } },
  ],
  [
    'root.malformed',
    'an empty prefix, which would match every model',
    { scope: { modelPrefixes: [''], classes: [] } },
  ],
  ['root.malformed', 'a long class', { scope: { modelPrefixes: [], classes: ['x'.repeat(65)] } }],
  [
    'root.invalid',
    'a key in use and retired',
    { roles: { ...ROOT.roles, release: retiring(roleOf(1, RELEASE), RELEASE) } },
  ],
  [
    'root.invalid',
    'a key retired from one role and in use in another',
    { roles: { ...ROOT.roles, release: retiring(roleOf(1, RELEASE), ROOT_KEY) } },
  ],
  [
    'root.invalid',
    'what is confirmed wanting more signatures than what is new',
    {
      roles: {
        ...ROOT.roles,
        release: { ...roleOf(1, RELEASE), retired: { threshold: 2, keys: [] } },
      },
    },
  ],
  [
    'field.unknown',
    'a retired root key',
    { roles: { ...ROOT.roles, root: retiring(roleOf(1, ROOT_KEY), SECOND) } },
  ],
  [
    'root.invalid',
    'a further role without keys',
    { roles: { ...ROOT.roles, operator: roleOf(1) } },
  ],
  [
    'root.invalid',
    'a release key that may revoke',
    { roles: { ...ROOT.roles, revocation: roleOf(1, RELEASE) } },
  ],
  [
    'root.invalid',
    'a key twice in the root before',
    { previous: { sha256: new Uint8Array(32), root: roleOf(1, SECOND, SECOND) } },
  ],
  [
    'trust.development-key',
    'a development key in production',
    {
      roles: {
        root: roleOf(1, ROOT_KEY),
        release: { threshold: 1, keys: [{ publicKey: RELEASE.publicKey, development: true }] },
      },
    },
  ],
];

describe('what a root may not say', () => {
  it.each(INVALID)('%s: %s', (code, _, change) => {
    expect(faultIn(seal(change)).code).toBe(code);
  });

  it('small-order and malformed keys', () => {
    for (const publicKey of [...TORSION, ...TORSION_NON_CANONICAL, new Uint8Array(32).fill(255)]) {
      const release = { threshold: 1, keys: [{ publicKey, development: false }] };
      expect(codeOf(seal({ roles: { root: roleOf(1, ROOT_KEY), release } }))).toBe('root.invalid');
    }
    const short = { threshold: 1, keys: [{ publicKey: new Uint8Array(31), development: false }] };
    const roles = { root: roleOf(1, ROOT_KEY), release: short };
    expect(codeOf(seal({ roles }))).toBe('field.range');
  });

  it('but the largest thresholds and key lists are fine', () => {
    const signers = keys(SIGNATURES_MAX, 30);
    const roles = {
      root: roleOf(SIGNATURES_MAX, ...signers),
      release: roleOf(SIGNATURES_MAX, ...many.slice(0, ROOT_KEYS_MAX)),
    };
    expect(codeOf(seal({ roles }, signers))).toBe('accepted');
  });
});

const [PAYLOAD, BLOCKS] = accepted(decodeCbor(BYTES)) as [Uint8Array, Uint8Array[]];
const TREE = accepted(decodeCbor(PAYLOAD)) as Map<string, CborValue>;

/** A root file around a payload tree, rightly signed unless blocks are given. */
function rootFile(tree: CborValue, blocks?: CborValue[]): Uint8Array {
  const payload = encodeCbor(tree);
  const signed = sign1({
    payload,
    detached: true,
    typ: 'application/edgeward-root+cbor',
    externalAad: externalAad('root', ''),
    signer: ROOT_KEY,
  });
  return encodeCbor([payload, blocks ?? [signed]]);
}

const treeWith = (name: string, value: CborValue): Map<string, CborValue> =>
  new Map(TREE).set(name, value);

const MALFORMED: [code: string, what: string, bytes: Uint8Array][] = [
  ['cbor.truncated', 'nothing', new Uint8Array(0)],
  ['cbor.size', 'more than the limit', new Uint8Array(ROOT_BYTES_MAX + 1)],
  ['root.malformed', 'a map', encodeCbor(new Map())],
  ['root.malformed', 'three parts', encodeCbor([PAYLOAD, BLOCKS, 0])],
  ['root.malformed', 'a payload that is no byte string', encodeCbor(['x', BLOCKS])],
  ['root.malformed', 'signatures that are no list', encodeCbor([PAYLOAD, 0])],
  ['root.malformed', 'a signature that is no byte string', encodeCbor([PAYLOAD, [0]])],
  [
    'root.malformed',
    'more signatures than two roots can want',
    encodeCbor([PAYLOAD, Array(ROOT_SIGNATURES_MAX + 1).fill(BLOCKS[0])]),
  ],
  ['root.malformed', 'a payload that is a list', rootFile([])],
  ['root.malformed', 'a later profile', rootFile(treeWith('profile', 'edgeward-root/3'))],
  ['root.malformed', 'an earlier profile', rootFile(treeWith('profile', 'edgeward-root/1'))],
  [
    'root.malformed',
    'a class that is a number',
    rootFile(
      treeWith(
        'scope',
        new Map<string, CborValue>([
          ['models', []],
          ['classes', [1]],
        ]),
      ),
    ),
  ],
  ['field.unknown', 'an unknown member', rootFile(treeWith('purpose', 'x'))],
  [
    'field.unknown',
    'an unknown role',
    rootFile(
      treeWith('roles', new Map([...(TREE.get('roles') as Map<string, CborValue>), ['mirror', 0]])),
    ),
  ],
  [
    'field.missing',
    'no production member',
    rootFile(new Map([...TREE].filter(([key]) => key !== 'production'))),
  ],
  ['field.type', 'production as a number', rootFile(treeWith('production', 1))],
  ['field.type', 'a version beyond 2^53', rootFile(treeWith('version', 2n ** 60n))],
  ['root.threshold', 'no signature', encodeCbor([PAYLOAD, []])],
  [
    'crypto.bad-signature',
    'the signature of another root',
    rootFile(treeWith('version', 99), BLOCKS),
  ],
  [
    'cose.not-sign1',
    'a signature that is something else',
    encodeCbor([PAYLOAD, [encodeCbor('x')]]),
  ],
];

describe('a root file that is refused', () => {
  it('not when it is put together as it was', () => {
    expect(rootFile(TREE)).toEqual(BYTES);
  });

  it.each(MALFORMED)('%s: %s', (code, _, bytes) => {
    expect(faultIn(decodeRoot(bytes)).code).toBe(code);
  });

  it('when it was signed for another use, or as a bundle', () => {
    const input = { payload: PAYLOAD, detached: true, signer: ROOT_KEY };
    const typ = 'application/edgeward-root+cbor';
    const judge = (block: Uint8Array): string => codeOf(decodeRoot(encodeCbor([PAYLOAD, [block]])));
    const aad = externalAad('root', '');
    expect(judge(sign1({ ...input, typ, externalAad: aad }))).toBe('accepted');
    expect(judge(sign1({ ...input, externalAad: aad }))).toBe('cose.type');
    const elsewhere = externalAad('telemetry', '');
    expect(judge(sign1({ ...input, typ, externalAad: elsewhere }))).toBe('crypto.bad-signature');
    expect(judge(sign1({ ...input, typ, externalAad: utf8('') }))).toBe('crypto.bad-signature');
  });

  it('on arbitrary bytes, without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => {
        expect(decodeRoot(noise).ok).toBe(false);
        expect(decodeRoot(encodeCbor([noise, [noise]])).ok).toBe(false);
      }),
      { seed: 51, numRuns: 300 },
    );
    expect(toHex(BYTES).length).toBeGreaterThan(0);
  });
});

describe('every root within the limits', () => {
  it('comes back as it was sealed', () => {
    const names = fc.array(fc.string({ minLength: 1, maxLength: 64 }), { maxLength: 4 });
    const timeS = fc.nat(253_402_300_799);
    const anyRoot = fc.record(
      {
        version: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        production: fc.boolean(),
        issuedS: timeS,
        expiresS: timeS,
        scope: fc.record({ modelPrefixes: names, classes: names }),
        release: fc.integer({ min: 1, max: 6 }),
      },
      { requiredKeys: ['version', 'production', 'issuedS', 'scope', 'release'] },
    );
    fc.assert(
      fc.property(anyRoot, fc.integer({ min: 1, max: 3 }), ({ release, ...root }, held) => {
        const holders = keys(held, 30);
        const roles = {
          root: roleOf(held, ...holders),
          release: roleOf(Math.ceil(release / 2), ...many.slice(0, release)),
        };
        const { sha256: _, ...back } = accepted(
          decodeRoot(accepted(sealRoot({ ...root, roles }, holders))),
        );
        expect(back).toEqual({ ...root, roles });
      }),
      { seed: 85, numRuns: 25 },
    );
  });
});
