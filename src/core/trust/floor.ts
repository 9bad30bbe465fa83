/**
 * The rollback floor: what this device has confirmed and will not go back behind. One record holds
 * the floors of every (class, model), the newest root seen, a clock floor, and the safe output of
 * the confirmed model, which stands when no bundle may run.
 *
 * Tier T0: the record is a file with an HMAC under the device's own key. It shows corruption and
 * torn writes; whoever can read the device key can also forge it, and replaying a whole card image
 * is visible to the fleet only.
 */
import { equalBytes } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import { FLOOR_BYTES_MAX, FLOORS_MAX } from '../base/limits.ts';
import { decodeCbor } from '../cose/decode.ts';
import { encodeCbor } from '../cose/encode.ts';
import { type CborMap, type CborValue, cborMap } from '../cose/value.ts';
import { openRecord, sealRecord } from '../crypto/mac.ts';
import { refuseTrust } from './faults.ts';
import { checkRecorded, type RevocationList } from './revocation.ts';
import type { RootSet } from './root.ts';

const FLOOR_PROFILE = 'edgeward-floor/1';

export interface Floor {
  readonly hardwareClass: string;
  readonly model: string;
  readonly securityVersion: number;
  readonly sequenceNumber: number;
  /** The release that was confirmed last: any other one is an install, however it came there. */
  readonly manifestSha256: Uint8Array;
}

export interface FloorRecord {
  /** Rises with every write; the newest valid copy wins. */
  readonly generation: number;
  readonly floors: readonly Floor[];
  /** The newest root adopted, by version and digest; 0 before there was one. */
  readonly rootVersion: number;
  readonly rootSha256?: Uint8Array;
  /** The newest revocation list adopted; 0 and no digest before there was one. */
  readonly revocationVersion: number;
  readonly revocationSha256?: Uint8Array;
  /** Milliseconds since 1970; no record is older than this. */
  readonly clockFloorMs: number;
  /** What was admitted into the factory slot last: any other release there is an install. */
  readonly goldenSha256?: Uint8Array;
  /** Of the model confirmed last, as its metadata stated it; opaque here. */
  readonly safeOutput?: CborMap;
  readonly safeOutputIo?: CborMap;
}

export const EMPTY_FLOOR: FloorRecord = {
  generation: 0,
  floors: [],
  rootVersion: 0,
  revocationVersion: 0,
  clockFloorMs: 0,
};

export function floorOf(
  record: FloorRecord,
  hardwareClass: string,
  model: string,
): Floor | undefined {
  return record.floors.find((f) => f.hardwareClass === hardwareClass && f.model === model);
}

/** The record that knows what the factory slot holds; the same one where it knows already. */
export function recordGolden(record: FloorRecord, goldenSha256: Uint8Array): FloorRecord {
  const known = record.goldenSha256 !== undefined && equalBytes(record.goldenSha256, goldenSha256);
  return known ? record : { ...record, generation: record.generation + 1, goldenSha256 };
}

/** The record after a confirm: this floor raised, never lowered, and everything else kept. */
export function raiseFloor(record: FloorRecord, raised: Floor): FloorRecord {
  const before = floorOf(record, raised.hardwareClass, raised.model);
  const floor: Floor = {
    ...raised,
    securityVersion: Math.max(raised.securityVersion, before?.securityVersion ?? 0),
    sequenceNumber: Math.max(raised.sequenceNumber, before?.sequenceNumber ?? 0),
  };
  const others = record.floors.filter((f) => f !== before);
  return { ...record, generation: record.generation + 1, floors: [...others, floor] };
}

/**
 * The record that holds a device to this root: versions below it, and another root of its version,
 * are refused from now on. The same record where it holds to this or a newer one already. The root
 * must have been accepted (`root-chain.ts`).
 */
export function adoptRoot(record: FloorRecord, root: RootSet): FloorRecord {
  const known = root.version === record.rootVersion && record.rootSha256 !== undefined;
  if (known || !(root.version >= record.rootVersion)) return record;
  return {
    ...withClock(record, root.issuedS),
    rootVersion: root.version,
    rootSha256: root.sha256,
  };
}

/**
 * The record that holds a device to this list: without it, or with an older one, nothing runs any
 * more. The same record where the list is not a newer one that may follow (`checkRecorded`).
 */
export function adoptRevocations(record: FloorRecord, list: RevocationList): FloorRecord {
  const follows = list.version !== record.revocationVersion && checkRecorded(list, record).ok;
  if (!follows) return record;
  return {
    ...withClock(record, list.issuedS),
    revocationVersion: list.version,
    revocationSha256: list.sha256,
  };
}

