/** `edgeward features`: makes the input of a model's last linear layer an output. */
import { need } from '../../core/base/fault.ts';
import { PAYLOAD_IN_MEMORY_BYTES_MAX } from '../../core/base/limits.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { addFeatures, type FeaturesOutput } from '../maker/features.ts';
import { openFrames } from '../maker/frames.ts';
import { writeOutput } from './output-file.ts';
import { note, type Progress, printable, progress, say, sayJson, styled } from './terminal.ts';

export interface FeaturesOptions {
  readonly scores?: string;
  readonly name?: string;
  readonly samples: readonly string[];
  readonly out: string;
  readonly json?: boolean;
}

/** Refuses with `store.*`, `npy.*`, `cli.option` and what `addFeatures` gives. */
export async function features(file: string, options: FeaturesOptions): Promise<void> {
  const { scores, name, samples, out } = options;
  const model = need(readFileBounded(file, PAYLOAD_IN_MEMORY_BYTES_MAX));
  let bar: Progress | undefined;
  let added: FeaturesOutput;
  try {
    added = need(
      await addFeatures(model, {
        ...{ scores, name },
        samples: samples.length === 0 ? undefined : (ports) => openFrames(samples, ports),
        onFrame: (_, frames) => {
          bar ??= progress('comparing', frames);
          bar.advance();
        },
      }),
    );
  } finally {
    bar?.done();
  }
  if (added.proof !== undefined) writeOutput(out, added.bytes, [file]);
  if (options.json === true) sayJson(plain(added, model, out));
  else show(added, model, out);
  if (added.head.activated) {
    const why = `${printable(added.scores)} is a softmax or sigmoid, and calibration needs raw scores`;
    note(styled('yellow', why, 'stderr'));
  }
}

function show(added: FeaturesOutput, model: Uint8Array, out: string): void {
  const { bytes, head, proof } = added;
  const name = printable(added.name);
  if (proof === undefined) say(`${name} is an output already: nothing was written`);
  else {
    const { frames, numbers, recorded } = proof;
    const kind = recorded ? 'recorded' : 'random';
    say(`${styled('green', 'wrote')} ${out}: ${bytes.length - model.length} bytes more`);
    say(`  new output ${name}: ${head.features} features before the last linear layer`);
    say(`  earlier outputs bit-identical: ${numbers} numbers of ${frames} ${kind} frames`);
  }
  say(`  calibrate with --scores ${printable(added.scores)} --features ${name}`);
}

function plain(
  { name, scores, head, bytes, proof }: FeaturesOutput,
  model: Uint8Array,
  out: string,
) {
  return {
    ...(proof === undefined ? { added: false } : { added: true, out }),
    ...{ features: name, width: head.features, scores, classes: head.classes },
    ...(proof === undefined ? {} : { addedBytes: bytes.length - model.length, proof }),
  };
}
