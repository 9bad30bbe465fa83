/** The one judge over every act and every path of a device, and the bugs of others that must not return. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UnixMs } from '../../../src/core/base/time.ts';
import {
  type Act,
  admissible,
  type BundleFacts,
  type TrustContext,
  timeFloorMs,
} from '../../../src/core/trust/admissible.ts';
import {
  adoptRevocations,
  adoptRoot,
  EMPTY_FLOOR,
  type FloorRecord,
  raiseFloor,
} from '../../../src/core/trust/floor.ts';
import type { RevocationList } from '../../../src/core/trust/revocation.ts';
import type { RootSet } from '../../../src/core/trust/root.ts';
import { codeOf } from '../base/outcome.ts';
import { keyOf, METADATA, metadataOf, RELEASE } from '../bundle/specimen.ts';
import { CONTEXT, listOf, NOW, ROOT, ROOT_KEY, roleOf, rootOf } from './trusting.ts';

const ACTS: readonly Act[] = ['install', 'boot', 'revert', 'confirm', 're-verify'];
const KEPT = ACTS.filter((act) => act !== 'install');
const SECOND = keyOf(12);
const MODEL = { hardwareClass: METADATA.hardwareClass, model: METADATA.name };

/** A release by its security version; the digest is of the number. */
function release(securityVersion: number, ...signers: readonly Uint8Array[]): BundleFacts {
  const manifestSha256 = new Uint8Array(32);
  new DataView(manifestSha256.buffer).setFloat64(0, securityVersion);
  return {
    meta: metadataOf({ securityVersion }),
    sequenceNumber: securityVersion,
    manifestSha256,
    signers: signers.length > 0 ? signers : [RELEASE.thumbprint],
  };
}

/** What the confirm of a release leaves behind. */
function confirmed(record: FloorRecord, { meta, sequenceNumber, manifestSha256 }: BundleFacts) {
  const { securityVersion } = meta;
  return raiseFloor(record, { ...MODEL, securityVersion, sequenceNumber, manifestSha256 });
}

const judge = (act: Act, facts: BundleFacts, context: Partial<TrustContext> = {}): string =>
  codeOf(admissible(act, facts, { ...CONTEXT, ...context }));
const everywhere = (facts: BundleFacts, context: Partial<TrustContext>): string[] =>
  ACTS.map((act) => judge(act, facts, context));
const onEvery = (code: string): string[] => ACTS.map(() => code);

describe('a retired key', () => {
  const retiring = (threshold: number, kept: number, ...keys: Parameters<typeof roleOf>[1][]) =>
    rootOf({
      roles: {
        root: roleOf(1, ROOT_KEY),
        release: {
          ...roleOf(threshold, SECOND, ...keys),
          retired: { ...roleOf(1, RELEASE), threshold: kept },
        },
      },
    });
  const root = retiring(1, 1);
  const floors = confirmed(EMPTY_FLOOR, release(5));

  it('keeps the confirmed release running and installs nothing', () => {
    expect(judge('install', release(5), { root, floors })).toBe('trust.retired-key');
    for (const act of KEPT) expect(judge(act, release(5), { root, floors }), act).toBe('accepted');
  });

  it('runs no other release, also one that was put into a slot by hand', () => {
    expect(everywhere(release(6), { root, floors })).toEqual(onEvery('trust.retired-key'));
    expect(everywhere(release(5), { root })).toEqual(onEvery('trust.retired-key'));
    const elsewhere = { ...floors, floors: floors.floors.map((f) => ({ ...f, model: 'other' })) };
    expect(judge('boot', release(5), { root, floors: elsewhere })).toBe('trust.retired-key');
  });

  it('does not stand in the way of a release that a current key signed as well', () => {
    const again = release(6, RELEASE.thumbprint, SECOND.thumbprint);
    expect(everywhere(again, { root, floors })).toEqual(onEvery('accepted'));
  });

  it('and a threshold that rose since leave the confirmed release as it is', () => {
    const raised = { root: retiring(2, 1, keyOf(13)), floors };
    expect(judge('boot', release(5), raised)).toBe('accepted');
    expect(judge('boot', release(6, SECOND.thumbprint), raised)).toBe('trust.threshold');
    expect(judge('boot', release(5), { root: retiring(2, 2, keyOf(13)), floors })).toBe(
      'trust.threshold',
    );
  });

  it('that is revoked stops it', () => {
    const revocations = listOf({ keys: [RELEASE.thumbprint] });
    expect(everywhere(release(5), { root, floors, revocations })).toEqual(
      onEvery('revocation.key'),
    );
  });

  it('that is gone from the root without being retired stops it', () => {
    const gone = rootOf({ roles: { ...ROOT.roles, release: roleOf(1, SECOND) } });
    expect(everywhere(release(5), { root: gone, floors })).toEqual(onEvery('trust.unauthorised'));
  });
});

