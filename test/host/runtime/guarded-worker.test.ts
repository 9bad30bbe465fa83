/** The guarded session over a real worker that is hung for real, killed, replaced and given up. */
import { describe, expect, it } from 'vitest';
import { RESPAWNS_MAX, SELF_TEST_PAUSE_MS } from '../../../src/core/base/limits.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import type { EdgeEvent } from '../../../src/core/telemetry/event.ts';
import { verifyBundle } from '../../../src/core/trust/verify.ts';
import { GuardedSession } from '../../../src/host/runtime/guarded-session.ts';
import { openModel } from '../../../src/host/runtime/loaded-model.ts';
import { accepted } from '../../core/base/outcome.ts';
import { FOREVER, int64, loopModel } from '../inference/models.ts';
import { until } from '../uplink/brokers.ts';
import { workersAlive } from './alive.ts';
import { BOARD, CONTEXT, release, stillClock } from './releases.ts';

/** Counts to its input, which is fast for a small one and hangs for a large one. */
const counting = release({
  model: loopModel(),
  io: {
    inputs: [{ name: 'n', dtype: 'int64', dims: [] }],
    outputs: [{ name: 'count', dtype: 'int64', dims: [], role: 'other' }],
  },
  safe: new Map([['outputs', new Map([['count', [-1]]])]]),
});

describe('a guarded worker', () => {
  it('that hangs is killed, replaced, healed, given up and tried again after the pause', async () => {
    const clock = stillClock();
    const events: EdgeEvent[] = [];
    const source = bytesSource(counting);
    const bundle = accepted(verifyBundle(source, 'boot', CONTEXT, { keep: ['model'] }));
    const model = accepted(await openModel(bundle, { ...BOARD, runDeadlineMs: 1_000 }, clock));
    const onEvent = (event: EdgeEvent): void => void events.push(event);
    const session = new GuardedSession({ model, clock, onEvent }, 'boot-verified');
    const count = async (n: bigint) => {
      const { verdict, mode, reasons, outputs } = await session.infer(new Map([['n', int64(n)]]));
      return [verdict, mode, reasons[0]?.code ?? String(outputs?.get('count')?.data[0])];
    };

    expect(await count(3n)).toEqual(['release', 'NOMINAL', '3']);
    expect(await count(FOREVER)).toEqual(['substitute', 'DEGRADED', 'inference.failed-deadline']);
    expect(await count(5n)).toEqual(['release', 'NOMINAL', '5']);

    for (let kill = 1; kill < RESPAWNS_MAX + 1; kill++) await count(FOREVER - BigInt(kill));
    expect(session.mode).toBe('DEGRADED');
    expect(await count(7n)).toEqual(['substitute', 'SAFE', 'mode.withholding']);
    expect(await count(8n)).toEqual(['substitute', 'SAFE', 'mode.withholding']);
    expect(model.engine.stats()).toMatchObject({ generation: 1 + RESPAWNS_MAX, respawnsLeft: 0 });
    await until(() => workersAlive() === 0);

    // Lets the self-test of that frame fail.
    await new Promise((resolve) => setImmediate(resolve));

    // The window of the budget passes, and so does the pause: SAFE heals by a self-test.
    clock.advance(Math.max(SELF_TEST_PAUSE_MS, model.engineOptions.respawnWindowMs));
    const healed = new Promise<void>((resolve) => {
      const wait = (): void => (session.mode === 'NOMINAL' ? resolve() : void setTimeout(wait, 5));
      wait();
    });
    expect(await count(9n)).toEqual(['substitute', 'SAFE', 'mode.withholding']);
    await healed;
    expect(await count(10n)).toEqual(['release', 'NOMINAL', '10']);
    const seen = events.map(({ type }) => type);
    expect(seen.filter((type) => type === 'inference.deadline')).toHaveLength(1 + RESPAWNS_MAX);
    expect(seen.filter((type) => type === 'inference.budget-exhausted')).toHaveLength(1);
    await session.close();
    await until(() => workersAlive() === 0);
  });
});
