/** What a device remembers of its operators, on the disk. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { OPERATOR_RECORD_BYTES_MAX, ROOT_KEYS_MAX } from '../../../src/core/base/limits.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { CborValue } from '../../../src/core/cose/value.ts';
import { sealRecord } from '../../../src/core/crypto/mac.ts';
import { openOperatorRecord } from '../../../src/host/store/operator-record.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { scratch } from './folder.ts';

const folder = scratch();
const KEY = new Uint8Array(32).fill(3);
const kid = (fill: number): string => fill.toString(16).padStart(2, '0').repeat(32);
const RECORD = {
  ...{ generation: 4, forced: true, paused: false },
  counters: new Map([
    [kid(1), 7],
    [kid(2), Number.MAX_SAFE_INTEGER],
  ]),
};

describe('the record of operators', () => {
  it('comes back as it was written, and is nothing before that', () => {
    const state = folder();
    expect(accepted(openOperatorRecord(state, KEY).read())).toBeUndefined();
    accepted(openOperatorRecord(state, KEY).write(RECORD));
    expect(accepted(openOperatorRecord(state, KEY).read())?.record).toEqual(RECORD);
  });

  it('survives the loss of either copy', () => {
    for (const copy of ['operators.0', 'operators.1']) {
      const state = folder();
      accepted(openOperatorRecord(state, KEY).write(RECORD));
      writeFileSync(join(state, copy), 'torn');
      expect(accepted(openOperatorRecord(state, KEY).read())).toEqual({
        ...{ record: RECORD, damagedCopies: 1 },
      });
    }
  });

  it('has room for every key that a root can name', () => {
    const counters = Array.from(
      { length: ROOT_KEYS_MAX },
      (_, i) => [kid(i), 2 ** 52 + i] as const,
    );
    const state = folder();
    accepted(openOperatorRecord(state, KEY).write({ ...RECORD, counters: new Map(counters) }));
    const { length } = readFileSync(join(state, 'operators.0'));
    expect(length).toBeLessThan(OPERATOR_RECORD_BYTES_MAX / 2);
  });

  it('is corrupt where another key, another profile or another form wrote it', () => {
    const state = folder();
    accepted(openOperatorRecord(state, KEY).write(RECORD));
    expect(codeOf(openOperatorRecord(state, new Uint8Array(32)).read())).toBe('store.corrupt');
    const profile = 'edgeward-operators/1';
    const wrong: readonly CborValue[] = [
      ['edgeward-operators/2', 1, false, false, []],
      [profile, -1, false, false, []],
      [profile, 1, 0, false, []],
      [profile, 1, false, false, null],
      [profile, 1, false, false, [[new Uint8Array(31), 1]]],
      [profile, 1, false, false, [[new Uint8Array(32), 0.5]]],
      'nothing',
    ];
    for (const value of wrong) {
      for (const copy of ['0', '1']) {
        rmSync(join(state, `operators.${copy}`));
        writeFileSync(join(state, `operators.${copy}`), sealRecord(KEY, encodeCbor(value)));
      }
      expect(codeOf(openOperatorRecord(state, KEY).read())).toBe('store.corrupt');
    }
  });
});
