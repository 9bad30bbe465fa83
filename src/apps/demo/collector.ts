/**
 * A subscriber that knows one thing about the device, its public key, and believes nothing else:
 * every signed message is verified on its topic and followed in its chain.
 */
import mqtt from 'mqtt';
import { equalBytes } from '../../core/base/bytes.ts';
import { thumbprintOf } from '../../core/crypto/thumbprint.ts';
import { decodeBirth } from '../../core/telemetry/birth.ts';
import {
  type ChainState,
  type ChainVerdict,
  EMPTY_CHAIN,
  followChain,
} from '../../core/telemetry/chain.ts';
import { type Envelope, openEnvelope } from '../../core/telemetry/envelope.ts';
import { decodeEvent } from '../../core/telemetry/event.ts';
import { decodeHealth } from '../../core/telemetry/health.ts';
import { isSignedKind, parseTopic } from '../../core/telemetry/topic.ts';

/** What became of one message. */
export interface Received {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** `hint` for what nobody signs; a fault code or chain verdict for what was caught. */
  readonly outcome: 'verified' | 'hint' | 'caught';
  readonly code: string;
  readonly envelope?: Envelope;
  /** In words, for the timeline. */
  readonly words: string;
}

const ACCEPTED: readonly ChainVerdict[] = ['first', 'next', 'new-epoch'];
const WAIT_MS = 5_000;

export class Collector {
  readonly #publicKey: Uint8Array;
  readonly #client: mqtt.MqttClient;
  readonly #onMessage: (message: Received) => void;
  readonly #waiting = new Set<() => void>();
  readonly received: Received[] = [];
  #chain: ChainState = EMPTY_CHAIN;

  private constructor(
    client: mqtt.MqttClient,
    publicKey: Uint8Array,
    onMessage: (message: Received) => void,
  ) {
    this.#client = client;
    this.#publicKey = publicKey;
    this.#onMessage = onMessage;
    client.on('message', (topic, payload) => this.#take(topic, new Uint8Array(payload)));
  }

  static async start(
    url: string,
    publicKey: Uint8Array,
    onMessage: (message: Received) => void,
  ): Promise<Collector> {
    const client = await mqtt.connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0 });
    const collector = new Collector(client, publicKey, onMessage);
    await client.subscribeAsync('edgeward/v1/#', { qos: 1 });
    return collector;
  }

  /** Publishes as anybody at the broker could. */
  async publish(topic: string, payload: Uint8Array): Promise<void> {
    await this.#client.publishAsync(topic, Buffer.from(payload), { qos: 1 });
  }

  /** True when a message that `wanted` accepts has come, false after five seconds. */
  waitFor(wanted: (message: Received) => boolean): Promise<boolean> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.received.some(wanted)) finish(true);
      };
      const finish = (found: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(found);
      };
      const timer = setTimeout(() => finish(false), WAIT_MS);
      this.#waiting.add(look);
      look();
    });
  }

  async close(): Promise<void> {
    await this.#client.endAsync();
  }

  #take(topic: string, payload: Uint8Array): void {
    const message = { topic, payload, ...this.#judge(topic, payload) };
    this.received.push(message);
    this.#onMessage(message);
    for (const look of [...this.#waiting]) look();
  }

  #judge(topic: string, payload: Uint8Array): Omit<Received, 'topic' | 'payload'> {
    const address = parseTopic(topic);
    if (!address.ok) return { outcome: 'caught', code: address.fault.code, words: 'foreign topic' };
    const { kind } = address.value;
    if (!isSignedKind(kind)) return { outcome: 'hint', code: kind, words: `${kind}, a hint` };
    const opened = openEnvelope(payload, topic, (kid) =>
      equalBytes(kid, thumbprintOf(this.#publicKey)) ? this.#publicKey : undefined,
    );
    if (!opened.ok) {
      return { outcome: 'caught', code: opened.fault.code, words: opened.fault.message };
    }
    const envelope = opened.value;
    const { state, verdict } = followChain(this.#chain, envelope);
    this.#chain = state;
    if (!ACCEPTED.includes(verdict)) {
      return {
        outcome: 'caught',
        code: verdict,
        envelope,
        words: `${verdict}: boot ${envelope.epoch} no. ${envelope.sequence} was here before`,
      };
    }
    return { outcome: 'verified', code: verdict, envelope, words: wordsOf(envelope) };
  }
}

function wordsOf(envelope: Envelope): string {
  const { type, epoch, sequence, body } = envelope;
  const place = `boot ${epoch} no. ${sequence}`;
  if (type === 'birth') {
    const birth = decodeBirth(body);
    const bundles = birth.ok ? birth.value.bundles.map((b) => `${b.name} ${b.version}`) : ['?'];
    return `${place} birth: runs ${bundles.join(', ') || 'nothing'}`;
  }
  if (type === 'health') {
    const health = decodeHealth(body);
    if (!health.ok) return `${place} health: ${health.fault.code}`;
    const counts = Object.entries(health.value.verdicts).filter(([, count]) => count > 0);
    return `${place} health: ${health.value.mode}, ${counts.map(([v, n]) => `${n} ${v}`).join(', ')}`;
  }
  const event = decodeEvent(body);
  if (!event.ok) return `${place} event: ${event.fault.code}`;
  const { value } = event;
  return `${place} event: ${value.type}${detailOf(value)}`;
}

function detailOf(event: object): string {
  if ('fault' in event) return ` ${String(event.fault)}`;
  if ('to' in event && 'from' in event) return ` ${String(event.from)} -> ${String(event.to)}`;
  if ('findings' in event && Array.isArray(event.findings)) {
    return ` ${event.findings.map((finding: { code: string }) => finding.code).join(', ')}`;
  }
  return '';
}
