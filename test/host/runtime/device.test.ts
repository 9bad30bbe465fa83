/** The device as a whole, seen by who knows its public key only, with a broker and without one. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Birth, decodeBirth } from '../../../src/core/telemetry/birth.ts';
import { EMPTY_CHAIN, followChain } from '../../../src/core/telemetry/chain.ts';
import { type Envelope, openEnvelope } from '../../../src/core/telemetry/envelope.ts';
import { decodeEvent, type EdgeEvent } from '../../../src/core/telemetry/event.ts';
import { decodeHealth } from '../../../src/core/telemetry/health.ts';
import { decodeStatus } from '../../../src/core/telemetry/status.ts';
import { loadIdentity } from '../../../src/host/platform/identity.ts';
import { type Device, startDevice } from '../../../src/host/runtime/device.ts';
import { installedBundlePath } from '../../../src/host/runtime/installation.ts';
import type { DeviceOptions } from '../../../src/host/runtime/options.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { makePipe, scratch } from '../store/folder.ts';
import { startBroker, type TestBroker, until } from '../uplink/brokers.ts';
import { runToItsEnd, workersAlive } from './alive.ts';
import { CLASS, frame, rootBytes, rowOf, shipped, stillClock } from './releases.ts';

const folder = scratch();
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function optionsFor(state: string, change: Partial<DeviceOptions> = {}): DeviceOptions {
  const rootPath = join(folder(), 'root.cbor');
  writeFileSync(rootPath, rootBytes());
  return {
    stateFolder: state,
    root: rootPath,
    profile: 'production',
    board: 'generic-x64',
    hardwareClass: CLASS,
    group: 'g',
    deviceName: 'pump',
    clock: stillClock(),
    ...change,
  };
}

async function started(state: string, change: Partial<DeviceOptions> = {}): Promise<Device> {
  const device = accepted(await startDevice(optionsFor(state, change)));
  ends.push(() => device.stop());
  return device;
}

async function broker(): Promise<TestBroker & { readonly uplink: { readonly url: string } }> {
  const running = await startBroker();
  ends.push(() => running.stop());
  return { ...running, uplink: { url: `mqtt://127.0.0.1:${running.port}` } };
}

const kindOf = (topic: string): string => topic.split('/').slice(4).join('/');

/** What a subscriber verifies with nothing but the public key. */
function verified({ published }: TestBroker, publicKey: Uint8Array): Envelope[] {
  return published
    .filter(({ topic }) => ['birth', 'event', 'health'].includes(kindOf(topic)))
    .map(({ topic, payload }) =>
      accepted(openEnvelope(new Uint8Array(payload as Buffer), topic, () => publicKey)),
    );
}

function statuses({ published }: TestBroker): string[] {
  return published
    .filter(({ topic }) => kindOf(topic) === 'status')
    .map(({ payload }) => accepted(decodeStatus(new Uint8Array(payload as Buffer))));
}

const birthOf = (envelopes: readonly Envelope[]): Birth =>
  accepted(decodeBirth(envelopes.find(({ type }) => type === 'birth')?.body ?? null));

function eventsOf(envelopes: readonly Envelope[]): string[] {
  return envelopes
    .filter(({ type }) => type === 'event')
    .map(({ body }) => accepted(decodeEvent(body)))
    .map((event) => ('fault' in event ? `${event.type} ${event.fault}` : event.type));
}

function chainOf(envelopes: readonly Envelope[]): string[] {
  let state = EMPTY_CHAIN;
  return envelopes.map((envelope) => {
    const step = followChain(state, envelope);
    state = step.state;
    return step.verdict;
  });
}

/** No device is listening on it, and none will. */
const NOWHERE = { url: 'mqtt://127.0.0.1:1' };

