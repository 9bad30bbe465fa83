/** One run of the model for a frame: what its end does to the mode, and what is told of it. */
import type { Fault, Result } from '../../core/base/fault.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import type { LoadedModel } from './loaded-model.ts';
import { KILLING, type SessionMode } from './session-mode.ts';

export interface FrameRun {
  readonly model: LoadedModel;
  readonly mode: SessionMode;
  readonly onEvent: (event: EdgeEvent) => void;
  /** Its number in the session. */
  readonly frame: number;
  /** Somebody pays for a run that does not end, before the device's mode does. */
  readonly charged: boolean;
}

export async function runFrame(run: FrameRun, inputs: NamedTensors): Promise<Result<NamedTensors>> {
  const { engine } = run.model;
  const before = engine.stats().generation;
  const ran = await engine.run(inputs);
  if (ran.ok) run.mode.workerAnswered();
  else afterFault(run, ran.fault, before);
  return ran;
}

export function isLate(ran: Result<NamedTensors> | undefined): boolean {
  return ran?.ok === false && ran.fault.code === 'inference.deadline';
}

function afterFault(run: FrameRun, { code }: Fault, generation: number): void {
  const { model, mode, onEvent, frame, charged } = run;
  const stats = model.engine.stats();
  const respawns = Math.max(0, stats.generation - 1);
  if (code === 'inference.deadline') {
    const deadlineMs = Math.ceil(model.engineOptions.runDeadlineMs);
    onEvent({ type: 'inference.deadline', frame, deadlineMs });
  }
  const paidFor = charged && code === 'inference.deadline';
  if (code === 'inference.model-changed') mode.move('self-test-failed');
  else if (code === 'inference.respawn-budget') {
    onEvent({ type: 'inference.budget-exhausted', respawns });
    mode.move('respawn-exhausted');
  } else if (KILLING.includes(code) && !paidFor) mode.move('worker-killed');
  if (stats.generation > generation) {
    onEvent({ type: 'inference.worker-respawned', cause: code, respawns });
  }
}
