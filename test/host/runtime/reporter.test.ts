/** The reporter: one chain per boot that a collector can follow to the end, whatever is dropped. */
import { describe, expect, it } from 'vitest';
import { ok } from '../../../src/core/base/fault.ts';
import {
  EVENT_BURST_MAX,
  EVENT_REFILL_MS,
  QUEUE_MESSAGES_MAX,
} from '../../../src/core/base/limits.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import { type Birth, decodeBirth, ueidOf } from '../../../src/core/telemetry/birth.ts';
import { EMPTY_CHAIN, followChain } from '../../../src/core/telemetry/chain.ts';
import { type Envelope, NO_PREVIOUS, openEnvelope } from '../../../src/core/telemetry/envelope.ts';
import { decodeEvent, type EdgeEvent } from '../../../src/core/telemetry/event.ts';
import { decodeHealth, type Health } from '../../../src/core/telemetry/health.ts';
import { MemoryOutbox, type OutgoingMessage } from '../../../src/core/telemetry/queue.ts';
import { Reporter, type ReporterParts } from '../../../src/host/runtime/reporter.ts';
import { dropsToTell } from '../../../src/host/runtime/uplink.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { stillClock } from './releases.ts';

const signer = signerFromSeed(new Uint8Array(32).fill(5));

const BIRTH: Birth = {
  ueid: ueidOf(sha256(signer.thumbprint)),
  uptimeSeconds: 0,
  bootCount: 4,
  bootSeed: new Uint8Array(16),
  softwareName: 'edgeward',
  softwareVersion: '0.1.0',
  board: 'generic-x64',
  identity: signer.thumbprint,
  bundles: [],
  floorTier: 'T0',
  bootReason: 'start',
  clockState: 'floor',
  metrics: [],
  evidence: 'self-asserted',
  mode: 'safe',
};
const HEALTH: Health = {
  mode: 'nominal',
  uptimeMs: 1,
  verdicts: { release: 1, flag: 0, substitute: 0, hold: 0, withhold: 0 },
  queue: { messages: 0, bytes: 0, dropped: 0 },
  flashBytesWritten: 0,
  memoryBytes: 1,
};
const WARNING: EdgeEvent = { type: 'inference.deadline', frame: 1, deadlineMs: 5 };
const CRITICAL: EdgeEvent = { type: 'inference.budget-exhausted', respawns: 3 };

function reporterOf(change: Partial<ReporterParts> = {}) {
  const sent: OutgoingMessage[] = [];
  const clock = stillClock();
  const reporter = new Reporter({
    group: 'g',
    device: 'd',
    signer,
    epoch: 4,
    clock,
    clockState: 'floor',
    takeDrops: () => undefined,
    send: (message) => ok(sent.push(message)),
    ...change,
  });
  return { reporter, sent, clock };
}

const opened = (messages: readonly OutgoingMessage[]): Envelope[] =>
  messages
    .filter((message) => message.sequence !== undefined)
    .map(({ payload, topic }) => accepted(openEnvelope(payload, topic, () => signer.publicKey)));

function verdictsOf(envelopes: readonly Envelope[]): string[] {
  let state = EMPTY_CHAIN;
  return envelopes.map((envelope) => {
    const step = followChain(state, envelope);
    state = step.state;
    return step.missing === 0 ? step.verdict : `${step.verdict} ${step.missing}`;
  });
}

const eventOf = (envelope: Envelope | undefined): EdgeEvent =>
  accepted(decodeEvent(envelope?.body ?? new Map()));

