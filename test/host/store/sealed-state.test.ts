/** What the guard has seen, over restarts: what is kept, what is forgotten, and how often it writes. */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { faultOf, ok } from '../../../src/core/base/fault.ts';
import {
  SEALED_PARTS_MAX,
  SEALED_STATE_BYTES_MAX,
  SEALED_STATE_PERIOD_MS,
} from '../../../src/core/base/limits.ts';
import type { MonotonicMs } from '../../../src/core/base/time.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { CborValue } from '../../../src/core/cose/value.ts';
import { sealRecord } from '../../../src/core/crypto/mac.ts';
import { nextEpoch } from '../../../src/host/store/boot-counter.ts';
import { STORE_FAULTS } from '../../../src/host/store/faults.ts';
import { bytesWritten } from '../../../src/host/store/files.ts';
import {
  openSealedState,
  type Parts,
  type SealedState,
} from '../../../src/host/store/sealed-state.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { makePipe, scratch } from './folder.ts';

const folder = scratch();
const KEY = new Uint8Array(32).fill(1);
const OTHER = new Uint8Array(32).fill(2);
const ms = (value: number): MonotonicMs => value as MonotonicMs;
const copies = (at: string): string[] => [0, 1].map((i) => join(at, `state.${i}`));
const contents = (at: string): Buffer[] => copies(at).map((path) => readFileSync(path));
const putBack = (at: string, old: readonly Buffer[]): void => {
  for (const [i, path] of copies(at).entries()) writeFileSync(path, old[i] as Buffer);
};
const parts = (...seen: number[]): Parts => new Map([['drift', Uint8Array.from(seen)]]);

/** A boot as the device makes it: the counter first. */
function boot(at: string, key: Uint8Array = KEY, nowMs = 0): SealedState {
  return openSealedState(at, key, nextEpoch(at, KEY), ms(nowMs));
}

describe('a sealed state', () => {
  it('is kept from boot to boot, also where a boot changes nothing', () => {
    const at = folder();
    const first = boot(at);
    expect(first).toMatchObject({ origin: 'missing', parts: new Map() });
    expect(first.note).toBe('the guard begins anew: boot 1 finds no state');
    accepted(first.keepNow(new Map([...parts(1, 2), ['callers', Uint8Array.of(9)]])));
    for (let again = 0; again < 3; again++) {
      const { origin, note, parts: kept } = boot(at);
      expect([origin, note]).toEqual(['kept', undefined]);
      expect([...kept].map(([name, bytes]) => [name, ...bytes])).toEqual([
        ['drift', 1, 2],
        ['callers', 9],
      ]);
    }
    expect(copies(at).map((path) => statSync(path).mode & 0o777)).toEqual([0o600, 0o600]);
  });

  it('survives the loss of either copy, and says so', () => {
    for (const path of ['state.0', 'state.1']) {
      for (const harm of [
        (file: string) => rmSync(file),
        (file: string) => writeFileSync(file, 'x'),
      ]) {
        const at = folder();
        accepted(boot(at).keepNow(parts(7)));
        harm(join(at, path));
        const { origin, parts: kept } = boot(at);
        expect(origin).toBe('kept');
        expect(kept.get('drift')).toEqual(Uint8Array.of(7));
      }
    }
    const at = folder();
    accepted(boot(at).keepNow(parts(7)));
    writeFileSync(join(at, 'state.0'), 'torn');
    expect(boot(at).note).toBe('one copy of the state was damaged');
    expect(boot(at).note).toBeUndefined();
  });

  it('gives the state before a write that the power cut, or the one of it', () => {
    const at = folder();
    const state = boot(at);
    accepted(state.keepNow(parts(1)));
    const before = contents(at);
    accepted(state.keepNow(parts(2)));
    const after = contents(at);
    for (const cut of [
      [before[0], before[1]],
      [after[0], before[1]],
      [before[0], after[1]],
    ] as [Buffer, Buffer][]) {
      putBack(at, cut);
      rmSync(join(at, 'epoch.0'), { force: true });
      rmSync(join(at, 'epoch.1'), { force: true });
      nextEpoch(at, KEY);
      const kept = boot(at).parts.get('drift');
      expect(kept).toEqual(
        Uint8Array.of(cut.includes(after[0] as Buffer) || cut.includes(after[1] as Buffer) ? 2 : 1),
      );
    }
  });
});

