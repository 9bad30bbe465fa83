/**
 * `verifyBundle`: the only maker of a `VerifiedBundle`. It reads the manifest (64 KiB at most),
 * verifies every signature, asks `admissible`, and only then looks at a payload byte.
 */
import { equalBytes, toHex } from '../base/bytes.ts';
import { assert, attempt, attemptAsync, need, type Result } from '../base/fault.ts';
import { refuseBundle } from '../bundle/faults.ts';
import {
  checkSameFiles,
  type PayloadCheck,
  payloadWalk,
  readManifestEntry,
  type WalkOptions,
} from '../bundle/layout.ts';
import {
  type BundleFile,
  decodeMetadata,
  type FileRole,
  type ModelMetadata,
} from '../bundle/metadata.ts';
import { type Walk, walkAhead, walkNow } from '../bundle/piecewise.ts';
import type { AheadSource, ByteSource } from '../bundle/source.ts';
import { isMlDsaBlock, openMlDsaSign1 } from '../cose/ml-dsa-sign1.ts';
import { openSign1 } from '../cose/sign1.ts';
import { sha256 } from '../crypto/digest.ts';
import type { SignatureCheck } from '../crypto/ed25519.ts';
import { classUuid, vendorUuid } from '../crypto/uuid.ts';
import { openEnvelope, SUIT_AAD, type SuitEnvelope } from '../suit/envelope.ts';
import { parseManifest, type SuitManifest } from '../suit/manifest.ts';
import { type Act, admissible, type TrustContext } from './admissible.ts';
import { refuseTrust } from './faults.ts';
import { knownKey, knownReleaseKey, type RootSet } from './root.ts';
import { type RunnableModel, verifiedModel } from './runnable-model.ts';

declare const verified: unique symbol;

/** Evidence that a bundle was verified and admitted; nothing else can make one. */
export interface VerifiedBundle {
  readonly meta: ModelMetadata;
  readonly sequenceNumber: number;
  /** SHA-256 of the signed manifest: the release's name in telemetry. */
  readonly manifestSha256: Uint8Array;
  /** Thumbprints of the release keys that signed. */
  readonly signers: readonly Uint8Array[];
  /** True when a development key is among the signers, or the root is a development root. */
  readonly development: boolean;
  /** The kept payloads by path: the very bytes that were checked. */
  readonly payloads: ReadonlyMap<string, Uint8Array>;
  readonly [verified]: true;
}

export interface VerifyOptions {
  /** Roles whose bytes are kept in memory; none by default, which needs 256 KiB at any size. */
  readonly keep?: readonly FileRole[];
  /**
   * How payload bytes are checked, `full` unless stated. A payload that fails refuses the bundle in
   * every mode: the caller goes on with another slot, never with the rest of this one.
   */
  readonly check?: PayloadCheck;
  readonly onBytes?: (count: number) => void;
  /** `verifyStrict` unless another is named. */
  readonly signatureCheck?: SignatureCheck | undefined;
}

/** Faults: `bundle.*`, `cbor.*`, `cose.*`, `crypto.*`, `suit.*`, `metadata.*`, `field.*`, `trust.*`, `rollback.*`. */
export function verifyBundle(
  source: ByteSource,
  act: Act,
  context: TrustContext,
  options: VerifyOptions = {},
): Result<VerifiedBundle> {
  return attempt(() => walkNow(verifying(source, act, context, options), source));
}

/**
 * `verifyBundle`, where reading and hashing go on side by side: for large bundles on a slow medium.
 * It needs 2 MiB at any size of the bundle.
 */
export function verifyBundleAhead(
  source: AheadSource,
  act: Act,
  context: TrustContext,
  options: VerifyOptions = {},
): Promise<Result<VerifiedBundle>> {
  const walk = verifying(source, act, context, { ...options, ahead: true });
  return attemptAsync(() => walkAhead(walk, source));
}

