import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { need } from '../../../src/core/base/fault.ts';
import {
  CORRUPTIONS_IMAGE,
  CORRUPTIONS_SIGNAL,
  type Corruption,
} from '../../../src/core/calibration/corruptions.ts';
import { auroc } from '../../../src/core/calibration/evaluate.ts';
import { fitInput } from '../../../src/core/calibration/fit-input.ts';
import { seededNumbers } from '../../../src/core/calibration/seeded-numbers.ts';
import type { InputLayout } from '../../../src/core/guard/input-layout.ts';
import { inputScore, statisticsOf } from '../../../src/core/guard/input-statistics.ts';
import { convertTensor, decodeNpy, rowOf } from '../../../src/core/numeric/npy.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { sharedMissing, sharedPath } from '../../shared.ts';

const SIDE = 16;
const IMAGE: InputLayout = {
  kind: 'image',
  channels: 3,
  height: SIDE,
  width: SIDE,
  channelsLast: false,
};
const SIGNAL: InputLayout = { kind: 'signal', channels: 2, samples: 64, channelsLast: false };
const BYTES = { min: 0, max: 255 };
const ANY = { min: -Infinity, max: Infinity };

function camera(seed: number, layout: InputLayout = IMAGE): Tensor {
  const random = seededNumbers(seed);
  const data = Float32Array.from({ length: 3 * SIDE * SIDE }, () =>
    Math.floor(60 + 140 * random()),
  );
  return {
    dtype: 'float32',
    dims: layout === IMAGE ? [1, 3, SIDE, SIDE] : [1, SIDE, SIDE, 3],
    data,
  };
}

function vibration(seed: number): Tensor {
  const random = seededNumbers(seed);
  return {
    dtype: 'float32',
    dims: [1, 2, 64],
    data: Float32Array.from({ length: 128 }, () => random() - 0.5),
  };
}

function named(name: string): Corruption {
  const found = [...CORRUPTIONS_IMAGE, ...CORRUPTIONS_SIGNAL].find((c) => c.name === name);
  if (found === undefined) throw new Error(`no corruption ${name}`);
  return found;
}

function corrupted(name: string, tensor = camera(1), seed = 9, range = BYTES): Float32Array {
  const layout = tensor.dims.length === 4 ? IMAGE : SIGNAL;
  const result = named(name).apply(tensor, layout, range, seededNumbers(seed));
  expect(result).toMatchObject({ dtype: 'float32', dims: tensor.dims });
  return result?.data as Float32Array;
}

const pixels = camera(1).data as Float32Array;
const mean = (values: Float32Array): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const sd = (values: Float32Array): number =>
  Math.sqrt(mean(values.map((value) => value ** 2)) - mean(values) ** 2);

