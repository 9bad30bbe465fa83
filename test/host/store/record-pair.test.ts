/** Records in two copies: what survives torn, lost, stale and foreign files. */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attempt } from '../../../src/core/base/fault.ts';
import { refuseStore } from '../../../src/host/store/faults.ts';
import { openRecordPair, type RecordPair } from '../../../src/host/store/record-pair.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { makePipe, scratch } from './folder.ts';

const folder = scratch();

/** A record of one byte, said twice so that damage shows. */
function pairAt(at: string): RecordPair<number> {
  return openRecordPair<number>(join(at, 'r'), {
    bytesMax: 2,
    encode: (record) => Uint8Array.of(record, record ^ 255),
    decode: (bytes) =>
      attempt(() => {
        const [record = 0, check = 0] = bytes;
        if (bytes.length === 2 && (record ^ check) === 255) return record;
        throw refuseStore('store.corrupt', 'torn');
      }),
    generation: (record) => record,
  });
}

const copy = (at: string, index: 0 | 1): string => join(at, `r.${index}`);
const bytesAt = (at: string, index: 0 | 1): number[] => [...readFileSync(copy(at, index))];
const put = (at: string, index: 0 | 1, record: number): void =>
  writeFileSync(copy(at, index), Uint8Array.of(record, record ^ 255));

describe('a record pair', () => {
  it('is undefined before the first write, and two private whole copies after it', () => {
    const at = folder();
    const pair = pairAt(at);
    expect(accepted(pair.read())).toBeUndefined();
    accepted(pair.write(7));
    expect(accepted(pair.read())).toEqual({ record: 7, damagedCopies: 0 });
    expect([bytesAt(at, 0), bytesAt(at, 1)]).toEqual([
      [7, 248],
      [7, 248],
    ]);
    expect([0, 1].map((i) => statSync(copy(at, i as 0 | 1)).mode & 0o777)).toEqual([0o600, 0o600]);
  });

  it.each([0, 1] as const)('gives the newest when it is copy %i', (newest) => {
    const at = folder();
    put(at, newest, 9);
    put(at, newest === 0 ? 1 : 0, 8);
    expect(accepted(pairAt(at).read())).toEqual({ record: 9, damagedCopies: 0 });
  });

  it.each([0, 1] as const)(
    'never touches the newest, copy %i, before the other is whole',
    (newest) => {
      const at = folder();
      const older = newest === 0 ? 1 : 0;
      put(at, newest, 9);
      put(at, older, 8);
      // The older one cannot be replaced: the write must end there.
      rmSync(copy(at, older));
      mkdirSync(copy(at, older));
      expect(codeOf(pairAt(at).write(10))).toBe('store.write');
      expect(bytesAt(at, newest)).toEqual([9, 246]);
      expect(accepted(pairAt(at).read())).toEqual({ record: 9, damagedCopies: 1 });
    },
  );

  it('loses nothing with either copy, however it is lost, and heals with the next write', () => {
    const harms: ((path: string) => void)[] = [
      (path) => rmSync(path),
      (path) => writeFileSync(path, ''),
      (path) => writeFileSync(path, Uint8Array.of(3)),
      (path) => writeFileSync(path, new Uint8Array(2)),
      (path) => writeFileSync(path, new Uint8Array(999)),
      (path) => {
        rmSync(path);
        makePipe(path);
      },
    ];
    for (const harm of harms) {
      for (const index of [0, 1] as const) {
        const at = folder();
        const pair = pairAt(at);
        accepted(pair.write(1));
        accepted(pair.write(2));
        harm(copy(at, index));
        expect(accepted(pair.read())?.record).toBe(2);
        accepted(pair.write(3));
        expect(accepted(pair.read())).toEqual({ record: 3, damagedCopies: 0 });
        expect(bytesAt(at, index)).toEqual([3, 252]);
      }
    }
  });

  it('is store.corrupt when both are damaged, or the only one there is', () => {
    const at = folder();
    writeFileSync(copy(at, 0), 'x');
    expect(codeOf(pairAt(at).read())).toBe('store.corrupt');
    writeFileSync(copy(at, 1), 'x');
    expect(codeOf(pairAt(at).read())).toBe('store.corrupt');
  });

  it('never goes back, whichever copy is harmed between writes', () => {
    const harm = fc.tuple(fc.constantFrom<0 | 1>(0, 1), fc.constantFrom('none', 'gone', 'torn'));
    fc.assert(
      fc.property(fc.array(harm, { minLength: 1, maxLength: 9 }), (harms) => {
        const at = folder();
        const pair = pairAt(at);
        for (const [i, [index, how]] of harms.entries()) {
          accepted(pair.write(i));
          if (how === 'gone') rmSync(copy(at, index));
          if (how === 'torn') writeFileSync(copy(at, index), 'torn');
          expect(accepted(pair.read())?.record).toBe(i);
        }
      }),
      { seed: 7, numRuns: 60 },
    );
  });
});
