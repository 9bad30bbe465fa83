/** Who talks to the real broker: a collector over MQTT 5, and `edgeward run` as a process. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import mqtt from 'mqtt';
import { openPublicKey } from '../../src/apps/maker/keys.ts';
import { need } from '../../src/core/base/fault.ts';
import {
  type ChainState,
  type ChainVerdict,
  EMPTY_CHAIN,
  followChain,
} from '../../src/core/telemetry/chain.ts';
import { type Envelope, openEnvelope } from '../../src/core/telemetry/envelope.ts';
import { decodeEvent, type EdgeEvent } from '../../src/core/telemetry/event.ts';
import { isSignedKind, parseTopic } from '../../src/core/telemetry/topic.ts';
import { ending, type Ran, startEdgeward } from '../apps/cli/program.ts';
import type { ToyBench } from '../apps/cli/toy-bench.ts';
import { toyRows } from '../apps/maker/toy.ts';
import type { Mosquitto } from './mosquitto.ts';

const PATIENCE_MS = 60_000;

/** Waits, and where it does not come tells what was awaited and what happened instead. */
export async function until(
  what: string,
  come: () => boolean,
  instead: () => string = () => '',
): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!come()) {
    if (performance.now() > endMs) throw new Error(`${what} did not come: ${instead()}`);
    await wait(5);
  }
}

export interface Heard {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retained: boolean;
}

export interface Credentials {
  readonly cert: string;
  readonly key: string;
}

/** A plain MQTT 5 client with a client certificate; `heard` is what came to it, in order. */
export class Client {
  readonly heard: Heard[] = [];
  readonly client: mqtt.MqttClient;

  constructor(broker: Mosquitto, credentials: Credentials, options: mqtt.IClientOptions = {}) {
    this.client = mqtt.connect(broker.url, {
      protocolVersion: 5,
      reconnectPeriod: 0,
      ca: readFileSync(broker.ca.at('ca.crt')),
      cert: readFileSync(credentials.cert),
      key: readFileSync(credentials.key),
      ...options,
    });
    // Lost connections are what these tests make; a test that needs one waits for it.
    this.client.on('error', () => undefined);
    this.client.on('message', (topic, payload, { retain }) => {
      this.heard.push({ topic, payload: new Uint8Array(payload), retained: retain });
    });
  }

  connected(): Promise<void> {
    return until('the connection', () => this.client.connected);
  }

  /** Subscribed; what waited for a durable session comes by itself. */
  async listen(filter = 'edgeward/v1/#'): Promise<this> {
    await this.connected();
    await this.client.subscribeAsync(filter, { qos: 1, rap: true });
    return this;
  }

  payloads(topic: string): Uint8Array[] {
    return this.heard.filter((message) => message.topic === topic).map(({ payload }) => payload);
  }

  async close(): Promise<void> {
    await this.client.endAsync();
  }
}

/** A session that the broker keeps while the collector or the broker itself is away. */
export function collect(
  broker: Mosquitto,
  credentials: Credentials,
  { clean = false }: { readonly clean?: boolean } = {},
): Promise<Client> {
  const properties = { sessionExpiryInterval: 3600 };
  // The client id is none of ours to choose, but a durable session must name one.
  const options = { clean, clientId: 'collector', properties };
  return new Client(broker, credentials, options).listen();
}

export interface Followed {
  readonly envelopes: readonly Envelope[];
  readonly events: readonly EdgeEvent[];
  /** What the chain says about each envelope. */
  readonly verdicts: readonly ChainVerdict[];
}

/** Every signed message of a device, verified with its enrolled key and followed in its chain. */
export function follow(heard: readonly Heard[], device: RunningDevice): Followed {
  const publicKey = need(openPublicKey(join(device.state, 'device.pub'))).publicKey;
  let chain: ChainState = EMPTY_CHAIN;
  const envelopes: Envelope[] = [];
  const verdicts: ChainVerdict[] = [];
  for (const { topic, payload } of heard) {
    const { kind, device: name } = need(parseTopic(topic));
    if (name !== device.name || !isSignedKind(kind)) continue;
    const envelope = need(openEnvelope(payload, topic, () => publicKey));
    const { state, verdict } = followChain(chain, envelope);
    chain = state;
    envelopes.push(envelope);
    verdicts.push(verdict);
  }
  const events = envelopes
    .filter(({ type }) => type === 'event')
    .map(({ body }) => need(decodeEvent(body)));
  return { envelopes, events, verdicts };
}

export const GROUP = 'hall';
const ROW = Array.from(toyRows(3, 1).x.data as Float32Array).slice(0, 8);
export const USUAL: string = JSON.stringify({ x: ROW });
/** Beyond the range of the metadata: a finding, told in an event. */
export const BEYOND: string = JSON.stringify({
  x: Array(8).fill(21),
});

/** `edgeward run` with frames from its standard input. */
export class RunningDevice {
  readonly name: string;
  readonly state: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<Ran>;
  /** Standard error so far. */
  log = '';
  /** Its judgements so far, a JSON document each. */
  judged = '';

  constructor(
    bench: ToyBench,
    broker: Mosquitto,
    { name, state = name, ...credentials }: Partial<Credentials> & { name: string; state?: string },
  ) {
    this.name = name;
    this.state = bench.at(state);
    const { cert, key } = credentials;
    this.#child = startEdgeward([
      ...['run', bench.at('toy.bundle'), '--root', bench.at('root.cbor'), '--state', this.state],
      ...['--mqtt', broker.url, '--ca', broker.ca.at('ca.crt')],
      ...(cert === undefined || key === undefined ? [] : ['--cert', cert, '--cert-key', key]),
      ...['--group', GROUP, '--device', name, '--input', '-', '--json'],
    ]);
    this.#ended = ending(this.#child);
    this.#child.stderr.on('data', (text: string) => {
      this.log += text;
    });
    this.#child.stdout.on('data', (text: string) => {
      this.judged += text;
    });
  }

  /** Its public key is there for an operator. */
  get enrolled(): boolean {
    return existsSync(join(this.state, 'device.pub'));
  }

  topic(kind: string): string {
    return `edgeward/v1/${GROUP}/${this.name}/${kind}`;
  }

  feed(...lines: readonly string[]): void {
    this.#child.stdin.write(`${lines.join('\n')}\n`);
  }

  /** Waits until it has said so on standard error. */
  async says(words: RegExp): Promise<void> {
    await until(
      String(words),
      () => words.test(this.log),
      () => this.log,
    );
  }

  /** Verdicts so far. */
  verdicts(): string[] {
    return [...this.judged.matchAll(/"verdict":"(\w+)"/g)].map(([, verdict]) => String(verdict));
  }

  /** Holds the process still, or lets it go on. */
  hold(still: boolean): void {
    this.#child.kill(still ? 'SIGSTOP' : 'SIGCONT');
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** In an orderly way; gives the exit code. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    return (await this.#ended).code;
  }
}
