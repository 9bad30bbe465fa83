/**
 * THE judge of whether a bundle may be installed, booted, reverted to, confirmed or verified again.
 * There is no second opinion anywhere: every path asks this one predicate.
 */
import { equalBytes, toHex } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { FLOORS_MAX, SECURITY_VERSION_STEP_MAX } from '../base/limits.ts';
import type { UnixMs } from '../base/time.ts';
import type { ModelMetadata } from '../bundle/metadata.ts';
import { refuseTrust } from './faults.ts';
import { type FloorRecord, floorOf } from './floor.ts';
import {
  checkRecorded,
  isRevokedKey,
  isRevokedManifest,
  minimumOf,
  type RevocationList,
} from './revocation.ts';
import { keyInRole, knownKey, knownReleaseKey, type RootSet } from './root.ts';

/**
 * What is about to happen to the bundle: it comes in, it is started, it is gone back to, it is made
 * the one to go back to, or it is looked at again while it runs.
 */
export type Act = 'install' | 'boot' | 'revert' | 'confirm' | 're-verify';

export type TrustProfile = 'development' | 'production';

/** Everything that is judged, as facts; signatures were verified before. */
export interface BundleFacts {
  readonly meta: ModelMetadata;
  readonly sequenceNumber: number;
  readonly manifestSha256: Uint8Array;
  /** Computed thumbprints of the keys whose signatures verified. */
  readonly signers: readonly Uint8Array[];
}

export interface TrustContext {
  readonly root: RootSet;
  readonly floors: FloorRecord;
  /** The list at hand, verified; whether the device may do without one is in `floors`. */
  readonly revocations?: RevocationList | undefined;
  readonly profile: TrustProfile;
  /** This device's hardware class, where it is known; any otherwise. */
  readonly hardwareClass?: string;
  /** Semantic version of this Edgeward. */
  readonly guardVersion: string;
  /** A floor the caller names himself, for any model. */
  readonly securityVersionMin?: number;
  readonly nowMs: UnixMs;
  /** When this Edgeward was built, where that is known. */
  readonly builtMs?: UnixMs;
}

/**
 * Faults: `revocation.*`, `trust.*`, `root.differs`, `rollback.*`, `root.expired`. The order is
 * fixed: what was revoked, who, what for, how old.
 *
 * Revocation, roles, fit and floors are judged alike on every act. Only `install` also judges by
 * current keys alone, by sequence number, fast-forward and expiry; so what may be installed may be
 * booted, reverted to, confirmed and verified again.
 */
export function admissible(act: Act, facts: BundleFacts, context: TrustContext): Result<true> {
  return attempt(() => {
    checkRevocations(facts, context);
    checkSigners(act, facts, context);
    checkScope(facts.meta, context.root);
    checkFit(facts.meta, context);
    checkRollback(act, facts, context);
    // Expiry blocks new installs and never a confirmed model: time must not brick a device.
    if (act === 'install') checkExpiry(facts.meta, context);
    return true;
  });
}

/** No clock of a device counts below this: milliseconds since 1970. */
export function timeFloorMs({ builtMs, root, revocations, floors }: TrustContext): number {
  return Math.max(
    builtMs ?? 0,
    root.issuedS * 1000,
    (revocations?.issuedS ?? 0) * 1000,
    floors.clockFloorMs,
  );
}

function checkRevocations(facts: BundleFacts, { revocations, floors }: TrustContext): void {
  need(checkRecorded(revocations, floors));
  if (revocations === undefined) return;
  const revoked = facts.signers.find((kid) => isRevokedKey(revocations, kid));
  // One is enough, whoever else signed: what a thief of a key can touch is not run.
  if (revoked !== undefined) {
    throw refuseTrust('revocation.key', `${toHex(revoked)} signed and is revoked`);
  }
  if (isRevokedManifest(revocations, facts.manifestSha256)) {
    throw refuseTrust('revocation.manifest', `${toHex(facts.manifestSha256)} is revoked`);
  }
}

function checkSigners(act: Act, facts: BundleFacts, context: TrustContext): void {
  const { root, profile } = context;
  if (profile === 'production' && !root.production) {
    throw refuseTrust('trust.development-key', 'the root is a development root');
  }
  for (const kid of facts.signers) {
    const key = knownReleaseKey(root, kid);
    if (key === undefined) {
      throw refuseTrust('trust.unauthorised', `${toHex(kid).slice(0, 12)} is no release key`);
    }
    if (profile === 'production' && key.development) {
      throw refuseTrust('trust.development-key', 'a development key signed the bundle');
    }
  }
  const confirmed = act !== 'install' && isConfirmed(facts, context);
  checkQuorum('release', facts.signers, root, confirmed);
  // What is confirmed came in under the root of its day and is known by its digest: a demand that
  // a later root makes does not stop it.
  if (!confirmed) checkQuorum('release-ml-dsa-65', facts.signers, root, false);
}

