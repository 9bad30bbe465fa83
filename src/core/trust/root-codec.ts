/**
 * What a root says, as bytes and back: version, roles with keys and thresholds, scope, times, and
 * which root it follows.
 */
import { toHex } from '../base/bytes.ts';
import { need } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import { ML_DSA_SIGNATURES_MAX, ROOT_KEYS_MAX, SIGNATURES_MAX } from '../base/limits.ts';
import { decodeCbor } from '../cose/decode.ts';
import { encodeCbor } from '../cose/encode.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { ED25519_PUBLIC_KEY_BYTES, isStrictEncoding } from '../crypto/ed25519.ts';
import { isMlDsaKey, ML_DSA_65_PUBLIC_KEY_BYTES } from '../crypto/ml-dsa.ts';
import { refuseTrust } from './faults.ts';

const ROOT_PROFILE = 'edgeward-root/2';
const PATTERNS_MAX = 64;
/** The end of the year 9999: in milliseconds still a whole number that a floor record can hold. */
export const TIME_S_MAX = 253_402_300_799;

/** A root has the first two; the others are there where a product uses them. */
export const ROLE_NAMES: readonly RoleName[] = [
  ...(['root', 'release', 'revocation', 'operator', 'runtime', 'enrolment'] as const),
  'release-ml-dsa-65',
];

/**
 * `root` signs roots, `release` bundles, `revocation` revocation lists, `operator` commands to a
 * fleet, `runtime` the manifest of Edgeward's own files, `enrolment` the keys of devices. With
 * `release-ml-dsa-65` every new bundle needs its threshold of such keys as well as that of `release`.
 */
export type RoleName =
  | ('root' | 'release' | 'revocation' | 'operator' | 'runtime' | 'enrolment')
  | 'release-ml-dsa-65';

export interface RootKey {
  readonly publicKey: Uint8Array;
  readonly development: boolean;
}

export interface Quorum {
  readonly threshold: number;
  readonly keys: readonly RootKey[];
}

export interface Role extends Quorum {
  /**
   * What still stands for things that a device has recorded: keys that were taken out of use, and
   * how many signatures, of these and of current keys together, such a thing needs.
   */
  readonly retired?: Quorum;
}

/** Empty lists mean any; a model is matched by prefix, a class by name. */
export interface ReleaseScope {
  readonly modelPrefixes: readonly string[];
  readonly classes: readonly string[];
}

export type Roles = Readonly<Record<'root' | 'release', Role>> &
  Readonly<Partial<Record<RoleName, Role>>>;

export interface RootContent {
  readonly version: number;
  readonly production: boolean;
  /** Seconds since 1970. */
  readonly issuedS: number;
  readonly expiresS?: number;
  readonly roles: Roles;
  readonly scope: ReleaseScope;
  /**
   * The root that this one follows, by digest, and whose keys must have signed the step. Stated
   * here so that a holder on another machine needs this file only; a device compares it with the
   * root it has. The first root of a product has none.
   */
  readonly previous?: { readonly sha256: Uint8Array; readonly root: Quorum };
}

export function encodeRootPayload(root: RootContent): Uint8Array {
  const roles = ROLE_NAMES.map((name) => [name, optionally(root.roles[name], roleToCbor)] as const);
  return encodeCbor(
    cborMap(
      ['profile', ROOT_PROFILE],
      ['version', root.version],
      ['production', root.production],
      ['issued', root.issuedS],
      ['expires', root.expiresS],
      ['roles', cborMap(...roles)],
      ['scope', cborMap(['models', root.scope.modelPrefixes], ['classes', root.scope.classes])],
      [
        'previous',
        optionally(root.previous, ({ sha256, root: role }) =>
          cborMap(['sha256', sha256], ['root', roleToCbor(role)]),
        ),
      ],
    ),
  );
}

/** Refuses with `cbor.*`, `field.*`, `root.malformed`, `root.invalid`, `trust.development-key`. */
export function readRootPayload(payload: Uint8Array): RootContent {
  const map = need(decodeCbor(payload));
  if (!(map instanceof Map)) throw refuseTrust('root.malformed', 'the payload is no map');
  const fields = new Fields('', map);
  const profile = fields.text('profile');
  if (profile !== ROOT_PROFILE) throw refuseTrust('root.malformed', `the profile is ${profile}`);
  const expiresS = fields.optional('expires', (n) => fields.integer(n, 0, TIME_S_MAX));
  const previous = fields.optional('previous', () => readPrevious(fields.map('previous')));
  const scope = fields.map('scope');
  const root: RootContent = {
    version: fields.integer('version', 1),
    production: fields.boolean('production'),
    issuedS: fields.integer('issued', 0, TIME_S_MAX),
    ...(expiresS === undefined ? {} : { expiresS }),
    roles: readRoles(fields.map('roles')),
    scope: { modelPrefixes: texts(scope, 'models'), classes: texts(scope, 'classes') },
    ...(previous === undefined ? {} : { previous }),
  };
  scope.done();
  fields.done();
  checkKeys(root);
  return root;
}

