/**
 * The birth of a boot: who runs what, as a CWT claims set in the shape of an Entity Attestation
 * Token (RFC 9711). Without a quote of a TPM it is the device's own word, and says so.
 */
import { concatBytes } from '../base/bytes.ts';
import { assert, attempt, type Result } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import type { CborMap, CborValue } from '../cose/value.ts';
import { refuseTelemetry } from './faults.ts';
import {
  bytes,
  digest,
  keyed,
  listOf,
  type Member,
  oneOf,
  optional,
  readRecord,
  record,
  type Shape,
  whole,
  writeRecord,
} from './shape.ts';
import { type ClockState, clockState, type ModeName, mode, name, word } from './vocabulary.ts';

/** What this claims set promises; a name that needs no registration (RFC 9711 4.3.2, RFC 9562). */
export const EAT_PROFILE = 'urn:uuid:fddd6a4a-9669-4bc5-b3ef-170ef6c5b667';

export const FLOOR_TIERS = ['none', 'T0', 'T1', 'T2'] as const;
export type FloorTierName = (typeof FLOOR_TIERS)[number];

export const BOOT_REASONS = ['start', 'crash', 'watchdog', 'update', 'revert', 'unknown'] as const;
export type BootReason = (typeof BOOT_REASONS)[number];

/** `self-asserted`: no hardware quote stands behind it. The only kind there is so far. */
export const EVIDENCE_KINDS = ['self-asserted'] as const;
export type EvidenceKind = (typeof EVIDENCE_KINDS)[number];

export interface BirthBundle {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the manifest, 32 bytes. */
  readonly digest: Uint8Array;
  /** Thumbprints of the keys that signed it. */
  readonly signers: readonly Uint8Array[];
  readonly securityVersion: number;
}

export interface Birth {
  /** Seconds since 1970; left out while the clock is unset. */
  readonly issuedAtSeconds?: number;
  /** 8 to 64 bytes: the nonce of an attestation request. */
  readonly nonce?: Uint8Array;
  /** See `ueidOf`. */
  readonly ueid: Uint8Array;
  readonly uptimeSeconds: number;
  /** The epoch of the chain. */
  readonly bootCount: number;
  /** 16 to 64 random bytes, new at every boot. */
  readonly bootSeed: Uint8Array;
  readonly softwareName: string;
  /** Semantic version. */
  readonly softwareVersion: string;
  /** Name of the board profile. */
  readonly board: string;
  /** Thumbprint of the key that signs this device's telemetry. */
  readonly identity: Uint8Array;
  /** Empty when none could be verified. */
  readonly bundles: readonly BirthBundle[];
  /** SHA-256 of the guard policy in force; absent where there is none. */
  readonly policyDigest?: Uint8Array;
  readonly floorTier: FloorTierName;
  readonly bootReason: BootReason;
  readonly clockState: ClockState;
  /** Names of the metrics that `health` carries. */
  readonly metrics: readonly string[];
  readonly evidence: EvidenceKind;
  readonly mode: ModeName;
}

const BUNDLES_MAX = 8;
const SIGNERS_MAX = 8;
const METRICS_MAX = 64;
const UEID_RANDOM = 0x01;
// RFC 9711 4.2.1: the type byte and 128, 192 or 256 bits.
const UEID_LENGTHS = [17, 25, 33];
// RFC 9393 version schemes: semantic versioning.
const VERSION_SCHEME_SEMVER = 16384;

const ueid: Member<Uint8Array> = {
  write: (value) => value,
  read(fields, key) {
    const value = fields.bytes(key);
    if (value[0] === UEID_RANDOM && UEID_LENGTHS.includes(value.length)) return value;
    throw refuseTelemetry('telemetry.claim', `${fields.at(key)} is no UEID of the random type`);
  },
};

const semanticVersion: Member<string> = {
  write: (value) => [word.write(value) ?? '', VERSION_SCHEME_SEMVER],
  read(fields, key) {
    const parts = fields.list(key, 2);
    if (typeof parts[0] === 'string' && parts[1] === VERSION_SCHEME_SEMVER) {
      return word.read(new Fields(fields.at(key), new Map(parts.entries())), 0);
    }
    throw refuseTelemetry('telemetry.claim', `${fields.at(key)} is no semantic version`);
  },
};

const BUNDLE: Shape<BirthBundle> = {
  name,
  version: word,
  digest,
  signers: listOf(digest, SIGNERS_MAX),
  securityVersion: whole(),
};

// Registered claims by their IANA numbers; ours in the private range below -65536 (RFC 8392 9.1).
const BIRTH: Shape<Birth & { readonly profile: typeof EAT_PROFILE }> = {
  issuedAtSeconds: optional(keyed(6, whole())),
  nonce: optional(keyed(10, bytes(8, 64))),
  ueid: keyed(256, ueid),
  uptimeSeconds: keyed(261, whole()),
  profile: keyed(265, oneOf([EAT_PROFILE])),
  bootCount: keyed(267, whole()),
  bootSeed: keyed(268, bytes(16, 64)),
  softwareName: keyed(270, name),
  softwareVersion: keyed(271, semanticVersion),
  board: keyed(-70001, name),
  identity: keyed(-70002, digest),
  bundles: keyed(-70003, listOf(record(BUNDLE), BUNDLES_MAX)),
  policyDigest: optional(keyed(-70004, digest)),
  floorTier: keyed(-70005, oneOf(FLOOR_TIERS)),
  bootReason: keyed(-70006, oneOf(BOOT_REASONS)),
  clockState: keyed(-70007, clockState),
  metrics: keyed(-70008, listOf(word, METRICS_MAX)),
  evidence: keyed(-70009, oneOf(EVIDENCE_KINDS)),
  mode: keyed(-70010, mode),
};

/** A UEID of the random type (RFC 9711 4.2.1.1), from a 32-byte hash over what is unique here. */
export function ueidOf(hash: Uint8Array): Uint8Array {
  assert(hash.length === 32, 'a UEID is made of 32 bytes');
  return concatBytes(new Uint8Array([UEID_RANDOM]), hash);
}

/** The body of a `birth` envelope: a claims set with integer keys. */
export function encodeBirth(birth: Birth): CborMap {
  return writeRecord(BIRTH, { ...birth, profile: EAT_PROFILE });
}

/** Strict: unknown claims are refused. Faults: `telemetry.claim`, `field.*`. */
export function decodeBirth(body: CborValue): Result<Birth> {
  return attempt(() => {
    const { profile: _, ...birth } = readRecord(BIRTH, Fields.of('birth', body));
    return birth;
  });
}