describe('a device with a broker', () => {
  it('is born, judges, reports and says goodbye, verifiably, and goes on as the next epoch', async () => {
    const hub = await broker();
    const state = folder();
    const bundlePath = shipped(folder());
    const first = await started(state, { bundle: bundlePath, uplink: hub.uplink });
    expect([first.epoch, first.mode, first.refusal]).toEqual([1, 'nominal', undefined]);
    expect((await first.infer(frame(1, 2))).verdict).toBe('release');
    expect((await first.infer(frame(99, 2))).verdict).toBe('substitute');
    expect((await first.infer('no frame')).verdict).toBe('substitute');
    expect(first.verdicts).toMatchObject({ release: 1, substitute: 2 });
    await first.stop();
    const told = verified(hub, first.publicKey);
    expect(told[0]).toMatchObject({ type: 'birth', sequence: 0, epoch: 1, device: 'pump' });
    expect(birthOf(told)).toMatchObject({
      bundles: [{ name: 'echo', digest: first.bundle?.manifestSha256 }],
      bootCount: 1,
      mode: 'nominal',
      floorTier: 'T0',
      evidence: 'self-asserted',
      clockState: 'floor',
    });
    expect(eventsOf(told)).toEqual([
      'integrity.installed',
      'integrity.boot-verified',
      'mode.changed',
      'output.finding',
      'input.finding',
    ]);
    const health = accepted(decodeHealth(told.at(-1)?.body ?? null));
    expect(health.verdicts).toMatchObject({ release: 1, substitute: 2 });
    expect(health.flashBytesWritten).toBeGreaterThan(0);
    expect(statuses(hub).at(-1)).toBe('offline');
    expect(statuses(hub)).toContain('online');

    const second = await started(state, { uplink: hub.uplink });
    expect([second.epoch, second.publicKey]).toEqual([2, first.publicKey]);
    await second.stop();
    const all = verified(hub, first.publicKey);
    expect(new Set(chainOf(all))).toEqual(new Set(['first', 'next', 'new-epoch']));
    const [a, b] = all.filter(({ type }) => type === 'birth').map((birth) => birthOf([birth]));
    expect(a?.bootSeed).not.toEqual(b?.bootSeed);
  });

  it('shows a moved, a replayed and an invented message for what they are', async () => {
    const hub = await broker();
    const device = await started(folder(), { bundle: shipped(folder()), uplink: hub.uplink });
    await device.reportHealth();
    await device.stop();
    const all = verified(hub, device.publicKey);
    const replayed = [...all, ...all.slice(1, 2)];
    expect(chainOf(replayed).at(-1)).toBe('duplicate');
    const stranger = await started(folder(), { deviceName: 'other' });
    expect(() => verified(hub, stranger.publicKey)).toThrow('crypto.');
    const health = hub.published.find(({ topic }) => kindOf(topic) === 'health');
    const payload = new Uint8Array(health?.payload as Buffer);
    const moved = openEnvelope(payload, 'edgeward/v1/g/pump/event', () => device.publicKey);
    expect(codeOf(moved)).not.toBe('accepted');
  });

  it('whose bundle is tampered with comes up in SAFE, says so, and gives the recorded output', async () => {
    const hub = await broker();
    const state = folder();
    await (await started(state, { bundle: shipped(folder()) })).stop();
    const path = installedBundlePath(state);
    const bytes = readFileSync(path);
    bytes[900] = (bytes[900] as number) ^ 1;
    writeFileSync(path, bytes);

    const device = await started(state, { uplink: hub.uplink });
    expect([device.mode, device.bundle, device.epoch]).toEqual(['safe', undefined, 2]);
    const { verdict, source, outputs } = await device.infer(frame(1, 2));
    expect([verdict, source, rowOf(outputs)]).toEqual(['substitute', 'safe', [1, 2]]);
    await device.stop();
    const told = verified(hub, device.publicKey);
    expect(birthOf(told)).toMatchObject({ bundles: [], mode: 'safe' });
    expect(eventsOf(told)).toEqual([`integrity.boot-refused ${device.refusal?.code}`]);
    expect(chainOf(told)).toEqual(['first', 'next', 'next']);
    expect(new Set(statuses(hub))).toEqual(new Set(['safe', 'offline']));
  });

  it('reports its health again and again', async () => {
    const hub = await broker();
    const still = stillClock();
    let asked = 0;
    const unixMs = () => {
      asked++;
      return still.unixMs();
    };
    const clock = { ...still, unixMs };
    const device = await started(folder(), { uplink: hub.uplink, healthPeriodMs: 20, clock });
    const count = (): number =>
      hub.published.filter(({ topic }) => kindOf(topic) === 'health').length;
    await until(() => count() >= 3);
    await device.stop();
    expect(new Set(chainOf(verified(hub, device.publicKey)))).toEqual(new Set(['first', 'next']));
    const before = asked;
    await new Promise((resolve) => setTimeout(resolve, 80));
    // Every message asks for the time.
    expect(asked).toBe(before);
  });
});

