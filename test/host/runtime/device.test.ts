/** The device as a whole, seen by who knows its public key only, with a broker and without one. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Birth, decodeBirth } from '../../../src/core/telemetry/birth.ts';
import { EMPTY_CHAIN, followChain } from '../../../src/core/telemetry/chain.ts';
import { type Envelope, openEnvelope } from '../../../src/core/telemetry/envelope.ts';
import { decodeEvent, type EdgeEvent } from '../../../src/core/telemetry/event.ts';
import { decodeHealth } from '../../../src/core/telemetry/health.ts';
import { decodeStatus } from '../../../src/core/telemetry/status.ts';
import { type Device, startDevice } from '../../../src/host/runtime/device.ts';
import type { DeviceOptions } from '../../../src/host/runtime/options.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { scratch } from '../store/folder.ts';
import { startBroker, type TestBroker, until } from '../uplink/brokers.ts';
import { runToItsEnd, workersAlive } from './alive.ts';
import { flipByte } from './machine.ts';
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
      'update.slot-changed',
      'update.slot-changed',
      'integrity.boot-verified',
      'integrity.installed',
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
    for (const slot of ['A', 'B']) flipByte(join(state, 'slots', slot, 'model.onnx'), 90);

    const device = await started(state, { uplink: hub.uplink });
    expect([device.mode, device.bundle, device.epoch]).toEqual(['safe', undefined, 2]);
    const { verdict, source, outputs } = await device.infer(frame(1, 2));
    expect([verdict, source, rowOf(outputs)]).toEqual(['substitute', 'safe', [1, 2]]);
    await device.stop();
    const told = verified(hub, device.publicKey);
    expect(birthOf(told)).toMatchObject({ bundles: [], mode: 'safe' });
    const refused = 'integrity.boot-refused bundle.file-digest';
    expect(eventsOf(told)).toEqual([refused, refused, refused]);
    expect(device.refusal?.code).toBe('bundle.file-digest');
    expect(chainOf(told)).toEqual(['first', ...Array(4).fill('next')]);
    expect(new Set(statuses(hub))).toEqual(new Set(['safe', 'offline']));
  });

  it('with one good slot left says DEGRADED, and is whole again when the disk takes a copy', async () => {
    const hub = await broker();
    const state = folder();
    await (await started(state, { bundle: shipped(folder()) })).stop();
    flipByte(join(state, 'slots/A/model.onnx'), 90);
    // Nothing can be put in the place of the slot that was lost.
    mkdirSync(join(state, 'slots/A/manifest.suit.d'));
    const device = await started(state, { uplink: hub.uplink });
    expect([device.mode, device.slot]).toEqual(['degraded', 'B']);
    expect((await device.infer(frame(1, 2))).verdict).toBe('release');
    await device.stop();
    expect(birthOf(verified(hub, device.publicKey))).toMatchObject({ mode: 'degraded' });
    expect(statuses(hub).slice(-2)).toEqual(['degraded', 'offline']);
    rmSync(join(state, 'slots/A/manifest.suit.d'), { recursive: true });
    expect((await started(state)).mode).toBe('nominal');
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
    const keyless = folder();
    writeFileSync(join(keyless, 'device.key'), 'short', { mode: 0o600 });
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
      const keyless = await startDevice({ ...options, stateFolder: ${JSON.stringify(keyless)} });
      const { value } = await startDevice(options);
      const second = await startDevice(options);
      const modes = [keyless.value.mode, value.mode];
      await keyless.value.stop();
      await value.stop();
      const faults = [refused, unreachable, second].map(({ fault }) => fault.code);
      console.log(...faults, ...modes);
    `);
    expect(out).toBe('telemetry.id uplink.bad-url platform.in-use safe nominal\n');
    expect(status).toBe(0);
  });
});

describe('a caller that is wrong', () => {
  async function refused(state: string, change: Partial<DeviceOptions> = {}): Promise<string> {
    const code = codeOf(await startDevice(optionsFor(state, { uplink: NOWHERE, ...change })));
    await until(() => workersAlive() === 0);
    return code;
  }

  it('about a name that no topic can carry, with a broker and without, changes nothing', async () => {
    const bundlePath = shipped(folder());
    const state = folder();
    expect(await refused(state, { group: 'a/b', bundle: bundlePath })).toBe('telemetry.id');
    expect(readdirSync(state)).toEqual([]);
    expect(await refused(folder(), { deviceName: 'a.b', bundle: bundlePath })).toBe('telemetry.id');
    const change = { deviceName: '#', bundle: bundlePath, uplink: undefined };
    expect(await refused(folder(), change)).toBe('telemetry.id');
  });

  it('about the broker, an option or the board leaves nothing running', async () => {
    expect(await refused(folder(), { uplink: { url: 'http://h' } })).toBe('uplink.bad-url');
    expect(await refused(folder(), { board: 'toaster' })).toBe('platform.profile-missing');
    expect(await refused(folder(), { root: [] })).toBe('field.type');
    const misspelt = { ...optionsFor(folder()), revocation: 'list' } as DeviceOptions;
    expect(codeOf(await startDevice(misspelt))).toBe('field.unknown');
  });

  it('about a folder on which a device runs hears it, and the device runs on', async () => {
    const state = folder();
    const first = await started(state, { bundle: shipped(folder()) });
    expect(codeOf(await startDevice(optionsFor(state)))).toBe('platform.in-use');
    expect((await first.infer(frame(1, 2))).verdict).toBe('release');
    await first.stop();
    expect((await started(state)).epoch).toBe(2);
  });
});
