/** A small bundle, and the means to build the ones that no packer would write. */
import { concatBytes, utf8 } from '../../../src/core/base/bytes.ts';
import {
  type BundleFile,
  encodeMetadata,
  type ModelMetadata,
} from '../../../src/core/bundle/metadata.ts';
import {
  type PackInput,
  type PayloadFile,
  packBundleBytes,
} from '../../../src/core/bundle/pack.ts';
import { END_BYTES, paddingBytes, ustarHeader } from '../../../src/core/bundle/ustar.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { type Signer, signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import { createVerityHasher } from '../../../src/core/crypto/fs-verity.ts';
import { classUuid, vendorUuid } from '../../../src/core/crypto/uuid.ts';
import { META_URI, sealEnvelope } from '../../../src/core/suit/envelope.ts';
import { encodeManifest, type SuitManifest } from '../../../src/core/suit/manifest.ts';
import { accepted } from '../base/outcome.ts';

export const keyOf = (fill: number): Signer => signerFromSeed(new Uint8Array(32).fill(fill));
export const RELEASE: Signer = keyOf(11);

export const MODEL: PayloadFile = {
  path: 'model.onnx',
  role: 'model',
  bytes: Uint8Array.from({ length: 1024 }, (_, i) => (i * 7) & 255),
};
export const GUARD: PayloadFile = { path: 'guard.cbor', role: 'guard', bytes: utf8('a policy') };

export const METADATA: Omit<ModelMetadata, 'files'> = {
  name: 'rotor',
  version: '1.2.3',
  securityVersion: 5,
  vendor: 'example.com',
  hardwareClass: 'generic-arm64',
  guardVersionMin: '0.1.0',
  rootVersionMin: 1,
  onnx: { ir: 8, opset: 17 },
  io: {
    inputs: [{ name: 'x', dtype: 'float32', dims: [{ name: 'N', min: 1, max: 64 }, 4] }],
    outputs: [
      {
        name: 'logits',
        dtype: 'float32',
        dims: [{ name: 'N', min: 1, max: 64 }, 2],
        role: 'scores',
      },
    ],
  },
  budgets: {},
  detection: 'contract-only',
  intendedUses: [],
  prohibitedUses: [],
  guard: new Map(),
};

export function packInput(change: Partial<PackInput> = {}): PackInput {
  return {
    metadata: METADATA,
    files: [MODEL, GUARD],
    sequenceNumber: 9,
    signers: [RELEASE],
    ...change,
  };
}

export function packed(change: Partial<PackInput> = {}): Uint8Array {
  return accepted(packBundleBytes(packInput(change)));
}

export function describeFile(file: PayloadFile): BundleFile {
  const verity = createVerityHasher();
  verity.update(file.bytes);
  const { path, role, bytes } = file;
  const sizeBytes = bytes.length;
  return { path, role, sizeBytes, sha256: sha256(bytes), verity: verity.digest() };
}

/** Metadata of the specimen with other members. */
export function metadataOf(change: Partial<ModelMetadata> = {}): ModelMetadata {
  return { ...METADATA, files: [MODEL, GUARD].map(describeFile), ...change };
}

/** The manifest that belongs to metadata bytes, with other members. */
export function manifestOf(
  meta: Uint8Array,
  files: readonly BundleFile[],
  change: Partial<SuitManifest> = {},
): SuitManifest {
  return {
    sequenceNumber: 9,
    vendorId: vendorUuid(METADATA.vendor),
    classId: classUuid(METADATA.vendor, METADATA.hardwareClass),
    model: METADATA.name,
    components: [{ path: META_URI, sizeBytes: meta.length, sha256: sha256(meta) }, ...files],
    ...change,
  };
}

/** Signs metadata and manifest that need not fit each other, and archives the given members. */
export function forged(parts: {
  meta?: Uint8Array;
  metadata?: Partial<ModelMetadata>;
  manifest?: Partial<SuitManifest>;
  signers?: readonly Signer[];
  members?: readonly PayloadFile[];
}): Uint8Array {
  const metadata = metadataOf(parts.metadata);
  const meta = parts.meta ?? encodeMetadata(metadata);
  const manifest = encodeManifest(manifestOf(meta, metadata.files, parts.manifest));
  const envelope = sealEnvelope(manifest, meta, parts.signers ?? [RELEASE]);
  return archive(envelope, parts.members ?? [MODEL, GUARD]);
}

/** The archive of a manifest entry and members, in the order given. */
export function archive(envelope: Uint8Array, members: readonly PayloadFile[]): Uint8Array {
  return concatBytes(
    ...entry('manifest.suit', envelope),
    ...members.flatMap(({ path, bytes }) => entry(path, bytes)),
    new Uint8Array(END_BYTES),
  );
}

function entry(path: string, bytes: Uint8Array): Uint8Array[] {
  return [ustarHeader(path, bytes.length), bytes, new Uint8Array(paddingBytes(bytes.length))];
}
