/**
 * After the inference: what a caller's frames say about him (guard 7). Three tests, each an e-process
 * over yes or no (`caller-evidence.ts`), and the kills at the deadline:
 *
 * - `caller.novelty-rate`: too many unusual frames, as when a model is copied with natural images of
 *   other kinds (Knockoff nets, Orekondy et al. 2019).
 * - `caller.probing`: too many frames near an earlier one of his, as when queries are made from
 *   others (Papernot et al. 2017) or a search walks in small steps (SimBA, Square).
 * - `caller.near-duplicates`: too many of those got another label, as at the boundary of two classes.
 *
 * Whoever is found is shut out for a while, and that test starts anew.
 *
 * What is promised: a caller whose every frame, whatever came before it, is unusual, near or near with
 * another label with a probability of at most the signed shares is ever shut out by these tests with
 * a probability of at most `alpha`. Frames that are independent of each other and come as those of
 * the calibration set did are well below the shares (`DEFAULT_CALLER_SETTINGS`).
 * Video is not independent. A principal that the signed policy declares a sensor is exempt from the
 * two tests of nearness, and of one scene only its first frame is counted as unusual or not.
 *
 * What is not: an attacker who mixes each query with enough ordinary ones to stay below the shares,
 * or who spreads them over many principals, is slowed down by his budget only.
 */
import { CALLER_FRAMES_MAX } from '../base/limits.ts';
import type { MonotonicMs } from '../base/time.ts';
import { eValue, NO_EVIDENCE, stepEvidence } from './caller-evidence.ts';
import type { CallerStep } from './caller-plan.ts';
import type { CallerReference } from './caller-reference.ts';
import type { CallerSettings } from './caller-settings.ts';
import {
  type CallerPlace,
  type CallerRecord,
  type CallersState,
  elapsedMs,
  placeOf,
  withRecord,
} from './caller-state.ts';
import { distanceOf, type KeptFrame, nearestOf, vectorFor } from './caller-vectors.ts';
import { type Finding, type FindingCode, finding, quoted } from './findings.ts';

export interface CallerRules {
  readonly settings: CallerSettings;
  /** Without one (reduced detection) frames are not compared with each other. */
  readonly reference?: CallerReference | undefined;
}

/** What one frame of a caller gave. */
export interface CallerFrame {
  /** Absent where novelty was not judged; the smallest there is where a frame could not be. */
  readonly noveltyP?: number | undefined;
  /** Input of the model's last layer, as the model gave it. */
  readonly features?: Float32Array | undefined;
  /** Index of the class that the model answered; absent for a model that answers none. */
  readonly label?: number | undefined;
  /** The run did not end within its deadline, and the worker was killed. */
  readonly killed?: boolean | undefined;
}

/**
 * Charges one frame to its caller. Total: features that are not finite, or of another length, are
 * not compared. Findings: the three tests (value: e-value, threshold: 3 / alpha, the union over the
 * tests, p: 1 / value) and `caller.quarantined` for kills (value and threshold: kills).
 */
export function judgeCaller(
  state: CallersState,
  rules: CallerRules,
  name: string,
  frame: CallerFrame,
  nowMs: MonotonicMs,
): CallerStep {
  const { settings } = rules;
  const place = placeOf(state, settings, name, nowMs);
  const { record, findings } =
    frame.killed === true
      ? chargeKill(place.record, settings, name, nowMs)
      : weighFrame(place, rules, name, frame);
  const judged = findings.length === 0 ? record : shutOut(record, settings, nowMs);
  return { state: withRecord(state, place, judged), findings };
}

/**
 * Whether the kills at the deadline say something about the model or the board, so that the mode of
 * the device may move: those of more than one principal lie within the window. While they are all of
 * one, he is shut out before the engine's respawns are used up, and the mode stays. Ask after
 * `judgeCaller` was told of the kill; kills of runs that no principal asked for always move it.
 */
export function killsMoveMode(
  state: CallersState,
  settings: CallerSettings,
  nowMs: MonotonicMs,
): boolean {
  const records = [
    ...state.records.values(),
    ...(state.shared === undefined ? [] : [state.shared]),
  ];
  const guilty = records.filter((record) => recentKills(record, settings, nowMs).length > 0);
  return guilty.length > 1;
}

interface Judged {
  readonly record: CallerRecord;
  readonly findings: readonly Finding[];
}

function chargeKill(
  record: CallerRecord,
  settings: CallerSettings,
  name: string,
  nowMs: number,
): Judged {
  const { kills, killWindowMs } = settings;
  const killsAtMs = [...recentKills(record, settings, nowMs), nowMs].slice(-kills);
  const value = killsAtMs.length;
  const words = `${value} runs of ${quoted(name)} were killed within ${killWindowMs / 1000} s`;
  const found = finding('caller.quarantined', words, { value, threshold: kills });
  return { record: { ...record, killsAtMs }, findings: value < kills ? [] : [found] };
}

