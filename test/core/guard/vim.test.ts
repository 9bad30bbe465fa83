import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitVim } from '../../../src/core/calibration/fit-vim.ts';
import { rowOf } from '../../../src/core/calibration/rows.ts';
import {
  readVim,
  residual,
  type VimPolicy,
  vimMap,
  vimScore,
} from '../../../src/core/guard/vim.ts';
import { sharedMissing } from '../../shared.ts';
import { readGolden } from './golden.ts';
import { codeOf, doubles, readBack, withValue } from './policy-map.ts';

const policy: VimPolicy = {
  features: 3,
  components: 1,
  origin: Float64Array.of(1, 0, 0),
  directions: Float64Array.of(1, 0, 0),
  alpha: 2,
};
const logits = Float32Array.of(0, Math.log(3)); // e^z add up to 4

describe.skipIf(sharedMissing)('ViM (needs the shared data)', () => {
  it('agrees with the independent NumPy scores of 40 images', () => {
    const { fit, images, head, scores } = readGolden();
    const fitted = fitVim(fit.features, fit.logits, head, 10);
    scores('ViM D=10').forEach((want, row) => {
      const score = vimScore(fitted, rowOf(images.logits, row), rowOf(images.features, row));
      expect(Math.abs(score - want) / Math.abs(want), `image ${row}`).toBeLessThanOrEqual(1e-4);
    });
    // One direction a class is what the golden scores took, and the default.
    expect(fitVim(fit.features, fit.logits, head)).toEqual(fitted);
  });
});

describe('vimScore', () => {
  it('is the energy less alpha times the residual', () => {
    expect(vimScore(policy, logits, Float32Array.of(7, 3, 4))).toBeCloseTo(Math.log(4) - 10, 6);
    expect(vimScore(policy, logits, Float32Array.of(-7, 0, 0))).toBeCloseTo(Math.log(4), 6);
  });

  it('does not overflow where the logits are large', () => {
    const large = Float32Array.of(5000, 5000);
    expect(vimScore(policy, large, Float32Array.of(1, 0, 0))).toBeCloseTo(5000 + Math.LN2, 6);
  });

  it('is -Infinity for what it cannot judge', () => {
    const features = Float32Array.of(1, 2, 3);
    const cases: [Float32Array, Float32Array][] = [
      [logits, features.subarray(1)],
      [logits, Float32Array.of(1, 2, NaN)],
      [logits, Float32Array.of(1, 2, Infinity)],
      [Float32Array.of(NaN, 1), features],
      [Float32Array.of(Infinity, 1), features],
      [Float32Array.of(-Infinity, -Infinity), features],
      [new Float32Array(0), features],
    ];
    for (const [z, f] of cases) expect(vimScore(policy, z, f)).toBe(-Infinity);
    expect(residual(policy, new Float32Array(4))).toBeNaN();
  });

  it('falls with the residual and never gives NaN', () => {
    fc.assert(
      fc.property(fc.float(), fc.float(), fc.float(), (a, b, z) => {
        const score = vimScore(policy, Float32Array.of(z, 0), Float32Array.of(a, b, 0));
        expect(score).not.toBeNaN();
        const further = vimScore(policy, Float32Array.of(z, 0), Float32Array.of(a, 2 * b, 0));
        expect(further).toBeLessThanOrEqual(score);
      }),
    );
  });
});

describe('ViM as bytes', () => {
  it('comes back as it was', () => {
    expect(readBack(vimMap(policy), readVim)).toEqual({ ok: true, value: policy });
  });

  it.each([
    ['no residual direction', 'field.range', { components: 3 }],
    ['257 components', 'field.range', { features: 4096, components: 257 }],
    ['one feature', 'field.range', { features: 1 }],
    ['another length', 'policy.length', { features: 4 }],
    ['a short origin', 'policy.length', { origin: doubles([1]) }],
    ['a long direction', 'policy.values', { directions: doubles([2, 0, 0]) }],
    ['an infinite origin', 'policy.values', { origin: withValue(policy.origin, 0, Infinity) }],
    ['a blind alpha', 'field.range', { alpha: 0 }],
    ['an alpha turned around', 'field.range', { alpha: -1 }],
    ['a hidden member', 'field.unknown', { bias: 1 }],
  ])('with %s is refused with %s', (_, code, changes) => {
    expect(codeOf(vimMap(policy), readVim, changes)).toBe(code);
  });
});