describe('writing', () => {
  it('happens at most once a period, and only where something has changed', () => {
    const at = folder();
    const state = boot(at, KEY, 5);
    const asked = vi.fn(() => parts(1));
    const written = bytesWritten();
    for (let now = 5; now < SEALED_STATE_PERIOD_MS; now += 60_000) {
      expect(accepted(state.keep(asked, ms(now)))).toBe(false);
    }
    expect(asked).not.toHaveBeenCalled();
    expect(bytesWritten()).toBe(written);
    expect(accepted(state.keep(asked, ms(5 + SEALED_STATE_PERIOD_MS)))).toBe(true);
    const once = bytesWritten();
    expect(once).toBeGreaterThan(written);
    expect(accepted(state.keep(asked, ms(6 + SEALED_STATE_PERIOD_MS)))).toBe(false);
    expect(accepted(state.keep(asked, ms(5 + 2 * SEALED_STATE_PERIOD_MS)))).toBe(false);
    expect(asked).toHaveBeenCalledTimes(2);
    expect(accepted(state.keepNow(parts(1)))).toBe(false);
    expect(bytesWritten()).toBe(once);
    expect(accepted(state.keepNow(parts(2)))).toBe(true);
  });

  it('that fails is a fault, tried again a period later and at shutdown', () => {
    const at = folder();
    const state = boot(at);
    const now = ms(SEALED_STATE_PERIOD_MS);
    rmSync(at, { recursive: true });
    expect(codeOf(state.keep(() => parts(1), now))).toBe('store.write');
    expect(accepted(state.keep(() => parts(1), now))).toBe(false);
    expect(codeOf(state.keep(() => parts(1), ms(2 * now)))).toBe('store.write');
    expect(codeOf(state.keepNow(parts(1)))).toBe('store.write');
  });

  it('is tried again with the same parts after it failed', () => {
    const at = folder();
    const state = boot(at);
    accepted(state.keepNow(parts(1)));
    rmSync(join(at, 'state.0'));
    mkdirSync(join(at, 'state.0'));
    expect(codeOf(state.keepNow(parts(2)))).toBe('store.write');
    rmSync(join(at, 'state.0'), { recursive: true });
    expect(accepted(state.keepNow(parts(2)))).toBe(true);
    expect(boot(at).parts.get('drift')).toEqual(Uint8Array.of(2));
  });

  it('refuses more than a state may hold, and keeps what there was', () => {
    const at = folder();
    const state = boot(at);
    accepted(state.keepNow(parts(1)));
    const large = new Map([['drift', new Uint8Array(SEALED_STATE_BYTES_MAX)]]);
    expect(codeOf(state.keepNow(large))).toBe('store.too-large');
    const most = new Map([['drift', new Uint8Array(SEALED_STATE_BYTES_MAX - 1024)]]);
    expect(accepted(state.keepNow(most))).toBe(true);
    expect(boot(at).parts.get('drift')).toHaveLength(SEALED_STATE_BYTES_MAX - 1024);
  });

  it('takes a name that is none for a defect of the program', () => {
    const state = boot(folder());
    for (const name of ['', 'Drift', 'a/b']) {
      expect(() => state.keepNow(new Map([[name, new Uint8Array(1)]]))).toThrow('short name');
    }
    const many = Array.from({ length: SEALED_PARTS_MAX + 1 }, (_, i) => 'a'.repeat(i + 1));
    expect(() => state.keepNow(new Map(many.map((name) => [name, new Uint8Array(1)])))).toThrow(
      'at most 8 parts',
    );
  });

  it('that the start could not make is noted', () => {
    const at = folder();
    mkdirSync(join(at, 'state.0'));
    expect(boot(at).note).toMatch(/^the guard begins anew: .*; not sealed: .*EISDIR/);
  });
});