describe('a device without a broker', () => {
  it('that does not answer judges as ever, and stops', async () => {
    const lines: string[] = [];
    const device = await started(folder(), {
      bundle: shipped(folder()),
      uplink: NOWHERE,
      log: (line) => lines.push(line),
    });
    expect((await device.infer(frame(3, 4))).verdict).toBe('release');
    await until(() => lines.some((line) => line.startsWith('uplink.')));
    await device.stop();
  });

  it('says after the stop that nothing was computed, and stops once', async () => {
    const device = await started(folder(), { bundle: shipped(folder()) });
    const [one, two] = [device.stop(), device.stop()];
    expect(one).toBe(two);
    await one;
    const { verdict, reasons } = await device.infer(frame(1, 2));
    expect([verdict, reasons[0]?.code]).toEqual(['substitute', 'inference.failed']);
  });

  it('takes its name from its key where none is given', async () => {
    const device = await started(folder(), { deviceName: undefined });
    expect(device.name).toMatch(/^ew-[0-9a-f]{12}$/);
  });

  it('claims no time that its clock does not know', async () => {
    const hub = await broker();
    const state = folder();
    await (await started(state, { bundle: shipped(folder()) })).stop();
    const in1970 = { clock: stillClock(5_000), uplink: hub.uplink };
    const device = await started(state, in1970);
    expect(device.mode).toBe('nominal');
    await device.stop();
    const birth = birthOf(verified(hub, device.publicKey));
    expect([birth.clockState, birth.issuedAtSeconds]).toEqual(['unset', undefined]);
  });

  it('is not stopped by who listens', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    const broken = (): never => {
      throw new Error('the listener is broken');
    };
    const listeners = { onEvent: broken, log: broken, uplink: NOWHERE };
    const device = await started(folder(), { bundle: shipped(folder()), ...listeners });
    expect((await device.infer(frame(99, 4))).verdict).toBe('substitute');
    await device.stop();
    expect(warn).toHaveBeenCalledWith(new Error('the listener is broken'));
    warn.mockRestore();
  });

  it('tells every event as it happens', async () => {
    const events: EdgeEvent[] = [];
    const device = await started(folder(), { onEvent: (event) => events.push(event) });
    expect(events).toEqual([{ type: 'integrity.boot-refused', fault: 'runtime.not-installed' }]);
    expect(device.refusal?.code).toBe('runtime.not-installed');
  });

  it('lets its process end: after a stop, and after a start that was refused', async () => {
    const full = folder();
    await (await started(full, { bundle: shipped(folder()) })).stop();
    mkdirSync(join(full, 'floor.0.tmp'));
    const { clock: _, ...options } = optionsFor(folder(), {
      bundle: shipped(folder()),
      uplink: NOWHERE,
      healthPeriodMs: 3_600_000,
    });
    const room = (path: string): string =>
      new URL(`../../../src/host/${path}`, import.meta.url).href;
    const { status, out } = runToItsEnd(`
      import { systemClock as clock } from '${room('platform/clock.ts')}';
      import { startDevice } from '${room('runtime/device.ts')}';
      const options = { ...${JSON.stringify(options)}, clock };
      const refused = await startDevice({ ...options, group: 'a/b' });
      const unreachable = await startDevice({ ...options, uplink: { url: 'http://h' } });
      const unwritable = await startDevice({ ...options, stateFolder: ${JSON.stringify(full)} });
      const { value } = await startDevice(options);
      const { mode } = value;
      await value.stop();
      const faults = [refused, unreachable, unwritable].map(({ fault }) => fault.code);
      console.log(...faults, mode);
    `);
    expect(out).toBe('telemetry.id uplink.bad-url store.write nominal\n');
    expect(status).toBe(0);
  });
});

