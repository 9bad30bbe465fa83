/** A loaded model whose engine answers what a test says, behind the real guard. */
import { err, ok, type Result } from '../../../src/core/base/fault.ts';
import { createGuard } from '../../../src/core/guard/guard.ts';
import { DEFAULT_GUARD_SETTINGS, type GuardSettings } from '../../../src/core/guard/settings.ts';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';
import type { NamedTensors, Tensor } from '../../../src/core/numeric/tensor.ts';
import type { EdgeEvent } from '../../../src/core/telemetry/event.ts';
import type { VerifiedBundle } from '../../../src/core/trust/verify.ts';
import { type InferenceFaultCode, inferenceFault } from '../../../src/host/inference/faults.ts';
import { GuardedSession } from '../../../src/host/runtime/guarded-session.ts';
import type { LoadedModel } from '../../../src/host/runtime/loaded-model.ts';
import { BOARD, ECHO_IO, frame, stillClock } from './releases.ts';

/** What the engine does with one run: gives the input back, fails, or anything else. */
export type Answer =
  | 'echo'
  | InferenceFaultCode
  | ((inputs: NamedTensors) => Promise<Result<NamedTensors>>);

export interface Scripted {
  readonly model: LoadedModel;
  /** For the runs to come, in order; `echo` when it is empty. */
  readonly answers: Answer[];
  readonly counts: { runs: number; selfTests: number; closed: number };
  /** What the next self-tests give. */
  selfTest: () => Promise<Result<true>>;
}

export const DIGEST: Uint8Array = new Uint8Array(32).fill(0xd1);

/** Codes after which the real engine starts another worker. */
const REPLACED: readonly string[] = ['inference.deadline', 'inference.crashed', 'inference.memory'];

export function scripted(
  settings: Partial<GuardSettings> = {},
  safe: 'safe' | 'none' = 'safe',
): Scripted {
  const answers: Answer[] = [];
  const counts = { runs: 0, selfTests: 0, closed: 0 };
  let generation = 1;
  async function run(inputs: NamedTensors): Promise<Result<NamedTensors>> {
    counts.runs++;
    const answer = answers.shift() ?? 'echo';
    if (typeof answer === 'function') return answer(inputs);
    const x = inputs.get('x');
    if (answer === 'echo' && x !== undefined) return ok(new Map([['y', x]]));
    if (REPLACED.includes(answer)) generation++;
    return err(inferenceFault(answer as InferenceFaultCode, 'as scripted'));
  }
  const guarding = {
    settings: { ...DEFAULT_GUARD_SETTINGS, ...settings },
    policy: undefined,
    safeOutput: safe === 'none' ? undefined : new Map([['y', tensor(1, 2)]]),
    golden: undefined,
  };
  const stats = {
    deadlineKills: 0,
    respawnsLeft: 3,
    repliesDropped: 0,
    waiting: 0,
  };
  const self: Scripted = {
    answers,
    counts,
    selfTest: async () => ok(true),
    model: {
      ...guarding,
      bundle: { manifestSha256: DIGEST, meta: { io: ECHO_IO } } as unknown as VerifiedBundle,
      engine: {
        inputs: [],
        outputs: [],
        run,
        stats: () => ({ ...stats, generation, runs: counts.runs }),
        async close() {
          counts.closed++;
        },
      },
      guard: createGuard({ schema: ECHO_IO, kernels: referenceKernels, ...guarding }),
      engineOptions: { ...BOARD, respawnsMax: 3, respawnWindowMs: 60_000, clock: stillClock() },
      selfTest() {
        counts.selfTests++;
        return self.selfTest();
      },
    },
  };
  return self;
}

/** The tensor of a frame. */
export function tensor(a: number, b: number): Tensor {
  const x = frame(a, b).get('x');
  if (x === undefined) throw new Error('a frame has an x');
  return x;
}

/** A promise and what settles it. */
export function gate<T>(): { readonly promise: Promise<T>; open(value: T): void } {
  let settle: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return { promise, open: (value) => settle(value) };
}

export interface Session {
  readonly session: GuardedSession;
  readonly clock: ReturnType<typeof stillClock>;
  readonly events: EdgeEvent[];
}

/** A session on a scripted model, or on none, with what it told. */
export function sessionOf(model: Scripted | undefined, fallback?: NamedTensors): Session {
  const events: EdgeEvent[] = [];
  const clock = stillClock();
  const session = new GuardedSession(
    { model: model?.model, fallback, clock, onEvent: (event) => events.push(event) },
    model === undefined ? 'bundle-refused-at-boot' : 'boot-verified',
  );
  return { session, clock, events };
}

export const shortOf = (event: EdgeEvent): string =>
  event.type === 'mode.changed' ? `${event.from} > ${event.to}: ${event.cause}` : event.type;

/** Lets everything run that waits for no timer. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let next = 0;
/** A frame unlike those before it: the frozen-frame check stays out of these tests. */
export const fresh = (): NamedTensors => frame(1, ++next / 1e4);
