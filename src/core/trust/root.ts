/**
 * The root set: which keys may do what. `root.cbor` is `[payload, [COSE_Sign1, ...]]`; the payload
 * names keys, roles, thresholds and, per release key set, which models and classes it may release.
 *
 * The first root is trusted because its digest is fixed in the image (or because the user names the
 * file); its own signatures show that a threshold of root keys agreed to it.
 */
import { equalBytes, toHex } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import { ROOT_BYTES_MAX, ROOT_KEYS_MAX, SIGNATURES_MAX } from '../base/limits.ts';
import { decodeCbor } from '../cose/decode.ts';
import { externalAad } from '../cose/domain.ts';
import { encodeCbor } from '../cose/encode.ts';
import { openSign1, sign1 } from '../cose/sign1.ts';
import { type CborMap, type CborValue, cborMap } from '../cose/value.ts';
import { sha256 } from '../crypto/digest.ts';
import { isStrictEncoding, type Signer } from '../crypto/ed25519.ts';
import { thumbprintOf } from '../crypto/thumbprint.ts';
import { refuseTrust } from './faults.ts';

const ROOT_PROFILE = 'edgeward-root/1';
const ROOT_TYP = 'application/edgeward-root+cbor';
const ROLE_NAMES: readonly RoleName[] = ['root', 'release'];
const PATTERNS_MAX = 64;
/** The end of the year 9999: in milliseconds still a whole number that a floor record can hold. */
const TIME_S_MAX = 253_402_300_799;

export type RoleName = 'root' | 'release';

export interface RootKey {
  readonly publicKey: Uint8Array;
  readonly development: boolean;
}

export interface Role {
  readonly threshold: number;
  readonly keys: readonly RootKey[];
}

/** Empty lists mean any; a model is matched by prefix, a class by name. */
export interface ReleaseScope {
  readonly modelPrefixes: readonly string[];
  readonly classes: readonly string[];
}

export interface RootSet {
  readonly version: number;
  readonly production: boolean;
  /** Seconds since 1970. */
  readonly issuedS: number;
  readonly expiresS?: number;
  readonly roles: Readonly<Record<RoleName, Role>>;
  readonly scope: ReleaseScope;
  /** SHA-256 of the payload: what an image pins. */
  readonly sha256: Uint8Array;
}

/** Encodes and signs a root; `decodeRoot` must accept it. Faults: `root.*`. */
export function sealRoot(
  root: Omit<RootSet, 'sha256'>,
  signers: readonly Signer[],
): Result<Uint8Array> {
  return attempt(() => {
    const payload = encodeCbor(payloadToCbor(root));
    const blocks = signers.map((signer) =>
      sign1({ payload, detached: true, typ: ROOT_TYP, externalAad: aad(), signer }),
    );
    const bytes = encodeCbor([payload, blocks]);
    need(decodeRoot(bytes));
    return bytes;
  });
}

/** Faults: `cbor.*`, `cose.*`, `crypto.*`, `field.*`, `root.*`. */
export function decodeRoot(bytes: Uint8Array): Result<RootSet> {
  return attempt(() => {
    const parts = need(decodeCbor(bytes, { bytesMax: ROOT_BYTES_MAX }));
    const [payload, blocks] = Array.isArray(parts) && parts.length === 2 ? parts : [];
    if (!(payload instanceof Uint8Array) || !Array.isArray(blocks)) {
      throw refuseTrust('root.malformed', 'a root is [payload, signatures]');
    }
    if (blocks.length > SIGNATURES_MAX) {
      throw refuseTrust('root.malformed', `more than ${SIGNATURES_MAX} signatures`);
    }
    // The payload names the keys that must have signed it, so it is read first and trusted last.
    const root = readPayload(payload);
    checkSignatures(root, payload, blocks);
    return root;
  });
}

/** The key of a role by thumbprint, computed here and never taken from the file. */
export function keyInRole(root: RootSet, role: RoleName, kid: Uint8Array): RootKey | undefined {
  return root.roles[role].keys.find((key) => equalBytes(thumbprintOf(key.publicKey), kid));
}

