import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attempt } from '../../../src/core/base/fault.ts';
import { Fields } from '../../../src/core/base/fields.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import {
  type CallerReference,
  callerReferenceMap,
  readCallerReference,
} from '../../../src/core/guard/caller-reference.ts';
import { accepted, codeOf } from '../base/outcome.ts';

const read = (value: unknown): ReturnType<typeof attempt<CallerReference>> =>
  attempt(() => readCallerReference(Fields.of('callers', value)));

describe('the reference of callers', () => {
  it('survives the way through the policy', () => {
    const distance = fc.double({ min: 1e-300, max: 2, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4_096 }), distance, distance, (features, a, b) => {
        const reference = { features, nearDistance: Math.min(a, b), sceneDistance: Math.max(a, b) };
        const decoded = accepted(decodeCbor(encodeCbor(callerReferenceMap(reference))));
        expect(accepted(read(decoded))).toEqual(reference);
      }),
    );
  });

  it('is refused where nothing, or everything, would be near', () => {
    const good = { features: 64, 'near-distance': 0.2, 'scene-distance': 0.3 };
    expect(codeOf(read(good))).toBe('accepted');
    expect(codeOf(read({ ...good, 'near-distance': 0 }))).toBe('field.range');
    expect(codeOf(read({ ...good, 'scene-distance': 0.1 }))).toBe('field.range');
    expect(codeOf(read({ ...good, 'scene-distance': 3 }))).toBe('field.range');
    expect(codeOf(read({ ...good, 'near-distance': Number.NaN }))).toBe('field.type');
    expect(codeOf(read({ ...good, features: 0 }))).toBe('field.range');
    expect(codeOf(read({ ...good, features: 4_097 }))).toBe('field.range');
    expect(codeOf(read({ ...good, far: 1 }))).toBe('field.unknown');
    expect(codeOf(read({ features: 64 }))).toBe('field.missing');
  });
});
