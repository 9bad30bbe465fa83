/** What the guard knows over restarts: on real devices, and at the memory itself. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { err, faultOf } from '../../../src/core/base/fault.ts';
import { SEALED_STATE_PERIOD_MS } from '../../../src/core/base/limits.ts';
import type { MonotonicMs } from '../../../src/core/base/time.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import { fitGuardPolicy } from '../../../src/core/calibration/fit.ts';
import type { CborMap } from '../../../src/core/cose/value.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import { thumbprintOf } from '../../../src/core/crypto/thumbprint.ts';
import { judgeCaller } from '../../../src/core/guard/caller-judge.ts';
import { planCaller } from '../../../src/core/guard/caller-plan.ts';
import { GUARD_AT_START, type GuardState } from '../../../src/core/guard/guard.ts';
import { encodeGuardPolicy } from '../../../src/core/guard/policy-codec.ts';
import { signOrder } from '../../../src/core/trust/operator-act.ts';
import { verifyBundle } from '../../../src/core/trust/verify.ts';
import { type Device, startDevice } from '../../../src/host/runtime/device.ts';
import { GuardMemory } from '../../../src/host/runtime/guard-memory.ts';
import { RUN_ROLES, readGuarding } from '../../../src/host/runtime/loaded-model.ts';
import type { DeviceOptions } from '../../../src/host/runtime/options.ts';
import { nextEpoch } from '../../../src/host/store/boot-counter.ts';
import { STORE_FAULTS } from '../../../src/host/store/faults.ts';
import { accepted } from '../../core/base/outcome.ts';
import { randomNumbers } from '../../core/calibration/simulated.ts';
import { scratch } from '../store/folder.ts';
import { until } from '../uplink/brokers.ts';
import {
  CLASS,
  CONTEXT,
  ECHO,
  frame,
  oneOf,
  type ReleaseChange,
  ROOT,
  release,
  rootBytes,
  row,
  rowsModel,
  shipped,
  stillClock,
} from './releases.ts';

const OPERATOR = signerFromSeed(new Uint8Array(32).fill(51));
const OTHER_ECHO = rowsModel([
  { op: 'Identity', inputs: ['x'], outputs: ['between'] },
  { op: 'Identity', inputs: ['between'], outputs: ['y'] },
]);
const folder = scratch();
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** Logits of a model that is sure of its answer, one of two. */
const sure = (draw: () => number): [number, number] => {
  const a = 4 + 4 * draw();
  return draw() < 0.5 ? [a, -a] : [-a, a];
};

function policyOf(model: Uint8Array): Uint8Array {
  const rows = (count: number, seed: number) => {
    const draw = randomNumbers(seed);
    const data = Float32Array.from(Array.from({ length: count }, () => sure(draw)).flat());
    return { logits: { width: 2, data }, sha256: new Uint8Array(32).fill(seed) };
  };
  const policy = fitGuardPolicy({
    modelSha256: sha256(model),
    outputs: { scores: 'y' },
    ...{ fit: rows(90, 1), calibration: rows(400, 2), falseAlarms: 0.05 },
    drift: { alpha: 0.01, classes: false },
  });
  return encodeGuardPolicy(accepted(policy));
}

function guardedRelease(change: ReleaseChange = {}): ReleaseChange {
  const { model = ECHO } = change;
  const y = { name: 'y', dtype: 'float32', dims: [row, 2], role: 'scores' } as const;
  return {
    policy: policyOf(model),
    detection: 'reduced',
    io: { inputs: [{ name: 'x', dtype: 'float32', dims: [row, 2] }], outputs: [y] },
    guard: new Map<string, unknown>([
      ['actions', new Map([['drift', 'substitute']])],
      ['frozenFrames', 0],
      ['callers', new Map([['principals', new Map([['meter', METER]])]])],
    ]) as CborMap,
    ...change,
  };
}

const METER = new Map<string, unknown>([
  ['kind', 'query'],
  ['budget', 2],
]);

class Bench {
  readonly state = folder();
  readonly lines: string[] = [];
  readonly clock = stillClock();
  readonly #root = join(folder(), 'root.cbor');
  #bundle = shipped(folder(), guardedRelease());

