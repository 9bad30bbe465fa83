/** Packing: metadata, payload files and signatures into the one file that ships. Deterministic. */
import { concatBytes } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { BUNDLE_FILES_MAX, MANIFEST_BYTES_MAX } from '../base/limits.ts';
import { sha256 } from '../crypto/digest.ts';
import type { Signer } from '../crypto/ed25519.ts';
import { createVerityHasher } from '../crypto/fs-verity.ts';
import { classUuid, vendorUuid } from '../crypto/uuid.ts';
import { META_URI, openEnvelope, sealEnvelope } from '../suit/envelope.ts';
import { encodeManifest, parseManifest } from '../suit/manifest.ts';
import { refuseBundle } from './faults.ts';
import {
  type BundleFile,
  decodeMetadata,
  encodeMetadata,
  type FileRole,
  type ModelMetadata,
} from './metadata.ts';
import { END_BYTES, MANIFEST_PATH, paddingBytes, ustarHeader } from './ustar.ts';

export interface PayloadFile {
  /** A flat name, `[A-Za-z0-9._-]{1,64}`. */
  readonly path: string;
  readonly role: FileRole;
  readonly bytes: Uint8Array;
}

export interface PackInput {
  readonly metadata: Omit<ModelMetadata, 'files'>;
  readonly files: readonly PayloadFile[];
  /** Never lower than that of the release before; the device refuses to install an older one. */
  readonly sequenceNumber: number;
  readonly signers: readonly Signer[];
}

/**
 * The bundle as chunks in order, payloads not copied. The same inputs give the same bytes.
 * Faults: `bundle.too-large`, and those of `decodeMetadata`, `parseManifest` and `openEnvelope`.
 */
export function packBundle(input: PackInput): Result<readonly Uint8Array[]> {
  return attempt(() => {
    if (input.files.length > BUNDLE_FILES_MAX) {
      throw refuseBundle('bundle.too-large', `more than ${BUNDLE_FILES_MAX} files`);
    }
    const files = input.files.map(describeFile);
    const meta = encodeMetadata({ ...input.metadata, files });
    // A device would refuse what does not read back, so the packer reads each part first.
    need(decodeMetadata(meta));
    const manifest = encodeManifest({
      sequenceNumber: input.sequenceNumber,
      vendorId: vendorUuid(input.metadata.vendor),
      classId: classUuid(input.metadata.vendor, input.metadata.hardwareClass),
      model: input.metadata.name,
      components: [{ path: META_URI, sizeBytes: meta.length, sha256: sha256(meta) }, ...files],
    });
    need(parseManifest(manifest));
    const envelope = sealEnvelope(manifest, meta, input.signers);
    if (envelope.length > MANIFEST_BYTES_MAX) {
      throw refuseBundle(
        'bundle.too-large',
        `the manifest has ${envelope.length} bytes, at most ${MANIFEST_BYTES_MAX}`,
      );
    }
    need(openEnvelope(envelope));
    const payloads = input.files.flatMap((file) => entry(file.path, file.bytes));
    return [...entry(MANIFEST_PATH, envelope), ...payloads, new Uint8Array(END_BYTES)];
  });
}

/** `packBundle` as one byte string, for small bundles. */
export function packBundleBytes(input: PackInput): Result<Uint8Array> {
  return attempt(() => concatBytes(...need(packBundle(input))));
}

function describeFile(file: PayloadFile): BundleFile {
  const verity = createVerityHasher();
  verity.update(file.bytes);
  return {
    path: file.path,
    sizeBytes: file.bytes.length,
    sha256: sha256(file.bytes),
    verity: verity.digest(),
    role: file.role,
  };
}

function entry(path: string, bytes: Uint8Array): readonly Uint8Array[] {
  return [ustarHeader(path, bytes.length), bytes, new Uint8Array(paddingBytes(bytes.length))];
}

/**
 * The sequence number of a semantic version where the maker names none: it rises with major, minor
 * and patch, so that an older release never follows a newer one.
 */
export function sequenceOfVersion(version: string): number {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).slice(0, 3).map(Number);
  return (
    (Math.min(major, 2 ** 20 - 1) * 2 ** 16 + Math.min(minor, 2 ** 16 - 1)) * 2 ** 16 +
    Math.min(patch, 2 ** 16 - 1)
  );
}
