/** Schemas, frames and policies that the guard's tests share. */

import type { Result } from '../../../src/core/base/fault.ts';
import type { MonotonicMs } from '../../../src/core/base/time.ts';
import type { IoSchema } from '../../../src/core/bundle/io-schema.ts';
import type { Guard, Plan } from '../../../src/core/guard/guard.ts';
import type { Mode } from '../../../src/core/guard/mode.ts';
import type { GuardPolicy } from '../../../src/core/guard/policy.ts';
import { DEFAULT_GUARD_SETTINGS, type GuardSettings } from '../../../src/core/guard/settings.ts';
import type { NamedTensors, Tensor } from '../../../src/core/numeric/tensor.ts';

export const BATCH = { name: 'N', min: 1, max: 64 } as const;

/** One image of 3 channels and 2 x 2 pixels in, three class scores out. */
export const SCHEMA: IoSchema = {
  inputs: [
    { name: 'x', dtype: 'float32', dims: [BATCH, 3, 2, 2], layout: 'NCHW', range: range(-1, 1) },
  ],
  outputs: [
    { name: 'logits', dtype: 'float32', dims: [BATCH, 3], role: 'scores', labels: ['a', 'b', 'c'] },
  ],
};

export function range(min: number, max: number): { min: number; max: number } {
  return { min, max };
}

export function ms(value: number): MonotonicMs {
  return value as MonotonicMs;
}

export function float32(dims: readonly number[], values: readonly number[]): Tensor {
  return { dtype: 'float32', dims, data: Float32Array.from(values) };
}

export function named(name: string, tensor: Tensor): NamedTensors {
  return new Map([[name, tensor]]);
}

/** A frame for `SCHEMA`; `seed` makes it differ from others. */
export function frame(seed = 0): NamedTensors {
  const values = Array.from({ length: 12 }, (_, i) => Math.sin(i + seed));
  return named('x', float32([1, 3, 2, 2], values));
}

export function logits(...values: number[]): NamedTensors {
  return named('logits', float32([1, values.length], values));
}

export function settings(changes: Partial<GuardSettings> = {}): GuardSettings {
  return { ...DEFAULT_GUARD_SETTINGS, ...changes };
}

export function acting(changes: Partial<GuardSettings['actions']>): GuardSettings {
  return settings({ actions: { ...DEFAULT_GUARD_SETTINGS.actions, ...changes } });
}

/** Reduced detection (GEN): a clear winner is usual, equal logits are not. */
export const POLICY: GuardPolicy = {
  profile: 'edgeward-guard/2',
  modelSha256: new Uint8Array(32),
  detection: 'reduced',
  outputs: { scores: 'logits' },
  novelty: {
    classes: 3,
    halfA: [Float64Array.of(-2, -1.5, -1, -0.5)],
  },
  checks: {
    scales: {
      novelty: {
        share: 1,
        halfA: Float64Array.of(-4, -3, -2, -1),
        halfB: Float64Array.of(-3, -2, -1, -0.1),
      },
    },
    // ln(2/5), ln(3/5) and ln(4/5) of half A; the last lies above all of it.
    halfB: Float64Array.of(-0.9162907318741551, -0.5108256237659907, -0.2231435513142097, -0.1),
    rank: 1,
    threshold: -0.9162907318741551,
  },
  promise: {
    falseAlarms: 0.2,
    confidence: 0.5,
    rowsHalfA: 4,
    rowsHalfB: 4,
    statement: '',
    fit: { sha256: new Uint8Array(32), rows: 4 },
    calibration: { sha256: new Uint8Array(32), rows: 8 },
  },
};

/** `see` and `judge` in one, for frames that are not probed. */
export function judged(
  guard: Guard,
  plan: Plan,
  inputs: NamedTensors,
  ran: Result<NamedTensors> | undefined,
  mode: Mode,
  nowMs: MonotonicMs,
): ReturnType<Guard['judge']> {
  return guard.judge(plan, guard.see(plan, inputs, ran, nowMs), mode, nowMs);
}
