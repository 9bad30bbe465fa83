/** What an evaluation does beside looking at sets: corruptions, attacks, and how long it all takes. */
import { need } from '../../core/base/fault.ts';
import type { ValueRange } from '../../core/bundle/io-schema.ts';
import { type AttackOutcome, attackSummary } from '../../core/calibration/attack-summary.ts';
import { ATTACKS, type AttackName, runAttack } from '../../core/calibration/attacks.ts';
import {
  CORRUPTIONS_IMAGE,
  CORRUPTIONS_SIGNAL,
  type Corruption,
} from '../../core/calibration/corruptions.ts';
import type {
  AttackRow,
  CorruptionRow,
  EvaluationLatency,
  Timing,
} from '../../core/calibration/evaluation.ts';
import { corruptionMean, corruptionRow } from '../../core/calibration/evaluation-figures.ts';
import { alarmsBy, GUARD, type ScoredRow } from '../../core/calibration/scored-rows.ts';
import { seededNumbers, shuffled } from '../../core/calibration/seeded-numbers.ts';
import { createGuard, GUARD_AT_START, type GuardState } from '../../core/guard/guard.ts';
import { asFloat32 } from '../../core/guard/values.ts';
import { referenceKernels } from '../../core/numeric/reference.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import { systemClock } from '../../host/platform/clock.ts';
import type { EvaluationBench, OnProgress, PlainInput } from './evaluation-bench.ts';
import type { Frames } from './frames.ts';

/** What every trial gets. */
export interface Trial {
  readonly bench: EvaluationBench;
  /** Usual rows, and what was found in them. */
  readonly frames: Frames;
  readonly usual: readonly ScoredRow[];
  readonly plain: PlainInput;
  readonly seed: number;
  readonly onProgress: OnProgress | undefined;
}

/** Every corruption of the layout's kind, each with its row, and the row that sums them up. */
export async function corruptionSweep({
  bench,
  frames,
  usual,
  plain,
  seed,
  onProgress,
}: Trial): Promise<readonly CorruptionRow[]> {
  const { layout } = bench;
  if (layout === undefined) return [];
  const rows: CorruptionRow[] = [];
  for (const [index, corruption] of corruptionsFor(layout.kind).entries()) {
    const random = seededNumbers(seed + 1_000 + index);
    const corrupted: ScoredRow[] = [];
    for (let row = 0; row < frames.count; row++) {
      const changed = corruptedFrame(corruption, bench, plain, frames, row, random);
      if (changed === undefined) break;
      corrupted.push(await bench.score(changed, 'at-risk'));
      onProgress?.(corruption.name, row + 1, frames.count);
    }
    if (corrupted.length > 0) rows.push(corruptionRow(corruption.name, usual, corrupted));
  }
  const mean = corruptionMean(rows);
  return mean === undefined ? rows : [...rows, mean];
}

function corruptionsFor(kind: 'image' | 'signal' | 'table'): readonly Corruption[] {
  if (kind === 'image') return CORRUPTIONS_IMAGE;
  return kind === 'signal' ? CORRUPTIONS_SIGNAL : [];
}

function corruptedFrame(
  corruption: Corruption,
  { layout }: EvaluationBench,
  { name, range, stated }: PlainInput,
  frames: Frames,
  row: number,
  random: () => number,
): NamedTensors | undefined {
  const tensor = frames.frame(row).get(name);
  if (tensor === undefined || layout === undefined) return undefined;
  // What a sensor of signals clips at is not known where the metadata does not say it.
  const limits = stated || layout.kind === 'image' ? range : UNBOUNDED;
  const changed = corruption.apply(tensor, layout, limits, random);
  return changed && new Map([[name, changed]]);
}

const UNBOUNDED: ValueRange = { min: -Infinity, max: Infinity };

/** Share of the range by which an attack may change a value; of SimBA the change of one value. */
const ATTACK_SIZES: Readonly<Record<AttackName, number>> = {
  square: 8 / 255,
  simba: 51 / 255,
  'simba-dct': 51 / 255,
  gradient: 8 / 255,
};

