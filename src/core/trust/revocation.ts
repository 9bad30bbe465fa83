/**
 * The revocation list: keys, releases and security versions that are good for nothing any more.
 * Retiring a key ends its installs; revoking one ends everything, a confirmed model included.
 *
 * `revocations.cbor` is `[payload, [COSE_Sign1, ...]]`, signed by a threshold of the root's
 * revocation keys. Lists are numbered, and each one replaces the one before it.
 */
import { compareBytes, equalBytes, toHex, utf8 } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import {
  REVOCATION_BYTES_MAX,
  REVOCATION_MINIMUMS_MAX,
  REVOCATION_STEP_MAX,
  REVOKED_KEYS_MAX,
  REVOKED_MANIFESTS_MAX,
  SIGNATURES_MAX,
} from '../base/limits.ts';
import { decodeCbor } from '../cose/decode.ts';
import { externalAad } from '../cose/domain.ts';
import { encodeCbor } from '../cose/encode.ts';
import { cborMap } from '../cose/value.ts';
import { sha256 } from '../crypto/digest.ts';
import type { Signer } from '../crypto/ed25519.ts';
import { refuseTrust } from './faults.ts';
import { keyInRole, knownKey, missingOf, type RootSet } from './root.ts';
import { TIME_S_MAX } from './root-codec.ts';
import {
  type DocumentKind,
  openDocument,
  signedDocument,
  verifiedSigners,
} from './signed-document.ts';

const REVOCATION_PROFILE = 'edgeward-revocation/1';
const DIGEST_BYTES = 32;
const REVOCATION_DOCUMENT: DocumentKind = {
  typ: 'application/edgeward-revocation+cbor',
  externalAad: externalAad('revocation', ''),
  bytesMax: REVOCATION_BYTES_MAX,
  signaturesMax: SIGNATURES_MAX,
  malformed: 'revocation.malformed',
};

/** Releases of this model for this class below it are revoked. */
export interface Minimum {
  readonly hardwareClass: string;
  readonly model: string;
  readonly securityVersion: number;
}

export interface RevocationContent {
  /** From 1; every list has a higher one than the list before it. */
  readonly version: number;
  /** Seconds since 1970. */
  readonly issuedS: number;
  /** Thumbprints; of root and revocation keys they have no effect (the root takes those away). */
  readonly keys: readonly Uint8Array[];
  /** Manifest digests of releases. */
  readonly manifests: readonly Uint8Array[];
  readonly minimums: readonly Minimum[];
}

/** A list whose signatures were verified under a root. */
export interface RevocationList extends RevocationContent {
  /** SHA-256 of the payload: what a floor record holds. */
  readonly sha256: Uint8Array;
  /** True where retired revocation keys were needed: then it counts only as the recorded list. */
  readonly retired: boolean;
}

/** A list as it stands, perhaps with too few signatures: to be shown, never to be applied. */
export interface RevocationReading {
  readonly content: RevocationContent;
  readonly sha256: Uint8Array;
  readonly signers: readonly Uint8Array[];
  /** How many signatures of current revocation keys are still to come. */
  readonly missing: number;
}

/** What a device recorded of its newest list: version 0 before there was one. */
export interface RecordedRevocations {
  readonly revocationVersion: number;
  readonly revocationSha256?: Uint8Array;
}

/** Signs a list, perhaps with some of the keys only. Faults: those of `inspectRevocations`. */
export function draftRevocations(
  content: RevocationContent,
  signers: readonly Signer[],
  root: RootSet,
): Result<Uint8Array> {
  return attempt(() => {
    const payload = encodePayload(content);
    const bytes = signedDocument({ payload, blocks: [] }, REVOCATION_DOCUMENT, signers);
    need(inspectRevocations(bytes, root));
    return bytes;
  });
}

/**
 * Verifies a list under a root. Faults: `cbor.*`, `cose.*`, `crypto.*`, `field.*`,
 * `trust.duplicate-signature`, `revocation.malformed`, `revocation.invalid`, `revocation.no-role`,
 * `revocation.threshold`.
 */
export function decodeRevocations(bytes: Uint8Array, root: RootSet): Result<RevocationList> {
  return attempt(() => {
    const { content, sha256: digest, signers, missing } = need(inspectRevocations(bytes, root));
    if (missing === 0) return { ...content, sha256: digest, retired: false };
    const { threshold, keys, retired } = roleOf(root);
    const all = retired && { threshold: retired.threshold, keys: [...keys, ...retired.keys] };
    if (all === undefined || missingOf(all, signers) > 0) {
      const count = threshold - missing;
      throw refuseTrust('revocation.threshold', `${count} of ${threshold} revocation signatures`);
    }
    return { ...content, sha256: digest, retired: true };
  });
}

/** As `decodeRevocations`, but signatures may be missing; none that is there may be wrong. */
export function inspectRevocations(bytes: Uint8Array, root: RootSet): Result<RevocationReading> {
  return attempt(() => {
    const role = roleOf(root);
    const document = openDocument(bytes, REVOCATION_DOCUMENT);
    const signers = verifiedSigners(
      document,
      REVOCATION_DOCUMENT,
      (kid) => knownKey(root, 'revocation', kid)?.publicKey,
    );
    return {
      content: readPayload(document.payload),
      sha256: sha256(document.payload),
      signers,
      missing: missingOf(role, signers),
    };
  });
}

