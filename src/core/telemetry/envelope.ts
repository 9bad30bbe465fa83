/**
 * The sealed envelope of every signed message: COSE_Sign1 over one deterministic CBOR map, with the
 * topic as external_aad, so that a broker cannot move a message, and with a place in the device's
 * hash chain, so that it cannot replay, drop or reorder one unseen.
 */
import { copyBytes } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import { ENVELOPE_BYTES_MAX } from '../base/limits.ts';
import type { UnixMs } from '../base/time.ts';
import { decodeCbor } from '../cose/decode.ts';
import { externalAad } from '../cose/domain.ts';
import { encodeCbor } from '../cose/encode.ts';
import { openSign1, sign1 } from '../cose/sign1.ts';
import type { CborMap } from '../cose/value.ts';
import { sha256 } from '../crypto/digest.ts';
import type { Signer } from '../crypto/ed25519.ts';
import { refuseTelemetry } from './faults.ts';
import {
  digest,
  keyed,
  type Member,
  oneOf,
  readRecord,
  type Shape,
  whole,
  writeRecord,
} from './shape.ts';
import { isSignedKind, parseTopic, SIGNED_KINDS, type SignedKind } from './topic.ts';
import { type ClockState, clockState, word } from './vocabulary.ts';

export const ENVELOPE_TYP = 'application/edgeward-telemetry+cbor';

/** What `previous` is for sequence 0: nothing comes before the birth of an epoch. */
export const NO_PREVIOUS: Uint8Array = new Uint8Array(32);

/** What an envelope says about itself, beside its body. */
export interface EnvelopeHead {
  /** The kind of its topic. */
  readonly type: SignedKind;
  readonly device: string;
  /** Boot counter. */
  readonly epoch: number;
  /** Counts from 0, the birth, in every epoch. */
  readonly sequence: number;
  /** SHA-256 of the sealed bytes before it in this epoch; `NO_PREVIOUS` for sequence 0. */
  readonly previous: Uint8Array;
  readonly unixMs: UnixMs;
  readonly clockState: ClockState;
  readonly uptimeMs: number;
}

export interface SealInput extends EnvelopeHead {
  readonly topic: string;
  readonly body: CborMap;
  readonly signer: Signer;
}

export interface SealedEnvelope {
  readonly bytes: Uint8Array;
  /** SHA-256 of `bytes`: the `previous` of the next one. */
  readonly hash: Uint8Array;
}

export interface Envelope extends EnvelopeHead {
  readonly group: string;
  /** To be read with `decodeBirth`, `decodeHealth` or `decodeEvent`, by `type`. */
  readonly body: CborMap;
  /** SHA-256 of the sealed bytes. */
  readonly hash: Uint8Array;
  /** Thumbprint of the key that signed. */
  readonly kid: Uint8Array;
}

/**
 * The public key that was enrolled for this device under this thumbprint. A key that is good for
 * another device must not be given: it would let one device speak for all.
 */
export type KeyOfDevice = (kid: Uint8Array, device: string) => Uint8Array | undefined;

interface Payload extends EnvelopeHead {
  readonly version: number;
  readonly body: CborMap;
}

const VERSION = 1;

const PAYLOAD: Shape<Payload> = {
  version: keyed('v', whole()),
  type: keyed('t', oneOf(SIGNED_KINDS)),
  device: keyed('d', word),
  epoch: keyed('e', whole()),
  sequence: keyed('s', whole()),
  previous: keyed('p', digest),
  unixMs: keyed('ts', whole()) as Member<UnixMs>,
  clockState: keyed('cs', clockState),
  uptimeMs: keyed('up', whole()),
  body: keyed<CborMap>('b', {
    write: (value) => value,
    // Its own reader judges what is inside; here it only has to be a map.
    read: (fields, key) => {
      fields.map(key);
      return fields.raw(key) as CborMap;
    },
  }),
};

/**
 * Faults: `telemetry.topic`, `.id`, `.kind`, `.type`, `.device`, `.chain-start` for a head that
 * does not fit its topic, `telemetry.size` for a body that is too large.
 */
export function sealEnvelope(input: SealInput): Result<SealedEnvelope> {
  return attempt(() => {
    const { topic, signer, ...payload } = input;
    checkHead(payload, topic);
    const bytes = sign1({
      payload: encodeCbor(writeRecord(PAYLOAD, { ...payload, version: VERSION })),
      typ: ENVELOPE_TYP,
      externalAad: externalAad('telemetry', topic),
      signer,
    });
    if (bytes.length > ENVELOPE_BYTES_MAX) {
      throw refuseTelemetry('telemetry.size', `an envelope of ${bytes.length} bytes`);
    }
    return { bytes, hash: sha256(bytes) };
  });
}

/**
 * Verifies, then reads. Faults: `telemetry.*`, `field.*`, `cbor.*`, `cose.*`, `crypto.*`. That it
 * is not a replay is for `followChain` to say.
 */
export function openEnvelope(
  bytes: Uint8Array,
  topic: string,
  keyOf: KeyOfDevice,
): Result<Envelope> {
  return attempt(() => {
    if (bytes.length > ENVELOPE_BYTES_MAX) {
      throw refuseTelemetry('telemetry.size', `an envelope of ${bytes.length} bytes`);
    }
    const sealed = copyBytes(bytes);
    const address = need(parseTopic(topic));
    const opened = need(
      openSign1(sealed, {
        typ: ENVELOPE_TYP,
        externalAad: externalAad('telemetry', topic),
        keyOf: (kid) => keyOf(kid, address.device),
        bytesMax: ENVELOPE_BYTES_MAX,
      }),
    );
    const fields = Fields.of('envelope', need(decodeCbor(opened.payload)));
    // Before everything else: a later format may have other members.
    const version = fields.integer('v');
    if (version !== VERSION) {
      throw refuseTelemetry('telemetry.version', `the envelope is of version ${version}`);
    }
    const { version: _, ...payload } = readRecord(PAYLOAD, fields);
    checkHead(payload, topic);
    return { ...payload, group: address.group, hash: sha256(sealed), kid: opened.kid };
  });
}

/** What a head says must be what its topic says, and a chain has exactly one kind of beginning. */
function checkHead(head: EnvelopeHead, topic: string): void {
  const address = need(parseTopic(topic));
  if (!isSignedKind(address.kind)) {
    throw refuseTelemetry('telemetry.kind', `${address.kind} carries no signed envelope`);
  }
  if (head.type !== address.kind) {
    throw refuseTelemetry('telemetry.type', `a ${head.type} on the topic of ${address.kind}`);
  }
  if (head.device !== address.device) {
    throw refuseTelemetry('telemetry.device', `from ${head.device} on ${address.device}'s topic`);
  }
  const starts = head.previous.every((byte) => byte === 0);
  if ((head.sequence === 0) !== starts || (starts && head.type !== 'birth')) {
    throw refuseTelemetry(
      'telemetry.chain-start',
      `a ${head.type} with sequence ${head.sequence} and ${starts ? 'no' : 'a'} previous`,
    );
  }
}
