/** `edgeward infer`: the guard on recorded inputs, one verdict per row, as a device would judge them. */
import { need } from '../../core/base/fault.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import { loadBoardProfile, thisBoard } from '../../host/platform/board.ts';
import { systemClock } from '../../host/platform/clock.ts';
import { GuardedSession } from '../../host/runtime/guarded-session.ts';
import { openModel, RUN_ROLES } from '../../host/runtime/loaded-model.ts';
import { openFrames } from '../maker/frames.ts';
import { judgementJson, judgementLine } from './judgement-line.ts';
import { note, say, sayJson } from './terminal.ts';
import { openTrusted, type TrustOptions, warnDevelopment } from './trusted-bundle.ts';

export interface InferOptions extends TrustOptions {
  readonly input: readonly string[];
  readonly board?: string;
}

/** Refuses with what `verify` finds, `maker.*`, `npy.*`, `store.*`, `inference.*`, `runtime.*`. */
export async function infer(file: string, options: InferOptions): Promise<void> {
  const bundle = await openTrusted(file, 'boot', options, { keep: RUN_ROLES });
  warnDevelopment(bundle);
  const frames = await openFrames(options.input, bundle.meta.io.inputs);
  const board = need(await loadBoardProfile(options.board ?? thisBoard()));
  const model = need(await openModel(bundle, board, systemClock));
  if (model.kernelsFault !== undefined) {
    const { code, message } = model.kernelsFault;
    note(`the guard takes longer, on the reference kernels: ${code}: ${message}`);
  }
  const onEvent = (event: EdgeEvent): void => {
    // Nobody is asked about recorded inputs: what would wait for a person falls to safe at once.
    if (event.type === 'operator.held') {
      session.operated.held.answer(event.hold, 'safe', systemClock.monotonicMs());
    }
  };
  const session = new GuardedSession({ model, clock: systemClock, onEvent }, 'boot-verified');
  try {
    for (let row = 0; row < frames.count; row++) {
      const judgement = await session.infer(frames.frame(row));
      if (options.json === true) sayJson(judgementJson(row, judgement));
      else say(judgementLine(String(row).padStart(5), judgement));
    }
  } finally {
    // Nothing waits for the end of the worker: every row has its answer.
    void session.close();
  }
  if (options.json !== true) {
    const counts = Object.entries(session.verdicts).filter(([, count]) => count > 0);
    note(`${frames.count} rows: ${counts.map(([v, n]) => `${n} ${v}`).join(', ')}`);
  }
}