describe('what begins anew', () => {
  it('a state of another device, and bytes of any kind', () => {
    const at = folder();
    accepted(boot(at).keepNow(parts(1)));
    expect(boot(at, OTHER)).toMatchObject({ origin: 'corrupt', parts: new Map() });
    const bodies: CborValue[] = [
      ['edgeward-state/9', 1, 1, new Map()],
      ['edgeward-state/1', 1.5, 1, new Map()],
      ['edgeward-state/1', 1, -1, new Map()],
      ['edgeward-state/1', 1, 1, []],
      ['edgeward-state/1', 1, 1, new Map([['drift', 'text']])],
      ['edgeward-state/1', 1, 1, new Map([['../x', new Uint8Array(1)]])],
      ['edgeward-state/1', 1, 1, new Map([[1, new Uint8Array(1)]])],
      [],
      'x',
    ];
    for (const hostile of [
      ...bodies.map((body) => sealRecord(KEY, encodeCbor(body))),
      new Uint8Array(0),
      new Uint8Array(SEALED_STATE_BYTES_MAX + 1),
      contents(at)[0] as Buffer,
    ]) {
      for (const path of copies(at)) writeFileSync(path, hostile);
      const state = boot(at);
      expect(state).toMatchObject({ origin: 'corrupt', parts: new Map() });
      expect(state.note).toMatch(/^the guard begins anew: .*no valid copy/);
    }
    expect(boot(at).origin).toBe('kept');
  });

  it('where a pipe stands for a copy, without waiting for it', () => {
    const at = folder();
    accepted(boot(at).keepNow(parts(1)));
    for (const path of copies(at)) {
      rmSync(path);
      makePipe(path);
    }
    expect(boot(at).origin).toBe('corrupt');
  });

  it('a state that was put back from an earlier boot', () => {
    const at = folder();
    accepted(boot(at).keepNow(parts(1)));
    const old = contents(at);
    boot(at);
    putBack(at, old);
    const state = boot(at);
    expect(state).toMatchObject({ origin: 'rolled-back', parts: new Map() });
    expect(state.note).toBe('the guard begins anew: boot 3 finds the state of boot 1');
    expect(boot(at).origin).toBe('kept');
  });

  it('a state of a boot that the counter has not come to', () => {
    const at = folder();
    for (let i = 0; i < 3; i++) boot(at);
    for (const i of [0, 1]) rmSync(join(at, `epoch.${i}`));
    expect(boot(at).note).toBe('the guard begins anew: boot 1 finds the state of boot 3');
  });

  it('a boot that was not counted, which writes nothing either', () => {
    const at = folder();
    accepted(boot(at).keepNow(parts(1)));
    const old = contents(at);
    const fault = faultOf(STORE_FAULTS, 'store.write', 'the disk is full');
    const state = openSealedState(at, KEY, { ok: false, fault }, ms(0));
    expect(state).toMatchObject({ origin: 'not-counted', parts: new Map() });
    expect(state.note).toContain('store.write: the disk is full');
    expect(accepted(state.keep(() => parts(2), ms(2 * SEALED_STATE_PERIOD_MS)))).toBe(false);
    expect(accepted(state.keepNow(parts(2)))).toBe(false);
    expect(contents(at)).toEqual(old);
  });

  it('every changed byte of both copies', () => {
    const at = folder();
    accepted(boot(at).keepNow(parts(1, 2, 3)));
    const [good] = contents(at) as [Buffer];
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (index, mask) => {
        const bad = Buffer.from(good);
        bad[index] = (bad[index] as number) ^ mask;
        putBack(at, [bad, bad]);
        expect(openSealedState(at, KEY, ok(2), ms(0)).origin).toBe('corrupt');
      }),
      { seed: 9, numRuns: 40 },
    );
  });
});
