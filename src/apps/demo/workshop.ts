/** The maker's bench of the demo: fresh development keys, a root, a calibrated guard, three releases. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { need } from '../../core/base/fault.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import type { FalseAlarmPromise } from '../../core/guard/policy.ts';
import { encodeGuardPolicy } from '../../core/guard/policy-codec.ts';
import { encodeNpy } from '../../core/numeric/npy.ts';
import type { Tensor } from '../../core/numeric/tensor.ts';
import { writeFileAtomic } from '../../host/store/files.ts';
import { calibrateModel } from '../maker/calibration.ts';
import { framesOf } from '../maker/frames.ts';
import { makeGolden } from '../maker/golden.ts';
import { makeKey, openPrivateKey, openPublicKey } from '../maker/keys.ts';
import { type MakerModel, openMakerModel } from '../maker/maker-model.ts';
import { packModel, type Release } from '../maker/packing.ts';
import { makeRoot } from '../maker/root-set.ts';
import { type DemoDatasets, demoDatasets } from './stream.ts';
import { stuckModel } from './stuck-model.ts';

export const DEMO_CLASS = 'demo-board';
const FALSE_ALARMS = 0.01;
const CONFIDENCE = 0.95;
const STUCK_DEADLINE_MS = 300;

export interface Workshop {
  readonly rootPath: string;
  /** Paths of the bundles: the good one, an update that hangs, and its repair. */
  readonly good: string;
  readonly stuck: string;
  readonly repaired: string;
  readonly promise: FalseAlarmPromise;
}

/** Makes everything in `folder`; `onRow` is told of the calibration's progress. */
export async function openWorkshop(
  folder: string,
  onRow: (row: number, rows: number) => void,
): Promise<Workshop> {
  const keys = [join(folder, 'keys/root'), join(folder, 'keys/release')] as const;
  for (const name of keys) need(makeKey(name, true));
  const rootPath = join(folder, 'root.cbor');
  const root = makeRoot({
    rootKeys: [need(openPrivateKey(`${keys[0]}.key`))],
    releaseKeys: [need(openPublicKey(`${keys[1]}.pub`))],
    threshold: 1,
    releaseThreshold: 1,
    scope: { modelPrefixes: ['rotor'], classes: [DEMO_CLASS] },
    production: false,
  });
  need(writeFileAtomic(rootPath, [need(root)]));

  const metadata = readFileSync(asset('rotor.json'));
  const rotor = need(
    await openMakerModel(new Uint8Array(readFileSync(asset('rotor.onnx'))), metadata),
  );
  const datasets = demoDatasets();
  const policy = await calibrated(rotor, datasets, onRow);
  const rows = new Map([['vibration', datasets.calibration]]);
  const golden = need(await makeGolden(rotor, (ports) => framesOf(rows, ports))).bytes;
  await rotor.engine.close();
  const stuck = need(await openMakerModel(stuckModel(), hasty(metadata)));
  await stuck.engine.close();

  const { signer } = need(openPrivateKey(`${keys[1]}.key`));
  const release = (
    maker: MakerModel,
    version: string,
    guarded: Pick<Release, 'guard' | 'golden'> = {},
  ): string => {
    const packed = packModel(maker, {
      ...guarded,
      name: 'rotor',
      version,
      securityVersion: 1,
      hardwareClass: DEMO_CLASS,
      signers: [signer],
    });
    const path = join(folder, `rotor-${version}.bundle`);
    need(writeFileAtomic(path, [need(packed).bytes]));
    return path;
  };
  const guarded = { guard: encodeGuardPolicy(policy), golden };
  return {
    rootPath,
    good: release(rotor, '1.0.0', guarded),
    stuck: release(stuck, '1.1.0'),
    repaired: release(rotor, '1.1.1', guarded),
    promise: policy.promise,
  };
}

async function calibrated(
  rotor: MakerModel,
  { fit, fitLabels, calibration }: DemoDatasets,
  onRow: (row: number, rows: number) => void,
) {
  const rows = (fit.dims[0] ?? 0) + (calibration.dims[0] ?? 0);
  let row = 0;
  return need(
    await calibrateModel(rotor, {
      fit: recorded(rotor, fit),
      labels: fitLabels,
      calibration: recorded(rotor, calibration),
      falseAlarms: FALSE_ALARMS,
      confidence: CONFIDENCE,
      scores: 'logits',
      features: 'features',
      onRow: () => onRow(++row, rows),
    }),
  );
}

function recorded({ io }: MakerModel, tensor: Tensor) {
  const [input] = io.inputs;
  const frames = framesOf(new Map([[input?.name ?? '', tensor]]), io.inputs);
  return { frames, sha256: sha256(encodeNpy(tensor)) };
}

/** The same metadata with a short deadline, so that the demo need not wait long for the hang. */
function hasty(metadata: Uint8Array): Uint8Array {
  const json = JSON.parse(new TextDecoder().decode(metadata)) as Record<string, unknown>;
  delete json['provenance'];
  json['budgets'] = { runDeadlineMs: STUCK_DEADLINE_MS };
  return new TextEncoder().encode(JSON.stringify(json));
}

/** Beside this file in the source tree, and beside the program in `dist/`. */
function asset(name: string): string {
  return join(import.meta.dirname, name);
}
