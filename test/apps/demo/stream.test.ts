/** The demo's figures with the real guard, on ONNX Runtime without anything between. */
import { readFileSync } from 'node:fs';
import * as ort from 'onnxruntime-web/wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { SeededRandom } from '../../../src/apps/demo/exact-math.ts';
import { demoDatasets, demoStream, type FrameKind } from '../../../src/apps/demo/stream.ts';
import { CONDITIONS, RANGE_G, vibrationWindow } from '../../../src/apps/demo/vibration.ts';
import { equalBytes } from '../../../src/core/base/bytes.ts';
import { need } from '../../../src/core/base/fault.ts';
import { fitGuardPolicy } from '../../../src/core/calibration/fit.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import type { GuardPolicy } from '../../../src/core/guard/policy.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { readGraph } from '../../../src/core/onnx/graph.ts';
import { linearHead } from '../../../src/core/onnx/linear-head.ts';
import { judgedNovelty } from '../../core/guard/judged.ts';

ort.env.wasm.numThreads = 1;

const model = readFileSync(`${import.meta.dirname}/../../../src/apps/demo/rotor.onnx`);
const WINDOW = 1024;
const FEATURES = 48;

interface Outputs {
  readonly logits: { readonly width: number; readonly data: Float32Array };
  readonly features: { readonly width: number; readonly data: Float32Array };
  readonly sha256: Uint8Array;
}

async function outputsOf(session: ort.InferenceSession, windows: Tensor): Promise<Outputs> {
  const rows = windows.dims[0] ?? 0;
  const data = windows.data as Float32Array;
  const logits = new Float32Array(rows * CONDITIONS.length);
  const features = new Float32Array(rows * FEATURES);
  for (let start = 0; start < rows; start += 200) {
    const end = Math.min(rows, start + 200);
    const part = data.slice(start * WINDOW, end * WINDOW);
    const feed = new ort.Tensor('float32', part, [end - start, 1, WINDOW]);
    const out = await session.run({ vibration: feed });
    logits.set(out['logits']?.data as Float32Array, start * CONDITIONS.length);
    features.set(out['features']?.data as Float32Array, start * FEATURES);
  }
  return {
    logits: { width: CONDITIONS.length, data: logits },
    features: { width: FEATURES, data: features },
    sha256: sha256(new Uint8Array(data.buffer)),
  };
}

function rows(outputs: Outputs): [Float32Array, Float32Array][] {
  const { logits, features } = outputs;
  return Array.from({ length: logits.data.length / logits.width }, (_, i) => [
    logits.data.slice(i * logits.width, (i + 1) * logits.width),
    features.data.slice(i * FEATURES, (i + 1) * FEATURES),
  ]);
}

function alarms(policy: GuardPolicy, outputs: Outputs): number {
  return rows(outputs).filter(([logits, features]) => {
    return judgedNovelty(policy, logits, features).alarm;
  }).length;
}

describe('the recorded stream', () => {
  const frames = demoStream();

  it('has its parts in order', () => {
    const counts: [FrameKind, number][] = [];
    for (const { kind } of frames) {
      const last = counts.at(-1);
      if (last?.[0] === kind) last[1]++;
      else counts.push([kind, 1]);
    }
    expect(counts).toEqual([
      ['normal', 20],
      ['unseen-fault', 10],
      ['frozen-sensor', 5],
      ['not-a-number', 1],
      ['out-of-range', 1],
      ['hung-model', 1],
    ]);
  });

  it('breaks the contract exactly where it says so', () => {
    for (const { kind, window } of frames) {
      const data = window.data as Float32Array;
      expect(data.some((value) => Number.isNaN(value))).toBe(kind === 'not-a-number');
      expect(data.some((value) => Math.abs(value) > RANGE_G)).toBe(kind === 'out-of-range');
    }
    const bytes = frames.map(({ window }) => {
      return new Uint8Array((window.data as Float32Array).buffer);
    });
    frames.slice(1).forEach(({ kind }, i) => {
      const repeats = equalBytes(bytes[i] as Uint8Array, bytes[i + 1] as Uint8Array);
      expect(repeats).toBe(kind === 'frozen-sensor' && frames[i]?.kind === 'frozen-sensor');
    });
  });

  it('is the same on every call', () => {
    expect(demoStream()).toEqual(frames);
  });
});

describe('the guard on the demo model', () => {
  let session: ort.InferenceSession;
  let policy: GuardPolicy;

  beforeAll(async () => {
    session = await ort.InferenceSession.create(model);
    const { fit, fitLabels, calibration } = demoDatasets();
    const fitted = fitGuardPolicy({
      modelSha256: sha256(model),
      outputs: { scores: 'logits', features: 'features' },
      fit: await outputsOf(session, fit),
      labels: fitLabels,
      calibration: await outputsOf(session, calibration),
      head: need(linearHead(need(readGraph(model)), 'logits')),
      falseAlarms: 0.01,
    });
    policy = need(fitted);
  });

  async function judged(kind: FrameKind): Promise<number> {
    let count = 0;
    for (const frame of demoStream()) {
      if (frame.kind !== kind) continue;
      count += alarms(policy, await outputsOf(session, frame.window));
    }
    return count;
  }

  it('flags at least 9 of the 10 windows of the unseen fault, and no normal one', async () => {
    expect(await judged('unseen-fault')).toBeGreaterThanOrEqual(9);
    expect(await judged('normal')).toBe(0);
  });

  it('keeps its budget and finds the fault on windows of another seed', async () => {
    const count = 2_000;
    const random = new SeededRandom(99);
    const windows = (state: (i: number) => Parameters<typeof vibrationWindow>[0]): Tensor => {
      const data = new Float32Array(count * WINDOW);
      for (let i = 0; i < count; i++) data.set(vibrationWindow(state(i), random), i * WINDOW);
      return { dtype: 'float32', dims: [count, 1, WINDOW], data };
    };
    const label = (i: number): number => i % CONDITIONS.length;
    const normal = await outputsOf(
      session,
      windows((i) => CONDITIONS[label(i)] ?? 'healthy'),
    );
    const right = rows(normal).filter(([logits], i) => {
      return logits.indexOf(Math.max(...logits)) === label(i);
    }).length;
    expect(right / count).toBeGreaterThan(0.99);
    // The budget of 1% and three standard deviations of counting 2,000 frames.
    expect(alarms(policy, normal) / count).toBeLessThan(0.01 + 3 * Math.sqrt(0.0099 / count));
    const unseen = await outputsOf(
      session,
      windows(() => 'contaminated-grease'),
    );
    expect(alarms(policy, unseen) / count).toBeGreaterThan(0.95);
  });
});
