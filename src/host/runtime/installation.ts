/** The state folder of a device: what is installed, and whether it may be installed or booted. */
import { equalBytes } from '../../core/base/bytes.ts';
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { Fields } from '../../core/base/fields.ts';
import type { UnixMs } from '../../core/base/time.ts';
import { ioSchemaToCbor, readIoSchema } from '../../core/bundle/io-schema-codec.ts';
import { parseSafeOutput, safeOutputTensors } from '../../core/guard/safe-output.ts';
import { DEFAULT_GUARD_SETTINGS } from '../../core/guard/settings.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import { admissible, type TrustContext } from '../../core/trust/admissible.ts';
import { type FloorRecord, floorOf, raiseFloor } from '../../core/trust/floor.ts';
import { type VerifiedBundle, verifyBundle } from '../../core/trust/verify.ts';
import { copyBundleFile, openBundleFile } from '../store/bundle-file.ts';
import { refuseRuntime } from './faults.ts';
import { RUN_ROLES } from './loaded-model.ts';

/** The one installed bundle in a state folder. */
export function installedBundlePath(folder: string): string {
  return `${folder}/model.bundle`;
}

/**
 * Verifies a bundle for installation and copies it into the state folder; the copy is verified
 * again before it is published, so that a refused bundle leaves what runs untouched.
 * Faults: those of `verifyBundle`, `store.*`.
 */
export function installBundle(
  path: string,
  folder: string,
  context: TrustContext,
): Result<VerifiedBundle> {
  return attempt(() => {
    const source = need(openBundleFile(path));
    try {
      // First the original, so that a bundle nobody signed costs no disk.
      let installed = need(verifyBundle(source, 'install', context));
      need(
        copyBundleFile(source, installedBundlePath(folder), (copy) =>
          attempt(() => {
            // The original may have become another one meanwhile: what is told is what stands there.
            installed = need(verifyBundle(copy, 'install', context));
          }),
        ),
      );
      return installed;
    } finally {
      source.close();
    }
  });
}

/** Verifies the installed bundle for boot and keeps what runs in memory. Faults: as above. */
export function verifyInstalled(folder: string, context: TrustContext): Result<VerifiedBundle> {
  return attempt(() => {
    const opened = openBundleFile(installedBundlePath(folder));
    if (!opened.ok && opened.fault.code === 'store.not-found') {
      throw refuseRuntime('runtime.not-installed', `there is no bundle in ${folder}`);
    }
    const source = need(opened);
    try {
      const bundle = need(verifyBundle(source, 'boot', context, { keep: RUN_ROLES }));
      const { meta, manifestSha256 } = bundle;
      const floor = floorOf(context.floors, meta.hardwareClass, meta.name);
      // A release that was never confirmed here is an install, also where it was put by hand.
      if (floor === undefined || !equalBytes(floor.manifestSha256, manifestSha256)) {
        need(admissible('install', bundle, context));
      }
      return bundle;
    } finally {
      source.close();
    }
  });
}

/** The record after this bundle proved that it runs: floors raised, its safe output kept. */
export function confirmedRecord(
  record: FloorRecord,
  bundle: VerifiedBundle,
  context: TrustContext,
): FloorRecord {
  const { meta, sequenceNumber } = bundle;
  const raised = raiseFloor(record, {
    hardwareClass: meta.hardwareClass,
    model: meta.name,
    securityVersion: meta.securityVersion,
    sequenceNumber,
    manifestSha256: bundle.manifestSha256,
  });
  const { safeOutput: _, safeOutputIo: __, ...kept } = raised;
  return {
    ...kept,
    rootVersion: Math.max(raised.rootVersion, context.root.version),
    // No other signed time moves the clock floor than that of roots.
    clockFloorMs: Math.max(raised.clockFloorMs, context.root.issuedS * 1000),
    ...(meta.safeOutput === undefined
      ? {}
      : { safeOutput: meta.safeOutput, safeOutputIo: ioSchemaToCbor(meta.io) }),
  };
}

/** The safe output of the model confirmed last; `undefined` means `withhold`. */
export function recordedSafeOutput(record: FloorRecord): NamedTensors | undefined {
  const { safeOutput, safeOutputIo } = record;
  if (safeOutput === undefined || safeOutputIo === undefined) return undefined;
  const tensors = attempt(() => {
    const io = readIoSchema(Fields.of('safeOutputIo', safeOutputIo));
    const { probabilitySumTolerance } = DEFAULT_GUARD_SETTINGS;
    return need(safeOutputTensors(need(parseSafeOutput(safeOutput)), io, probabilitySumTolerance));
  });
  return tensors.ok ? tensors.value : undefined;
}

/** Never before what this device has seen: a board without a clock starts in 1970. */
export function notBefore(nowMs: UnixMs, record: FloorRecord): UnixMs {
  return Math.max(nowMs, record.clockFloorMs) as UnixMs;
}