describe('a recorded revocation list', () => {
  const list = listOf({ keys: [SECOND.thumbprint] });
  const floors = adoptRevocations(confirmed(EMPTY_FLOOR, release(5)), list);

  it('that is deleted stops everything; that is there again, nothing it does not name', () => {
    expect(everywhere(release(5), { floors })).toEqual(onEvery('revocation.missing'));
    expect(everywhere(release(5), { floors, revocations: list })).toEqual(onEvery('accepted'));
    const later = listOf({ version: 9 });
    expect(everywhere(release(5), { floors, revocations: later })).toEqual(onEvery('accepted'));
  });

  it('is not replaced by an older one that does not name the key yet', () => {
    const facts = release(5, SECOND.thumbprint);
    const older = listOf({ version: 3 });
    expect(everywhere(facts, { floors, revocations: older })).toEqual(onEvery('revocation.older'));
  });
});

// What a device may have and be given; numbers include those that no counter should hold.
const number = fc.oneof(
  { arbitrary: fc.nat(8), weight: 8 },
  fc.maxSafeNat(),
  fc.constantFrom(Number.NaN, Infinity, -1, 0.5, 2 ** 53 - 1),
);
const anyFacts: fc.Arbitrary<BundleFacts> = fc
  .record({
    own: number,
    sequence: number,
    digest: fc.nat(8),
    signers: fc.oneof(
      {
        arbitrary: fc.subarray([RELEASE.thumbprint, SECOND.thumbprint], { minLength: 1 }),
        weight: 9,
      },
      fc.subarray([RELEASE.thumbprint, ROOT_KEY.thumbprint]),
    ),
    expiry: fc.option(fc.integer({ min: 1_700_000_000, max: 1_800_000_000 }), { nil: undefined }),
  })
  .map(({ own, sequence, digest, signers, expiry }) => ({
    ...release(digest, ...signers),
    signers,
    sequenceNumber: sequence,
    meta: {
      ...metadataOf({ securityVersion: own }),
      ...(expiry === undefined ? {} : { installExpiryS: expiry }),
    },
  }));
const ROOTS: readonly RootSet[] = [
  CONTEXT.root,
  rootOf({ roles: { ...ROOT.roles, release: roleOf(2, RELEASE, SECOND) } }),
  rootOf({
    roles: { ...ROOT.roles, release: { ...roleOf(1, SECOND), retired: roleOf(1, RELEASE) } },
  }),
];
const LISTS: readonly (RevocationList | undefined)[] = [
  undefined,
  listOf(),
  listOf({ version: 5, keys: [SECOND.thumbprint] }),
  listOf({ version: 5, minimums: [{ ...MODEL, securityVersion: 4 }] }),
  listOf({ version: 6, manifests: [release(3).manifestSha256] }),
];
const anyFloors: fc.Arbitrary<FloorRecord> = fc
  .record({
    floor: fc.option(fc.tuple(number, number, fc.nat(8))),
    list: fc.oneof({ arbitrary: fc.constant(0), weight: 4 }, fc.nat(4)),
    root: fc.oneof({ arbitrary: fc.constant(3), weight: 9 }, number),
  })
  .map(({ floor, list, root }) => {
    const known = LISTS[list];
    const empty = known ? adoptRevocations(EMPTY_FLOOR, known) : EMPTY_FLOOR;
    const record = { ...empty, rootVersion: root };
    if (floor === null) return record;
    const [securityVersion, sequenceNumber, digest] = floor;
    const { manifestSha256 } = release(digest);
    return { ...record, floors: [{ ...MODEL, securityVersion, sequenceNumber, manifestSha256 }] };
  });