  constructor() {
    writeFileSync(this.#root, rootBytes({ roles: { ...ROOT.roles, operator: oneOf(OPERATOR) } }));
  }

  ship(change: ReleaseChange): void {
    this.#bundle = shipped(folder(), guardedRelease(change));
  }

  async start(change: Partial<DeviceOptions> = {}): Promise<Device> {
    this.lines.length = 0;
    const device = accepted(
      await startDevice({
        ...{ stateFolder: this.state, root: this.#root, bundle: this.#bundle },
        ...{ profile: 'production', board: 'generic-x64', hardwareClass: CLASS },
        ...{ clock: this.clock, log: (line) => void this.lines.push(line) },
        ...change,
      }),
    );
    ends.push(() => device.stop());
    return device;
  }

  copies(): string[] {
    return [0, 1].map((i) => readFileSync(join(this.state, `state.${i}`)).toString('hex'));
  }
}

const codes = async (device: Device, principal?: string): Promise<string[]> => {
  const { verdict, reasons } = await device.infer(
    frame(6, -6),
    principal === undefined ? undefined : { principal },
  );
  return [verdict, ...reasons.map(({ code }) => code)];
};

/** Frames of which the model is not sure, until drift has been found. */
async function drift(device: Device): Promise<number> {
  for (let frames = 1; frames <= 100; frames++) {
    const { drift: raised } = await device.infer(frame(frames / 1000, 0));
    if (raised !== undefined) return frames;
  }
  throw new Error('no alarm in 100 frames');
}

async function watched(): Promise<Bench> {
  const bench = new Bench();
  const device = await bench.start();
  expect(bench.lines).toEqual([]);
  for (let i = 0; i < 2; i++) expect((await codes(device, 'meter'))[0]).not.toBe('withhold');
  await drift(device);
  await device.stop();
  return bench;
}

describe('a device that starts again', () => {
  it('forgets neither an alarm that stands nor a budget that is used up', async () => {
    const bench = await watched();
    const device = await bench.start();
    expect(bench.lines).toEqual([]);
    expect(await codes(device)).toEqual(['substitute', 'drift.novelty']);
    expect(await codes(device, 'meter')).toEqual(['withhold', 'caller.budget', 'drift.novelty']);
  });

  it('lets an alarm stand until an operator has signed that it was seen', async () => {
    const bench = await watched();
    const device = await bench.start();
    const about = async (what: string, counter: number): Promise<boolean> => {
      const act = { verb: 'acknowledge', about: what } as const;
      const to = { device: thumbprintOf(device.publicKey), epoch: device.epoch };
      return (
        await device.operate(accepted(signOrder({ act, id: 'o-1', counter, ...to }, OPERATOR)))
      ).done;
    };
    const unsigned = await device.operate({ verb: 'acknowledge', about: 'drift' });
    expect(unsigned.fault?.code).toBe('operator.unsigned');
    expect(await about('the-weather', 1)).toBe(true);
    expect(await codes(device)).toContain('drift.novelty');
    expect(await about('drift', 2)).toBe(true);
    expect(await codes(device)).toEqual(['release']);
    await device.stop();
    expect(await codes(await bench.start())).toEqual(['release']);
  });

  it('begins anew with another model, and says so', async () => {
    const bench = await watched();
    bench.ship({ model: OTHER_ECHO, version: '1.1.0', sequenceNumber: 10 });
    const device = await bench.start();
    expect(device.bundle?.meta.version).toBe('1.1.0');
    expect(bench.lines.join('\n')).toMatch(/drift: .*anew: drift\.other-policy/);
    expect(bench.lines.join('\n')).toMatch(/callers: .*anew: caller\.other-model/);
    expect(await codes(device)).toEqual(['release']);
    expect((await codes(device, 'meter'))[0]).toBe('release');
  });

  it('begins anew where both copies are damaged or gone back, and says so', async () => {
    const bench = await watched();
    const old = bench.copies();
    for (const harm of ['ffff', undefined]) {
      for (const i of [0, 1]) {
        const bytes = Buffer.from(harm ?? (old[i] as string), 'hex');
        writeFileSync(join(bench.state, `state.${i}`), bytes);
      }
      const device = await bench.start();
      expect(bench.lines.join()).toMatch(/the guard begins anew: /);
      expect(await codes(device)).toEqual(['release']);
      await device.stop();
    }
  });

  it('without a model keeps what the model before it has seen', async () => {
    const bench = await watched();
    const none = await bench.start({ bundle: undefined, hardwareClass: 'other' });
    expect([none.bundle, none.mode]).toEqual([undefined, 'safe']);
    await none.infer(frame(1, 1));
    await none.stop();
    expect(await codes(await bench.start())).toEqual(['substitute', 'drift.novelty']);
  });
});

describe('a device that runs', () => {
  it('writes what it has seen from time to time, without being stopped', async () => {
    const bench = new Bench();
    const device = await bench.start({ healthPeriodMs: 5 });
    const before = bench.copies();
    await codes(device, 'meter');
    bench.clock.advance(SEALED_STATE_PERIOD_MS);
    await until(() => bench.copies().every((copy, i) => copy !== before[i]));
  });
});

describe('the memory of a guard', () => {
  const bundle = accepted(
    verifyBundle(bytesSource(release(guardedRelease())), 'boot', CONTEXT, { keep: RUN_ROLES }),
  );
  const model = { bundle, ...accepted(readGuarding(bundle)) };
  const clock = stillClock();
  const KEY = new Uint8Array(32).fill(1);
  const opened = (stateFolder: string): GuardMemory => {
    const epoch = nextEpoch(stateFolder, KEY);
    return new GuardMemory({ stateFolder, macKey: KEY, epoch, clock, log: () => {} });
  };
  const now = (): MonotonicMs => clock.monotonicMs();

  /** A caller whose frames have killed as many runs as it takes. */
  function quarantined(name: string): GuardState {
    const { callers: settings } = model.settings;
    let { callers } = GUARD_AT_START;
    for (let kills = 0; kills < settings.kills; kills++) {
      const planned = planCaller(callers, settings, name, now());
      const seen = { noveltyP: undefined, features: undefined, label: undefined, killed: true };
      const known = { settings, reference: undefined };
      callers = judgeCaller(planned.state, known, name, seen, now()).state;
    }
    return { ...GUARD_AT_START, callers };
  }
  const asks = (state: GuardState, name: string): string | undefined =>
    planCaller(state.callers, model.settings.callers, name, now()).findings[0]?.code;

  it('keeps a caller shut out', () => {
    const at = folder();
    const state = quarantined('thief');
    expect(asks(state, 'thief')).toBe('caller.quarantined');
    opened(at).keepNow(model, state);
    const recalled = opened(at).recall(model);
    expect([asks(recalled, 'thief'), asks(recalled, 'honest')]).toEqual([
      'caller.quarantined',
      undefined,
    ]);
  });

  it('writes once in its period at most, whatever has changed', () => {
    const at = folder();
    const memory = opened(at);
    const disk = (): string => readFileSync(join(at, 'state.0')).toString('hex');
    const before = disk();
    clock.advance(SEALED_STATE_PERIOD_MS - 1);
    memory.keep(model, quarantined('a'));
    expect(disk()).toBe(before);
    clock.advance(1);
    memory.keep(model, quarantined('a'));
    const after = disk();
    expect(after).not.toBe(before);
    memory.keep(model, quarantined('b'));
    expect(disk()).toBe(after);
  });

  it('keeps nothing of a boot that is not counted, and says so where a guard would miss it', () => {
    const at = folder();
    const lines: string[] = [];
    const epoch = err(faultOf(STORE_FAULTS, 'store.write', 'read-only'));
    const log = (line: string): void => void lines.push(line);
    const memory = new GuardMemory({ stateFolder: at, macKey: KEY, epoch, clock, log });
    expect(memory.recall(model)).toEqual(GUARD_AT_START);
    memory.keepNow(model, quarantined('a'));
    expect(readdirSync(at)).toEqual([]);
    expect(lines).toEqual([expect.stringContaining('store.write')]);
  });
});
