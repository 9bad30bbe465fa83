/** The way from a state folder to a model that runs, or to the reason why none does. */
import { equalBytes } from '../../core/base/bytes.ts';
import { attempt, attemptAsync, type Fault, need, type Result } from '../../core/base/fault.ts';
import type { Clock } from '../../core/base/time.ts';
import { readManifestEntry } from '../../core/bundle/layout.ts';
import type { ByteSource } from '../../core/bundle/source.ts';
import { verifyTwice } from '../../core/crypto/second-opinion.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import { openEnvelope } from '../../core/suit/envelope.ts';
import type { BundleName, EdgeEvent } from '../../core/telemetry/event.ts';
import type { TrustContext, TrustProfile } from '../../core/trust/admissible.ts';
import type { FloorRecord } from '../../core/trust/floor.ts';
import type { RootSet } from '../../core/trust/root.ts';
import { type VerifiedBundle, verifyBundle } from '../../core/trust/verify.ts';
import { openBundleFile } from '../store/bundle-file.ts';
import type { FloorStore } from '../store/device-records.ts';
import {
  confirmedRecord,
  installBundle,
  installedBundlePath,
  recordedSafeOutput,
  verifyInstalled,
} from './installation.ts';
import { type BoardLimits, type LoadedModel, openModel, RUN_ROLES } from './loaded-model.ts';
import { trustContext } from './trust-state.ts';

export interface BootInput {
  readonly stateFolder: string;
  readonly bundlePath?: string | undefined;
  readonly root: RootSet;
  readonly floors: FloorStore;
  readonly profile: TrustProfile;
  readonly hardwareClass?: string | undefined;
  readonly board: BoardLimits;
  readonly clock: Clock;
  readonly onEvent: (event: EdgeEvent) => void;
}

export interface Booted {
  readonly model: LoadedModel | undefined;
  /** Why no model runs, where none does. */
  readonly refusal: Fault | undefined;
  /** For when no model runs: the safe output of the one confirmed last. */
  readonly fallback: NamedTensors | undefined;
}

/**
 * Installs a new bundle where one is given, then boots what is installed. A refused install leaves
 * what is installed to boot. Faults: `store.*` of the floor record only; all else is in `refusal`.
 */
export function bootModel(input: BootInput): Promise<Result<Booted>> {
  return attemptAsync(async () => {
    const { record } = need(input.floors.read());
    const { root, profile, hardwareClass, clock } = input;
    const context = trustContext(root, record, profile, hardwareClass, clock);
    const notInstalled = await installGiven(input, context);
    const booted = await attemptAsync(async () => {
      const bundle = need(verifyInstalled(input.stateFolder, context));
      return need(await openModel(bundle, input.board, clock));
    });
    if (!booted.ok) {
      // Where nothing was installed before, the reason is why nothing was installed now.
      const refusal =
        booted.fault.code === 'runtime.not-installed'
          ? (notInstalled ?? booted.fault)
          : booted.fault;
      input.onEvent({ type: 'integrity.boot-refused', fault: refusal.code });
      return { model: undefined, refusal, fallback: recordedSafeOutput(record) };
    }
    const model = booted.value;
    input.onEvent({ type: 'integrity.boot-verified', bundle: bundleName(model.bundle) });
    const confirmed = confirm(input.floors, record, model.bundle, context);
    // A floor that cannot be raised would leave the way back open: then nothing runs.
    if (!confirmed.ok) await model.engine.close();
    need(confirmed);
    return { model, refusal: undefined, fallback: undefined };
  });
}

export function bundleName(bundle: VerifiedBundle): BundleName {
  const { name, version, securityVersion } = bundle.meta;
  return { name, version, digest: bundle.manifestSha256, securityVersion };
}

/** The fault where a bundle was given and refused. */
async function installGiven(input: BootInput, context: TrustContext): Promise<Fault | undefined> {
  const { bundlePath, stateFolder } = input;
  if (bundlePath === undefined || isInstalled(bundlePath, stateFolder, context)) return undefined;
  const installed = await attemptAsync(async () => {
    await tryOut(bundlePath, input, context);
    return need(installBundle(bundlePath, stateFolder, context));
  });
  if (installed.ok) {
    input.onEvent({ type: 'integrity.installed', bundle: bundleName(installed.value) });
    return undefined;
  }
  input.onEvent({ type: 'integrity.install-refused', fault: installed.fault.code });
  return installed.fault;
}

/** A release that does not run here must not replace one that does: refuses as `openModel` does. */
async function tryOut(path: string, input: BootInput, context: TrustContext): Promise<void> {
  const source = need(openBundleFile(path));
  const verified = verifyBundle(source, 'install', context, {
    keep: RUN_ROLES,
    // New here, and rare: both implementations judge it.
    signatureCheck: verifyTwice,
  });
  source.close();
  const model = need(await openModel(need(verified), input.board, input.clock));
  await model.engine.close();
}

/** The same release is installed whole already: nothing needs to be written. */
function isInstalled(path: string, folder: string, context: TrustContext): boolean {
  const paths = [path, installedBundlePath(folder)];
  // What the manifests claim costs no hashing of models, and two releases differ there already.
  return (
    sameDigest(paths, (source) => need(openEnvelope(need(readManifestEntry(source)).bytes))) &&
    sameDigest(paths, (source) => need(verifyBundle(source, 'boot', context)))
  );
}

function sameDigest(
  paths: readonly string[],
  read: (source: ByteSource) => { readonly manifestSha256: Uint8Array },
): boolean {
  const [given, installed] = paths.map((path) =>
    attempt(() => {
      const source = need(openBundleFile(path));
      try {
        return read(source).manifestSha256;
      } finally {
        source.close();
      }
    }),
  );
  return given?.ok === true && installed?.ok === true && equalBytes(given.value, installed.value);
}

function confirm(
  floors: FloorStore,
  record: FloorRecord,
  bundle: VerifiedBundle,
  context: TrustContext,
): Result<true> {
  return attempt(() => need(floors.write(confirmedRecord(record, bundle, context))));
}
