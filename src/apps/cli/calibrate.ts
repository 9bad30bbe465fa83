/** `edgeward calibrate`: runs the model over recorded inputs and fits its guard. */
import { toHex } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import type { DriftChoice } from '../../core/calibration/fit-parts.ts';
import type { FurtherDetector } from '../../core/guard/novelty-detectors.ts';
import { DEFAULT_PROBE_SETTINGS } from '../../core/guard/perturbation.ts';
import type { GuardPolicy } from '../../core/guard/policy.ts';
import { encodeGuardPolicy } from '../../core/guard/policy-codec.ts';
import { calibrateModel } from '../maker/calibration.ts';
import { openLabels, openRecorded } from '../maker/recorded-inputs.ts';
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
  readonly also: readonly FurtherDetector[];
  readonly inputStatistics?: boolean;
  readonly perturbation?: boolean;
  readonly driftAlpha: number;
  readonly driftClasses?: boolean;
  readonly metadata?: string;
  readonly out: string;
  readonly json?: boolean;
}

/** Refuses with `calibration.*`, `onnx.*`, `inference.*`, `npy.*`, `store.*`, `maker.*`. */
export async function calibrate(options: CalibrateOptions): Promise<void> {
  const { falseAlarms, confidence, scores, features } = options;
  const maker = await openModelFiles(options.model, options.metadata);
  let bar: Progress | undefined;
  let policy: GuardPolicy;
  try {
    const { inputs, outputs } = maker.io;
    const classes = outputs.find(({ name }) => name === scores)?.labels;
    const fit = await openRecorded(options.fit, inputs, classes);
    const calibration = await openRecorded(options.calibration, inputs, classes);
    const given = options.labels === undefined ? undefined : await openLabels(options.labels);
    const { inputStatistics } = options;
    const probe = options.perturbation === true ? DEFAULT_PROBE_SETTINGS : undefined;
    policy = need(
      await calibrateModel(maker, {
        ...{ fit, calibration, labels: given ?? fit.labels, falseAlarms, confidence },
        ...{ scores, features, inputStatistics, probe, drift: driftChoice(options) },
        detectors: options.also,
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

/** 0 turns it off. */
function driftChoice({ driftAlpha, driftClasses }: CalibrateOptions): DriftChoice | undefined {
  return driftAlpha === 0 ? undefined : { alpha: driftAlpha, classes: driftClasses === true };
}

function report(policy: GuardPolicy, { out, json }: CalibrateOptions): void {
  const { promise, detection, novelty, checks, modelSha256 } = policy;
  if (json === true) {
    const { statement, rowsHalfA, rowsHalfB, falseAlarms, confidence } = promise;
    const { threshold, rank } = checks;
    sayJson({
      ...{ out, detection, modelSha256: toHex(modelSha256), threshold, rank },
      ...{ rowsHalfA, rowsHalfB, falseAlarms, confidence, checks: Object.keys(checks.scales) },
      ...{ drift: policy.drift !== undefined, statement },
    });
    return;
  }
  say(`${styled('green', 'wrote')} ${out}: ${detection} detection, ${novelty.classes} classes`);
  say(promise.statement);
}
