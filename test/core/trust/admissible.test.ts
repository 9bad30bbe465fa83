/** The one judge: each reason to say no, and what holds over every act and every clock. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FLOORS_MAX, SECURITY_VERSION_STEP_MAX } from '../../../src/core/base/limits.ts';
import type { UnixMs } from '../../../src/core/base/time.ts';
import {
  type Act,
  admissible,
  type BundleFacts,
  type TrustContext,
} from '../../../src/core/trust/admissible.ts';
import { TRUST_FAULTS } from '../../../src/core/trust/faults.ts';
import { codeOf, faultIn } from '../base/outcome.ts';
import { keyOf, METADATA, metadataOf, RELEASE } from '../bundle/specimen.ts';
import {
  CONTEXT,
  FLOOR,
  floorsOf,
  listOf,
  NOW,
  REVOCATIONS,
  ROOT_KEY,
  roleOf,
  rootOf,
} from './trusting.ts';

const ACTS: readonly Act[] = ['install', 'boot', 'revert', 'confirm', 're-verify'];
const NOT_INSTALL = ACTS.filter((act) => act !== 'install');
const SECOND = keyOf(12);
const STRANGER = keyOf(13);
const FACTS: BundleFacts = {
  meta: metadataOf(),
  sequenceNumber: 9,
  manifestSha256: new Uint8Array(32).fill(8),
  signers: [RELEASE.thumbprint],
};

type Change = { facts?: Partial<BundleFacts>; meta?: object; context?: Partial<TrustContext> };

const judge = (act: Act, { facts, meta, context }: Change) =>
  admissible(
    act,
    { ...FACTS, ...facts, meta: { ...FACTS.meta, ...meta } },
    { ...CONTEXT, ...context },
  );
const scoped = (modelPrefixes: string[], classes: string[]) => ({
  root: rootOf({ scope: { modelPrefixes, classes } }),
});
const pair = rootOf({ roles: { root: roleOf(1, ROOT_KEY), release: roleOf(2, RELEASE, SECOND) } });
const development = rootOf({ production: false });
const retired = rootOf({
  roles: {
    root: roleOf(1, ROOT_KEY),
    release: { ...roleOf(1, SECOND), retired: roleOf(1, RELEASE) },
  },
});
const retiredPair = rootOf({
  roles: {
    root: roleOf(1, ROOT_KEY),
    release: { ...roleOf(2, SECOND, STRANGER), retired: roleOf(1, RELEASE) },
  },
});
const marked = {
  ...CONTEXT.root,
  roles: {
    ...CONTEXT.root.roles,
    release: { threshold: 1, keys: [{ publicKey: RELEASE.publicKey, development: true }] },
  },
};
const full = floorsOf(
  ...Array.from({ length: FLOORS_MAX }, (_, i) => ({ ...FLOOR, model: `m${i}` })),
);

const revoked = (change: object): Change => ({ context: { revocations: listOf(change) } });
const recorded = (version: number): Partial<TrustContext> => ({
  floors: {
    ...floorsOf(),
    revocationVersion: version,
    revocationSha256: listOf({ version }).sha256,
  },
});
const minimums = [
  { hardwareClass: METADATA.hardwareClass, model: METADATA.name, securityVersion: 6 },
];

/** Refused on every act. */
const ALWAYS: [code: string, what: string, change: Change][] = [
  ['revocation.key', 'a revoked signer', revoked({ keys: [RELEASE.thumbprint] })],
  [
    'revocation.key',
    'a revoked signer beside a good one',
    {
      ...revoked({ keys: [SECOND.thumbprint] }),
      facts: { signers: [RELEASE.thumbprint, SECOND.thumbprint] },
    },
  ],
  ['revocation.manifest', 'a revoked release', revoked({ manifests: [FACTS.manifestSha256] })],
  ['rollback.security-version', 'one below the minimum', revoked({ minimums })],
  ['revocation.missing', 'no list where one was recorded', { context: recorded(4) }],
  [
    'revocation.older',
    'an older list than was recorded',
    { context: { ...recorded(5), revocations: listOf() } },
  ],
  [
    'revocation.differs',
    'another list of the recorded version',
    { context: { ...recorded(4), revocations: listOf({ issuedS: 1 }) } },
  ],
  [
    'revocation.step',
    'a list that no later one could follow',
    revoked({ version: Number.MAX_SAFE_INTEGER }),
  ],
  [
    'revocation.threshold',
    'a new list that only retired keys signed',
    { context: { ...recorded(4), revocations: { ...listOf({ version: 5 }), retired: true } } },
  ],
  ['trust.retired-key', 'a retired signer', { context: { root: retired } }],
  [
    'trust.threshold',
    'a retired signer beside one of two',
    {
      context: { root: retiredPair },
      facts: { signers: [RELEASE.thumbprint, SECOND.thumbprint] },
    },
  ],
  [
    'root.differs',
    'another root of the recorded version',
    { context: { floors: { ...floorsOf(), rootVersion: 3, rootSha256: new Uint8Array(32) } } },
  ],
  ['trust.development-key', 'a development root in production', { context: { root: development } }],
  ['trust.development-key', 'a development key in production', { context: { root: marked } }],
  [
    'trust.unauthorised',
    'a signer that is no release key',
    { facts: { signers: [STRANGER.thumbprint] } },
  ],
  ['trust.unauthorised', 'a root key as signer', { facts: { signers: [ROOT_KEY.thumbprint] } }],
  [
    'trust.unauthorised',
    'a stranger beside a good one',
    { facts: { signers: [RELEASE.thumbprint, STRANGER.thumbprint] } },
  ],
  ['trust.unauthorised', 'a model outside the scope', { context: scoped(['pump-'], []) }],
  ['trust.unauthorised', 'a class outside the scope', { context: scoped([], ['generic-x64']) }],
  ['trust.unauthorised', 'a name that only begins otherwise', { context: scoped(['rotor-'], []) }],
  ['trust.threshold', 'no signer', { facts: { signers: [] } }],
  ['trust.threshold', 'one of two', { context: { root: pair } }],
  [
    'trust.threshold',
    'one of two, counted twice',
    { facts: { signers: [RELEASE.thumbprint, RELEASE.thumbprint] }, context: { root: pair } },
  ],
  ['trust.wrong-class', 'another class of hardware', { context: { hardwareClass: 'jetson-nano' } }],
  ['trust.guard-too-old', 'a newer Edgeward needed', { meta: { guardVersionMin: '0.1.1' } }],
  [
    'trust.guard-too-old',
    'a newer Edgeward needed: 1.0.0 against 0.99.99',
    { meta: { guardVersionMin: '1.0.0' }, context: { guardVersion: '0.99.99' } },
  ],
  ['trust.guard-too-old', 'an Edgeward of no version', { context: { guardVersion: 'unknown' } }],
  ['trust.root-too-old', 'a newer root needed', { meta: { rootVersionMin: 4 } }],
  [
    'trust.root-too-old',
    'a newer root seen before',
    { context: { floors: { ...floorsOf(), rootVersion: 4 } } },
  ],
  [
    'rollback.security-version',
    'one below the floor',
    { meta: { securityVersion: 4 }, context: { floors: floorsOf(FLOOR) } },
  ],
  [
    'rollback.security-version',
    'one below what the caller names',
    { context: { securityVersionMin: 6 } },
  ],
  [
    'rollback.security-version',
    'a caller who names no number',
    { context: { securityVersionMin: Number.NaN } },
  ],
  ['rollback.floors-full', 'a model more than the record holds', { context: { floors: full } }],
];

