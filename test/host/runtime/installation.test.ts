/** Installing: a bundle that is refused changes nothing, and what is told is what stands there. */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { UnixMs } from '../../../src/core/base/time.ts';
import { signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import type { TrustContext } from '../../../src/core/trust/admissible.ts';
import { EMPTY_FLOOR, type FloorRecord, floorOf } from '../../../src/core/trust/floor.ts';
import { decodeRoot, type RootSet } from '../../../src/core/trust/root.ts';
import { modelOf, type VerifiedBundle } from '../../../src/core/trust/verify.ts';
import {
  confirmedRecord,
  installBundle,
  installedBundlePath,
  notBefore,
  recordedSafeOutput,
  verifyInstalled,
} from '../../../src/host/runtime/installation.ts';
import { openFloorStore } from '../../../src/host/store/device-records.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { makePipe, scratch } from '../store/folder.ts';
import {
  CLASS,
  CONTEXT,
  ECHO,
  ISSUED_S,
  release,
  rootBytes,
  rowOf,
  SAFE,
  shipped,
} from './releases.ts';

const folder = scratch();

function installed(change: Parameters<typeof shipped>[1] = {}): string {
  const state = folder();
  accepted(installBundle(shipped(folder(), change), state, CONTEXT));
  return state;
}

const withFloors = (floors: FloorRecord): TrustContext => ({ ...CONTEXT, floors });

describe('installBundle', () => {
  it('puts a byte-identical copy in place and nothing beside it', () => {
    const state = folder();
    const path = shipped(folder());
    const bundle = accepted(installBundle(path, state, CONTEXT));
    expect(bundle.meta.name).toBe('echo');
    expect(readFileSync(installedBundlePath(state))).toEqual(readFileSync(path));
    expect(readdirSync(state)).toEqual(['model.bundle']);
  });

  it.each([
    ['signed by a stranger', { signer: signerFromSeed(new Uint8Array(32).fill(9)) }],
    ['for another class', { hardwareClass: 'other' }],
    ['expired', { installExpiryS: ISSUED_S - 1 }],
    ['for a later Edgeward', { guardVersionMin: '9.0.0' }],
    ['for a later root', { rootVersionMin: 9 }],
  ])('refuses one %s and leaves what is installed', (_, change) => {
    const state = installed();
    const before = readFileSync(installedBundlePath(state));
    const refused = installBundle(shipped(folder(), change), state, CONTEXT);
    expect(codeOf(refused)).not.toBe('accepted');
    expect(readFileSync(installedBundlePath(state))).toEqual(before);
    expect(readdirSync(state)).toEqual(['model.bundle']);
  });

  it('refuses every older security version and sequence than what was confirmed', () => {
    const state = installed();
    const before = readFileSync(installedBundlePath(state));
    const bundle = accepted(verifyInstalled(state, CONTEXT));
    const floors = withFloors(confirmedRecord(EMPTY_FLOOR, bundle, CONTEXT));
    const code = (change: Parameters<typeof shipped>[1]): string =>
      codeOf(installBundle(shipped(folder(), change), state, floors));
    expect(code({ securityVersion: 4, sequenceNumber: 99 })).toBe('rollback.security-version');
    expect(code({ securityVersion: 9, sequenceNumber: 8 })).toBe('rollback.sequence');
    expect(readFileSync(installedBundlePath(state))).toEqual(before);
    expect(code({ securityVersion: 5, sequenceNumber: 9 })).toBe('accepted');
  });

  it('refuses a flipped byte anywhere without a trace', () => {
    const bytes = release();
    const state = installed();
    const before = readFileSync(installedBundlePath(state));
    for (let i = 0; i < bytes.length; i += 97) {
      const path = join(folder(), 'b');
      const bad = Uint8Array.from(bytes);
      bad[i] = (bad[i] as number) ^ 0x10;
      writeFileSync(path, bad);
      expect(codeOf(installBundle(path, state, CONTEXT)), `byte ${i}`).not.toBe('accepted');
    }
    expect(readFileSync(installedBundlePath(state))).toEqual(before);
    expect(readdirSync(state)).toEqual(['model.bundle']);
  });

  it('judges the copy again: an original that changes meanwhile is refused', () => {
    const state = installed();
    const before = readFileSync(installedBundlePath(state));
    const path = shipped(folder(), { version: '2.0.0' });
    const changing = onceVerified(() => writeFileSync(path, 'x'.repeat(9_000)));
    expect(codeOf(installBundle(path, state, changing))).toMatch(/^bundle\./);
    expect(readFileSync(installedBundlePath(state))).toEqual(before);
    expect(readdirSync(state)).toEqual(['model.bundle']);
  });

  it('tells which release stands there when the original became another good one', () => {
    const state = folder();
    const path = shipped(folder(), { version: '2.0.0' });
    const other = release({ version: '3.0.0' });
    const bundle = installBundle(
      path,
      state,
      onceVerified(() => writeFileSync(path, other)),
    );
    expect(accepted(bundle).meta.version).toBe('3.0.0');
    expect(accepted(verifyInstalled(state, CONTEXT)).meta.version).toBe('3.0.0');
  });

  it('waits for no pipe, and is store.write where the state folder cannot take it', () => {
    const state = folder();
    expect(codeOf(installBundle(makePipe(join(folder(), 'p')), state, CONTEXT))).toBe('store.read');
    expect(codeOf(installBundle(join(state, 'none'), state, CONTEXT))).toBe('store.not-found');
    mkdirSync(installedBundlePath(state));
    expect(codeOf(installBundle(shipped(folder()), state, CONTEXT))).toBe('store.write');
    expect(codeOf(installBundle(shipped(folder()), join(state, 'no'), CONTEXT))).toBe(
      'store.write',
    );
  });

  it('replaces a link at the installed name and not what it leads to', () => {
    const state = folder();
    const victim = join(folder(), 'victim');
    writeFileSync(victim, 'untouched');
    symlinkSync(victim, installedBundlePath(state));
    accepted(installBundle(shipped(folder()), state, CONTEXT));
    expect(readFileSync(victim, 'utf8')).toBe('untouched');
  });
});

describe('verifyInstalled', () => {
  it('keeps the very bytes it verified, whatever becomes of the file', () => {
    const state = installed();
    const bundle = accepted(verifyInstalled(state, CONTEXT));
    writeFileSync(installedBundlePath(state), 'gone');
    expect(modelOf(bundle).bytes).toEqual(ECHO);
  });

  it('boots what has expired since it was confirmed, and nothing below the floor', () => {
    const state = installed({ installExpiryS: ISSUED_S + 2000 });
    const late = { nowMs: ((ISSUED_S + 9000) * 1000) as UnixMs };
    // Never confirmed, it is an install, by whatever way it came into the folder.
    expect(codeOf(verifyInstalled(state, { ...CONTEXT, ...late }))).toBe('trust.expired');
    const bundle = accepted(verifyInstalled(state, CONTEXT));
    const record = confirmedRecord(EMPTY_FLOOR, bundle, CONTEXT);
    expect(codeOf(verifyInstalled(state, { ...withFloors(record), ...late }))).toBe('accepted');
    const floors = record.floors.map((floor) => ({ ...floor, securityVersion: 6 }));
    expect(codeOf(verifyInstalled(state, withFloors({ ...record, floors })))).toBe(
      'rollback.security-version',
    );
    const root = accepted(decodeRoot(rootBytes({ version: 2 })));
    expect(codeOf(verifyInstalled(state, { ...withFloors(record), root }))).toBe(
      'trust.root-too-old',
    );
  });

  it('takes an older sequence put there by hand for what it is', () => {
    const bundle = accepted(verifyInstalled(installed({ sequenceNumber: 9 }), CONTEXT));
    const record = confirmedRecord(EMPTY_FLOOR, bundle, CONTEXT);
    const older = installed({ sequenceNumber: 8, version: '0.9.0' });
    expect(codeOf(verifyInstalled(older, withFloors(record)))).toBe('rollback.sequence');
  });

  it('says that nothing is installed', () => {
    const state = folder();
    expect(codeOf(verifyInstalled(state, CONTEXT))).toBe('runtime.not-installed');
    mkdirSync(installedBundlePath(state));
    expect(codeOf(verifyInstalled(state, CONTEXT))).toBe('store.read');
  });
});

describe('confirmedRecord', () => {
  const bundleOf = (change: Parameters<typeof shipped>[1]): VerifiedBundle =>
    accepted(verifyInstalled(installed(change), CONTEXT));

  it('raises the floor, keeps those of other models, and never lowers one', () => {
    const high = confirmedRecord(EMPTY_FLOOR, bundleOf({ securityVersion: 7 }), CONTEXT);
    const both = confirmedRecord(high, bundleOf({ name: 'other' }), CONTEXT);
    const low = confirmedRecord(both, bundleOf({ securityVersion: 2, sequenceNumber: 1 }), CONTEXT);
    expect(low.floors).toHaveLength(2);
    expect(floorOf(low, CLASS, 'echo')).toMatchObject({ securityVersion: 7, sequenceNumber: 9 });
    expect(floorOf(low, CLASS, 'other')).toMatchObject({ securityVersion: 5 });
    expect([high.generation, both.generation, low.generation]).toEqual([1, 2, 3]);
  });

  it('never lowers the root version or the clock floor', () => {
    const seen = { ...EMPTY_FLOOR, rootVersion: 8, clockFloorMs: 1e15 };
    const after = confirmedRecord(seen, bundleOf({}), CONTEXT);
    expect([after.rootVersion, after.clockFloorMs]).toEqual([8, 1e15]);
    const first = confirmedRecord(EMPTY_FLOOR, bundleOf({}), CONTEXT);
    expect([first.rootVersion, first.clockFloorMs]).toEqual([3, ISSUED_S * 1000]);
  });

  it('keeps the safe output of the one confirmed last, and none when that has none', () => {
    const first = confirmedRecord(EMPTY_FLOOR, bundleOf({}), CONTEXT);
    expect(rowOf(recordedSafeOutput(first))).toEqual([1, 2]);
    const safe = new Map([['outputs', new Map([['y', [3, 4]]])]]);
    const second = confirmedRecord(first, bundleOf({ safe }), CONTEXT);
    expect(rowOf(recordedSafeOutput(second))).toEqual([3, 4]);
    const third = confirmedRecord(second, bundleOf({ safe: 'none' }), CONTEXT);
    expect(recordedSafeOutput(third)).toBeUndefined();
  });

  it('comes back from the disk as it was, safe output included', () => {
    const record = confirmedRecord(EMPTY_FLOOR, bundleOf({}), CONTEXT);
    const store = openFloorStore(folder(), new Uint8Array(32).fill(1));
    accepted(store.write(record));
    expect(rowOf(recordedSafeOutput(accepted(store.read()).record))).toEqual([1, 2]);
  });
});

describe('recordedSafeOutput', () => {
  it('is nothing for a record that contradicts itself', () => {
    const safeOutputIo = new Map();
    expect(recordedSafeOutput(EMPTY_FLOOR)).toBeUndefined();
    expect(recordedSafeOutput({ ...EMPTY_FLOOR, safeOutput: SAFE })).toBeUndefined();
    expect(recordedSafeOutput({ ...EMPTY_FLOOR, safeOutput: SAFE, safeOutputIo })).toBeUndefined();
  });
});

describe('notBefore', () => {
  it('never gives a time before the clock floor', () => {
    const record = { ...EMPTY_FLOOR, clockFloorMs: 50 };
    expect([notBefore(7 as UnixMs, record), notBefore(70 as UnixMs, record)]).toEqual([50, 70]);
  });
});

/** A context that does something when the first verification with it is through. */
function onceVerified(then: () => void): TrustContext {
  let looked = 0;
  const root: RootSet = {
    ...CONTEXT.root,
    get production() {
      // Asked for with the signers, and once more when every payload was read.
      if (++looked === 2) then();
      return CONTEXT.root.production;
    },
  };
  return { ...CONTEXT, root };
}