function checkQuorum(
  name: 'release' | 'release-ml-dsa-65',
  signers: readonly Uint8Array[],
  root: RootSet,
  confirmed: boolean,
): void {
  const role = root.roles[name];
  if (role === undefined) return;
  // Retired keys keep running what this device has confirmed, by digest, and nothing else: a
  // release put into a slot by hand is no older for being signed by an old key.
  const { threshold, retired } = role;
  const keep = confirmed && retired !== undefined;
  const known = signers.filter((kid) => knownKey(root, name, kid) !== undefined);
  const counted = new Set(
    known.filter((kid) => keep || keyInRole(root, name, kid) !== undefined).map(toHex),
  );
  const needed = keep ? retired.threshold : threshold;
  if (counted.size >= needed) return;
  if (counted.size === 0 && known.length > 0) {
    throw refuseTrust('trust.retired-key', `all ${known.length} signatures are of retired keys`);
  }
  throw refuseTrust('trust.threshold', `${counted.size} of ${needed} ${name} signatures`);
}

function isConfirmed({ meta, manifestSha256 }: BundleFacts, { floors }: TrustContext): boolean {
  const floor = floorOf(floors, meta.hardwareClass, meta.name);
  return floor !== undefined && equalBytes(floor.manifestSha256, manifestSha256);
}

function checkScope(meta: ModelMetadata, root: RootSet): void {
  const { modelPrefixes, classes } = root.scope;
  const modelAllowed =
    modelPrefixes.length === 0 || modelPrefixes.some((prefix) => meta.name.startsWith(prefix));
  const classAllowed = classes.length === 0 || classes.includes(meta.hardwareClass);
  if (!modelAllowed || !classAllowed) {
    throw refuseTrust(
      'trust.unauthorised',
      `the root releases no model ${meta.name} for class ${meta.hardwareClass}`,
    );
  }
}

function checkFit(meta: ModelMetadata, context: TrustContext): void {
  if (context.hardwareClass !== undefined && context.hardwareClass !== meta.hardwareClass) {
    throw refuseTrust(
      'trust.wrong-class',
      `made for ${meta.hardwareClass}, this device is ${context.hardwareClass}`,
    );
  }
  // Here and below, what is no number is refused too: NaN is neither above nor below anything.
  if (!(compareSemver(context.guardVersion, meta.guardVersionMin) >= 0)) {
    throw refuseTrust(
      'trust.guard-too-old',
      `needs Edgeward ${meta.guardVersionMin}, this is ${context.guardVersion}`,
    );
  }
  // rollback: an older root would bring back keys that were taken away.
  const rootVersionMin = Math.max(meta.rootVersionMin, context.floors.rootVersion);
  if (!(context.root.version >= rootVersionMin)) {
    throw refuseTrust(
      'trust.root-too-old',
      `needs root version ${rootVersionMin}, this is ${context.root.version}`,
    );
  }
  const { rootVersion, rootSha256 } = context.floors;
  const another = rootSha256 !== undefined && !equalBytes(rootSha256, context.root.sha256);
  if (context.root.version === rootVersion && another) {
    throw refuseTrust('root.differs', `another root of version ${rootVersion} is recorded`);
  }
}

function checkRollback(act: Act, facts: BundleFacts, context: TrustContext): void {
  const { meta } = facts;
  const floor = floorOf(context.floors, meta.hardwareClass, meta.name);
  const { revocations } = context;
  const least = Math.max(
    floor?.securityVersion ?? 0,
    revocations === undefined ? 0 : minimumOf(revocations, meta.hardwareClass, meta.name),
    context.securityVersionMin ?? 0,
  );
  if (!(meta.securityVersion >= least)) {
    throw refuseTrust(
      'rollback.security-version',
      `security version ${meta.securityVersion}, the floor is ${least}`,
    );
  }
  if (act === 'install' && !(meta.securityVersion - least <= SECURITY_VERSION_STEP_MAX)) {
    throw refuseTrust(
      'rollback.fast-forward',
      `security version ${meta.securityVersion}, the floor is ${least}`,
    );
  }
  if (floor === undefined) {
    // rollback: a floor that has no place in the record could never be raised.
    if (context.floors.floors.length < FLOORS_MAX) return;
    throw refuseTrust('rollback.floors-full', `the record holds ${FLOORS_MAX} models already`);
  }
  if (act === 'install' && !(facts.sequenceNumber >= floor.sequenceNumber)) {
    throw refuseTrust(
      'rollback.sequence',
      `sequence ${facts.sequenceNumber}, ${floor.sequenceNumber} is confirmed`,
    );
  }
}

function checkExpiry(meta: ModelMetadata, context: TrustContext): void {
  // Time never goes back behind what was seen: a clock set to 1970 must not revive an old bundle.
  const nowS = Math.max(context.nowMs, timeFloorMs(context)) / 1000;
  if (context.root.expiresS !== undefined && !(nowS <= context.root.expiresS)) {
    throw refuseTrust('root.expired', 'the root does not allow new installs any more');
  }
  if (meta.installExpiryS !== undefined && !(nowS <= meta.installExpiryS)) {
    throw refuseTrust('trust.expired', 'the bundle does not allow new installs any more');
  }
}

/** Orders by major, minor and patch; a pre-release counts as its release. */
function compareSemver(a: string, b: string): number {
  const left = a.split(/[.-]/, 3).map(Number);
  const right = b.split(/[.-]/, 3).map(Number);
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