/** The list with one signature more. Faults: as above, `trust.unauthorised`. */
export function addRevocationSignature(
  bytes: Uint8Array,
  signer: Signer,
  root: RootSet,
): Result<Uint8Array> {
  return attempt(() => {
    const { signers } = need(inspectRevocations(bytes, root));
    const kid = signer.thumbprint;
    if (keyInRole(root, 'revocation', kid) === undefined) {
      throw refuseTrust('trust.unauthorised', `${toHex(kid)} is no revocation key of this root`);
    }
    if (signers.some((known) => equalBytes(known, kid))) {
      throw refuseTrust('trust.duplicate-signature', `${toHex(kid)} has signed this list already`);
    }
    const document = openDocument(bytes, REVOCATION_DOCUMENT);
    const signed = signedDocument(document, REVOCATION_DOCUMENT, [signer]);
    need(inspectRevocations(signed, root));
    return signed;
  });
}

/**
 * Whether a list may stand for the one that a device recorded, or replace it. Faults:
 * `revocation.missing`, `revocation.older`, `revocation.differs`, `revocation.threshold` (a new list
 * that only retired keys signed), `revocation.step` (so far above that no later one could follow).
 */
export function checkRecorded(
  list: RevocationList | undefined,
  { revocationVersion: recorded, revocationSha256 }: RecordedRevocations,
): Result<true> {
  return attempt(() => {
    if (list === undefined) {
      // Before a list was ever recorded its absence blocks nothing.
      if (recorded === 0) return true;
      throw refuseTrust('revocation.missing', `version ${recorded} is recorded`);
    }
    // What is no number is refused too: NaN is neither above nor below anything.
    if (!(list.version >= recorded)) {
      throw refuseTrust('revocation.older', `version ${list.version}, ${recorded} is recorded`);
    }
    if (list.version === recorded) {
      if (revocationSha256 && equalBytes(list.sha256, revocationSha256)) return true;
      throw refuseTrust('revocation.differs', `another list has version ${recorded}`);
    }
    if (list.retired) {
      throw refuseTrust('revocation.threshold', 'retired keys cannot sign a new list');
    }
    if (!(list.version - recorded <= REVOCATION_STEP_MAX)) {
      throw refuseTrust('revocation.step', `version ${list.version}, ${recorded} is recorded`);
    }
    return true;
  });
}

/** The security version below which releases are revoked; 0 where the list names none. */
export function minimumOf(list: RevocationContent, hardwareClass: string, model: string): number {
  const found = list.minimums.find((m) => m.hardwareClass === hardwareClass && m.model === model);
  return found?.securityVersion ?? 0;
}

export function isRevokedKey(list: RevocationContent, thumbprint: Uint8Array): boolean {
  return list.keys.some((key) => equalBytes(key, thumbprint));
}

export function isRevokedManifest(list: RevocationContent, manifestSha256: Uint8Array): boolean {
  return list.manifests.some((digest) => equalBytes(digest, manifestSha256));
}

function roleOf(root: RootSet) {
  const role = root.roles.revocation;
  if (role) return role;
  throw refuseTrust('revocation.no-role', `root version ${root.version} has no revocation keys`);
}

function encodePayload(content: RevocationContent): Uint8Array {
  const minimums = content.minimums
    .toSorted(byClassAndModel)
    .map((minimum) =>
      cborMap(
        ['class', minimum.hardwareClass],
        ['model', minimum.model],
        ['securityVersion', minimum.securityVersion],
      ),
    );
  return encodeCbor(
    cborMap(
      ['profile', REVOCATION_PROFILE],
      ['version', content.version],
      ['issued', content.issuedS],
      ['keys', content.keys.toSorted(compareBytes)],
      ['manifests', content.manifests.toSorted(compareBytes)],
      ['minimums', minimums],
    ),
  );
}

function readPayload(payload: Uint8Array): RevocationContent {
  const map = need(decodeCbor(payload));
  if (!(map instanceof Map)) throw refuseTrust('revocation.malformed', 'the payload is no map');
  const fields = new Fields('', map);
  const profile = fields.text('profile');
  if (profile !== REVOCATION_PROFILE) {
    throw refuseTrust('revocation.malformed', `the profile is ${profile}`);
  }
  const content: RevocationContent = {
    version: fields.integer('version', 1),
    issuedS: fields.integer('issued', 0, TIME_S_MAX),
    keys: digests(fields, 'keys', REVOKED_KEYS_MAX),
    manifests: digests(fields, 'manifests', REVOKED_MANIFESTS_MAX),
    minimums: fields.list('minimums', REVOCATION_MINIMUMS_MAX).map((entry, index) => {
      const minimum = Fields.of(`minimums[${index}]`, entry);
      const read = {
        hardwareClass: minimum.text('class', 64),
        model: minimum.text('model', 64),
        securityVersion: minimum.integer('securityVersion'),
      };
      minimum.done();
      return read;
    }),
  };
  fields.done();
  checkOrder('minimums', content.minimums, byClassAndModel);
  return content;
}

function digests(fields: Fields, name: string, countMax: number): readonly Uint8Array[] {
  const list = fields.list(name, countMax).map((entry) => {
    if (entry instanceof Uint8Array && entry.length === DIGEST_BYTES) return entry.slice();
    throw refuseTrust('revocation.malformed', `${name} holds other than digests`);
  });
  checkOrder(name, list, compareBytes);
  return list;
}

/** Ascending, each once: one list has one encoding, and nothing is named twice with two numbers. */
function checkOrder<T>(name: string, list: readonly T[], compare: (a: T, b: T) => number): void {
  const ascends = list.every((entry, i) => i === 0 || compare(list[i - 1] as T, entry) < 0);
  if (!ascends) throw refuseTrust('revocation.invalid', `${name} do not ascend`);
}

function byClassAndModel(a: Minimum, b: Minimum): number {
  const byClass = compareBytes(utf8(a.hardwareClass), utf8(b.hardwareClass));
  return byClass === 0 ? compareBytes(utf8(a.model), utf8(b.model)) : byClass;
}