function* verifying(
  source: ByteSource,
  act: Act,
  context: TrustContext,
  options: VerifyOptions & Pick<WalkOptions, 'ahead'>,
): Walk<VerifiedBundle> {
  const entry = need(readManifestEntry(source));
  const envelope = need(openEnvelope(entry.bytes));
  const signers = verifySigners(envelope, context.root, options.signatureCheck);
  const manifest = need(parseManifest(envelope.manifest));
  const meta = verifyMetadata(envelope, manifest);
  const { manifestSha256 } = envelope;
  const facts = { meta, sequenceNumber: manifest.sequenceNumber, manifestSha256, signers };
  need(admissible(act, facts, context));
  const { keep = [], check, onBytes, ahead } = options;
  const payloads = yield* payloadWalk(source, entry.endOffset, meta.files, {
    keep: (file) => keep.includes(file.role),
    ...(check === undefined ? {} : { check }),
    ...(onBytes === undefined ? {} : { onBytes }),
    ...(ahead === undefined ? {} : { ahead }),
  });
  const development =
    !context.root.production ||
    signers.some((kid) => knownReleaseKey(context.root, kid)?.development === true);
  return { ...facts, development, payloads } as VerifiedBundle;
}

/** The model's bytes; the bundle must have been verified with `keep: ['model']`. */
export function modelOf(bundle: VerifiedBundle): RunnableModel {
  const file = fileOf(bundle, 'model');
  assert(file !== undefined, 'verified metadata names exactly one model');
  const bytes = bundle.payloads.get(file.path);
  assert(bytes !== undefined, 'the bundle was verified without keeping the model');
  return verifiedModel(bytes, file.sha256);
}

/** The bytes of the one file with this role, when the bundle has it and it was kept. */
export function payloadOf(bundle: VerifiedBundle, role: FileRole): Uint8Array | undefined {
  const file = fileOf(bundle, role);
  return file && bundle.payloads.get(file.path);
}

function fileOf(bundle: VerifiedBundle, role: FileRole): BundleFile | undefined {
  return bundle.meta.files.find((file) => file.role === role);
}

/**
 * Every block must verify under a release key; one that does not refuses the whole envelope. Gives
 * the thumbprints; refuses with `cbor.*`, `cose.*`, `crypto.*`, `trust.duplicate-signature`.
 */
export function verifySigners(
  envelope: SuitEnvelope,
  root: RootSet,
  signatureCheck?: SignatureCheck,
): readonly Uint8Array[] {
  const seen = new Set<string>();
  return envelope.signatures.map((block) => {
    const kid = need(verifyBlock(block, envelope, root, signatureCheck));
    // go-tuf #369: a threshold counts distinct keys, never signatures.
    if (seen.has(toHex(kid))) {
      throw refuseTrust('trust.duplicate-signature', 'one release key signed twice');
    }
    seen.add(toHex(kid));
    return kid;
  });
}

function verifyBlock(
  block: Uint8Array,
  { signedDigest }: SuitEnvelope,
  root: RootSet,
  signatureCheck: SignatureCheck | undefined,
): Result<Uint8Array> {
  // The kind of the block names the role: no key verifies with another algorithm than its own.
  if (isMlDsaBlock(block)) {
    return openMlDsaSign1(
      block,
      signedDigest,
      (kid) => knownKey(root, 'release-ml-dsa-65', kid)?.publicKey,
    );
  }
  return attempt(() => {
    const opened = openSign1(block, {
      externalAad: SUIT_AAD,
      detachedPayload: signedDigest,
      keyOf: (kid) => knownKey(root, 'release', kid)?.publicKey,
      signatureCheck,
    });
    return need(opened).kid;
  });
}

/** The metadata that the manifest names; refuses with `bundle.*`, `metadata.*`, `field.*`. */
export function verifyMetadata(envelope: SuitEnvelope, manifest: SuitManifest): ModelMetadata {
  const component = manifest.components[0];
  if (
    component?.sizeBytes !== envelope.meta.length ||
    !equalBytes(component.sha256, sha256(envelope.meta))
  ) {
    throw refuseBundle('bundle.file-digest', 'the metadata is not what was signed');
  }
  const meta = need(decodeMetadata(envelope.meta));
  need(checkSameFiles(meta, manifest));
  if (
    !equalBytes(manifest.vendorId, vendorUuid(meta.vendor)) ||
    !equalBytes(manifest.classId, classUuid(meta.vendor, meta.hardwareClass))
  ) {
    throw refuseBundle('bundle.mismatch', 'vendor or class differ from the manifest');
  }
  return meta;
}