describe('the chain', () => {
  it('starts at sequence 0 with the birth, and each message names the one before it', () => {
    const { reporter, sent, clock } = reporterOf();
    accepted(reporter.birth(BIRTH));
    accepted(reporter.event(CRITICAL));
    clock.advance(1500);
    accepted(reporter.health(HEALTH));
    reporter.status('safe');
    accepted(reporter.event(WARNING));
    const envelopes = opened(sent);
    expect(envelopes.map(({ type, sequence }) => `${sequence} ${type}`)).toEqual([
      '0 birth',
      '1 event',
      '2 health',
      '3 event',
    ]);
    expect(envelopes.map(({ previous }) => previous)).toEqual([
      NO_PREVIOUS,
      ...envelopes.slice(0, -1).map(({ hash }) => hash),
    ]);
    expect(verdictsOf(envelopes)).toEqual(['first', 'next', 'next', 'next']);
    expect(envelopes.map(({ uptimeMs }) => uptimeMs)).toEqual([0, 0, 1500, 1500]);
    expect(new Set(envelopes.map(({ epoch }) => epoch))).toEqual(new Set([4]));
    accepted(decodeBirth(envelopes[0]?.body ?? null));
    accepted(decodeHealth(envelopes[2]?.body ?? null));
  });

  it('takes nothing before the birth, and begins with it all the same', () => {
    const { reporter, sent } = reporterOf();
    expect(codeOf(reporter.event(CRITICAL))).toBe('telemetry.chain-start');
    expect(codeOf(reporter.health(HEALTH))).toBe('telemetry.chain-start');
    accepted(reporter.birth(BIRTH));
    expect(verdictsOf(opened(sent))).toEqual(['first']);
  });

  it('keeps what a broker retains apart from what is heard once, and hints out of the chain', () => {
    const { reporter, sent } = reporterOf();
    accepted(reporter.birth(BIRTH));
    accepted(reporter.health(HEALTH));
    reporter.status('safe');
    accepted(reporter.event(CRITICAL));
    const shown = sent.map(({ topic, retained, severity, sequence }) => [
      topic.split('/').slice(4).join('/'),
      retained,
      severity,
      sequence,
    ]);
    expect(shown).toEqual([
      ['birth', true, 'critical', 0],
      ['health', true, 'info', 1],
      ['json/health', true, 'info', undefined],
      ['status', true, 'info', undefined],
      ['event', false, 'critical', 2],
    ]);
  });

  it('takes no message for another one of its topic or its device', () => {
    const { reporter, sent } = reporterOf();
    accepted(reporter.birth(BIRTH));
    const payload = sent[0]?.payload ?? new Uint8Array();
    const code = (topic: string): string =>
      codeOf(openEnvelope(payload, topic, () => signer.publicKey));
    expect(code('edgeward/v1/g/d/birth')).toBe('accepted');
    for (const topic of ['g/d/health', 'g/e/birth', 'h/d/birth']) {
      expect(code(`edgeward/v1/${topic}`), topic).not.toBe('accepted');
    }
  });

  it('goes on without a hole after a message that could not be sealed', () => {
    const { reporter, sent } = reporterOf();
    accepted(reporter.birth(BIRTH));
    const long = { ...BIRTH, metrics: [], bundles: [], board: 'b', softwareName: 's' };
    const signers = Array.from({ length: 8 }, () => new Uint8Array(32));
    const bundle = { name: 'n', version: 'v', digest: new Uint8Array(9_000), signers };
    const bundles = Array.from({ length: 8 }, () => ({ ...bundle, securityVersion: 1 }));
    expect(codeOf(reporter.birth({ ...long, bundles }))).toBe('telemetry.size');
    accepted(reporter.event(CRITICAL));
    expect(verdictsOf(opened(sent))).toEqual(['first', 'next']);
  });
});

