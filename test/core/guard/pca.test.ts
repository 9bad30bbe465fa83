import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Projection,
  project,
  projectionMap,
  readProjection,
} from '../../../src/core/guard/pca.ts';
import { codeOf, doubles, readBack, withValue } from './policy-map.ts';

const HALF = Math.SQRT1_2;
/** Of five features: the first one, and the sum of the next two. */
const projection: Projection = {
  features: 5,
  components: 2,
  directions: Float64Array.of(1, 0, 0, 0, 0, 0, HALF, HALF, 0, 0),
};
const at = (...features: number[]): number[] => [
  ...project(projection, Float32Array.from(features), new Float64Array(2)),
];

describe('project', () => {
  it('gives the direction within the components, of length 1', () => {
    expect(at(2, 0, 0, 0, 0)).toEqual([1, 0]);
    const [x, y] = at(3, 4 * HALF, 4 * HALF, 9, -9);
    expect(x).toBeCloseTo(0.6, 6);
    expect(y).toBeCloseTo(0.8, 6);
  });

  it('does not see how long the features are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 5, maxLength: 5 }),
        fc.integer({ min: 1, max: 20 }),
        (features, scale) => {
          const long = at(...features.map((value) => value * 2 ** scale));
          expect(long).toEqual(at(...features));
        },
      ),
    );
  });

  it('is NaN for what has no direction in it', () => {
    const bad = [[0, 0, 0, 0, 0], [0, 1, -1, 5, 5], [1, 2, 3, 4], [NaN, 1, 1, 1, 1], []];
    for (const features of [...bad, [0, Infinity, 0, 0, 0]]) {
      expect(at(...features)).toEqual([NaN, NaN]);
    }
  });

  it('writes where it is told to', () => {
    const out = new Float64Array(2);
    expect(project(projection, new Float32Array(5).fill(1), out)).toBe(out);
  });
});

describe('a projection as bytes', () => {
  it('comes back as it was', () => {
    expect(readBack(projectionMap(projection), readProjection)).toEqual({
      ok: true,
      value: projection,
    });
  });

  const { directions } = projection;
  it.each([
    ['more components than features', 'field.range', { components: 6 }],
    ['4,097 features', 'field.range', { features: 4097 }],
    ['129 components', 'field.range', { features: 4096, components: 129 }],
    ['other lengths', 'policy.length', { features: 6 }],
    ['a direction of zeros', 'policy.values', { directions: withValue(directions, 0, 0) }],
    ['a direction twice', 'policy.values', { directions: doubles([1, 0, 0, 0, 0, 1, 0, 0, 0, 0]) }],
    ['long directions', 'policy.values', { directions: doubles(directions.map((v) => 2 * v)) }],
    ['NaN', 'policy.values', { directions: withValue(directions, 9, NaN) }],
    ['a hidden member', 'field.unknown', { mean: doubles([0]) }],
  ])('with %s is refused with %s', (_, code, changes) => {
    expect(codeOf(projectionMap(projection), readProjection, changes)).toBe(code);
  });
});
