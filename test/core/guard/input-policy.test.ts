import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attempt, need, type Result } from '../../../src/core/base/fault.ts';
import { Fields } from '../../../src/core/base/fields.ts';
import { INPUT_CHANNELS_MAX, TABLE_COLUMNS_MAX } from '../../../src/core/base/limits.ts';
import { fitInput } from '../../../src/core/calibration/fit-input.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { InputLayout } from '../../../src/core/guard/input-layout.ts';
import {
  type InputPolicy,
  inputPolicyMap,
  readInputPolicy,
} from '../../../src/core/guard/input-policy.ts';
import { inputScore, statisticsOf } from '../../../src/core/guard/input-statistics.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { randomNumbers } from '../calibration/simulated.ts';

const LAYOUTS: readonly InputLayout[] = [
  { kind: 'image', channels: 3, height: 4, width: 4, channelsLast: true },
  { kind: 'signal', channels: 3, samples: 16, channelsLast: false },
  { kind: 'table', columns: 48 },
];

function row(seed: number): Tensor {
  const random = randomNumbers(seed);
  const data = Float32Array.from({ length: 48 }, () => Math.floor(100 * random()));
  return { dtype: 'float32', dims: [1, 48], data };
}

const policies = LAYOUTS.map((layout) => {
  const rows = Array.from({ length: 25 }, (_, seed) => statisticsOf(layout, row(seed)));
  return need(fitInput('camera', layout, rows));
});
const [image, signal, table] = policies as [InputPolicy, InputPolicy, InputPolicy];

type Member = Map<string, unknown>;
function plain(policy: InputPolicy): Member {
  return need(decodeCbor(encodeCbor(inputPolicyMap(policy)))) as Member;
}

function read(value: unknown): Result<InputPolicy> {
  return attempt(() => readInputPolicy(Fields.of('input', value)));
}

/** Every row gets a score, and what cannot be judged gets the lowest, whatever the policy. */
function judgeAll(policy: InputPolicy): void {
  for (const seed of [1, 2, 500]) expect(inputScore(policy, row(seed))).toBeLessThanOrEqual(0);
  const broken = row(3);
  (broken.data as Float32Array)[5] = NaN;
  expect(inputScore(policy, broken)).toBe(-Infinity);
}

describe('the input policy as bytes', () => {
  it('comes back as it was, for every kind, and scores the same', () => {
    for (const policy of policies) {
      const back = need(read(plain(policy)));
      expect(back).toEqual(policy);
      for (let seed = 0; seed < 50; seed++) {
        expect(inputScore(back, row(seed))).toBe(inputScore(policy, row(seed)));
      }
    }
  });

  const layoutOf = (map: Member): Member => map.get('layout') as Member;
  const ranksOf = (map: Member): Member => map.get('ranks') as Member;
  const cases: [string, string, InputPolicy, (map: Member) => unknown][] = [
    ['no name', 'field.missing', table, (map) => map.delete('input')],
    ['an endless name', 'field.range', table, (map) => map.set('input', 'x'.repeat(129))],
    ['a hidden member', 'field.unknown', table, (map) => map.set('skip', true)],
    ['a hidden size', 'field.unknown', table, (map) => layoutOf(map).set('channels', 1)],
    ['another kind', 'field.range', image, (map) => layoutOf(map).set('kind', 'film')],
    ['no columns', 'field.range', table, (map) => layoutOf(map).set('columns', 0)],
    [
      'too many columns',
      'field.range',
      table,
      (map) => layoutOf(map).set('columns', TABLE_COLUMNS_MAX + 1),
    ],
    ['other columns', 'policy.length', table, (map) => layoutOf(map).set('columns', 49)],
    [
      'too many channels',
      'field.range',
      image,
      (map) => layoutOf(map).set('channels', INPUT_CHANNELS_MAX + 1),
    ],
    ['a channel more', 'policy.length', signal, (map) => layoutOf(map).set('channels', 4)],
    ['an image without inside', 'policy.values', image, (map) => layoutOf(map).set('height', 2)],
    ['an image beyond all', 'policy.values', image, (map) => layoutOf(map).set('width', 2 ** 50)],
    ['too short a signal', 'policy.values', signal, (map) => layoutOf(map).set('samples', 15)],
    ['half a sample', 'field.type', signal, (map) => layoutOf(map).set('samples', 16.5)],
    ['channels somewhere', 'field.type', image, (map) => layoutOf(map).set('channels-last', 1)],
    ['one side', 'field.range', image, (map) => ranksOf(map).set('sides', 'one')],
    ['a column too few', 'policy.length', image, (map) => (ranksOf(map).get('sorted') as []).pop()],
    ['other quantiles', 'policy.length', image, (map) => ranksOf(map).set('quantiles', 24)],
    [
      'a column that falls',
      'policy.order',
      signal,
      // The lowest value of the first column becomes 2^49.
      (map) => (ranksOf(map).get('sorted') as Uint8Array[])[0]?.set([0, 0, 0, 0, 0, 0, 0, 0x43]),
    ],
    [
      'NaN',
      'policy.values',
      signal,
      (map) => (ranksOf(map).get('sorted') as Uint8Array[])[0]?.fill(255),
    ],
  ];
  it.each(cases)('with %s is refused with %s', (_, code, policy, change) => {
    const map = plain(policy);
    change(map);
    expect(read(map)).toMatchObject({ ok: false, fault: { code } });
  });

  it('with any byte changed is refused, or judges soundly', () => {
    const bytes = policies.map((policy) => encodeCbor(inputPolicyMap(policy)));
    let accepted = 0;
    fc.assert(
      fc.property(fc.nat(2), fc.nat(), fc.integer({ min: 1, max: 255 }), (which, at, flip) => {
        const damaged = (bytes[which] as Uint8Array).slice();
        damaged[at % damaged.length] = (damaged[at % damaged.length] as number) ^ flip;
        const decoded = decodeCbor(damaged);
        const result = decoded.ok ? read(decoded.value) : undefined;
        if (result?.ok !== true) return;
        accepted += 1;
        judgeAll(result.value);
      }),
      { numRuns: 2000, seed: 3 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it('of any value at all is refused', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(read(value).ok).toBe(false);
      }),
    );
  });
});