/** Refused on install, and on no other act. */
const INSTALL: [code: string, what: string, change: Change][] = [
  [
    'rollback.fast-forward',
    'a security version that would shut out all later ones',
    { meta: { securityVersion: Number.MAX_SAFE_INTEGER } },
  ],
  [
    'trust.retired-key',
    'the confirmed release of a retired key',
    {
      context: {
        root: retired,
        floors: floorsOf({ ...FLOOR, manifestSha256: FACTS.manifestSha256 }),
      },
    },
  ],
  [
    'trust.expired',
    'a clock behind the issue of the revocation list',
    {
      meta: { installExpiryS: REVOCATIONS.issuedS - 1 },
      context: { nowMs: 0 as UnixMs, revocations: listOf() },
    },
  ],
  [
    'root.expired',
    'a clock behind the build of this Edgeward',
    {
      context: {
        nowMs: 0 as UnixMs,
        builtMs: NOW,
        root: rootOf({ expiresS: NOW / 1000 - 1 }),
      },
    },
  ],
  [
    'trust.expired',
    'a clock behind the issue of the root',
    {
      meta: { installExpiryS: CONTEXT.root.issuedS - 1 },
      context: { nowMs: 0 as UnixMs },
    },
  ],
  [
    'rollback.sequence',
    'an older release',
    { facts: { sequenceNumber: 8 }, context: { floors: floorsOf(FLOOR) } },
  ],
  ['root.expired', 'an expired root', { context: { root: rootOf({ expiresS: NOW / 1000 - 1 }) } }],
  ['trust.expired', 'an expired bundle', { meta: { installExpiryS: NOW / 1000 - 1 } }],
  [
    'trust.expired',
    'a clock that was set back',
    {
      meta: { installExpiryS: NOW / 1000 - 1 },
      context: { nowMs: 0 as UnixMs, floors: { ...floorsOf(), clockFloorMs: NOW } },
    },
  ],
  [
    'trust.expired',
    'a clock that gives no number',
    { meta: { installExpiryS: NOW }, context: { nowMs: Number.NaN as UnixMs } },
  ],
];

