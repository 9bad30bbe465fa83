/** What looks after a device beside its frames: canaries, and the slot at rest. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ok } from '../../../src/core/base/fault.ts';
import { CANARY_PERIOD_MS, SCRUB_PAUSE_MS } from '../../../src/core/base/limits.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import type { VerifiedBundle } from '../../../src/core/trust/verify.ts';
import type { LoadedModel } from '../../../src/host/runtime/loaded-model.ts';
import { startWatch, type Watch } from '../../../src/host/runtime/watch.ts';
import { scratch } from '../store/folder.ts';
import { fresh, type Scripted, scripted, sessionOf, shortOf, tensor } from './scripted-model.ts';

const folder = scratch();
const MODEL_BYTES = new Uint8Array(5000).fill(7);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A scripted model with one golden vector, booted from slot A of a folder. */
function watched() {
  const stateFolder = folder();
  const path = join(stateFolder, 'slots/A/model.onnx');
  mkdirSync(join(stateFolder, 'slots/A'), { recursive: true });
  writeFileSync(path, MODEL_BYTES);
  const script: Scripted = scripted();
  const x = tensor(1, 2);
  const golden = {
    modelSha256: new Uint8Array(32),
    tolerances: new Map([['y', { absolute: 0, relative: 0 }]]),
    vectors: [{ inputs: new Map([['x', x]]), outputs: new Map([['y', x]]) }],
  };
  const files = [{ path: 'model.onnx', sizeBytes: 5000, sha256: sha256(MODEL_BYTES) }];
  const bundle = { ...script.model.bundle, meta: { files } } as unknown as VerifiedBundle;
  const model: LoadedModel = { ...script.model, golden: golden as never, bundle };
  const self = sessionOf({ ...script, model });
  const { session, events, clock } = self;
  const onEvent = (event: (typeof events)[number]) => events.push(event);
  const watch: Watch = startWatch({ model, slot: 'A', stateFolder, session, clock, onEvent });
  return {
    ...{ script, session, events, watch, path },
    async pass(ms: number) {
      for (let at = 0; at < ms; at += 1000) {
        clock.advance(1000);
        await vi.advanceTimersByTimeAsync(1000);
      }
    },
  };
}

describe('canaries', () => {
  it('run in their time, and a wrong answer is a failed self-test', async () => {
    const { script, session, events, watch, pass } = watched();
    await pass(CANARY_PERIOD_MS - 1000);
    expect(script.counts.runs).toBe(0);
    await pass(2000);
    expect([script.counts.runs, session.mode]).toEqual([1, 'NOMINAL']);
    script.answers.push(async () => ok(new Map([['y', tensor(1, 3)]])));
    await pass(CANARY_PERIOD_MS + 1000);
    expect([script.counts.runs, session.mode]).toEqual([2, 'SAFE']);
    expect(events.map(shortOf)).toContain('nominal > safe: self-test-failed');
    // In SAFE no frame is inferred, and no canary runs.
    await pass(2 * CANARY_PERIOD_MS);
    expect(script.counts.runs).toBe(2);
    await watch.stop();
  });

  it('that lose the worker degrade the device as a frame would', async () => {
    const { script, session, watch, pass } = watched();
    script.answers.push('inference.deadline');
    await pass(CANARY_PERIOD_MS + 1000);
    expect(session.mode).toBe('DEGRADED');
    expect((await session.infer(fresh())).mode).toBe('NOMINAL');
    await watch.stop();
  });
});

describe('the slot at rest', () => {
  it('that changes degrades the device, and no good frame heals that', async () => {
    const { session, events, watch, path, pass } = watched();
    await pass(1000);
    expect(session.mode).toBe('NOMINAL');
    writeFileSync(path, MODEL_BYTES.with(99, 8));
    await pass(SCRUB_PAUSE_MS + 5000);
    expect(session.mode).toBe('DEGRADED');
    expect(events).toContainEqual({
      type: 'integrity.boot-refused',
      fault: 'runtime.scrub',
      slot: 'A',
    });
    expect((await session.infer(fresh())).mode).toBe('DEGRADED');
    session.move('respawn-exhausted');
    session.move('self-test-passed');
    expect(session.mode).toBe('DEGRADED');
    await watch.stop();
  });
});
