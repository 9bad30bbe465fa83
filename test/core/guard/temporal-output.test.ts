import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attempt } from '../../../src/core/base/fault.ts';
import { Fields } from '../../../src/core/base/fields.ts';
import type { IoSchema } from '../../../src/core/bundle/io-schema.ts';
import {
  DEFAULT_DISCLOSURE,
  type DisclosureSettings,
  minimised,
  readDisclosure,
} from '../../../src/core/guard/output-minimisation.ts';
import {
  DEFAULT_TEMPORAL_SETTINGS,
  readTemporalSettings,
  stepTemporal,
  TEMPORAL_AT_START,
  type TemporalSettings,
  topOf,
} from '../../../src/core/guard/temporal-output.ts';
import type { NamedTensors } from '../../../src/core/numeric/tensor.ts';
import { float32, ms } from './frames.ts';

const SCHEMA: IoSchema = {
  inputs: [],
  outputs: [
    { name: 'z', dtype: 'float32', dims: [1, 3], role: 'scores' },
    { name: 'f', dtype: 'float32', dims: [1, 2], role: 'features' },
    { name: 'angle', dtype: 'float32', dims: [1, 1], role: 'other' },
  ],
};

const outputs = (z: readonly number[], angle = 0): NamedTensors =>
  new Map([
    ['z', float32([1, 3], z)],
    ['f', float32([1, 2], [5, 6])],
    ['angle', float32([1, 1], [angle])],
  ]);
const label = (k: number): NamedTensors => outputs([0, 0, 0].map((_, i) => (i === k ? 9 : 0)));

function codes(
  changes: Partial<TemporalSettings>,
  frames: readonly (readonly [NamedTensors, number])[],
): string[] {
  let state = TEMPORAL_AT_START;
  let codes: string[] = [];
  for (const [given, atMs] of frames) {
    const settings = { ...DEFAULT_TEMPORAL_SETTINGS, ...changes };
    const step = stepTemporal(state, SCHEMA, settings, given, ms(atMs));
    state = step.state;
    codes = step.findings.map(({ code }) => code);
  }
  return codes;
}

describe('an output over time', () => {
  it('is never implausible where nothing is demanded', () => {
    const frames = [label(0), outputs([NaN, NaN, NaN], 1e9), label(2)];
    expect(
      codes(
        {},
        frames.map((one, i) => [one, i] as const),
      ),
    ).toEqual([]);
  });

  it('may not change its label more often than allowed within the window', () => {
    const labels = (...ks: number[]) => ks.map((k, i) => [label(k), i] as const);
    const limits = { flipWindowFrames: 4, flipsMax: 2 };
    expect(codes(limits, labels(0, 1, 0))).toEqual([]);
    expect(codes(limits, labels(0, 1, 0, 1))).toEqual(['output.flip-rate']);
    expect(codes(limits, labels(0, 1, 0, 1, 1, 1))).toEqual([]);
  });

  it('may not move faster than allowed, by the time that passed', () => {
    const moved = (atMs: number) => [
      [outputs([1, 0, 0], 10), 0] as const,
      [outputs([1, 0, 0], 15), atMs] as const,
    ];
    expect(codes({ changePerSMax: 5 }, moved(1000))).toEqual([]);
    expect(codes({ changePerSMax: 5 }, moved(900))).toEqual(['output.jump']);
    // No time, or less than none, is no speed.
    expect(codes({ changePerSMax: 5 }, moved(0))).toEqual([]);
    expect(codes({ changePerSMax: 5 }, moved(-5))).toEqual([]);
  });

  it('must be as sure as demanded', () => {
    const frames = (z: number[]) => [[outputs(z), 0] as const];
    expect(codes({ confidenceMin: 0.9 }, frames([5, 0, 0]))).toEqual([]);
    expect(codes({ confidenceMin: 0.9 }, frames([1, 0, 0]))).toEqual(['output.confidence']);
    expect(codes({ confidenceMin: 0.9 }, frames([NaN, NaN, NaN]))).toEqual(['output.confidence']);
  });

  it('has the first class as its label, as probabilities and as raw scores', () => {
    expect(topOf({}, float32([3], [0, Math.log(2), 0]))).toEqual({
      label: 1,
      confidence: expect.closeTo(0.5, 6),
    });
    const given = topOf({ probabilities: true }, float32([2], [0.25, 0.75]));
    expect(given).toEqual({ label: 1, confidence: 0.75 });
    expect(topOf({}, float32([0], [])).label).toBe(-1);
    expect(topOf({}, { dtype: 'string', dims: [1], data: ['a'] }).label).toBe(-1);
  });

  it('is never thrown at, whatever the values', () => {
    const all = { flipWindowFrames: 2, flipsMax: 0, changePerSMax: 1, confidenceMin: 0.5 };
    fc.assert(
      fc.property(fc.array(fc.float(), { maxLength: 4 }), fc.double(), (z, angle) => {
        codes(all, [
          [outputs(z, angle), 0],
          [outputs([1, 2, 3], 0), 1],
        ]);
      }),
    );
  });
});

