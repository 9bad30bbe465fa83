/**
 * What looks after a running device beside its frames: golden vectors as canaries, and the scrubber
 * over the files of the booted slot. Both rest between looks, and neither keeps a process alive.
 */
import { CANARY_TICK_MS } from '../../core/base/limits.ts';
import type { Clock } from '../../core/base/time.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import { slotFolder } from '../../core/update/slot-layout.ts';
import type { SlotName } from '../../core/update/slot-table.ts';
import { Canary } from './canary.ts';
import type { GuardedSession } from './guarded-session.ts';
import type { LoadedModel } from './loaded-model.ts';
import { Scrubber, slotFiles } from './scrubber.ts';

export interface WatchParts {
  readonly model: LoadedModel;
  readonly slot: SlotName;
  readonly stateFolder: string;
  readonly session: Pick<GuardedSession, 'move' | 'canaryFailed' | 'mayInfer'>;
  readonly clock: Clock;
  readonly onEvent: (event: EdgeEvent) => void;
}

export interface Watch {
  /** Resolves when nothing of it is under way any more. */
  stop(): Promise<void>;
}

export function startWatch(parts: WatchParts): Watch {
  const canary = startCanary(parts);
  const scrubber = startScrubber(parts);
  return {
    async stop() {
      scrubber.stop();
      await canary.stop();
    },
  };
}

function startCanary({ model, session, clock }: WatchParts): Watch {
  const { engine, golden } = model;
  if (golden === undefined) return { stop: async () => {} };
  const onFault = session.canaryFailed.bind(session);
  const canary = new Canary({ engine, golden, clock, onFault });
  const timer = setInterval(() => {
    if (session.mayInfer) void canary.tick();
  }, CANARY_TICK_MS);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await canary.settled();
    },
  };
}

function startScrubber({ model, slot, stateFolder, session, clock, onEvent }: WatchParts): {
  stop(): void;
} {
  const files = slotFiles(slotFolder(stateFolder, slot), model.bundle.meta.files);
  const scrubber = new Scrubber({
    ...{ files, clock },
    onFault: ({ code }) => {
      // What is in memory was verified and goes on; the next boot will not find it.
      onEvent({ type: 'integrity.boot-refused', fault: code, slot });
      session.move('slot-corrupt');
    },
  });
  let timer: NodeJS.Timeout | undefined;
  const next = (afterMs: number): void => {
    timer = setTimeout(() => next(scrubber.tick()), afterMs);
    timer.unref();
  };
  next(0);
  return {
    stop() {
      clearTimeout(timer);
      scrubber.close();
    },
  };
}