function optionally<T>(value: T | undefined, toCbor: (value: T) => CborMap): CborMap | undefined {
  return value === undefined ? undefined : toCbor(value);
}

function roleToCbor(role: Role): CborMap {
  const keys = role.keys.map((key) =>
    cborMap(['x', key.publicKey], ['development', key.development]),
  );
  return cborMap(
    ['threshold', role.threshold],
    ['keys', keys],
    ['retired', optionally(role.retired, roleToCbor)],
  );
}

function readRoles(fields: Fields): Roles {
  const roles: Partial<Record<RoleName, Role>> = {};
  for (const name of ROLE_NAMES) {
    const role = fields.optional(name, () => readRole(fields.map(name), name));
    if (role !== undefined) roles[name] = role;
  }
  // The first two are asked for by name, so that a missing one is told as such.
  const {
    root = readRole(fields.map('root'), 'root'),
    release = readRole(fields.map('release'), 'release'),
  } = roles;
  fields.done();
  const together = release.threshold + (roles['release-ml-dsa-65']?.threshold ?? 0);
  if (together > SIGNATURES_MAX) {
    throw refuseTrust('root.invalid', `no bundle can carry ${together} release signatures`);
  }
  return { ...roles, root, release };
}

function readPrevious(fields: Fields): { sha256: Uint8Array; root: Quorum } {
  const previous = {
    sha256: fields.bytes('sha256', 32),
    root: readRole(fields.map('root'), 'root'),
  };
  fields.done();
  return previous;
}

function readRole(fields: Fields, name: RoleName): Role {
  const quorum = readQuorum(fields, name);
  const retired =
    name === 'root'
      ? undefined
      : fields.optional('retired', () => readRetired(fields.map('retired'), name, quorum));
  fields.done();
  if (quorum.threshold > quorum.keys.length) {
    const { threshold, keys } = quorum;
    throw refuseTrust('root.invalid', `${fields.path} wants ${threshold} of ${keys.length} keys`);
  }
  return retired === undefined ? quorum : { ...quorum, retired };
}

function readRetired(fields: Fields, name: RoleName, current: Quorum): Quorum {
  const retired = readQuorum(fields, name);
  fields.done();
  // Otherwise what is recorded would need more signatures than what is new.
  if (retired.threshold > current.threshold) {
    throw refuseTrust('root.invalid', `${fields.path} wants more than ${current.threshold}`);
  }
  return retired;
}

function readQuorum(fields: Fields, name: RoleName): Quorum {
  const mlDsa = name === 'release-ml-dsa-65';
  const keyBytes = mlDsa ? ML_DSA_65_PUBLIC_KEY_BYTES : ED25519_PUBLIC_KEY_BYTES;
  const keys = fields.list('keys', ROOT_KEYS_MAX).map((entry, index): RootKey => {
    const key = Fields.of(`${fields.at('keys')}[${index}]`, entry);
    const read = { publicKey: key.bytes('x', keyBytes), development: key.boolean('development') };
    key.done();
    return read;
  });
  // More signatures than a file can carry would shut out every bundle, or every later root.
  const thresholdMax = mlDsa ? ML_DSA_SIGNATURES_MAX : SIGNATURES_MAX;
  return { threshold: fields.integer('threshold', 1, thresholdMax), keys };
}

function checkKeys({ roles, previous, production }: RootContent): void {
  const keys = Object.values(roles).flatMap((role) => [
    ...role.keys,
    ...(role.retired?.keys ?? []),
  ]);
  const distinct = new Set(keys.map((key) => toHex(key.publicKey)));
  // A key with two roles would let a signature for one purpose serve another.
  if (distinct.size !== keys.length) {
    throw refuseTrust('root.invalid', 'a key is listed twice or in two roles');
  }
  const earlier = previous?.root.keys ?? [];
  if (new Set(earlier.map((key) => toHex(key.publicKey))).size !== earlier.length) {
    throw refuseTrust('root.invalid', 'a key of the root before is listed twice');
  }
  const all = [...keys, ...earlier];
  // Every 1,952 bytes are an ML-DSA-65 key; whose length its role has checked.
  const ed25519 = all.filter((key) => !isMlDsaKey(key.publicKey));
  if (!ed25519.every((key) => isStrictEncoding(key.publicKey))) {
    throw refuseTrust('root.invalid', 'a key is not a usable Ed25519 point');
  }
  if (production && all.some((key) => key.development)) {
    throw refuseTrust('trust.development-key', 'a production root lists a development key');
  }
}

function texts(fields: Fields, name: string): readonly string[] {
  return fields.list(name, PATTERNS_MAX).map((entry) => {
    if (typeof entry === 'string' && entry.length > 0 && entry.length <= 64) return entry;
    throw refuseTrust('root.malformed', `${fields.at(name)} holds other than short texts`);
  });
}