describe('a start that promises nothing is a fault and leaves nothing running', () => {
  async function refused(state: string, change: Partial<DeviceOptions> = {}): Promise<string> {
    const code = codeOf(await startDevice(optionsFor(state, { uplink: NOWHERE, ...change })));
    await until(() => workersAlive() === 0);
    return code;
  }

  it('for a root that is missing, a folder, a pipe or garbage', async () => {
    const at = folder();
    expect(await refused(folder(), { root: join(at, 'none') })).toBe('store.not-found');
    expect(await refused(folder(), { root: at })).toBe('store.read');
    expect(await refused(folder(), { root: makePipe(join(at, 'pipe')) })).toBe('store.read');
    writeFileSync(join(at, 'bad'), 'garbage');
    expect(await refused(folder(), { root: join(at, 'bad') })).toMatch(/^(cbor|root)\./);
  });

  it('for a device key that others can read, or that is damaged', async () => {
    const state = folder();
    writeFileSync(join(state, 'device.key'), 'x'.repeat(9));
    chmodSync(join(state, 'device.key'), 0o640);
    expect(await refused(state)).toBe('store.loose-mode');
    chmodSync(join(state, 'device.key'), 0o600);
    expect(await refused(state)).toBe('platform.identity');
  });

  it('for a name that no topic can carry, with a broker and without', async () => {
    const bundlePath = shipped(folder());
    const state = folder();
    expect(await refused(state, { group: 'a/b', bundle: bundlePath })).toBe('telemetry.id');
    // No boot was counted and nothing installed for it.
    expect(readdirSync(state).sort()).toEqual(['device.key', 'device.pub']);
    expect(await refused(folder(), { deviceName: 'a.b', bundle: bundlePath })).toBe('telemetry.id');
    const change = { deviceName: '#', bundle: bundlePath, uplink: undefined };
    expect(await refused(folder(), change)).toBe('telemetry.id');
  });

  it('for a broker that may not be used', async () => {
    expect(await refused(folder(), { uplink: { url: 'http://h' } })).toBe('uplink.bad-url');
  });

  it('for records that are torn, of another key, or gone', async () => {
    const state = folder();
    await (await started(state, { bundle: shipped(folder()) })).stop();
    const harmed = async (harm: (name: string) => void): Promise<string> => {
      const names = ['floor.0', 'floor.1', 'epoch.0', 'epoch.1'];
      const kept = names.map((name) => readFileSync(join(state, name)));
      harm(state);
      const code = await refused(state);
      for (const [i, name] of names.entries()) writeFileSync(join(state, name), kept[i] as Buffer);
      return code;
    };
    const each = (of: string, act: (path: string) => void) => (at: string) => {
      for (const i of [0, 1]) act(join(at, `${of}.${i}`));
    };
    expect(await harmed(each('floor', (path) => writeFileSync(path, 'torn')))).toBe(
      'store.corrupt',
    );
    expect(await harmed(each('epoch', (path) => writeFileSync(path, 'torn')))).toBe(
      'store.corrupt',
    );
    // rollback: an attacker without the key can still remove the record that stands in his way.
    expect(await harmed(each('floor', (path) => rmSync(path)))).toBe('store.corrupt');
    const whole = await started(state);
    expect([whole.mode, whole.epoch]).toEqual(['nominal', 2]);
  });

  it('for a state folder that cannot be written', async () => {
    const at = folder();
    writeFileSync(join(at, 'file'), '');
    expect(await refused(join(at, 'file'))).toBe('store.write');
    const state = folder();
    accepted(loadIdentity(state));
    for (const i of [0, 1]) mkdirSync(join(state, `floor.${i}`));
    expect(await refused(state)).toBe('store.corrupt');
    const keyless = folder();
    mkdirSync(join(keyless, 'floor.0'));
    expect(await refused(keyless)).toBe('platform.identity');
    expect(existsSync(join(keyless, 'device.key'))).toBe(false);
    const other = folder();
    for (const i of [0, 1]) mkdirSync(join(other, `epoch.${i}.tmp`));
    expect(await refused(other)).toBe('store.write');
  });
});
