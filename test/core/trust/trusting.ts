/** Roots, contexts and floors for the tests of this room. */
import type { UnixMs } from '../../../src/core/base/time.ts';
import type { Signer } from '../../../src/core/crypto/ed25519.ts';
import { mlDsaSignerFromSeed } from '../../../src/core/crypto/ml-dsa.ts';
import type { TrustContext } from '../../../src/core/trust/admissible.ts';
import { EMPTY_FLOOR, type Floor, type FloorRecord } from '../../../src/core/trust/floor.ts';
import {
  decodeRevocations,
  draftRevocations,
  type RevocationContent,
  type RevocationList,
} from '../../../src/core/trust/revocation.ts';
import { decodeRoot, type RootSet, sealRoot } from '../../../src/core/trust/root.ts';
import type { Role, RoleName } from '../../../src/core/trust/root-codec.ts';
import { accepted } from '../base/outcome.ts';
import { keyOf, METADATA, RELEASE } from '../bundle/specimen.ts';

export const ROOT_KEY: Signer = keyOf(21);

export const mlDsaKeyOf = (fill: number): Signer =>
  mlDsaSignerFromSeed(new Uint8Array(32).fill(fill));

/** A key of the kind that the role takes. */
export const keyForRole = (role: RoleName, fill: number): Signer =>
  role === 'release-ml-dsa-65' ? mlDsaKeyOf(fill) : keyOf(fill);

export const roleOf = (threshold: number, ...signers: readonly Signer[]): Role => ({
  threshold,
  keys: signers.map(({ publicKey }) => ({ publicKey, development: false })),
});

export const ROOT: Omit<RootSet, 'sha256'> = {
  version: 3,
  production: true,
  issuedS: 1_700_000_000,
  roles: { root: roleOf(1, ROOT_KEY), release: roleOf(1, RELEASE) },
  scope: { modelPrefixes: [], classes: [] },
};

/** A root that was sealed and read back, with other members. */
export function rootOf(
  change: Partial<RootSet> = {},
  signers: readonly Signer[] = [ROOT_KEY],
): RootSet {
  return accepted(decodeRoot(accepted(sealRoot({ ...ROOT, ...change }, signers))));
}

export const REVOCATION_KEY: Signer = keyOf(24);

/** `ROOT` with one revocation key. */
export const REVOKING: RootSet = rootOf({
  roles: { ...ROOT.roles, revocation: roleOf(1, REVOCATION_KEY) },
});

export const REVOCATIONS: RevocationContent = {
  version: 4,
  issuedS: 1_710_000_000,
  keys: [],
  manifests: [],
  minimums: [],
};

/** A list that was signed under `REVOKING` and read back, with other members. */
export function listOf(change: Partial<RevocationContent> = {}): RevocationList {
  const bytes = draftRevocations({ ...REVOCATIONS, ...change }, [REVOCATION_KEY], REVOKING);
  return accepted(decodeRevocations(accepted(bytes), REVOKING));
}

export const NOW = 1_750_000_000_000 as UnixMs;

export const CONTEXT: TrustContext = {
  root: rootOf(),
  floors: EMPTY_FLOOR,
  profile: 'production',
  hardwareClass: METADATA.hardwareClass,
  guardVersion: '0.1.0',
  nowMs: NOW,
};

export const FLOOR: Floor = {
  hardwareClass: METADATA.hardwareClass,
  model: METADATA.name,
  securityVersion: METADATA.securityVersion,
  sequenceNumber: 9,
  manifestSha256: new Uint8Array(32).fill(7),
};

export function floorsOf(...floors: readonly Floor[]): FloorRecord {
  return { ...EMPTY_FLOOR, generation: 1, floors };
}
