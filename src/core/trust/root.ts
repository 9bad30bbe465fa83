/**
 * The root set: which keys may do what. `root.cbor` is `[payload, [COSE_Sign1, ...]]`.
 *
 * The first root is trusted because its digest is fixed in the image (or because the user names the
 * file); its own signatures show that a threshold of root keys agreed to it. A later root carries
 * the signatures of the root before it as well (`root-chain.ts`).
 */
import { equalBytes, toHex } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { ROOT_BYTES_MAX, ROOT_SIGNATURES_MAX } from '../base/limits.ts';
import { externalAad } from '../cose/domain.ts';
import { sha256 } from '../crypto/digest.ts';
import type { Signer } from '../crypto/ed25519.ts';
import { thumbprintOf } from '../crypto/thumbprint.ts';
import { refuseTrust } from './faults.ts';
import {
  encodeRootPayload,
  type Quorum,
  type RoleName,
  type RootContent,
  type RootKey,
  readRootPayload,
} from './root-codec.ts';
import {
  type DocumentKind,
  mergedDocument,
  openDocument,
  signedDocument,
  verifiedSigners,
} from './signed-document.ts';

/** A root whose signatures were verified. */
export interface RootSet extends RootContent {
  /** SHA-256 of the payload: what an image pins. */
  readonly sha256: Uint8Array;
}

/** A root file as it stands, perhaps with too few signatures: to be shown, never to be trusted. */
export interface RootReading {
  readonly content: RootContent;
  readonly sha256: Uint8Array;
  /** Thumbprints of the root keys that signed, verified. */
  readonly signers: readonly Uint8Array[];
  /** How many signatures are still to come, of its own root keys and of those of the root before. */
  readonly missing: { readonly own: number; readonly previous: number };
}

const ROOT_DOCUMENT: DocumentKind = {
  typ: 'application/edgeward-root+cbor',
  externalAad: externalAad('root', ''),
  bytesMax: ROOT_BYTES_MAX,
  signaturesMax: ROOT_SIGNATURES_MAX,
  malformed: 'root.malformed',
};

/** Encodes and signs a root; `decodeRoot` must accept it. Faults: `root.*`. */
export function sealRoot(root: RootContent, signers: readonly Signer[]): Result<Uint8Array> {
  return attempt(() => {
    const bytes = need(draftRoot(root, signers));
    need(decodeRoot(bytes));
    return bytes;
  });
}

/** As `sealRoot`, but others may add the signatures that are missing. Faults: `root.*`. */
export function draftRoot(root: RootContent, signers: readonly Signer[]): Result<Uint8Array> {
  return attempt(() => {
    const payload = encodeRootPayload(root);
    const bytes = signedDocument({ payload, blocks: [] }, ROOT_DOCUMENT, signers);
    need(inspectRoot(bytes));
    return bytes;
  });
}

/** Faults: `cbor.*`, `cose.*`, `crypto.*`, `field.*`, `root.*`, `trust.*`. */
export function decodeRoot(bytes: Uint8Array): Result<RootSet> {
  return attempt(() => completeRoot(need(inspectRoot(bytes))));
}

/** The root of a file that has all its signatures; refuses with `root.threshold`. */
export function completeRoot({ content, sha256: digest, missing }: RootReading): RootSet {
  checkThreshold('its own', missing.own, content.roles.root);
  if (content.previous) checkThreshold('the earlier', missing.previous, content.previous.root);
  return { ...content, sha256: digest };
}

/** As `decodeRoot`, but signatures may be missing; none that is there may be wrong. */
export function inspectRoot(bytes: Uint8Array): Result<RootReading> {
  return attempt(() => {
    const document = openDocument(bytes, ROOT_DOCUMENT);
    // The payload names the keys that must have signed it, so it is read first and trusted last.
    const content = readRootPayload(document.payload);
    const { roles, previous } = content;
    const signers = verifiedSigners(
      document,
      ROOT_DOCUMENT,
      (kid) => keyAmong([...roles.root.keys, ...(previous?.root.keys ?? [])], kid)?.publicKey,
    );
    return {
      content,
      sha256: sha256(document.payload),
      signers,
      missing: {
        own: missingOf(roles.root, signers),
        previous: previous === undefined ? 0 : missingOf(previous.root, signers),
      },
    };
  });
}

/**
 * The root with one signature more; the other bytes stay. The signer may be a key of this root or of
 * the one before, and hold its secret anywhere: what it gives is verified. Faults: those of
 * `inspectRoot`, `trust.unauthorised`, `trust.duplicate-signature`.
 */
export function addRootSignature(bytes: Uint8Array, signer: Signer): Result<Uint8Array> {
  return attempt(() => {
    const { content, signers } = need(inspectRoot(bytes));
    const { roles, previous } = content;
    const kid = signer.thumbprint;
    if (!keyAmong([...roles.root.keys, ...(previous?.root.keys ?? [])], kid)) {
      throw refuseTrust('trust.unauthorised', `${toHex(kid)} is no root key of this root`);
    }
    if (signers.some((known) => equalBytes(known, kid))) {
      throw refuseTrust('trust.duplicate-signature', `${toHex(kid)} has signed this root already`);
    }
    const signed = signedDocument(openDocument(bytes, ROOT_DOCUMENT), ROOT_DOCUMENT, [signer]);
    need(inspectRoot(signed));
    return signed;
  });
}

/** One root from two copies that were signed apart. Faults: of `inspectRoot`, `root.differs`. */
export function mergeRootSignatures(a: Uint8Array, b: Uint8Array): Result<Uint8Array> {
  return attempt(() => {
    const opened = (bytes: Uint8Array) => {
      const { signers } = need(inspectRoot(bytes));
      return { ...openDocument(bytes, ROOT_DOCUMENT), signers };
    };
    const merged = mergedDocument(opened(a), opened(b));
    if (merged === undefined) throw refuseTrust('root.differs', 'the files hold two roots');
    need(inspectRoot(merged));
    return merged;
  });
}

/** A current key of a role by thumbprint, computed here and never taken from a file. */
export function keyInRole(root: RootContent, role: RoleName, kid: Uint8Array): RootKey | undefined {
  return keyAmong(root.roles[role]?.keys ?? [], kid);
}

/** As above, retired keys included: whether one may count is for the caller to judge. */
export function knownKey(root: RootContent, role: RoleName, kid: Uint8Array): RootKey | undefined {
  const retired = root.roles[role]?.retired?.keys ?? [];
  return keyInRole(root, role, kid) ?? keyAmong(retired, kid);
}

/** The key of a bundle's signature of either algorithm, retired ones included. */
export function knownReleaseKey(root: RootContent, kid: Uint8Array): RootKey | undefined {
  return knownKey(root, 'release', kid) ?? knownKey(root, 'release-ml-dsa-65', kid);
}

/** How many signatures are missing; a threshold counts distinct keys. */
export function missingOf({ threshold, keys }: Quorum, signers: readonly Uint8Array[]): number {
  const distinct = new Set(signers.filter((kid) => keyAmong(keys, kid)).map(toHex));
  return Math.max(0, threshold - distinct.size);
}

function keyAmong(keys: readonly RootKey[], kid: Uint8Array): RootKey | undefined {
  return keys.find((key) => equalBytes(thumbprintOf(key.publicKey), kid));
}

function checkThreshold(whose: string, missing: number, { threshold }: Quorum): void {
  if (missing === 0) return;
  throw refuseTrust(
    'root.threshold',
    `${threshold - missing} of ${threshold} signatures of ${whose} root keys`,
  );
}
