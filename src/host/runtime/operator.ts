/**
 * What an operator's act does to a session. Whoever can only restrict needs no signature; an act that
 * is refused changes nothing.
 */
import { type Fault, faultOf } from '../../core/base/fault.ts';
import type { Clock, MonotonicMs } from '../../core/base/time.ts';
import { type Cause, type ModeState, mayRelease, modeOf, stepMode } from '../../core/guard/mode.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import { type ModeName, modeName } from '../../core/telemetry/vocabulary.ts';
import { type OperatorAct, readAct, type VerifiedOrder } from '../../core/trust/operator-act.ts';
import { OPERATOR_FAULTS } from '../../core/trust/operator-faults.ts';
import type { HeldFrames } from './held-frames.ts';

/** What an act is done to. */
export interface Operated {
  state(): ModeState;
  readonly hasModel: boolean;
  readonly held: Pick<HeldFrames, 'waits' | 'answer'>;
  move(cause: Cause): void;
  selfTest(): Promise<boolean>;
  /** `drift`: the alarms that stand are seen, and their bets begin anew. All else is for the record. */
  acknowledge(about: string): Promise<void>;
  onEvent(event: EdgeEvent): void;
}

/** What came of an act. Where it was not done, nothing has changed. */
export interface OperatorAnswer {
  readonly done: boolean;
  /** After it. */
  readonly mode: ModeName;
  /** Why it was not done. */
  readonly fault?: Fault;
}

/**
 * An act of a local caller, who may restrict: `pause`, `force-safe`, `self-test`, a hold to safe. It
 * stands until an operator signs otherwise, or until the process ends.
 */
export async function operateLocally(
  session: Operated,
  value: unknown,
  clock: Clock,
): Promise<OperatorAnswer> {
  const nowMs = clock.monotonicMs();
  const read = readAct(value);
  if (!read.ok) return refused(session, read.fault);
  const fault = actFault(session, read.value, false, nowMs);
  if (fault !== undefined) return refused(session, fault);
  return perform(session, read.value, nowMs);
}

export function refused({ state }: Operated, fault: Fault): OperatorAnswer {
  return { done: false, mode: modeName(modeOf(state())), fault };
}

/** Why an act cannot be done at this time, if it cannot; `signed` where an operator signed it. */
export function actFault(
  { state, hasModel, held }: Operated,
  act: OperatorAct,
  signed: boolean,
  nowMs: MonotonicMs,
): Fault | undefined {
  if (!signed && !onlyRestricts(act))
    return faultOf(OPERATOR_FAULTS, 'operator.unsigned', `to ${act.verb}`);
  const mode = modeOf(state());
  if (mode === 'LOCKED' && act.verb !== 'release') {
    return faultOf(OPERATOR_FAULTS, 'operator.locked', `${act.verb} in ${mode}`);
  }
  if (act.verb === 'decide-hold' && !held.waits(act.hold, nowMs)) {
    return faultOf(OPERATOR_FAULTS, 'operator.not-held', `no frame waits as ${act.hold}`);
  }
  if (!hasModel) {
    const { before } = stepMode(state(), causeOf(act) ?? 'command-refused');
    const released = mayRelease(modeOf({ standing: before, before }));
    if (released || act.verb === 'self-test')
      return faultOf(OPERATOR_FAULTS, 'operator.no-model', `to ${act.verb}`);
  }
  return undefined;
}

/** Does an act that `actFault` found nothing against at the same time. */
export async function perform(
  session: Operated,
  act: OperatorAct,
  nowMs: MonotonicMs,
  order?: VerifiedOrder,
): Promise<OperatorAnswer> {
  const from = modeOf(session.state());
  const cause = causeOf(act);
  if (cause !== undefined) session.move(cause);
  if (act.verb === 'decide-hold') session.held.answer(act.hold, act.answer, nowMs, order?.operator);
  if (act.verb === 'self-test') await session.selfTest();
  if (act.verb === 'acknowledge') await session.acknowledge(act.about);
  const mode = modeName(modeOf(session.state()));
  session.onEvent({
    ...{ type: 'operator.act', verb: act.verb, from: modeName(from), to: mode },
    ...(act.verb === 'acknowledge' && { about: act.about }),
    ...(order !== undefined && { id: order.id, operator: order.operator }),
  });
  return { done: true, mode };
}

/** In doubt, less: these may be done by any local caller. */
export function onlyRestricts(act: OperatorAct): boolean {
  if (act.verb === 'decide-hold') return act.answer === 'safe';
  return act.verb === 'pause' || act.verb === 'force-safe' || act.verb === 'self-test';
}

/** What the act does to the mode, where it does. */
export function causeOf({ verb }: OperatorAct): Cause | undefined {
  return CAUSES[verb];
}

const CAUSES: Readonly<Partial<Record<OperatorAct['verb'], Cause>>> = {
  pause: 'operator-pause',
  resume: 'operator-resume',
  'force-safe': 'operator-force-safe',
  release: 'operator-release',
};
