/** `edgeward pack`: model, guard and metadata into one signed bundle, verified before it is written. */
import { need } from '../../core/base/fault.ts';
import { EVIDENCE_BYTES_MAX, GUARD_POLICY_BYTES_MAX } from '../../core/base/limits.ts';
import { bytesToSign } from '../../core/crypto/detached-signature.ts';
import type { Signer } from '../../core/crypto/ed25519.ts';
import { isMlDsaKey } from '../../core/crypto/ml-dsa.ts';
import type { VerifiedBundle } from '../../core/trust/verify.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { openFrames } from '../maker/frames.ts';
import { type GoldenMade, makeGolden } from '../maker/golden.ts';
import type { MakerModel } from '../maker/maker-model.ts';
import { packModel } from '../maker/packing.ts';
import { refuseCli } from './faults.ts';
import { openModelFiles } from './model-files.ts';
import { writeOutput } from './output-file.ts';
import { inputsOf, type SigningOptions, signingWay, writeRequest } from './signing-way.ts';
import { noteDevelopment, say, sayJson, styled } from './terminal.ts';
import { identityOf } from './trusted-bundle.ts';

export interface PackOptions extends SigningOptions {
  readonly model: string;
  readonly guard?: string;
  readonly contractOnly?: boolean;
  /** `[NAME=]X.npy` for each input; `false` is `--no-golden`. */
  readonly golden?: readonly string[] | false;
  readonly metadata?: string;
  /** What `evaluate --json` wrote. */
  readonly evidence?: string;
  readonly name: string;
  readonly version: string;
  readonly securityVersion: number;
  readonly sequence?: number;
  readonly class: string;
}

/**
 * Refuses with `cli.option`, `store.*`, `key.*`, `onnx.*` and what `makeGolden` and `packModel` give.
 */
export async function pack(options: PackOptions): Promise<void> {
  if ((options.guard === undefined) === (options.contractOnly !== true)) {
    throw refuseCli('cli.option', 'give either --guard or --contract-only');
  }
  const way = await signingWay(options);
  const keys = way.kind === 'request' ? [way.key] : way.keys.map(({ signer }) => signer);
  if (keys.every(({ publicKey }) => isMlDsaKey(publicKey))) {
    throw refuseCli('cli.option', 'an ML-DSA-65 key signs beside an Ed25519 key, not alone');
  }
  const guard =
    options.guard === undefined
      ? undefined
      : need(readFileBounded(options.guard, GUARD_POLICY_BYTES_MAX));
  const evidence =
    options.evidence === undefined
      ? undefined
      : need(readFileBounded(options.evidence, EVIDENCE_BYTES_MAX));
  const maker = await openModelFiles(options.model, options.metadata);
  const golden = await goldenOf(maker, options);
  const packedBy = (signers: readonly Signer[]) =>
    packModel(maker, {
      name: options.name,
      version: options.version,
      securityVersion: options.securityVersion,
      sequenceNumber: options.sequence,
      hardwareClass: options.class,
      guard,
      golden: golden?.bytes,
      evidence,
      signers,
    });
  const samples = (options.golden || []).map((arg) => arg.slice(arg.indexOf('=') + 1));
  const { model, metadata } = options;
  const inputs = [
    model,
    options.guard,
    options.evidence,
    metadata,
    ...inputsOf(options),
    ...samples,
  ];
  if (way.kind === 'request') {
    // Packing is reproducible: the same inputs give these bytes again when the signature is there.
    const asked = need(bytesToSign(way.key.publicKey, (signer) => packedBy([signer])));
    const { name, version } = options;
    const what = `${name} ${version}; to write it, pack the same again with --signature`;
    writeRequest(options, way.key, asked, inputs, { what, name, version });
    return;
  }
  const { bytes, bundle } = need(packedBy(way.keys.map(({ signer }) => signer)));
  writeOutput(options.out, bytes, inputs);
  tell(
    options,
    bytes,
    bundle,
    golden,
    way.keys.some((key) => key.development),
  );
}

function tell(
  options: PackOptions,
  bytes: Uint8Array,
  bundle: VerifiedBundle,
  golden: GoldenMade | undefined,
  development: boolean,
): void {
  const identity = { ...identityOf(bundle), development };
  if (options.json === true) {
    const goldenVectors = golden?.vectors ?? 0;
    sayJson({ out: options.out, sizeBytes: bytes.length, goldenVectors, ...identity });
  } else {
    const { name, version, manifestSha256, detection } = identity;
    say(`${styled('green', 'wrote')} ${options.out}: ${name} ${version}, ${bytes.length} bytes`);
    say(`  manifest ${manifestSha256}, ${detection} detection`);
    say(`  golden vectors: ${wordsOf(golden)}`);
    say(`  safe output: ${bundle.meta.safeOutput ? 'declared' : 'none declared: withhold'}`);
  }
  if (development) {
    noteDevelopment();
  }
}

async function goldenOf(
  maker: MakerModel,
  { golden }: PackOptions,
): Promise<GoldenMade | undefined> {
  try {
    if (golden === false) return undefined;
    return need(await makeGolden(maker, golden && ((ports) => openFrames(golden, ports))));
  } finally {
    await maker.engine.close();
  }
}

function wordsOf(golden: GoldenMade | undefined): string {
  if (golden === undefined) return 'none: a device sees that the model runs, not that it is right';
  const { vectors, recorded } = golden;
  return `${vectors} ${recorded ? 'recorded' : 'of seeded noise (--golden takes recorded rows)'}`;
}
