/** `edgeward evaluate`: what the guard of a model promises, against what it does on recorded inputs. */
import { cpus } from 'node:os';
import { basename } from 'node:path';
import { utf8 } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import { GUARD_POLICY_BYTES_MAX } from '../../core/base/limits.ts';
import type { Evaluation } from '../../core/calibration/evaluation.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import { decodeGuardPolicy } from '../../core/guard/policy-codec.ts';
import { EDGEWARD_VERSION } from '../../host/runtime/version.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { evaluateModel, type NamedSet } from '../maker/evaluation.ts';
import type { MakerModel } from '../maker/maker-model.ts';
import { openRecorded } from '../maker/recorded-inputs.ts';
import { evaluationJson, evaluationText } from './evaluate-report.ts';
import { EXIT_NOT_PASSED } from './exit-codes.ts';
import { refuseCli } from './faults.ts';
import { openModelFiles } from './model-files.ts';
import { refuseOverwriting, writeOutput } from './output-file.ts';
import { note, type Progress, progress, say, styled } from './terminal.ts';

export interface EvaluateOptions {
  readonly model: string;
  readonly guard: string;
  readonly test: string;
  readonly calibration?: string;
  /** `NAME=SET` each. */
  readonly ood: readonly string[];
  /** Rows to attack; none unless given. */
  readonly attacks?: number;
  readonly callers?: boolean;
  readonly quick?: boolean;
  readonly seed: number;
  readonly metadata?: string;
  /** A file, or `-`. */
  readonly json?: string;
  readonly html?: string;
}

/**
 * Exits with `EXIT_NOT_PASSED` where the guard does not keep its promise. Refuses with `cli.option`,
 * `policy.*`, `maker.*`, `onnx.*`, `inference.*`, `npy.*`, `store.*`.
 */
export async function evaluate(options: EvaluateOptions): Promise<void> {
  const sets = options.ood.map(splitSet);
  const inputs = inputsOf(options, sets);
  for (const out of [options.json, options.html]) {
    if (out !== undefined && out !== '-') refuseOverwriting(out, inputs);
  }
  const guard = need(readFileBounded(options.guard, GUARD_POLICY_BYTES_MAX));
  const policy = need(decodeGuardPolicy(guard));
  const maker = await openModelFiles(options.model, options.metadata);
  const bars = stages();
  let evaluation: Evaluation;
  try {
    const { attacks = 0, callers = false, quick = false, seed, calibration } = options;
    evaluation = need(
      await evaluateModel(maker, {
        ...{ policy, attacks, callers, quick, seed, policySha256: sha256(guard) },
        model: basename(options.model),
        test: await open(maker, { name: 'test', path: options.test }),
        calibration:
          calibration === undefined
            ? undefined
            : await open(maker, { name: 'calibration', path: calibration }),
        unusual: await Promise.all(sets.map((set) => open(maker, set))),
        version: EDGEWARD_VERSION,
        evaluatedAt: new Date().toISOString(),
        machine: `${cpus()[0]?.model ?? process.arch}, Node.js ${process.version}`,
        onProgress: bars.onProgress,
      }),
    );
  } finally {
    bars.done();
    await maker.engine.close();
  }
  await write(options, evaluation, inputs);
  if (!evaluation.verdict.passed) process.exitCode = EXIT_NOT_PASSED;
}

async function write(
  options: EvaluateOptions,
  evaluation: Evaluation,
  inputs: readonly (string | undefined)[],
): Promise<void> {
  const { json, html } = options;
  if (html !== undefined) {
    const { evaluationHtml } = await import('./evaluate-report-html.ts');
    writeOutput(html, utf8(evaluationHtml(evaluation)), inputs);
  }
  const document = json === undefined ? undefined : evaluationJson(evaluation);
  if (json === '-') {
    say(document?.trimEnd() ?? '');
    return;
  }
  if (json !== undefined) writeOutput(json, utf8(document ?? ''), inputs);
  say(evaluationText(evaluation).trimEnd());
  for (const file of [json, html]) {
    if (file !== undefined) note(`${styled('green', 'wrote', 'stderr')} ${file}`);
  }
}

function inputsOf(
  { model, guard, test, calibration, metadata }: EvaluateOptions,
  sets: readonly SetArgument[],
): readonly (string | undefined)[] {
  return [model, guard, test, calibration, metadata, ...sets.map(({ path }) => path)];
}

interface SetArgument {
  readonly name: string;
  readonly path: string;
}

function splitSet(arg: string, index: number, all: readonly string[]): SetArgument {
  const at = arg.indexOf('=');
  const name = at < 0 ? basename(arg) : arg.slice(0, at);
  const path = arg.slice(at + 1);
  const nameIn = (other: string): string => other.slice(0, Math.max(0, other.indexOf('=')));
  const again = at > 0 && all.findIndex((other) => nameIn(other) === name) !== index;
  if (name !== '' && path !== '' && !again && !['test', 'calibration'].includes(name)) {
    return { name, path };
  }
  throw refuseCli('cli.option', `--ood ${arg} is not NAME=SET with a name of its own`);
}

async function open(maker: MakerModel, { name, path }: SetArgument): Promise<NamedSet> {
  const { inputs, outputs } = maker.io;
  const labels = outputs.find((output) => output.labels !== undefined)?.labels;
  return { name, set: await openRecorded(path, inputs, labels) };
}

/** One bar after the other, each with the name of its stage. */
function stages() {
  let bar: Progress | undefined;
  let current: string | undefined;
  let seen = 0;
  return {
    onProgress(stage: string, done: number, total: number): void {
      if (stage !== current || done < seen) {
        bar?.done();
        bar = progress(stage, total);
        current = stage;
        seen = 0;
      }
      bar?.advance(done - seen);
      seen = done;
    },
    done: () => bar?.done(),
  };
}