describe('each reason', () => {
  it('none, for what is good', () => {
    for (const act of ACTS) expect(codeOf(judge(act, {}))).toBe('accepted');
    const floors = floorsOf(FLOOR);
    for (const act of ACTS) expect(codeOf(judge(act, { context: { floors } }))).toBe('accepted');
    const inFull = { ...full, floors: [...full.floors.slice(1), FLOOR] };
    for (const act of ACTS) {
      expect(codeOf(judge(act, { context: { floors: inFull } }))).toBe('accepted');
    }
    expect(
      codeOf(judge('install', { context: scoped(['pump-', 'rot'], [METADATA.hardwareClass]) })),
    ).toBe('accepted');
    const two = { signers: [RELEASE.thumbprint, SECOND.thumbprint] };
    expect(codeOf(judge('install', { facts: two, context: { root: pair } }))).toBe('accepted');
  });

  it.each(ALWAYS)('%s on every act: %s', (code, _, change) => {
    for (const act of ACTS) expect(faultIn(judge(act, change)).code, act).toBe(code);
  });

  it.each(INSTALL)('%s on install only: %s', (code, _, change) => {
    expect(faultIn(judge('install', change)).code).toBe(code);
    for (const act of NOT_INSTALL) expect(codeOf(judge(act, change)), act).toBe('accepted');
  });

  it('development roots and keys are for the development profile', () => {
    const profile = 'development' as const;
    for (const root of [development, marked]) {
      expect(codeOf(judge('boot', { context: { root, profile } }))).toBe('accepted');
    }
  });

  it('a device that knows no class of its own takes any', () => {
    const { hardwareClass: _, ...anywhere } = CONTEXT;
    expect(codeOf(admissible('boot', FACTS, anywhere))).toBe('accepted');
  });

  it('every code of the table is in the lists here, or of a file that cannot be read', () => {
    const made = new Set([...ALWAYS, ...INSTALL].map(([code]) => code));
    const codes = Object.keys(TRUST_FAULTS).filter((code) => !/^floor\./.test(code));
    expect(codes.filter((code) => !made.has(code))).toEqual([
      ...['root.malformed', 'root.invalid', 'root.threshold', 'root.step', 'root.missing'],
      ...['revocation.malformed', 'revocation.invalid', 'revocation.no-role'],
      'trust.duplicate-signature',
    ]);
  });
});