/** Attacks so many usual rows, and asks the guard about what each attack found. */
export async function attackSweep(
  { bench, frames, usual, plain, seed, onProgress }: Trial,
  samples: number,
  queriesMax: number,
): Promise<readonly AttackRow[]> {
  const { layout } = bench;
  if (layout === undefined) return [];
  const order = shuffled(frames.count, seededNumbers(seed + 2_000));
  const quiet = [...order].filter((row) => usual[row]?.alarms.length === 0).slice(0, samples);
  const width = plain.range.max - plain.range.min;
  const outcomes: AttackOutcome[] = [];
  for (const attack of ATTACKS) {
    for (const [done, row] of quiet.entries()) {
      const result = await runAttack(attack, {
        oracle: async (values) => logitsOf(bench, plain, values),
        input: plain.values(row),
        layout,
        ranges: [plain.range],
        eps: ATTACK_SIZES[attack] * width,
        queriesMax,
        seed: seed + row,
      });
      const found = result.success
        ? await bench.score(plain.frame(result.input.slice()), 'at-risk')
        : undefined;
      const detectedBy = found !== undefined && alarmsBy(found, GUARD) ? found.alarms : [];
      outcomes.push({ ...result, detectedBy });
      onProgress?.(`attack ${attack}`, done + 1, quiet.length);
    }
  }
  return attackSummary(outcomes).map(
    ({ attack, samples: attacked, succeeded, detected, detectedBy, medianQueries }) => ({
      attack: `${attack}, ${sizeWords(attack)}${checksWords(detectedBy)}`,
      ...{ samples: attacked, succeeded, detected },
      ...(medianQueries !== undefined && { medianQueries }),
    }),
  );
}

function sizeWords(attack: AttackName): string {
  const size = `${Math.round(ATTACK_SIZES[attack] * 255)}/255 of the range`;
  return attack.startsWith('simba') ? `steps of ${size}` : `within ${size}`;
}

function checksWords(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([check, count]) => `${check} ${count}`);
  return parts.length === 0 ? '' : ` (seen by ${parts.join(', ')})`;
}

async function logitsOf(
  { maker, policy }: EvaluationBench,
  plain: PlainInput,
  values: Float32Array,
): Promise<Float32Array> {
  const outputs = need(await maker.engine.run(plain.frame(values)));
  const logits = outputs.get(policy.outputs.scores);
  return (logits && asFloat32(logits)) ?? new Float32Array();
}

const LATENCY_FRAMES = 200;
const LATENCY_WARM = 20;

/** Bare inference through the worker, and all that the guard does around it, frame by frame. */
export async function latencyOf(
  { maker, policy, settings }: EvaluationBench,
  frames: Frames,
  machine: string,
): Promise<EvaluationLatency | undefined> {
  const probeKey = new Uint8Array(32);
  const guard = createGuard({
    ...{ schema: maker.io, settings, policy, probeKey, kernels: referenceKernels },
  });
  const { monotonicMs } = systemClock;
  const times = { inference: [] as number[], guard: [] as number[] };
  let state: GuardState = GUARD_AT_START;
  const count = Math.min(frames.count, LATENCY_FRAMES);
  for (let i = -LATENCY_WARM; i < count; i++) {
    const frame = frames.frame((i + LATENCY_WARM) % frames.count);
    const startMs = monotonicMs();
    const plan = guard.plan(state, frame, startMs);
    const plannedMs = monotonicMs();
    const ran = await maker.engine.run(frame);
    const ranMs = monotonicMs();
    const seen = guard.see(plan, frame, ran, ranMs);
    state = guard.judge(plan, seen, 'NOMINAL', ranMs).state;
    const judgedMs = monotonicMs();
    if (i < 0) continue;
    times.inference.push(ranMs - plannedMs);
    times.guard.push(plannedMs - startMs + (judgedMs - ranMs));
  }
  if (count === 0) return undefined;
  const { inference, guard: around } = times;
  return { frames: count, machine, inference: timingOf(inference), guard: timingOf(around) };
}

function timingOf(timesMs: readonly number[]): Timing {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    1000 * (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number);
  return { medianUs: at(0.5), p99Us: at(0.99) };
}