/** One generation on, the clock floor moved: no other signed time does that. */
function withClock(record: FloorRecord, issuedS: number): FloorRecord {
  return {
    ...record,
    generation: record.generation + 1,
    clockFloorMs: Math.max(record.clockFloorMs, issuedS * 1000),
  };
}

/** The record with an HMAC-SHA256 under the device's MAC key behind it. */
export function encodeFloor(record: FloorRecord, macKey: Uint8Array): Uint8Array {
  const body = encodeCbor(
    cborMap(
      ['profile', FLOOR_PROFILE],
      ['generation', record.generation],
      ['floors', record.floors.map(floorToCbor)],
      ['rootVersion', record.rootVersion],
      ['rootSha256', record.rootSha256],
      // Left out before there was a list, so that a record of before reads as it was written.
      ['revocationVersion', record.revocationVersion === 0 ? undefined : record.revocationVersion],
      ['revocationSha256', record.revocationSha256],
      ['clockFloorMs', record.clockFloorMs],
      ['goldenSha256', record.goldenSha256],
      ['safeOutput', record.safeOutput],
      ['safeOutputIo', record.safeOutputIo],
    ),
  );
  return sealRecord(macKey, body);
}

/** Faults: `cbor.*`, `field.*`, `floor.malformed`, `floor.mac`. */
export function decodeFloor(bytes: Uint8Array, macKey: Uint8Array): Result<FloorRecord> {
  return attempt(() => {
    if (bytes.length > FLOOR_BYTES_MAX) {
      throw refuseTrust('floor.malformed', `the record has ${bytes.length} bytes`);
    }
    const body = openRecord(macKey, bytes);
    if (body === undefined) throw refuseTrust('floor.mac', 'the MAC does not match');
    return readRecord(need(decodeCbor(body)));
  });
}

function readRecord(value: CborValue): FloorRecord {
  if (!(value instanceof Map)) throw refuseTrust('floor.malformed', 'the record is no map');
  const fields = new Fields('', value);
  if (fields.text('profile') !== FLOOR_PROFILE) {
    throw refuseTrust('floor.malformed', 'the record has another profile');
  }
  const safeOutput = fields.optional('safeOutput', (n) => mapAt(fields, n));
  const safeOutputIo = fields.optional('safeOutputIo', (n) => mapAt(fields, n));
  const rootSha256 = fields.optional('rootSha256', (n) => fields.bytes(n, 32).slice());
  const goldenSha256 = fields.optional('goldenSha256', (n) => fields.bytes(n, 32).slice());
  const revocationSha256 = fields.optional('revocationSha256', (n) => fields.bytes(n, 32).slice());
  const revocationVersion = fields.optional('revocationVersion', (n) => fields.integer(n, 1)) ?? 0;
  const record: FloorRecord = {
    generation: fields.integer('generation'),
    floors: fields.list('floors', FLOORS_MAX).map(readFloor),
    rootVersion: fields.integer('rootVersion'),
    ...(rootSha256 === undefined ? {} : { rootSha256 }),
    revocationVersion,
    ...(revocationSha256 === undefined ? {} : { revocationSha256 }),
    clockFloorMs: fields.integer('clockFloorMs'),
    ...(goldenSha256 === undefined ? {} : { goldenSha256 }),
    ...(safeOutput === undefined ? {} : { safeOutput }),
    ...(safeOutputIo === undefined ? {} : { safeOutputIo }),
  };
  fields.done();
  // A version without its digest could not tell a forged list from the recorded one.
  if ((revocationSha256 === undefined) !== (revocationVersion === 0)) {
    throw refuseTrust('floor.malformed', 'a revocation list is recorded in half');
  }
  return record;
}

function mapAt(fields: Fields, name: string | number): CborMap {
  const value = fields.raw(name);
  if (value instanceof Map) return value;
  throw refuseTrust('floor.malformed', `${fields.at(name)} is no map`);
}

function floorToCbor(floor: Floor): CborMap {
  return cborMap(
    ['class', floor.hardwareClass],
    ['model', floor.model],
    ['securityVersion', floor.securityVersion],
    ['sequence', floor.sequenceNumber],
    ['manifest', floor.manifestSha256],
  );
}

function readFloor(value: unknown, index: number): Floor {
  const fields = Fields.of(`floors[${index}]`, value);
  const floor: Floor = {
    hardwareClass: fields.text('class'),
    model: fields.text('model'),
    securityVersion: fields.integer('securityVersion'),
    sequenceNumber: fields.integer('sequence'),
    manifestSha256: fields.bytes('manifest', 32).slice(),
  };
  fields.done();
  return floor;
}
