/** The boot counter: nothing that happens to a file brings an old value back. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { CborValue } from '../../../src/core/cose/value.ts';
import { sealRecord } from '../../../src/core/crypto/mac.ts';
import { EMPTY_FLOOR } from '../../../src/core/trust/floor.ts';
import { countedFloors, lastEpoch, nextEpoch } from '../../../src/host/store/boot-counter.ts';
import { openFloorStore } from '../../../src/host/store/floor-file.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { scratch } from './folder.ts';

const folder = scratch();
const KEY = new Uint8Array(32).fill(1);
const BODIES: readonly CborValue[] = [
  ...[
    ['edgeward-epoch/2', 1.5, 0],
    ['edgeward-epoch/2', 1, -1],
    ['edgeward-epoch/1', 1],
  ],
  ...[[], 'x', new Map()],
];
const OTHER = new Uint8Array(32).fill(2);

describe('nextEpoch', () => {
  it('counts from 1', () => {
    const at = folder();
    expect(accepted(lastEpoch(at, KEY))).toBe(0);
    expect([1, 2, 3].map(() => accepted(nextEpoch(at, KEY)))).toEqual([1, 2, 3]);
    expect(accepted(lastEpoch(at, KEY))).toBe(3);
  });

  it('never gives one twice, whichever copy is lost or put back between boots', () => {
    for (const index of [0, 1]) {
      const at = folder();
      const path = join(at, `epoch.${index}`);
      const given = new Set<number>();
      let old: Uint8Array | undefined;
      for (let boot = 0; boot < 12; boot++) {
        const epoch = accepted(nextEpoch(at, KEY));
        expect(given.has(epoch)).toBe(false);
        given.add(epoch);
        if (boot % 3 === 0) rmSync(path);
        else if (boot % 3 === 1) writeFileSync(path, 'torn');
        else if (old !== undefined) writeFileSync(path, old);
        if (boot % 3 === 2) old = readFileSync(join(at, `epoch.${1 - index}`));
      }
    }
  });

  it('gives none that it could not write down', () => {
    expect(codeOf(nextEpoch(join(folder(), 'gone'), KEY))).toBe('store.write');
  });

  it('refuses a counter of another device, and one that is none', () => {
    const at = folder();
    accepted(nextEpoch(at, OTHER));
    expect(codeOf(nextEpoch(at, KEY))).toBe('store.corrupt');
    for (const body of BODIES) {
      for (const i of [0, 1]) {
        writeFileSync(join(at, `epoch.${i}`), sealRecord(KEY, encodeCbor(body)));
      }
      expect(codeOf(nextEpoch(at, KEY))).toBe('store.corrupt');
    }
  });
});

describe('countedFloors', () => {
  const opened = (at: string) => countedFloors(openFloorStore(at, KEY), at, KEY);
  const files = (at: string, name: string) => [0, 1].map((i) => join(at, `${name}.${i}`));

  it('refuse a floor record that was put back, whatever the boots count meanwhile', () => {
    const at = folder();
    accepted(nextEpoch(at, KEY));
    accepted(opened(at).write({ ...EMPTY_FLOOR, generation: 1 }));
    const old = files(at, 'floor').map((path) => readFileSync(path));
    accepted(opened(at).write({ ...EMPTY_FLOOR, generation: 2 }));
    const newest = files(at, 'floor').map((path) => readFileSync(path));
    for (let boot = 0; boot < 3; boot++) {
      for (const [i, path] of files(at, 'floor').entries()) writeFileSync(path, old[i] as Buffer);
      expect(codeOf(opened(at).read())).toBe('floor.rolled-back');
      accepted(nextEpoch(at, KEY));
    }
    for (const [i, path] of files(at, 'floor').entries()) writeFileSync(path, newest[i] as Buffer);
    expect(accepted(opened(at).read()).record.generation).toBe(2);
    expect(accepted(lastEpoch(at, KEY))).toBe(4);
  });

  it('are held to the last count where the power failed before the next one', () => {
    const at = folder();
    accepted(opened(at).write({ ...EMPTY_FLOOR, generation: 1 }));
    const counts = files(at, 'epoch').map((path) => readFileSync(path));
    accepted(opened(at).write({ ...EMPTY_FLOOR, generation: 2 }));
    for (const [i, path] of files(at, 'epoch').entries()) writeFileSync(path, counts[i] as Buffer);
    expect(accepted(opened(at).read()).record.generation).toBe(2);
    expect(accepted(lastEpoch(at, KEY))).toBe(0);
  });
});