describe('what a caller is told', () => {
  const told = (changes: Partial<DisclosureSettings>) =>
    minimised(outputs([0.123, 0.654, 0.223], 7), SCHEMA, { ...DEFAULT_DISCLOSURE, ...changes });

  it('has no features unless they are declared', () => {
    expect([...told({}).keys()]).toEqual(['z', 'angle']);
    expect([...told({ features: true }).keys()]).toEqual(['z', 'f', 'angle']);
    expect(told({}).get('z')?.data).toEqual(Float32Array.of(0.123, 0.654, 0.223));
  });

  it('has the first classes only, and the others look alike', () => {
    const [top, second] = Float32Array.of(0.654, 0.223);
    const below = (least: number | undefined) => Math.fround(Number(least) - 1);
    const one = told({ topK: 1 }).get('z')?.data;
    expect(one).toEqual(Float32Array.of(below(top), Number(top), below(top)));
    const two = told({ topK: 2 }).get('z')?.data;
    expect(two).toEqual(Float32Array.of(below(second), Number(top), Number(second)));
    expect(told({ topK: 3 }).get('z')?.data).toEqual(Float32Array.of(0.123, 0.654, 0.223));
  });

  it('has no probability for classes that are not told', () => {
    const schema = {
      inputs: [],
      outputs: SCHEMA.outputs.map((output) => ({ ...output, probabilities: true })),
    };
    const settings = { ...DEFAULT_DISCLOSURE, topK: 1 };
    const one = minimised(outputs([0.25, 0.5, 0.25]), schema, settings).get('z')?.data;
    expect(one).toEqual(Float32Array.of(0, 0.5, 0));
  });

  it('is rounded', () => {
    expect(told({ decimals: 1 }).get('z')?.data).toEqual(Float32Array.of(0.1, 0.7, 0.2));
    expect(told({ decimals: 0, topK: 1 }).get('z')?.data).toEqual(Float32Array.of(-0, 1, -0));
  });

  it('does not touch the outputs themselves', () => {
    const own = outputs([0.123, 0.654, 0.223], 7);
    minimised(own, SCHEMA, { topK: 1, decimals: 0, features: true });
    expect(own).toEqual(outputs([0.123, 0.654, 0.223], 7));
  });
});

describe('the settings of outputs', () => {
  const read = <T>(reader: (fields: Fields) => T, map: Record<string, unknown>) =>
    attempt(() => reader(new Fields('x', new Map(Object.entries(map)))));

  it('take their defaults', () => {
    expect(read(readTemporalSettings, {})).toEqual({ ok: true, value: DEFAULT_TEMPORAL_SETTINGS });
    expect(read(readDisclosure, {})).toEqual({ ok: true, value: DEFAULT_DISCLOSURE });
  });

  it.each([
    ['field.range', { flipsMax: -1 }],
    ['field.range', { changePerSMax: -1 }],
    ['field.range', { confidenceMin: 2 }],
    ['field.unknown', { flips: 1 }],
  ])('are refused with %s: %j', (code, map) => {
    expect(read(readTemporalSettings, map)).toMatchObject({ ok: false, fault: { code } });
  });

  it('of disclosure are refused where they are out of range', () => {
    for (const map of [{ topK: -1 }, { decimals: 18 }, { features: 1 }]) {
      expect(read(readDisclosure, map).ok).toBe(false);
    }
  });
});
