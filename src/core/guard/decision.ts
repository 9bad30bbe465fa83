/**
 * Findings, settings and mode become one verdict (guard 9). The most restrictive action wins, and
 * one more finding never loosens a verdict: release < flag < hold < substitute < withhold. A held
 * output may yet leave, if a person says so; that is why a finding that demands `substitute` is
 * stronger, and why nobody is asked about a frame that has one.
 */
import { REASONS_MAX } from '../base/limits.ts';
import type { MonotonicMs } from '../base/time.ts';
import type { NamedTensors } from '../numeric/tensor.ts';
import { type Finding, finding } from './findings.ts';
import type { HoldEnding } from './hold.ts';
import { type Mode, mayRelease } from './mode.ts';
import { ACTIONS, type Action, type GuardSettings } from './settings.ts';

/**
 * `release` and `flag` give the model's output, `substitute` another one, `withhold` none. `hold`
 * waits for a person: until one releases the model's output, it is the safe output or nothing.
 */
export type Verdict = 'release' | 'flag' | 'substitute' | 'hold' | 'withhold';

/** Whose outputs are given. */
export type Source = 'model' | 'last-good' | 'safe' | 'none';

/** A model output that was released, never one that was flagged, and when. */
export interface LastGood {
  readonly outputs: NamedTensors;
  readonly atMs: MonotonicMs;
}

export interface DecisionInput {
  /** Snapshots of what the model gave; absent when it did not run or failed. */
  readonly modelOutputs?: NamedTensors | undefined;
  /** The declared safe output; in LOCKED the caller passes the image's own, if there is one. */
  readonly safeOutput?: NamedTensors | undefined;
  readonly lastGood?: LastGood | undefined;
  readonly nowMs: MonotonicMs;
  readonly mode: Mode;
}

export interface Decision {
  readonly verdict: Verdict;
  readonly source: Source;
  readonly outputs: NamedTensors | undefined;
  /** What decided comes first; at most `REASONS_MAX`. */
  readonly reasons: readonly Finding[];
}

/**
 * The most restrictive action of the findings decides; where there is no model output it is
 * `substitute` at least.
 *
 * `substitute` gives the last good output while it is young enough, because it stands closest to
 * the world as it is, else the declared safe output, else nothing (`withhold`).
 *
 * `hold` gives the declared safe output, or nothing: whoever performs it keeps the model's output
 * back and gives it only when a person said so. The last good output does not stand in then.
 *
 * A mode that does not release model outputs counts as a finding that demands `substitute`; the last
 * good output is a model output too and does not stand in then.
 *
 * Shadow gives the model's output, flagged where something was found; where there is none it
 * withholds, as the bare model would have: a substitute would be acting. It does not soften what
 * the mode demands: a mode comes from the integrity of the device, not from judging frames.
 */
export function decide(
  findings: readonly Finding[],
  settings: GuardSettings,
  input: DecisionInput,
): Decision {
  const { modelOutputs, safeOutput } = input;
  const released = mayRelease(input.mode);
  const reasons = ordered(released ? findings : [barred(input.mode), ...findings], settings);
  const action = effectiveAction(reasons[0], settings, modelOutputs !== undefined, released);
  if (action === 'withhold') return substitute(reasons, undefined, 'none');
  if (action === 'substitute') {
    const lastGood = released ? freshLastGood(settings, input) : undefined;
    if (lastGood !== undefined) return substitute(reasons, lastGood, 'last-good');
    return substitute(reasons, safeOutput, 'safe');
  }
  if (action === 'hold') {
    const { source, outputs, reasons: shown } = substitute(reasons, safeOutput, 'safe');
    return { verdict: 'hold', source, outputs, reasons: shown };
  }
  const shown = reasons.slice(0, REASONS_MAX);
  return { verdict: action, source: 'model', outputs: modelOutputs, reasons: shown };
}

/**
 * What leaves when the wait of a held frame is over: the model's output where a person released it,
 * else what it was held with.
 */
export function afterHold<T extends Pick<Decision, 'source' | 'outputs'>>(
  held: T,
  modelOutputs: NamedTensors,
  ending: HoldEnding,
): T {
  return ending === 'release' ? { ...held, source: 'model', outputs: modelOutputs } : held;
}

/** A frame that should have waited, and had no place to. */
export function withoutHold<T extends Pick<Decision, 'verdict' | 'outputs'>>(held: T): T {
  return { ...held, verdict: held.outputs === undefined ? 'withhold' : 'substitute' };
}

/** What the settings say about one finding. `mode` always demands a substitute. */
function actionOf(found: Finding, settings: GuardSettings): Action {
  return found.check === 'mode' ? 'substitute' : settings.actions[found.check];
}

function effectiveAction(
  worst: Finding | undefined,
  settings: GuardSettings,
  modelGave: boolean,
  released: boolean,
): Action | 'release' {
  if (settings.shadow) {
    if (!released) return 'substitute';
    if (!modelGave) return 'withhold';
    return worst === undefined ? 'release' : 'flag';
  }
  const action = worst === undefined ? 'release' : actionOf(worst, settings);
  // There is nothing to release, to flag or to hold.
  const gives = action === 'release' || action === 'flag' || action === 'hold';
  return !modelGave && gives ? 'substitute' : action;
}

function barred(mode: Mode): Finding {
  return finding('mode.withholding', `in ${mode} no model output is released`);
}

/** The most restrictive first; equals keep the order of the checks. */
function ordered(findings: readonly Finding[], settings: GuardSettings): readonly Finding[] {
  const rank = (found: Finding): number => ACTIONS.indexOf(actionOf(found, settings));
  return findings.length < 2 ? findings : findings.toSorted((a, b) => rank(b) - rank(a));
}

function freshLastGood(settings: GuardSettings, input: DecisionInput): NamedTensors | undefined {
  if (settings.lastGoodMaxAgeMs === 0 || input.lastGood === undefined) return undefined;
  const ageMs = input.nowMs - input.lastGood.atMs;
  // A negative age is a clock that ran backwards: no age at all.
  return ageMs >= 0 && ageMs <= settings.lastGoodMaxAgeMs ? input.lastGood.outputs : undefined;
}

/** A substitute that does not exist is withheld. */
function substitute(
  reasons: readonly Finding[],
  outputs: NamedTensors | undefined,
  source: Source,
): Decision {
  return {
    verdict: outputs === undefined ? 'withhold' : 'substitute',
    source: outputs === undefined ? 'none' : source,
    outputs,
    reasons: reasons.slice(0, REASONS_MAX),
  };
}