function recentKills(
  { killsAtMs }: CallerRecord,
  { killWindowMs }: CallerSettings,
  nowMs: number,
): readonly number[] {
  return killsAtMs.filter((atMs) => elapsedMs(atMs, nowMs) < killWindowMs);
}

function shutOut(record: CallerRecord, settings: CallerSettings, nowMs: number): CallerRecord {
  const untilMs = nowMs + settings.quarantineMs;
  return { ...record, quarantinedUntilMs: Math.max(untilMs, record.quarantinedUntilMs ?? untilMs) };
}

/** What one frame says to each test; a test that it says nothing to is left out. */
interface Events {
  readonly novelty?: boolean | undefined;
  readonly near?: boolean | undefined;
  readonly flips?: boolean | undefined;
}

function weighFrame(
  place: CallerPlace,
  { settings, reference }: CallerRules,
  name: string,
  frame: CallerFrame,
): Judged {
  const { noveltyP, features } = frame;
  const unusual = noveltyP === undefined ? undefined : !(noveltyP > settings.noveltyLevel);
  const vector = vectorFor(reference, features);
  if (vector === undefined || reference === undefined) {
    // Scenes cannot be told apart without directions: nothing is counted of a sensor.
    const novelty = place.principal.kind === 'sensor' ? undefined : unusual;
    return weigh(place.record, settings, name, { novelty });
  }
  return place.principal.kind === 'sensor'
    ? weighSensor(place.record, settings, name, unusual, vector, reference)
    : weighQuery(place.record, settings, name, unusual, { vector, label: frame.label }, reference);
}

function weighSensor(
  record: CallerRecord,
  settings: CallerSettings,
  name: string,
  unusual: boolean | undefined,
  vector: Float32Array,
  { sceneDistance }: CallerReference,
): Judged {
  const { last } = record;
  const sameScene = last !== undefined && distanceOf(last, vector) <= sceneDistance;
  const novelty = sameScene ? undefined : unusual;
  return weigh({ ...record, last: vector }, settings, name, { novelty });
}

function weighQuery(
  record: CallerRecord,
  settings: CallerSettings,
  name: string,
  unusual: boolean | undefined,
  frame: KeptFrame,
  { nearDistance }: CallerReference,
): Judged {
  const { last, kept } = record;
  const seen = { ...record, last: frame.vector };
  const nearest = nearestOf(kept, frame.vector);
  // Who repeats a frame learns nothing: it neither speaks against him nor thins out what does.
  const repeated = last !== undefined && distanceOf(last, frame.vector) === 0;
  if (repeated || nearest?.distance === 0) return { record: seen, findings: [] };
  if (nearest === undefined) {
    return weigh({ ...seen, kept: [frame] }, settings, name, { novelty: unusual });
  }
  const near = nearest.distance <= nearDistance;
  const flips = near && nearest.label !== frame.label;
  // Near ones are not kept: a search of a thousand steps does not push out what it started from.
  const remembered = near ? seen : { ...seen, kept: [...kept.slice(1 - CALLER_FRAMES_MAX), frame] };
  return weigh(remembered, settings, name, { novelty: unusual, near, flips });
}

interface Test {
  readonly code: FindingCode;
  readonly share: (settings: CallerSettings) => number;
  readonly words: string;
}

const TESTS: Readonly<Record<keyof Events, Test>> = {
  novelty: {
    code: 'caller.novelty-rate',
    share: ({ noveltyShare }) => noveltyShare,
    words: 'are unusual',
  },
  near: {
    code: 'caller.probing',
    share: ({ nearShare }) => nearShare,
    words: 'lie near an earlier one of his',
  },
  flips: {
    code: 'caller.near-duplicates',
    share: ({ flipShare }) => flipShare,
    words: 'lie near an earlier one of his that got another label',
  },
};

const TEST_NAMES = Object.keys(TESTS) as readonly (keyof Events)[];

function weigh(
  before: CallerRecord,
  settings: CallerSettings,
  name: string,
  events: Events,
): Judged {
  // Union bound: the tests together find an innocent caller with a probability of at most alpha.
  const threshold = TEST_NAMES.length / settings.alpha;
  const findings: Finding[] = [];
  let record = before;
  for (const test of TEST_NAMES) {
    const event = events[test];
    if (event === undefined) continue;
    const { code, share, words } = TESTS[test];
    const evidence = stepEvidence(record[test], share(settings), event);
    const value = eValue(evidence);
    const found = value >= threshold;
    record = { ...record, [test]: found ? NO_EVIDENCE : evidence };
    if (!found) continue;
    const percent = Number((100 * share(settings)).toPrecision(3));
    const detail = `far more than ${percent}% of the frames of ${quoted(name)} ${words}`;
    findings.push(finding(code, detail, { value, threshold, p: 1 / value }));
  }
  return { record, findings };
}
