/** The topic grammar `edgeward/v1/{group}/{device}/{kind}`, built and parsed in one place. */
import { attempt, type Result } from '../base/fault.ts';
import { refuseTelemetry } from './faults.ts';

/** Kinds whose payload is a signed envelope. */
export type SignedKind = 'birth' | 'health' | 'event';
export const SIGNED_KINDS: readonly SignedKind[] = ['birth', 'health', 'event'];

/** `status` and the JSON mirror are hints for people: nothing may be decided on them. */
export type TopicKind = 'status' | SignedKind | 'json/health';
export const TOPIC_KINDS: readonly TopicKind[] = ['status', ...SIGNED_KINDS, 'json/health'];

export interface TopicAddress {
  /** `[A-Za-z0-9_-]{1,64}`, as the device; a dot would close a NATS MQTT connection. */
  readonly group: string;
  readonly device: string;
  readonly kind: TopicKind;
}

const PREFIX = 'edgeward/v1/';
const ID = /^[A-Za-z0-9_-]{1,64}$/;
const TOPIC_CHARS_MAX = 256;

/** Retained topics show a late subscriber the present state; events are heard once. */
export function isRetained(kind: TopicKind): boolean {
  return kind !== 'event';
}

export function isSignedKind(kind: TopicKind): kind is SignedKind {
  return (SIGNED_KINDS as readonly string[]).includes(kind);
}

/** Faults: `telemetry.id`. */
export function buildTopic(address: TopicAddress): Result<string> {
  return attempt(() => {
    checkId('group', address.group);
    checkId('device', address.device);
    return `${PREFIX}${address.group}/${address.device}/${address.kind}`;
  });
}

/** Total over every text. Faults: `telemetry.topic`, `telemetry.id`. */
export function parseTopic(topic: string): Result<TopicAddress> {
  return attempt(() => {
    if (topic.length > TOPIC_CHARS_MAX || !topic.startsWith(PREFIX)) {
      throw refuseTelemetry('telemetry.topic', `the topic does not start with ${PREFIX}`);
    }
    const [group = '', device = '', ...rest] = topic.slice(PREFIX.length).split('/');
    checkId('group', group);
    checkId('device', device);
    const kind = TOPIC_KINDS.find((known) => known === rest.join('/'));
    if (kind === undefined) {
      throw refuseTelemetry('telemetry.topic', `the kind is none of ${TOPIC_KINDS.join(', ')}`);
    }
    return { group, device, kind };
  });
}

function checkId(what: string, id: string): void {
  if (ID.test(id)) return;
  throw refuseTelemetry('telemetry.id', `the ${what} id "${id.slice(0, 80)}" is not allowed`);
}