describe('a flood of events', () => {
  it('is let through to the burst, then at the rate of the refill, and counted', () => {
    const { reporter, sent, clock } = reporterOf();
    accepted(reporter.birth(BIRTH));
    const burst = (): void => {
      for (let i = 0; i < EVENT_BURST_MAX * 2; i++) accepted(reporter.event(WARNING));
    };
    burst();
    expect(sent).toHaveLength(1 + EVENT_BURST_MAX);
    expect(reporter.suppressed).toBe(EVENT_BURST_MAX);
    clock.advance(EVENT_REFILL_MS - 1);
    accepted(reporter.event(WARNING));
    expect(sent).toHaveLength(1 + EVENT_BURST_MAX);
    clock.advance(1);
    accepted(reporter.event(WARNING));
    accepted(reporter.event(WARNING));
    expect(sent).toHaveLength(1 + EVENT_BURST_MAX + 1);
    // A long calm earns one burst and no more.
    clock.advance(EVENT_REFILL_MS * EVENT_BURST_MAX * 10);
    burst();
    expect(sent).toHaveLength(1 + EVENT_BURST_MAX + 1 + EVENT_BURST_MAX);
    expect(verdictsOf(opened(sent)).every((v) => v === 'first' || v === 'next')).toBe(true);
  });

  it('keeps back nothing that is critical', () => {
    const { reporter, sent } = reporterOf();
    accepted(reporter.birth(BIRTH));
    for (let i = 0; i < EVENT_BURST_MAX; i++) accepted(reporter.event(WARNING));
    for (let i = 0; i < 9; i++) accepted(reporter.event(CRITICAL));
    accepted(reporter.event(WARNING));
    expect(sent).toHaveLength(1 + EVENT_BURST_MAX + 9);
    expect(reporter.suppressed).toBe(1);
  });
});

describe('what the queue gave up', () => {
  it('is told in the chain, right before the next message', () => {
    const drops = { info: 2, warning: 1, critical: 0, sequenced: 2, firstSequence: 1 };
    let pending: typeof drops | undefined = drops;
    const takeDrops = () => {
      const taken = pending;
      pending = undefined;
      return taken;
    };
    const { reporter, sent } = reporterOf({ takeDrops });
    accepted(reporter.birth(BIRTH));
    expect(pending).toBeDefined();
    accepted(reporter.health(HEALTH));
    const envelopes = opened(sent);
    expect(envelopes.map(({ type }) => type)).toEqual(['birth', 'event', 'health']);
    expect(eventOf(envelopes[1])).toEqual({ type: 'telemetry.dropped', ...drops });
    expect(verdictsOf(envelopes)).toEqual(['first', 'next', 'next']);
  });

  it('in a long outage is told once, in full, and never costs the birth or what is critical', () => {
    const outbox = new MemoryOutbox();
    const { reporter } = reporterOf({
      takeDrops: () => dropsToTell(outbox),
      send: (message) => outbox.push(message),
    });
    accepted(reporter.birth(BIRTH));
    accepted(reporter.event(CRITICAL));
    for (let i = 0; i < QUEUE_MESSAGES_MAX * 2; i++) accepted(reporter.health(HEALTH));
    const kept = outbox.peekBatch(QUEUE_MESSAGES_MAX);
    expect(kept).toHaveLength(QUEUE_MESSAGES_MAX);
    expect(opened(kept.slice(0, 2)).map(({ type }) => type)).toEqual(['birth', 'event']);
    for (const { id } of kept) outbox.acknowledge(id);
    const { dropped } = outbox.depth;
    accepted(reporter.health(HEALTH));

    const received = [...opened(kept), ...opened(outbox.peekBatch(9))];
    const notice = eventOf(received.at(-2));
    if (notice.type !== 'telemetry.dropped') throw new Error(notice.type);
    expect(notice.info).toBe(dropped);
    // The numbers that are missing are those that the notice covers, each and every one.
    const there = new Set(received.map(({ sequence }) => sequence));
    const last = received.at(-1)?.sequence ?? 0;
    const missing = Array.from({ length: last }, (_, i) => i).filter((i) => !there.has(i));
    expect(missing).toHaveLength(notice.sequenced);
    expect([missing[0], missing.at(-1)]).toEqual([notice.firstSequence, notice.lastSequence]);
    const verdicts = verdictsOf(received);
    expect(verdicts.filter((verdict) => verdict.startsWith('gap'))).toEqual([
      `gap ${notice.sequenced}`,
    ]);
    expect(verdicts.some((verdict) => verdict === 'fork')).toBe(false);
  });
});