function checkSignatures(root: RootSet, payload: Uint8Array, blocks: readonly CborValue[]): void {
  const signers = new Set<string>();
  for (const block of blocks) {
    if (!(block instanceof Uint8Array)) {
      throw refuseTrust('root.malformed', 'a signature block is no byte string');
    }
    const { kid } = need(
      openSign1(block, {
        typ: ROOT_TYP,
        externalAad: aad(),
        detachedPayload: payload,
        keyOf: (wanted) => keyInRole(root, 'root', wanted)?.publicKey,
      }),
    );
    if (signers.has(toHex(kid))) {
      throw refuseTrust('trust.duplicate-signature', 'one root key signed twice');
    }
    signers.add(toHex(kid));
  }
  if (signers.size < root.roles.root.threshold) {
    throw refuseTrust(
      'root.threshold',
      `${signers.size} of ${root.roles.root.threshold} root signatures`,
    );
  }
}

function aad(): Uint8Array {
  return externalAad('root', '');
}

function payloadToCbor(root: Omit<RootSet, 'sha256'>): CborMap {
  return cborMap(
    ['profile', ROOT_PROFILE],
    ['version', root.version],
    ['production', root.production],
    ['issued', root.issuedS],
    ['expires', root.expiresS],
    ['roles', cborMap(...ROLE_NAMES.map((name) => [name, roleToCbor(root.roles[name])] as const))],
    ['scope', cborMap(['models', root.scope.modelPrefixes], ['classes', root.scope.classes])],
  );
}

function roleToCbor(role: Role): CborMap {
  const keys = role.keys.map((key) =>
    cborMap(['x', key.publicKey], ['development', key.development]),
  );
  return cborMap(['threshold', role.threshold], ['keys', keys]);
}

function readPayload(payload: Uint8Array): RootSet {
  const map = need(decodeCbor(payload));
  if (!(map instanceof Map)) throw refuseTrust('root.malformed', 'the payload is no map');
  const fields = new Fields('', map);
  const profile = fields.text('profile');
  if (profile !== ROOT_PROFILE) throw refuseTrust('root.malformed', `the profile is ${profile}`);
  const expiresS = fields.optional('expires', (n) => fields.integer(n, 0, TIME_S_MAX));
  const roles = fields.map('roles');
  const scope = fields.map('scope');
  const root: RootSet = {
    version: fields.integer('version', 1),
    production: fields.boolean('production'),
    issuedS: fields.integer('issued', 0, TIME_S_MAX),
    ...(expiresS === undefined ? {} : { expiresS }),
    roles: { root: readRole(roles.map('root')), release: readRole(roles.map('release')) },
    scope: { modelPrefixes: texts(scope, 'models'), classes: texts(scope, 'classes') },
    sha256: sha256(payload),
  };
  roles.done();
  scope.done();
  fields.done();
  checkKeys(root);
  return root;
}

function readRole(fields: Fields): Role {
  const keys = fields.list('keys', ROOT_KEYS_MAX).map((entry, index): RootKey => {
    const key = Fields.of(`${fields.at('keys')}[${index}]`, entry);
    const read = { publicKey: key.bytes('x', 32), development: key.boolean('development') };
    key.done();
    return read;
  });
  // More signatures than a file can carry would shut out every bundle, or every later root.
  const threshold = fields.integer('threshold', 1, SIGNATURES_MAX);
  fields.done();
  if (threshold > keys.length) {
    throw refuseTrust('root.invalid', `${fields.path} wants ${threshold} of ${keys.length} keys`);
  }
  return { threshold, keys };
}

function checkKeys(root: RootSet): void {
  const keys = ROLE_NAMES.flatMap((name) => root.roles[name].keys);
  const distinct = new Set(keys.map((key) => toHex(key.publicKey)));
  // A key with two roles would let a signature for one purpose serve another.
  if (distinct.size !== keys.length) {
    throw refuseTrust('root.invalid', 'a key is listed twice or in two roles');
  }
  if (!keys.every((key) => isStrictEncoding(key.publicKey))) {
    throw refuseTrust('root.invalid', 'a key is not a usable Ed25519 point');
  }
  if (root.production && keys.some((key) => key.development)) {
    throw refuseTrust('trust.development-key', 'a production root lists a development key');
  }
}

function texts(fields: Fields, name: string): readonly string[] {
  return fields.list(name, PATTERNS_MAX).map((entry) => {
    if (typeof entry === 'string' && entry.length > 0 && entry.length <= 64) return entry;
    throw refuseTrust('root.malformed', `${fields.at(name)} holds other than short texts`);
  });
}
