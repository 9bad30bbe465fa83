/**
 * The perturbation tripwire (guard 5): a slightly smoothed input should get nearly the same answer.
 * The guard asks for that one more inference on frames at risk or on sampled ones; its score is one
 * of those that share the promise on false alarms.
 */
import { assert } from '../base/fault.ts';
import type { Fields } from '../base/fields.ts';
import { PROBE_SAMPLING_MAX, PROBES_PER_MINUTE_MAX } from '../base/limits.ts';
import type { MonotonicMs } from '../base/time.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { sha256 } from '../crypto/digest.ts';
import { logP } from './conformal.ts';
import { doublesToBytes, needAscending, readDoubles } from './doubles.ts';
import { needSpread } from './joint.ts';
import { refusePolicy } from './policy-faults.ts';
import type { SqueezeKind } from './squeeze.ts';

/** For documents and reports, as it stands. */
export const PERTURBATION_LIMITS: string =
  'The perturbation check is a tripwire, not protection. It catches some of the attackers who do ' +
  'not know of it. One who does can make an input whose answer survives the smoothing. It sees ' +
  'only the frames that are probed: those whose novelty p is below the stated quantile, and those ' +
  'that are sampled. An attack that makes the model sure of its wrong answer often looks usual, ' +
  'and then it is probed only by chance. Frames sent to use up the budget of probes leave others ' +
  'without one. A frame that passes is not shown to be clean.';

/** When the guard asks: on frames of low novelty p, on every N-th by chance, or on both. */
export type ProbeWhen = 'risk' | 'sampled' | 'both';

export interface ProbeSettings {
  readonly when: ProbeWhen;
  /** A frame is at risk when its novelty p is below; in (0, 1]. */
  readonly riskP: number;
  /** One frame in so many is sampled; 1 is every frame. */
  readonly sampleEvery: number;
  /** What is granted over time; at once, what one minute has. Bounds the cost of hostile frames. */
  readonly probesPerMinute: number;
}

export const DEFAULT_PROBE_SETTINGS: ProbeSettings = {
  when: 'both',
  riskP: 0.1,
  sampleEvery: 100,
  probesPerMinute: 60,
};

export interface PerturbationPolicy extends ProbeSettings {
  /** The filter that `stability` was measured with. */
  readonly kind: SqueezeKind;
  /** Minus the instabilities of half A, ascending, each in [-2, 0]. */
  readonly stability: Float64Array;
}

/** What is remembered between frames; it need not survive a restart. */
export interface ProbeState {
  /** Secret and new for each session: who knows it knows which frames are sampled. */
  readonly key: Uint8Array;
  /** Probes that the budget has not yet got over, as of `atMs`. */
  readonly spent: number;
  readonly atMs: MonotonicMs;
}

const KEY_BYTES_MIN = 16;

/** `key`: at least 16 random bytes of the host. */
export function probesAtStart(key: Uint8Array, nowMs: MonotonicMs): ProbeState {
  assert(key.length >= KEY_BYTES_MIN, 'a sampling key of at least 16 bytes');
  return { key, spent: 0, atMs: nowMs };
}

export interface ProbeFrame {
  /** In (0, 1]; NaN counts as a risk. */
  readonly noveltyP: number;
  readonly nowMs: MonotonicMs;
  /** Number of the frame in its session; no two frames under one key have the same. */
  readonly frame: number;
}

/** `over-budget`: a probe was due, and the signed budget has none left. */
export type ProbeAnswer = 'risk' | 'sampled' | 'over-budget' | 'no';

/** Whether, and why, this frame is to be inferred once more. Pure; `countProbe` spends the budget. */
export function askProbe(policy: ProbeSettings, state: ProbeState, frame: ProbeFrame): ProbeAnswer {
  const atRisk = policy.when !== 'sampled' && !(frame.noveltyP >= policy.riskP);
  const due = atRisk || (policy.when !== 'risk' && isSampled(policy, state.key, frame.frame));
  if (!due) return 'no';
  if (spentAt(policy, state, frame.nowMs) + 1 > policy.probesPerMinute) return 'over-budget';
  return atRisk ? 'risk' : 'sampled';
}

/** `askProbe` as yes or no. */
export function wantsProbe(policy: ProbeSettings, state: ProbeState, frame: ProbeFrame): boolean {
  const answer = askProbe(policy, state, frame);
  return answer === 'risk' || answer === 'sampled';
}

/** The state after a probe that was granted at `nowMs`, whatever came of it. */
export function countProbe(
  policy: ProbeSettings,
  state: ProbeState,
  nowMs: MonotonicMs,
): ProbeState {
  const atMs = nowMs > state.atMs ? nowMs : state.atMs;
  return { ...state, spent: spentAt(policy, state, nowMs) + 1, atMs };
}

const MINUTE_MS = 60_000;

