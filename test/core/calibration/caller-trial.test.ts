/** Callers of known intentions: their queries are what they say, and the judge tells them apart. */
import { describe, expect, it } from 'vitest';
import {
  augmentedQueries,
  cameraQueries,
  type Queries,
  queriesToFinding,
  SCENE_FRAMES,
  searchingQueries,
  watchCaller,
  windowQueries,
} from '../../../src/core/calibration/caller-trial.ts';
import type { ScoredRow } from '../../../src/core/calibration/scored-rows.ts';
import { seededNumbers } from '../../../src/core/calibration/seeded-numbers.ts';
import type { ImageLayout, SignalLayout } from '../../../src/core/guard/input-layout.ts';
import { DEFAULT_GUARD_SETTINGS } from '../../../src/core/guard/settings.ts';
import { guardedPolicy, scoredRows } from './guarded-rows.ts';

const policy = guardedPolicy();
const RANGE = { min: 0, max: 1 };
const [row] = scoredRows(policy, 51, 1) as [ScoredRow];

function taken(queries: Queries, count: number, answer: (at: number) => ScoredRow = () => row) {
  const frames: Float32Array[] = [];
  let asked = queries.next();
  while (frames.length < count && asked.done !== true) {
    frames.push(asked.value.slice());
    asked = queries.next(answer(frames.length));
  }
  return frames;
}

describe('watchCaller', () => {
  const watch = (kind?: 'sensor') => watchCaller(policy, DEFAULT_GUARD_SETTINGS, kind);

  it('finds who asks about strange frames, and nobody who asks about usual ones', () => {
    const strange = scoredRows(policy, 52, 400, { strangeness: 4 });
    expect(queriesToFinding(watch(), strange)).toBeLessThan(100);
    expect(queriesToFinding(watch(), scoredRows(policy, 53, 1_000))).toBeUndefined();
  });

  it('finds who makes frames from others, unless the policy declares a sensor', () => {
    const made = Array.from({ length: 300 }, (_, i) => {
      const features = (row.features as Float32Array).map((value) => value + 1e-4 * i);
      return { ...row, features };
    });
    expect(queriesToFinding(watch(), made)).toBeLessThan(100);
    expect(queriesToFinding(watch('sensor'), made)).toBeUndefined();
  });
});

describe('augmentedQueries', () => {
  it('asks about the seeds, then about frames one step from those before, in the range', () => {
    const seeds = [Float32Array.of(0.5, 0.05), Float32Array.of(0.2, 0.9)];
    const frames = taken(augmentedQueries(seeds, 0.1, RANGE, seededNumbers(1)), 40);
    expect(frames.slice(0, 2)).toEqual(seeds);
    for (const [i, frame] of frames.slice(2).entries()) {
      for (const [at, value] of frame.entries()) {
        const from = frames[i]?.[at] as number;
        const ends = [Math.fround(Math.max(0, from - 0.1)), Math.fround(Math.min(1, from + 0.1))];
        expect(ends.some((end) => Math.abs(end - value) < 1e-6)).toBe(true);
      }
    }
  });
});

describe('searchingQueries', () => {
  it('changes one value at a time, keeps what helps, and begins again once it has found one', () => {
    const start = Float32Array.of(0.5, 0.5, 0.5, 0.5);
    const sure = (share: number, answer: number): ScoredRow => {
      return { ...row, logits: Float32Array.of(Math.log(share), Math.log(1 - share)), answer };
    };
    // Each query is a little less sure than the one before; the sixth is answered otherwise.
    const answer = (at: number) => (at < 6 ? sure(1 - at / 10, 0) : sure(0.4, 1));
    const queries = searchingQueries(() => start, 0.1, RANGE, seededNumbers(2));
    const frames = taken(queries, 7, answer);
    expect(frames[0]).toEqual(start);
    for (let i = 1; i < 6; i++) {
      const [before, now] = [frames[i - 1], frames[i]] as [Float32Array, Float32Array];
      expect(now.filter((value, at) => value !== before[at])).toHaveLength(1);
    }
    expect(frames[6]).toEqual(start);
  });
});

describe('sensors', () => {
  it('a camera shows one scene for a while, shifted and noisy, in its range', () => {
    const layout: ImageLayout = {
      ...{ kind: 'image', channels: 1, height: 4, width: 12, channelsLast: false },
    };
    const scene = Float32Array.from({ length: 48 }, (_, at) => (at % 12) / 12);
    let scenes = 0;
    const scenesOf = () => {
      scenes += 1;
      return scene;
    };
    const frames = taken(cameraQueries(scenesOf, layout, RANGE, seededNumbers(3)), 120);
    expect(scenes).toBe(Math.ceil(121 / SCENE_FRAMES));
    expect(new Set(frames.map((frame) => frame.join())).size).toBe(120);
    for (const frame of frames) {
      expect(Math.min(...frame)).toBeGreaterThanOrEqual(0);
      // At most four pixels aside, and 4% of noise.
      for (const [at, value] of frame.entries()) {
        expect(Math.abs(value - (scene[at] as number))).toBeLessThanOrEqual(4 / 12 + 0.04 + 1e-6);
      }
    }
  });

  it('a window slides along its recording: the same values, in their circular order', () => {
    const layout: SignalLayout = { kind: 'signal', channels: 2, samples: 16, channelsLast: true };
    const scene = Float32Array.from({ length: 32 }, (_, at) => at);
    const frames = taken(
      windowQueries(() => scene, layout),
      10,
    );
    expect(frames[0]).toEqual(scene);
    for (const frame of frames) {
      expect([...frame].sort((a, b) => a - b)).toEqual([...scene]);
      for (let at = 0; at < 32; at += 2) expect(frame[at + 1]).toBe((frame[at] as number) + 1);
    }
    expect(frames[1]?.[0]).toBe(4);
  });
});
