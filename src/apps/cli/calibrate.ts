/** `edgeward calibrate`: runs the model over recorded inputs and fits its guard. */
import { toHex } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import { NPY_FILE_BYTES_MAX } from '../../core/base/limits.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import type { GuardPolicy } from '../../core/guard/policy.ts';
import { encodeGuardPolicy } from '../../core/guard/policy-codec.ts';
import { decodeNpy } from '../../core/numeric/npy.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { calibrateModel, type RecordedInputs } from '../maker/calibration.ts';
import { openModelFiles } from './model-files.ts';
import { writeOutput } from './output-file.ts';
import { note, type Progress, progress, say, sayJson, styled } from './terminal.ts';

export interface CalibrateOptions {
  readonly model: string;
  readonly fit: string;
  readonly labels?: string;
  readonly calibration: string;
  readonly falseAlarms: number;
  readonly confidence: number;
  readonly scores: string;
  readonly features: string;
  readonly metadata?: string;
  readonly out: string;
  readonly json?: boolean;
}

/** Refuses with `calibration.*`, `onnx.*`, `inference.*`, `npy.*`, `store.*`, `maker.*`. */
export async function calibrate(options: CalibrateOptions): Promise<void> {
  const { falseAlarms, confidence, scores, features } = options;
  const fit = openData(options.fit);
  const calibration = openData(options.calibration);
  const labels = options.labels === undefined ? undefined : openData(options.labels).tensor;
  const maker = await openModelFiles(options.model, options.metadata);
  let bar: Progress | undefined;
  let policy: GuardPolicy;
  try {
    policy = need(
      await calibrateModel(maker, {
        ...{ fit, calibration, labels, falseAlarms, confidence, scores, features },
        onRow: (set, row, rows) => {
          if (row === 0) {
            bar?.done();
            bar = progress(`${set} set`, rows);
          }
          bar?.advance();
        },
        onNote: (line) => note(styled('yellow', line, 'stderr')),
      }),
    );
  } finally {
    bar?.done();
    await maker.engine.close();
  }
  const inputs = [options.model, options.fit, options.labels, options.calibration];
  writeOutput(options.out, encodeGuardPolicy(policy), inputs);
  report(policy, options);
}

function openData(path: string): RecordedInputs {
  const bytes = need(readFileBounded(path, NPY_FILE_BYTES_MAX));
  return { tensor: need(decodeNpy(bytes)), sha256: sha256(bytes) };
}

function report(policy: GuardPolicy, { out, json }: CalibrateOptions): void {
  const { promise, detection, novelty, checks, modelSha256 } = policy;
  if (json === true) {
    const { statement, rowsHalfA, rowsHalfB, falseAlarms, confidence } = promise;
    const { threshold, rank } = checks;
    sayJson({
      ...{ out, detection, modelSha256: toHex(modelSha256), threshold, rank },
      ...{ rowsHalfA, rowsHalfB, falseAlarms, confidence, statement },
    });
    return;
  }
  say(`${styled('green', 'wrote')} ${out}: ${detection} detection, ${novelty.classes} classes`);
  say(promise.statement);
}
