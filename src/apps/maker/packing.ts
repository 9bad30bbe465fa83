/** Packing as a maker does it: one signed bundle, verified by its own verifier before it is given out. */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { type ModelMetadata, readName, readSemver } from '../../core/bundle/metadata.ts';
import { type PayloadFile, packBundleBytes, sequenceOfVersion } from '../../core/bundle/pack.ts';
import { bytesSource } from '../../core/bundle/source.ts';
import { type Signer, signerFromSeed } from '../../core/crypto/ed25519.ts';
import { isMlDsaKey } from '../../core/crypto/ml-dsa.ts';
import { decodeGuardPolicy } from '../../core/guard/policy-codec.ts';
import { EMPTY_FLOOR } from '../../core/trust/floor.ts';
import { decodeRoot, type RootSet, sealRoot } from '../../core/trust/root.ts';
import { type VerifiedBundle, verifyBundle } from '../../core/trust/verify.ts';
import { systemClock } from '../../host/platform/clock.ts';
import { newKeySeed } from '../../host/platform/identity.ts';
import { RUN_ROLES, readGuarding } from '../../host/runtime/loaded-model.ts';
import { trustContext } from '../../host/runtime/trust-state.ts';
import { EVIDENCE_PATH, evidenceVerdict } from './evidence.ts';
import type { MakerModel } from './maker-model.ts';
import { admitModel } from './scanning.ts';

export interface Release {
  readonly name: string;
  /** Semantic version. */
  readonly version: string;
  readonly securityVersion: number;
  /** From the version where it is left out. */
  readonly sequenceNumber?: number | undefined;
  readonly hardwareClass: string;
  /** The encoded policy of `calibrateModel`; contract-only without one. */
  readonly guard?: Uint8Array | undefined;
  /** What `makeGolden` gave; without it a device sees that the model runs, not that it is right. */
  readonly golden?: Uint8Array | undefined;
  /** An evaluation of this model and guard as JSON, for whoever looks into the bundle. */
  readonly evidence?: Uint8Array | undefined;
  readonly signers: readonly Signer[];
}

export interface PackedRelease {
  readonly bytes: Uint8Array;
  readonly bundle: VerifiedBundle;
}

/**
 * Faults: `scan.findings`, `maker.evidence`, `metadata.*`, `bundle.*`, `policy.*`, `guard.*`, `field.*`, `golden.*`,
 * `runtime.policy-mismatch`.
 */
export function packModel(maker: MakerModel, release: Release): Result<PackedRelease> {
  return attempt(() => {
    readName(release.name);
    readName(release.hardwareClass);
    readSemver(release.version);
    const waived = need(admitModel(maker.model.bytes, maker.maker.waive));
    const { evidence, guard } = release;
    if (evidence !== undefined) evidenceVerdict(evidence, maker.model.sha256, guard);
    const files: PayloadFile[] = [
      { path: 'model.onnx', role: 'model', bytes: maker.model.bytes },
      ...(release.guard === undefined
        ? []
        : [{ path: 'guard.cbor', role: 'guard', bytes: release.guard } as const]),
      ...(release.golden === undefined
        ? []
        : [{ path: 'golden.cbor', role: 'golden', bytes: release.golden } as const]),
      ...(evidence === undefined
        ? []
        : [{ path: EVIDENCE_PATH, role: 'notice', bytes: evidence } as const]),
    ];
    const bytes = need(
      packBundleBytes({
        metadata: metadataOf(maker, release, waived),
        files,
        sequenceNumber: release.sequenceNumber ?? sequenceOfVersion(release.version),
        signers: release.signers,
      }),
    );
    const bundle = verifyOwn(bytes, release.signers);
    need(readGuarding(bundle));
    return { bytes, bundle };
  });
}

function metadataOf(
  { graph, io, maker }: MakerModel,
  release: Release,
  waived: readonly string[],
): Omit<ModelMetadata, 'files'> {
  const { inputs: _, outputs: __, waive: ___, ...stated } = maker;
  const { guard } = release;
  return {
    ...stated,
    ...(waived.length === 0 ? {} : { waived }),
    name: release.name,
    version: release.version,
    securityVersion: release.securityVersion,
    hardwareClass: release.hardwareClass,
    onnx: { ir: graph.irVersion, opset: graph.opsets.get('') ?? 0 },
    io,
    detection: guard === undefined ? 'contract-only' : need(decodeGuardPolicy(guard)).detection,
  };
}

/** Under a root made for this one look, with the very keys that signed. */
function verifyOwn(bytes: Uint8Array, signers: readonly Signer[]): VerifiedBundle {
  const context = trustContext(rootFor(signers), EMPTY_FLOOR, 'production', undefined, systemClock);
  return need(verifyBundle(bytesSource(bytes), 'boot', context, { keep: RUN_ROLES }));
}

function rootFor(signers: readonly Signer[]): RootSet {
  const rootSigner = signerFromSeed(newKeySeed());
  const keys = signers.map(({ publicKey }) => ({ publicKey, development: false }));
  const mlDsa = keys.filter(({ publicKey }) => isMlDsaKey(publicKey));
  const release = keys.filter(({ publicKey }) => !isMlDsaKey(publicKey));
  const sealed = sealRoot(
    {
      version: Number.MAX_SAFE_INTEGER,
      production: true,
      issuedS: 0,
      roles: {
        root: { threshold: 1, keys: [{ publicKey: rootSigner.publicKey, development: false }] },
        release: { threshold: release.length, keys: release },
        ...(mlDsa.length > 0 && { 'release-ml-dsa-65': { threshold: mlDsa.length, keys: mlDsa } }),
      },
      scope: { modelPrefixes: [], classes: [] },
    },
    [rootSigner],
  );
  return need(decodeRoot(need(sealed)));
}
