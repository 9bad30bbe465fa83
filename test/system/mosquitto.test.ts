/** The telemetry of real device processes through a real broker: MQTT 5, mutual TLS, access list. */
import { readFileSync } from 'node:fs';
import { connect as connectTls, type SecureVersion } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { need } from '../../src/core/base/fault.ts';
import { decodeHealth } from '../../src/core/telemetry/health.ts';
import { decodeStatus, type Status } from '../../src/core/telemetry/status.ts';
import { openToyBench, type ToyBench } from '../apps/cli/toy-bench.ts';
import { eventMessage, type Watched, watched } from '../host/uplink/brokers.ts';
import { FleetCa, Mosquitto, mosquittoMissing } from './mosquitto.ts';
import {
  BEYOND,
  Client,
  type Credentials,
  collect,
  type Followed,
  follow,
  RunningDevice,
  USUAL,
  until,
} from './mosquitto-clients.ts';

let bench: ToyBench;
let broker: Mosquitto;
let collector: Client;
const open: { stop(): Promise<unknown> }[] = [];

beforeAll(async () => {
  if (mosquittoMissing !== '') return;
  bench = await openToyBench();
  broker = await Mosquitto.start();
  collector = await collect(broker, broker.ca.client('collector'));
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.stop()));
});

afterAll(async () => {
  await collector?.close();
  await broker?.remove();
  bench?.remove();
});

/** With a new certificate for its name unless told otherwise. */
function startDevice(name: string, credentials?: Partial<Credentials>, state = name) {
  const device = new RunningDevice(bench, broker, {
    name,
    state,
    ...(credentials ?? broker.ca.client(name)),
  });
  open.push(device);
  return device;
}

/** A client of the test's own, closed after it. */
function startClient(name: string, options: ConstructorParameters<typeof Client>[2] = {}): Client {
  const client = new Client(broker, broker.ca.client(name), options);
  open.push({ stop: () => client.close() });
  return client;
}

const followed = (device: RunningDevice): Followed => follow(collector.heard, device);

/** The frames that the collector was told of, in the order of their first message. */
function framesTold(device: RunningDevice): number[] {
  const { events } = followed(device);
  const told = events.flatMap((event) => (event.type === 'input.finding' ? [event.frame] : []));
  return [...new Set(told)];
}

/** Waits until the collector was told of so many frames. */
async function findings(device: RunningDevice, count: number): Promise<void> {
  const told = (): number[] => (device.enrolled ? framesTold(device) : []);
  await until(
    `${count} frames`,
    () => told().length >= count,
    () => `${told()}\n${device.log}`,
  );
}

function statuses(device: RunningDevice): string[] {
  return collector.payloads(device.topic('status')).map((payload) => need(decodeStatus(payload)));
}

/** Waits until the newest status at the collector is this one. */
async function status(device: RunningDevice, wanted: Status): Promise<void> {
  await until(
    `status ${wanted}`,
    () => statuses(device).at(-1) === wanted,
    () => `${statuses(device)}\n${device.log}`,
  );
}

/** Waits until it has judged so many frames. */
async function verdicts(device: RunningDevice, count: number): Promise<void> {
  await until(
    `${count} verdicts`,
    () => device.verdicts().length >= count,
    () => device.log,
  );
}

const title = mosquittoMissing === '' ? '' : ` (skipped: ${mosquittoMissing})`;