const anyAct = fc.constantFrom(...ACTS);
const version = fc.oneof(fc.nat(20), fc.maxSafeNat());

describe('over every act', () => {
  it('what is below the floor is never admissible, and what is at it always', () => {
    fc.assert(
      fc.property(anyAct, version, version, version, (act, floor, own, sequence) => {
        const floors = floorsOf({ ...FLOOR, securityVersion: floor, sequenceNumber: 0 });
        const change = { meta: { securityVersion: own }, facts: { sequenceNumber: sequence } };
        const code = codeOf(judge(act, { ...change, context: { floors } }));
        const above = own - floor;
        const far = act === 'install' && above > SECURITY_VERSION_STEP_MAX;
        const high = far ? 'rollback.fast-forward' : 'accepted';
        expect(code).toBe(above < 0 ? 'rollback.security-version' : high);
      }),
      { seed: 61 },
    );
  });

  it('a floor counts for its own class and model only', () => {
    const floors = floorsOf(
      { ...FLOOR, model: 'other', securityVersion: 99 },
      { ...FLOOR, hardwareClass: 'other', securityVersion: 99 },
    );
    for (const act of ACTS) expect(codeOf(judge(act, { context: { floors } }))).toBe('accepted');
  });

  it('no clock keeps a device from booting, confirming or verifying what it has', () => {
    const clock = fc.oneof(fc.double(), fc.maxSafeInteger(), fc.constantFrom(Number.NaN, Infinity));
    const act = fc.constantFrom(...NOT_INSTALL);
    fc.assert(
      fc.property(act, clock, clock, fc.maxSafeNat(), (a, now, clockFloorMs, expiry) => {
        const context = {
          nowMs: now as UnixMs,
          floors: { ...floorsOf(FLOOR), clockFloorMs },
          root: { ...CONTEXT.root, expiresS: expiry },
        };
        const code = codeOf(judge(a, { context, meta: { installExpiryS: expiry } }));
        expect(code).toBe('accepted');
      }),
      { seed: 62 },
    );
  });

  it('a later clock never admits what an earlier one refused', () => {
    // From the issue of the root on: before it no clock counts.
    const time = fc.integer({ min: CONTEXT.root.issuedS, max: 2_000_000_000 });
    fc.assert(
      fc.property(time, time, time, (a, b, expiry) => {
        const at = (s: number): boolean =>
          judge('install', {
            meta: { installExpiryS: expiry },
            context: { nowMs: (s * 1000) as UnixMs },
          }).ok;
        if (!at(Math.min(a, b))) expect(at(Math.max(a, b))).toBe(false);
        expect(at(expiry)).toBe(true);
        expect(at(expiry + 1)).toBe(false);
      }),
      { seed: 63 },
    );
  });

  it('what may be installed may also be booted', () => {
    fc.assert(
      fc.property(version, version, version, version, (floor, own, sequence, confirmed) => {
        const floors = floorsOf({ ...FLOOR, securityVersion: floor, sequenceNumber: confirmed });
        const change = { meta: { securityVersion: own }, facts: { sequenceNumber: sequence } };
        const codes = ACTS.map((act) => judge(act, { ...change, context: { floors } }).ok);
        if (codes[0]) expect(codes).toEqual(ACTS.map(() => true));
      }),
      { seed: 64 },
    );
  });

  it('the order of versions is that of their numbers', () => {
    const part = fc.nat(999);
    const triple = fc.tuple(part, part, part);
    fc.assert(
      fc.property(triple, triple, (own, least) => {
        const order = own.map((x, i) => x - (least[i] as number)).find((d) => d !== 0) ?? 0;
        const code = codeOf(
          judge('boot', {
            meta: { guardVersionMin: least.join('.') },
            context: { guardVersion: `${own.join('.')}-dev` },
          }),
        );
        expect(code).toBe(order < 0 ? 'trust.guard-too-old' : 'accepted');
      }),
      { seed: 65 },
    );
  });
});
