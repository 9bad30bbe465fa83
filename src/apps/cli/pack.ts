/** `edgeward pack`: model, guard and metadata into one signed bundle, verified before it is written. */
import { need } from '../../core/base/fault.ts';
import { GUARD_POLICY_BYTES_MAX } from '../../core/base/limits.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { openFrames } from '../maker/frames.ts';
import { type GoldenMade, makeGolden } from '../maker/golden.ts';
import type { MakerModel } from '../maker/maker-model.ts';
import { packModel } from '../maker/packing.ts';
import { refuseCli } from './faults.ts';
import { openModelFiles } from './model-files.ts';
import { writeOutput } from './output-file.ts';
import { openKeys, type PassphraseOptions } from './passphrase.ts';
import { note, say, sayJson, styled } from './terminal.ts';
import { identityOf } from './trusted-bundle.ts';

export interface PackOptions extends PassphraseOptions {
  readonly model: string;
  readonly guard?: string;
  readonly contractOnly?: boolean;
  /** `[NAME=]X.npy` for each input; `false` is `--no-golden`. */
  readonly golden?: readonly string[] | false;
  readonly metadata?: string;
  readonly name: string;
  readonly version: string;
  readonly securityVersion: number;
  readonly sequence?: number;
  readonly class: string;
  readonly key: readonly string[];
  readonly out: string;
  readonly json?: boolean;
}

/**
 * Refuses with `cli.option`, `store.*`, `key.*`, `onnx.*` and what `makeGolden` and `packModel` give.
 */
export async function pack(options: PackOptions): Promise<void> {
  if ((options.guard === undefined) === (options.contractOnly !== true)) {
    throw refuseCli('cli.option', 'give either --guard or --contract-only');
  }
  const keys = await openKeys(options.key, options);
  const guard =
    options.guard === undefined
      ? undefined
      : need(readFileBounded(options.guard, GUARD_POLICY_BYTES_MAX));
  const maker = await openModelFiles(options.model, options.metadata);
  const golden = await goldenOf(maker, options);
  const { bytes, bundle } = need(
    packModel(maker, {
      name: options.name,
      version: options.version,
      securityVersion: options.securityVersion,
      sequenceNumber: options.sequence,
      hardwareClass: options.class,
      guard,
      golden: golden?.bytes,
      signers: keys.map(({ signer }) => signer),
    }),
  );
  const samples = (options.golden || []).map((arg) => arg.slice(arg.indexOf('=') + 1));
  const inputs = [options.model, options.guard, options.metadata, ...options.key, ...samples];
  writeOutput(options.out, bytes, inputs);
  const development = keys.some((key) => key.development);
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
    note(styled('yellow', 'signed with DEVELOPMENT keys: not for production', 'stderr'));
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