describe('corruptions', () => {
  it('have the names of the sweep', () => {
    expect(CORRUPTIONS_IMAGE.map(({ name }) => name)).toEqual([
      'Gaussian noise sd 25',
      'Gaussian noise sd 60',
      'box blur 5x5',
      'brightness -90',
      'brightness +110',
      'contrast x 0.35',
      '4 dead rows',
      'grey occlusion 12x12',
      'values divided by 255',
      '90-degree rotation',
      'channel swap',
    ]);
    expect(CORRUPTIONS_SIGNAL.map(({ name }) => name)).toEqual([
      'stuck half',
      'bias',
      'gain',
      'clip',
      'half rate',
      'noise',
    ]);
  });

  it('leave the row alone, are repeatable, and differ by seed only where chance is in them', () => {
    const chance = ['Gaussian noise sd 25', 'Gaussian noise sd 60', '4 dead rows', 'noise'];
    for (const { name } of [...CORRUPTIONS_IMAGE, ...CORRUPTIONS_SIGNAL]) {
      const tensor = CORRUPTIONS_IMAGE.some((c) => c.name === name) ? camera(2) : vibration(2);
      const before = tensor.data.slice();
      const range = tensor.dims.length === 4 ? BYTES : ANY;
      const once = corrupted(name, tensor, 1, range);
      expect(once).not.toEqual(before);
      expect(corrupted(name, tensor, 1, range)).toEqual(once);
      expect(tensor.data).toEqual(before);
      const same = Array.from({ length: 5 }, (_, seed) =>
        corrupted(name, tensor, 50 + seed, range),
      );
      const random = chance.includes(name) || name === 'grey occlusion 12x12';
      expect(same.some((other) => other.some((value, i) => value !== once[i]))).toBe(random);
    }
  });

  it('of a camera stay in its range and on its steps', () => {
    for (const { name } of CORRUPTIONS_IMAGE) {
      const values = corrupted(name);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...values)).toBeLessThanOrEqual(255);
      expect(values.every(Number.isInteger), name).toBe(name !== 'values divided by 255');
    }
    const small: Tensor = { ...camera(1), data: pixels.map((value) => value / 255) };
    const scaled = corrupted('brightness +110', small, 9, { min: 0, max: 1 });
    for (const [i, value] of scaled.entries()) {
      expect(value).toBeCloseTo(Math.min(255, (pixels[i] as number) + 110) / 255, 6);
    }
  });

  it('have the severities that they are called by', () => {
    const grey: Tensor = { ...camera(1), data: new Float32Array(3 * SIDE * SIDE).fill(128) };
    for (const severity of [25, 60]) {
      const noisy = corrupted(`Gaussian noise sd ${severity}`, grey);
      // Of 768 values: 6% is more than two standard errors; 60 loses a little at the ends.
      expect(Math.abs(sd(noisy) / severity - 1)).toBeLessThan(0.06);
    }
    expect(corrupted('brightness -90')).toEqual(pixels.map((value) => Math.max(0, value - 90)));
    expect(corrupted('brightness +110')).toEqual(pixels.map((value) => Math.min(255, value + 110)));
    expect(sd(corrupted('contrast x 0.35')) / sd(pixels)).toBeCloseTo(0.35, 2);
    expect(Math.abs(mean(corrupted('contrast x 0.35')) - mean(pixels))).toBeLessThan(0.5);
    expect(corrupted('values divided by 255')).toEqual(pixels.map((value) => value / 255));
  });

  it('blur by the mean of 25 neighbours, the edge standing in for those beyond it', () => {
    const point: Tensor = { ...camera(1), data: new Float32Array(3 * SIDE * SIDE) };
    (point.data as Float32Array)[5 * SIDE + 5] = 250;
    (point.data as Float32Array)[SIDE * SIDE] = 250;
    const blurred = corrupted('box blur 5x5', point);
    const first = blurred.subarray(0, SIDE * SIDE);
    expect([...first].filter((value) => value === 10)).toHaveLength(25);
    expect(mean(first) * SIDE * SIDE).toBe(250);
    // A corner is there for itself and for eight beyond it.
    expect(blurred[SIDE * SIDE]).toBe(90);
  });

  it('put out four rows, and cover a square of twelve', () => {
    const lines = Array.from({ length: SIDE }, (_, y) =>
      [0, 1, 2].flatMap((c) => [
        ...corrupted('4 dead rows').subarray((c * SIDE + y) * SIDE, (c * SIDE + y + 1) * SIDE),
      ]),
    );
    expect(lines.filter((line) => line.every((value) => value === 0))).toHaveLength(4);
    const covered = corrupted('grey occlusion 12x12');
    const changed = [...covered.keys()].filter((i) => covered[i] !== pixels[i]);
    expect(changed.every((i) => covered[i] === 128)).toBe(true);
    const [rows, columns] = [
      changed.map((i) => Math.floor(i / SIDE) % SIDE),
      changed.map((i) => i % SIDE),
    ];
    expect(Math.max(...rows) - Math.min(...rows)).toBe(11);
    expect(Math.max(...columns) - Math.min(...columns)).toBe(11);
  });

  it('turn four times into the same, and swap twice into the same', () => {
    let turned = camera(1);
    for (let i = 0; i < 4; i++) {
      turned = { ...turned, data: corrupted('90-degree rotation', turned) };
      expect(turned.data.every((value, at) => value === pixels[at])).toBe(i === 3);
    }
    // Counter-clockwise: the first row becomes the first column, from below.
    const once = corrupted('90-degree rotation');
    for (let x = 0; x < SIDE; x++) expect(once[(SIDE - 1 - x) * SIDE]).toBe(pixels[x]);
    const swapped: Tensor = { ...camera(1), data: corrupted('channel swap') };
    expect(swapped.data.slice(0, 256)).toEqual(pixels.slice(512));
    expect(corrupted('channel swap', swapped)).toEqual(pixels);
  });

  it('of signals do what they are called, channel by channel', () => {
    const tensor = vibration(3);
    const values = tensor.data as Float32Array;
    const of = (name: string): Float32Array => corrupted(name, tensor, 4, ANY);
    for (const start of [0, 64]) {
      const channel = (from: Float32Array): Float32Array => from.slice(start, start + 64);
      const usual = channel(values);
      expect(new Set(channel(of('stuck half')).slice(32)).size).toBe(1);
      expect(channel(of('stuck half')).slice(0, 33)).toEqual(usual.slice(0, 33));
      expect(mean(channel(of('bias'))) - mean(usual)).toBeCloseTo(sd(usual), 5);
      expect(channel(of('gain'))).toEqual(usual.map((value) => 2 * value));
      const clipped = channel(of('clip'));
      expect(Math.max(...clipped) - Math.min(...clipped)).toBeCloseTo(2 * sd(usual), 5);
      const half = channel(of('half rate'));
      expect(half.every((value, t) => value === usual[t - (t % 2)])).toBe(true);
      const added = channel(of('noise')).map((value, t) => value - (usual[t] as number));
      expect(Math.abs(sd(added) / sd(usual) - 0.5)).toBeLessThan(0.12);
    }
    const bounded = corrupted('gain', tensor, 4, { min: -0.6, max: 0.6 });
    expect(Math.max(...bounded.map(Math.abs))).toBeCloseTo(0.6, 6);
  });

  it('work on channels that lie side by side', () => {
    const last: InputLayout = { ...IMAGE, channelsLast: true };
    const beside = pixels.map((_, at) => pixels[(at % 3) * 256 + Math.floor(at / 3)] as number);
    const tensor: Tensor = { dtype: 'float32', dims: [1, SIDE, SIDE, 3], data: beside };
    for (const { name, apply } of CORRUPTIONS_IMAGE) {
      if (name.startsWith('Gaussian')) continue; // chance comes in another order
      const expected = corrupted(name);
      const found = apply(tensor, last, BYTES, seededNumbers(9))?.data as Float32Array;
      const back = expected.map((_, at) => found[(at % 256) * 3 + Math.floor(at / 256)] as number);
      for (const [i, value] of back.entries()) expect(value).toBeCloseTo(expected[i] as number, 4);
    }
  });

  it('are not made where they cannot be', () => {
    const random = seededNumbers(1);
    const oblong: InputLayout = { ...IMAGE, height: 8, width: 32 };
    const grey: InputLayout = { ...IMAGE, channels: 1, height: 3 * SIDE };
    const small: Tensor = { dtype: 'float32', dims: [1, 1, 8, 8], data: new Float32Array(64) };
    const tiny: InputLayout = { ...IMAGE, channels: 1, height: 8, width: 8 };
    const refused = (name: string, tensor: Tensor, layout: InputLayout): boolean =>
      named(name).apply(tensor, layout, BYTES, random) === undefined;
    expect(refused('90-degree rotation', camera(1), oblong)).toBe(true);
    expect(refused('channel swap', camera(1), grey)).toBe(true);
    expect(refused('grey occlusion 12x12', small, tiny)).toBe(true);
    for (const { name } of [...CORRUPTIONS_IMAGE, ...CORRUPTIONS_SIGNAL]) {
      expect(refused(name, small, IMAGE)).toBe(true);
      expect(refused(name, small, { kind: 'table', columns: 64 })).toBe(true);
      const bytes: Tensor = { dtype: 'uint8', dims: [1, 64], data: new Uint8Array(64) };
      expect(refused(name, bytes, tiny)).toBe(true);
    }
    expect(refused('bias', camera(1), IMAGE)).toBe(true);
    expect(refused('box blur 5x5', vibration(1), SIGNAL)).toBe(true);
  });

  it('give finite values for any finite row', () => {
    const value = fc.oneof(
      fc.constantFrom(0, -0, 1e-45, 255),
      fc.float({ min: 0, max: 255, noNaN: true }),
    );
    const layout: InputLayout = { ...IMAGE, height: 12, width: 12 };
    fc.assert(
      fc.property(fc.array(value, { minLength: 432, maxLength: 432 }), fc.nat(), (row, seed) => {
        const tensor: Tensor = {
          dtype: 'float32',
          dims: [1, 3, 12, 12],
          data: Float32Array.from(row),
        };
        for (const { apply } of CORRUPTIONS_IMAGE) {
          const made = apply(tensor, layout, BYTES, seededNumbers(seed))?.data as Float32Array;
          expect(made.every((x) => x >= 0 && x <= 255)).toBe(true);
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe.skipIf(sharedMissing)('the input check on real frames (needs the shared data)', () => {
  const load = (file: string): Tensor => need(decodeNpy(readFileSync(sharedPath(`data/${file}`))));

  /** AUROC of the input check alone; `frames` of the fit and of the test set. */
  function sweep(
    data: string,
    layout: InputLayout,
    corruptions: readonly Corruption[],
    range: { min: number; max: number },
    frames: number,
  ): Map<string, number> {
    const [fit, test] = [load(`${data}-fit-x.npy`), load(`${data}-test-x.npy`)];
    const row = (set: Tensor, i: number): Tensor => need(convertTensor(rowOf(set, i), 'float32'));
    const rows = Array.from({ length: 3 * frames }, (_, i) => statisticsOf(layout, row(fit, i)));
    const policy = need(fitInput('input', layout, rows));
    const numbers = Array.from({ length: frames }, (_, i) => i);
    const usual = numbers.map((i) => inputScore(policy, row(test, i)));
    return new Map(
      corruptions.map(({ name, apply }) => {
        const random = seededNumbers(1);
        const scores = numbers.map((i) =>
          inputScore(policy, apply(row(test, i), layout, range, random)),
        );
        return [name, auroc(usual, scores)];
      }),
    );
  }

  it('sees what a camera suffers, but not a turned picture or swapped colours', () => {
    const layout: InputLayout = { ...IMAGE, height: 32, width: 32 };
    const found = sweep('cifar10', layout, CORRUPTIONS_IMAGE, BYTES, 200);
    for (const [name, value] of found) {
      const seen = name !== '90-degree rotation' && name !== 'channel swap';
      expect(value > 0.93, `${name}: ${value}`).toBe(seen);
    }
    expect(found.size).toBe(CORRUPTIONS_IMAGE.length);
  });

  it('sees stuck, biased, clipped and halved vibration', () => {
    const layout: InputLayout = { kind: 'signal', channels: 1, samples: 1024, channelsLast: false };
    const found = sweep('bearing', layout, CORRUPTIONS_SIGNAL, ANY, 200);
    for (const name of ['stuck half', 'bias', 'clip', 'half rate']) {
      expect(found.get(name), name).toBeGreaterThan(0.99);
    }
  });
});
