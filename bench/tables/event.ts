/** An event from a value to sealed bytes, beside the bare signature in it. */
import { createPrivateKey, sign } from 'node:crypto';
import type { UnixMs } from '../../src/core/base/time.ts';
import { PKCS8_PREFIX, signerFromSeed } from '../../src/core/crypto/ed25519.ts';
import { type SealInput, sealEnvelope } from '../../src/core/telemetry/envelope.ts';
import { encodeEvent } from '../../src/core/telemetry/event.ts';
import { alternate, ratioOf, spreadOf } from '../measure.ts';
import type { Table } from '../report.ts';
import { type Bench, roundsOf } from '../workshop.ts';

const PEER = 'bare node:crypto sign';
const BATCH = 200;
const SEED = new Uint8Array(32).fill(7);

export async function eventTable(bench: Bench): Promise<Table> {
  const input = specimen();
  const size = seal(input).length;
  const payload = new Uint8Array(size).fill(1);
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, SEED]),
    format: 'der',
    type: 'pkcs8',
  });
  const own = (): number => batchUs(() => seal({ ...input, body: encodeEvent(EVENT) }));
  const peer = (): number => batchUs(() => sign(null, payload, key));
  // Both are compiled before anything counts.
  for (let i = 0; i < 5; i++) own() + peer();
  const samples = await alternate(roundsOf(bench, 21), { own, peer });
  const figure = ratioOf(samples.own, samples.peer);
  return {
    name: 'event',
    title: 'Encode, sign and seal an event',
    about: `an event of ${size} bytes beside the signature of as many`,
    rows: [
      {
        what: 'encode, sign, seal',
        unit: 'us',
        value: spreadOf(samples.own),
        judged: [{ kind: 'ratio', peer: PEER, figure }],
      },
      { what: PEER, unit: 'us', value: spreadOf(samples.peer) },
    ],
  };
}

const EVENT = {
  type: 'anomaly.novelty',
  frame: 42,
  verdict: 'flag',
  bundleDigest: new Uint8Array(32).fill(3),
  findings: [{ code: 'novelty.out-of-distribution', value: -13.5, threshold: -2.25, p: 0.001 }],
} as const;

function specimen(): SealInput {
  return {
    topic: 'edgeward/v1/line-4/press_7/event',
    type: 'event',
    device: 'press_7',
    epoch: 12,
    sequence: 5,
    previous: new Uint8Array(32).fill(9),
    unixMs: 1_790_000_000_123 as UnixMs,
    clockState: 'synced',
    uptimeMs: 65_000,
    body: encodeEvent(EVENT),
    signer: signerFromSeed(SEED),
  };
}

function seal(input: SealInput): Uint8Array {
  const sealed = sealEnvelope(input);
  if (!sealed.ok) throw new Error(sealed.fault.message);
  return sealed.value.bytes;
}

function batchUs(act: () => unknown): number {
  const startMs = performance.now();
  for (let i = 0; i < BATCH; i++) act();
  return ((performance.now() - startMs) * 1000) / BATCH;
}