/** A clock that ran backwards, or gives NaN, brings nothing back. */
function spentAt(policy: ProbeSettings, { spent, atMs }: ProbeState, nowMs: MonotonicMs): number {
  const passedMs = nowMs > atMs ? nowMs - atMs : 0;
  return Math.max(0, spent - (passedMs * policy.probesPerMinute) / MINUTE_MS);
}

/**
 * Each frame for itself, by SHA-256 of key and number: an attacker who has seen which frames took
 * longer knows nothing of the next one.
 */
function isSampled({ sampleEvery }: ProbeSettings, key: Uint8Array, frame: number): boolean {
  if (sampleEvery === 1) return true;
  const keyed = new Uint8Array(key.length + 8);
  keyed.set(key);
  new DataView(keyed.buffer).setFloat64(key.length, frame);
  return new DataView(sha256(keyed).buffer).getUint32(0) < 2 ** 32 / sampleEvery;
}

/**
 * L1 distance of the softmax outputs before and after smoothing, in [0, 2] (Xu, Evans & Qi 2018).
 * `Infinity` when they cannot be compared: other lengths, no entries, a value that is not finite.
 */
export function instability(before: ArrayLike<number>, after: ArrayLike<number>): number {
  if (before.length !== after.length || before.length === 0) return Infinity;
  const [topBefore, topAfter] = [largest(before), largest(after)];
  const totalBefore = softmaxTotal(before, topBefore);
  const totalAfter = softmaxTotal(after, topAfter);
  let sum = 0;
  for (let i = 0; i < before.length; i++) {
    const p = Math.exp((before[i] as number) - topBefore) / totalBefore;
    const q = Math.exp((after[i] as number) - topAfter) / totalAfter;
    sum += Math.abs(p - q);
  }
  return Number.isNaN(sum) ? Infinity : Math.min(2, sum);
}

/** NaN when any value is. */
function largest(values: ArrayLike<number>): number {
  let top = -Infinity;
  for (let i = 0; i < values.length; i++) top = Math.max(top, values[i] as number);
  return top;
}

/** NaN when any value is not finite: zero times such a value is NaN, and NaN stays. */
function softmaxTotal(logits: ArrayLike<number>, top: number): number {
  let total = 0;
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i] as number;
    total += Math.exp(logit - top) + logit * 0;
  }
  return total;
}

/** Another score of the same frame, with its scores of half A, ascending, median above minimum. */
export interface Companion {
  readonly halfA: Float64Array;
  readonly score: number;
}

/**
 * minP: the smaller `ln p` among half A of stability and of its companion, which is MDS++ in full
 * detection and absent otherwise. Higher = more usual; at most 0, and `-Infinity` when either is
 * not finite. A score, not a p-value: its threshold comes from half B.
 *
 * A frame that is not probed has no score and raises no alarm. The promise holds for frames that
 * are all probed, and so for any choice of them.
 */
export function perturbationScore(
  { stability }: Pick<PerturbationPolicy, 'stability'>,
  unstable: number,
  companion: Companion | undefined,
): number {
  if (!Number.isFinite(unstable)) return -Infinity;
  const steady = logP(stability, -unstable);
  if (companion === undefined) return Math.min(0, steady);
  if (!Number.isFinite(companion.score)) return -Infinity;
  return Math.min(0, steady, logP(companion.halfA, companion.score));
}

export function perturbationMap(policy: PerturbationPolicy): CborMap {
  return cborMap(
    ['kind', policy.kind],
    ['when', policy.when],
    ['risk-p', policy.riskP],
    ['sample-every', policy.sampleEvery],
    ['probes-per-minute', policy.probesPerMinute],
    ['stability', doublesToBytes(policy.stability)],
  );
}

/**
 * @param rowsHalfA how many values of half A there must be, bounded by the caller
 *
 * Faults: `policy.length`, `policy.values`, `policy.order`, `field.*`.
 */
export function readPerturbation(fields: Fields, rowsHalfA: number): PerturbationPolicy {
  const policy: PerturbationPolicy = {
    kind: fields.oneOf<SqueezeKind>('kind', ['median-2x2', 'median-3']),
    when: fields.oneOf<ProbeWhen>('when', ['risk', 'sampled', 'both']),
    riskP: fields.number('risk-p', Number.MIN_VALUE, 1),
    sampleEvery: fields.integer('sample-every', 1, PROBE_SAMPLING_MAX),
    probesPerMinute: fields.integer('probes-per-minute', 1, PROBES_PER_MINUTE_MAX),
    stability: readDoubles(fields, 'stability', rowsHalfA),
  };
  fields.done();
  const { stability } = policy;
  const place = fields.at('stability');
  needAscending(place, stability);
  const [least, most] = [stability[0] ?? NaN, stability.at(-1) ?? NaN];
  if (!(least >= -2 && most <= 0)) {
    throw refusePolicy('policy.values', `${place} is outside [-2, 0]`);
  }
  needSpread(place, stability);
  return policy;
}
