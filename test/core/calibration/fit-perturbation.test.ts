import { describe, expect, it } from 'vitest';
import { attempt, need } from '../../../src/core/base/fault.ts';
import { Fields } from '../../../src/core/base/fields.ts';
import { fitPerturbation, instabilities } from '../../../src/core/calibration/fit-perturbation.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import {
  DEFAULT_PROBE_SETTINGS,
  perturbationMap,
  readPerturbation,
} from '../../../src/core/guard/perturbation.ts';

const rows = (...values: number[]): { width: number; data: Float32Array } => ({
  width: 2,
  data: Float32Array.from(values),
});
const ln3 = Math.log(3);

describe('instabilities', () => {
  it('compares row by row', () => {
    const unstable = instabilities(rows(0, ln3, 7, 7, 90, 0), rows(0, 0, 7, 7, 0, 90));
    expect([...unstable].map((value) => Number(value.toFixed(6)))).toEqual([0.5, 0, 2]);
  });

  it('refuses rows that do not belong together, and answers that are none', () => {
    const other = { width: 3, data: new Float32Array(6) };
    for (const squeezed of [rows(1, 2), other]) {
      const result = attempt(() => instabilities(rows(1, 2, 3, 4, 5, 6), squeezed));
      expect(result).toMatchObject({ ok: false, fault: { code: 'calibration.shape' } });
    }
    const result = attempt(() => instabilities(rows(1, 2, 3, 4), rows(1, 2, NaN, 4)));
    expect(result).toMatchObject({ ok: false, fault: { code: 'calibration.values' } });
    if (!result.ok) expect(result.fault.message).toContain('row 1');
  });
});

describe('fitPerturbation', () => {
  it('keeps the instabilities of half A, and can be read back', () => {
    const unstable = Float64Array.of(0.5, 9, 0, 2, 9, 0.25);
    const halfA = Uint32Array.of(5, 0, 3, 2);
    const policy = fitPerturbation(DEFAULT_PROBE_SETTINGS, 'median-3', unstable, halfA);
    expect(policy).toEqual({
      ...DEFAULT_PROBE_SETTINGS,
      kind: 'median-3',
      stability: Float64Array.of(-2, -0.5, -0.25, -0),
    });
    const bytes = encodeCbor(perturbationMap(policy));
    expect(readPerturbation(Fields.of('', need(decodeCbor(bytes))), 4)).toEqual(policy);
  });

  it.each([
    ['never changes', [0, 0, 0, 0]],
    ['always changes all', [2, 2, 2, 2]],
    ['changes half of them most', [2, 2, 2, 1]],
  ])('refuses a model whose answer %s', (_, values) => {
    const halfA = Uint32Array.of(0, 1, 2, 3);
    const result = attempt(() =>
      fitPerturbation(DEFAULT_PROBE_SETTINGS, 'median-2x2', Float64Array.from(values), halfA),
    );
    expect(result).toMatchObject({ ok: false, fault: { code: 'calibration.constant' } });
  });
});
