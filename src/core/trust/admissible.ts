/**
 * THE judge of whether a bundle may be installed, booted or verified again. There is no second
 * opinion anywhere: every path asks this one predicate.
 */
import { toHex } from '../base/bytes.ts';
import { attempt, type Result } from '../base/fault.ts';
import { FLOORS_MAX } from '../base/limits.ts';
import type { UnixMs } from '../base/time.ts';
import type { ModelMetadata } from '../bundle/metadata.ts';
import { refuseTrust } from './faults.ts';
import { type FloorRecord, floorOf } from './floor.ts';
import { keyInRole, type RootSet } from './root.ts';

/** What is about to happen to the bundle. */
export type Act = 'install' | 'boot' | 'confirm' | 're-verify';

export type TrustProfile = 'development' | 'production';

/** Everything that is judged, as facts; signatures were verified before. */
export interface BundleFacts {
  readonly meta: ModelMetadata;
  readonly sequenceNumber: number;
  /** Computed thumbprints of the keys whose signatures verified. */
  readonly signers: readonly Uint8Array[];
}

export interface TrustContext {
  readonly root: RootSet;
  readonly floors: FloorRecord;
  readonly profile: TrustProfile;
  /** This device's hardware class, where it is known; any otherwise. */
  readonly hardwareClass?: string;
  /** Semantic version of this Edgeward. */
  readonly guardVersion: string;
  /** A floor the caller names himself, for any model. */
  readonly securityVersionMin?: number;
  readonly nowMs: UnixMs;
}

/** Faults: `trust.*`, `rollback.*`, `root.expired`. The order is fixed: who, what for, how old. */
export function admissible(act: Act, facts: BundleFacts, context: TrustContext): Result<true> {
  return attempt(() => {
    checkSigners(facts, context);
    checkFit(facts.meta, context);
    checkRollback(act, facts, context);
    // Expiry blocks new installs and never a confirmed model: time must not brick a device.
    if (act === 'install') checkExpiry(facts.meta, context);
    return true;
  });
}

function checkSigners(facts: BundleFacts, context: TrustContext): void {
  const { root, profile } = context;
  if (profile === 'production' && !root.production) {
    throw refuseTrust('trust.development-key', 'the root is a development root');
  }
  const distinct = new Set<string>();
  for (const kid of facts.signers) {
    const key = keyInRole(root, 'release', kid);
    if (key === undefined) {
      throw refuseTrust('trust.unauthorised', `${toHex(kid).slice(0, 12)} is no release key`);
    }
    if (profile === 'production' && key.development) {
      throw refuseTrust('trust.development-key', 'a development key signed the bundle');
    }
    distinct.add(toHex(kid));
  }
  const { threshold } = root.roles.release;
  if (distinct.size < threshold) {
    throw refuseTrust('trust.threshold', `${distinct.size} of ${threshold} release signatures`);
  }
  checkScope(facts.meta, root);
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
}

function checkRollback(act: Act, facts: BundleFacts, context: TrustContext): void {
  const { meta } = facts;
  const floor = floorOf(context.floors, meta.hardwareClass, meta.name);
  const least = Math.max(floor?.securityVersion ?? 0, context.securityVersionMin ?? 0);
  if (!(meta.securityVersion >= least)) {
    throw refuseTrust(
      'rollback.security-version',
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
  const nowS = Math.max(context.nowMs, context.floors.clockFloorMs) / 1000;
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