describe.skipIf(mosquittoMissing !== '')(`Mosquitto${title}`, () => {
  it('carries birth, event and health over MQTT 5, and they verify', async () => {
    const device = startDevice('press-1');
    device.feed(USUAL, BEYOND);
    await findings(device, 1);
    expect(await device.stop()).toBe(0);
    await status(device, 'offline');

    expect(device.log).toContain(`connected to ${broker.url}, MQTT 5`);
    expect(broker.log).toMatch(/ as press-1 \(p5, c1, k30, u'press-1'\)/);
    expect(device.verdicts()).toEqual(['release', 'substitute']);
    const { envelopes, events, verdicts: links } = followed(device);
    expect(links[0]).toBe('first');
    expect(new Set(links.slice(1))).toEqual(new Set(['next']));
    expect(envelopes[0]).toMatchObject({ type: 'birth', sequence: 0, epoch: 1 });
    expect(events.map(({ type }) => type)).toContain('input.finding');
    const last = envelopes.at(-1);
    expect(last?.type).toBe('health');
    const health = need(decodeHealth(last?.body ?? null));
    expect(health.verdicts).toMatchObject({ release: 1, substitute: 1 });
    expect(collector.payloads(device.topic('json/health'))).toHaveLength(1);
    expect(statuses(device)).toContain('online');
  });

  it('publishes the Will when a device is killed; its next boot starts a new epoch', async () => {
    const credentials = broker.ca.client('press-2');
    const killed = startDevice('press-2', credentials);
    await status(killed, 'online');
    await killed.kill();
    await status(killed, 'offline');
    const again = startDevice('press-2', credentials);
    await status(again, 'online');
    const { envelopes, verdicts: links } = followed(again);
    expect(new Set(envelopes.map(({ epoch }) => epoch))).toEqual(new Set([1, 2]));
    expect(links.filter((link) => link !== 'next')).toEqual(['first', 'new-epoch']);
  });

  it('shows who comes late the last birth, health and status, after a restart too', async () => {
    const device = startDevice('press-14');
    await status(device, 'online');
    await device.stop();
    await status(device, 'offline');
    await collector.close();
    const before = collector.heard;
    await broker.stop();
    await broker.start();
    collector = await collect(broker, broker.ca.client('collector'), { clean: true });
    const late = () => collector.heard.filter(({ topic }) => topic.includes('/press-14/'));
    const kinds = ['birth', 'health', 'json/health', 'status'];
    await until('what is retained', () => late().length >= kinds.length);
    expect(late().every(({ retained }) => retained)).toBe(true);
    const topics = late().map(({ topic }) => topic);
    expect(topics.sort()).toEqual(kinds.map((kind) => device.topic(kind)));
    expect(statuses(device)).toEqual(['offline']);
    const types = followed(device).envelopes.map(({ type }) => type);
    expect(types.sort()).toEqual(['birth', 'health']);
    collector.heard.unshift(...before);
  });

  it('loses nothing when the broker restarts', async () => {
    const device = startDevice('press-3');
    device.feed(...Array(10).fill(BEYOND));
    await findings(device, 10);
    // Some on their way while it stops, some while it is away.
    device.feed(...Array(10).fill(BEYOND));
    await broker.stop();
    await device.says(/uplink\.\w+: .*next attempt in \d+ ms/);
    device.feed(...Array(20).fill(BEYOND));
    await verdicts(device, 40);
    const before = collector;
    await before.close();
    // What is asked is whether the device keeps its messages. Where it reaches a restarted broker
    // before the collector, it would be whether the broker keeps those that it acknowledged.
    device.hold(true);
    await broker.start();
    collector = await collect(broker, broker.ca.client('collector'));
    device.hold(false);
    collector.heard.unshift(...before.heard);
    device.feed(...Array(5).fill(BEYOND));
    await findings(device, 45);

    const { envelopes, events, verdicts: links } = followed(device);
    expect(framesTold(device)).toEqual(Array.from({ length: 45 }, (_, i) => i + 1));
    expect(events.filter(({ type }) => type === 'telemetry.dropped')).toEqual([]);
    // Again on the new connection is allowed, a gap is not.
    const kinds = new Set(links.slice(1));
    kinds.delete('duplicate');
    expect(kinds).toEqual(new Set(['next']));
    expect(new Set(envelopes.map(({ epoch }) => epoch))).toEqual(new Set([1]));
    expect(device.log.match(/connected to /g)).toHaveLength(2);
  });

  it('takes a renewed certificate, and none that is expired, foreign or missing', async () => {
    const foreign = new FleetCa(broker.ca.at('foreign'));
    const refused: [why: string, credentials: () => Partial<Credentials>][] = [
      ['expired', () => broker.ca.client('press-4', -1)],
      ['foreign', () => foreign.client('press-4')],
      ['missing', () => ({})],
    ];
    const first = startDevice('press-4');
    await first.says(/connected to /);
    await first.stop();
    for (const [why, credentials] of refused) {
      const device = startDevice('press-4', credentials());
      device.feed(USUAL);
      await device.says(/uplink\.(tls|refused): .*next attempt/);
      // Silent at the broker, and still at work.
      await verdicts(device, 1);
      expect(device.verdicts(), why).toEqual(['release']);
      expect(device.log, why).not.toContain('connected to ');
      expect(await device.stop(), why).toBe(0);
    }
    const renewed = startDevice('press-4', broker.ca.client('press-4'));
    await renewed.says(/connected to /);
    await status(renewed, 'online');
    expect(followed(renewed).envelopes.at(-1)?.epoch).toBe(5);
  });

  it('refuses foreign topics with reason 135; the publisher gives them up and goes on', async () => {
    const { cert, key } = broker.ca.client('press-5');
    const tls = { ca: pem(broker.ca.at('ca.crt')), cert: pem(cert), key: pem(key) };
    const { transport, ups, downs }: Watched = watched(broker.port, { url: broker.url, tls });
    open.push({ stop: () => transport.close() });
    transport.start();
    await until('the connection', () => transport.connected);
    expect(ups).toEqual([5]);
    const foreign = await transport.publish(eventMessage('x'));
    expect(foreign).toMatchObject({ ok: false, fault: { code: 'uplink.rejected' } });
    expect(foreign.ok ? '' : foreign.fault.message).toMatch(/^reason 135: /);
    const own = { ...eventMessage('x'), topic: 'edgeward/v1/hall/press-5/event' };
    expect((await transport.publish(own)).ok).toBe(true);
    expect(downs).toEqual([]);
  });

  it('hears nothing of a device under the name of another, which says so and works on', async () => {
    const device = startDevice('press-6', broker.ca.client('press-7'));
    device.feed(BEYOND, USUAL);
    await device.says(/uplink\.rejected: .*press-6\/birth/);
    await device.says(/uplink\.rejected: .*press-6\/event/);
    await verdicts(device, 2);
    expect(device.verdicts()).toEqual(['substitute', 'release']);
    expect(device.log.match(/connected to /g)).toHaveLength(1);
    expect(await device.stop()).toBe(0);
    expect(collector.heard.filter(({ topic }) => topic.includes('press-6'))).toEqual([]);
  });

  it('lets no client throw out a device by its client id', async () => {
    const device = startDevice('press-8');
    await device.says(/connected to /);
    const intruder = startClient('press-9', { clientId: 'edgeward-press-8' });
    await intruder.connected();
    const second = startClient('press-10', { clientId: 'press-8' });
    await second.connected();
    device.feed(BEYOND);
    await findings(device, 1);
    expect(device.log).not.toContain('next attempt');
  });

  it('lets a device read the commands to itself and nothing else', async () => {
    const [mine, other] = await Promise.all(
      ['press-11', 'press-12'].map((name) => startClient(name).listen()),
    );
    for (const [client, name] of [
      [other, 'press-12'],
      [mine, 'press-11'],
    ] as const) {
      for (const kind of ['event', 'cmd/attest/1']) {
        await client?.client.publishAsync(`edgeward/v1/hall/${name}/${kind}`, name, { qos: 1 });
      }
    }
    const command = 'edgeward/v1/hall/press-11/cmd/attest/1';
    await until('the command', () => (mine?.heard.length ?? 0) > 0);
    expect(mine?.heard.map(({ topic }) => topic)).toEqual([command]);
    expect(other?.heard.map(({ topic }) => topic)).toEqual([command.replace('11', '12')]);
  });

  it('has certificates for device names only, and one CA for good', () => {
    for (const name of ['../x', 'a/b', '+', '#', 'server', '']) {
      expect(() => broker.ca.client(name), name).toThrow(/a name has letters/);
    }
    expect(() => new FleetCa(broker.ca.folder)).toThrow(/a ca\.key here already/);
  });

  it.each<[SecureVersion, string | undefined]>([
    ['TLSv1.3', 'TLSv1.3'],
    ['TLSv1.2', 'TLSv1.2'],
    ['TLSv1.1', undefined],
  ])('answers %s with %s', async (version, spoken) => {
    const { cert, key } = broker.ca.client('press-13');
    const socket = connectTls({
      host: '127.0.0.1',
      port: broker.port,
      ca: pem(broker.ca.at('ca.crt')),
      cert: pem(cert),
      key: pem(key),
      minVersion: version,
      maxVersion: version,
      // This side would take it.
      ciphers: 'DEFAULT:@SECLEVEL=0',
    });
    const agreed = await new Promise<string | undefined>((done) => {
      socket.on('secureConnect', () => done(socket.getProtocol() ?? undefined));
      socket.on('error', () => done(undefined));
    });
    socket.destroy();
    expect(agreed).toBe(spoken);
  });
});

function pem(path: string): string {
  return readFileSync(path, 'utf8');
}