const anyContext: fc.Arbitrary<TrustContext> = fc
  .record({
    floors: anyFloors,
    root: fc.constantFrom(...ROOTS),
    revocations: fc.constantFrom(...LISTS),
    nowMs: fc.constantFrom(0, NOW, Number.NaN, Infinity),
    least: fc.option(number, { nil: undefined }),
  })
  .map(({ least, nowMs, ...rest }) => ({
    ...CONTEXT,
    ...rest,
    nowMs: nowMs as UnixMs,
    ...(least === undefined ? {} : { securityVersionMin: least }),
  }));

describe('over all acts and all paths', () => {
  it('boot, revert, confirm and re-verify are judged alike, and install more strictly', () => {
    const seen = { accepted: 0, refused: 0, installOnly: 0 };
    fc.assert(
      fc.property(anyFacts, anyContext, (facts, context) => {
        const [install, ...kept] = everywhere(facts, context) as [string, ...string[]];
        expect(new Set(kept).size).toBe(1);
        const [code] = kept;
        if (install === 'accepted') expect(code).toBe('accepted');
        if (code === 'accepted') seen[install === 'accepted' ? 'accepted' : 'installOnly']++;
        else seen.refused++;
        // The documented exceptions, and no others.
        if (code === 'accepted' && install !== 'accepted') {
          expect([
            ...['trust.retired-key', 'trust.threshold', 'rollback.sequence'],
            ...['rollback.fast-forward', 'root.expired', 'trust.expired'],
          ]).toContain(install);
        }
      }),
      { seed: 66, numRuns: 4_000 },
    );
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(50);
  });

  it('revocation beats everything', () => {
    fc.assert(
      fc.property(anyFacts, anyContext, fc.constantFrom(...ACTS), (facts, context, act) => {
        const names = [
          listOf({ version: 9, keys: facts.signers }),
          listOf({ version: 9, manifests: [facts.manifestSha256] }),
        ];
        for (const revocations of facts.signers.length > 0 ? names : names.slice(1)) {
          expect(judge(act, facts, { ...context, revocations })).toMatch(/^revocation\./);
        }
      }),
      { seed: 67, numRuns: 300 },
    );
  });

  it('what no floor admits, no higher floor does', () => {
    fc.assert(
      fc.property(anyFacts, anyContext, number, (facts, context, more) => {
        const raised = confirmed(context.floors, release(more));
        const higher = {
          ...context,
          // The release that is confirmed stays: a floor is a number, the release is another fact.
          floors: {
            ...raised,
            floors: raised.floors.map((floor) => ({
              ...floor,
              manifestSha256: context.floors.floors[0]?.manifestSha256 ?? new Uint8Array(32),
            })),
          },
        };
        for (const act of KEPT) {
          if (judge(act, facts, context) !== 'accepted') {
            expect(judge(act, facts, higher)).not.toBe('accepted');
          }
        }
      }),
      { seed: 68, numRuns: 1_000 },
    );
  });

  it('a number that is none is refused wherever it stands', () => {
    const none = Number.NaN;
    expect(everywhere(release(none), {})).toEqual(onEvery('rollback.security-version'));
    const floors = { ...EMPTY_FLOOR, rootVersion: none };
    expect(everywhere(release(5), { floors })).toEqual(onEvery('trust.root-too-old'));
    const unsound = confirmed(EMPTY_FLOOR, release(none));
    expect(everywhere(release(5), { floors: unsound })).toEqual(
      onEvery('rollback.security-version'),
    );
    const lists = { ...EMPTY_FLOOR, revocationVersion: none };
    expect(everywhere(release(5), { floors: lists })).toEqual(onEvery('revocation.missing'));
    expect(everywhere(release(5), { securityVersionMin: none })).toEqual(
      onEvery('rollback.security-version'),
    );
    const sequence = { ...release(5), sequenceNumber: none };
    expect(judge('install', sequence, { floors: confirmed(EMPTY_FLOOR, release(5)) })).toBe(
      'rollback.sequence',
    );
  });

  it('the time floor rises with roots and lists, and with nothing else that is signed', () => {
    const before = timeFloorMs(CONTEXT);
    expect(before).toBe(CONTEXT.root.issuedS * 1000);
    const revocations = listOf();
    expect(timeFloorMs({ ...CONTEXT, revocations })).toBe(revocations.issuedS * 1000);
    expect(timeFloorMs({ ...CONTEXT, revocations, builtMs: NOW })).toBe(NOW);
    const later = adoptRoot(EMPTY_FLOOR, rootOf({ issuedS: 1_800_000_000 }));
    expect(timeFloorMs({ ...CONTEXT, floors: later })).toBe(1_800_000_000_000);
    expect(timeFloorMs({ ...CONTEXT, floors: confirmed(EMPTY_FLOOR, release(9)) })).toBe(before);
  });
});

describe('bugs of others that must not return', () => {
  const floors = confirmed(EMPTY_FLOOR, release(5));

  it('MCUboot #1708: the downgrade check held for one kind of swap and not for the others', () => {
    expect(everywhere(release(4), { floors })).toEqual(onEvery('rollback.security-version'));
  });

  it('MCUboot #2282, #2549: a counter that rose before the confirm shut out the way back', () => {
    // An installed and booted release is no confirm: the floor is where it was, and revert works.
    const tried = release(6);
    for (const act of ['install', 'boot'] as const) {
      expect(judge(act, tried, { floors })).toBe('accepted');
      expect(judge('revert', release(5), { floors })).toBe('accepted');
    }
    // After the confirm it does not, so the confirmed release must have been copied before.
    const after = confirmed(floors, tried);
    expect(judge('revert', release(5), { floors: after })).toBe('rollback.security-version');
    expect(judge('revert', tried, { floors: after })).toBe('accepted');
  });

  it('MCUboot #1966: what a revert would start is judged before, by the floor of now', () => {
    const after = confirmed(floors, release(7));
    for (const old of [5, 6]) {
      expect(judge('revert', release(old), { floors: after })).toBe('rollback.security-version');
      expect(judge('boot', release(old), { floors: after })).toBe('rollback.security-version');
    }
  });

  it('MCUboot #2420: a counter that cannot rise is found out before the swap, not after', () => {
    const last = release(Number.MAX_SAFE_INTEGER);
    expect(judge('install', last, { floors })).toBe('rollback.fast-forward');
    expect(judge('install', release(5 + 2 ** 32), { floors })).toBe('accepted');
    expect(judge('install', release(6 + 2 ** 32), { floors })).toBe('rollback.fast-forward');
  });

  it('RAUC #490, #683: any number of power cuts changes no judgement of a confirmed release', () => {
    for (let boots = 0; boots < 50; boots++) {
      expect(judge('boot', release(5), { floors })).toBe('accepted');
      expect(judge('revert', release(5), { floors })).toBe('accepted');
    }
  });

  it('RAUC #781: an expiry or a wrong clock never stops what is confirmed', () => {
    const root = rootOf({ expiresS: 1 });
    for (const nowMs of [0, NOW, 4e12] as UnixMs[]) {
      expect(judge('install', release(5), { floors, root, nowMs })).toBe('root.expired');
      for (const act of KEPT) {
        expect(judge(act, release(5), { floors, root, nowMs }), act).toBe('accepted');
      }
    }
  });

  it('hawkBit #3185: what was installed is not confirmed, and counts for nothing before it is', () => {
    const retired = ROOTS[2] as RootSet;
    // Installed while its key was in use, retired before the confirm: no floor, no standing.
    expect(judge('install', release(6), { floors })).toBe('accepted');
    for (const act of ['boot', 'confirm'] as const) {
      expect(judge(act, release(6), { floors, root: retired })).toBe('trust.retired-key');
    }
    expect(judge('revert', release(5), { floors, root: retired })).toBe('accepted');
  });
});
