/**
 * The output contract (guard 8): what the model gave, held against the signed schema before
 * anything else looks at it.
 */
import type { IoSchema, OutputSchema } from '../bundle/io-schema.ts';
import type { NamedTensors, Tensor } from '../numeric/tensor.ts';
import { carries } from './admission.ts';
import { type Finding, finding, quoted } from './findings.ts';
import { checkRanges } from './ranges.ts';
import { coordinates, isMismatch, matchShape, matchSize, type NamedSizes } from './shape.ts';
import { numbersOf } from './values.ts';

/**
 * `output.*` findings, in the order of the schema; empty when the contract is kept. `sizes` are the
 * named dimensions of the inputs; `sumTolerance` is how far probabilities may sum from 1.
 */
export function checkOutput(
  schema: IoSchema,
  outputs: NamedTensors,
  sizes: NamedSizes,
  sumTolerance: number,
): readonly Finding[] {
  const findings: Finding[] = [];
  let known = sizes;
  for (const output of schema.outputs) {
    const tensor = outputs.get(output.name);
    if (tensor === undefined) {
      findings.push(finding('output.missing', `output ${quoted(output.name)} was not given`));
      continue;
    }
    const form = checkForm(output, tensor, known);
    if (form instanceof Map) {
      known = form;
      findings.push(...checkValues(output, tensor, sumTolerance));
    } else {
      findings.push(form as Finding);
    }
  }
  // An output that nobody described would leave unjudged.
  const unknown = [...outputs.keys()].filter(
    (name) => !schema.outputs.some((output) => output.name === name),
  );
  if (unknown.length > 0) {
    const words = `the schema has no output ${quoted(unknown[0] as string)}`;
    findings.push(finding('output.unknown', words, { value: unknown.length, threshold: 0 }));
  }
  return findings;
}

function checkForm(output: OutputSchema, tensor: Tensor, sizes: NamedSizes): Finding | NamedSizes {
  const name = `output ${quoted(output.name)}`;
  if (tensor.dtype !== output.dtype || !carries(tensor.dtype, tensor.data)) {
    return finding('output.dtype', `${name} is ${tensor.dtype}, the schema says ${output.dtype}`);
  }
  const grown = matchShape(output.dims, tensor.dims, sizes);
  const wrong = isMismatch(grown) ? grown : matchSize(tensor);
  if (wrong !== undefined) return finding('output.shape', `${name} ${wrong.words}`, wrong);
  return grown as NamedSizes;
}

function checkValues(output: OutputSchema, tensor: Tensor, sumTolerance: number): Finding[] {
  const name = `output ${quoted(output.name)}`;
  const ranges = output.range === undefined ? [] : [output.range];
  const findings = checkRanges(tensor, ranges, -1, {
    name,
    notFinite: 'output.not-finite',
    range: 'output.range',
  });
  const entries = tensor.dims.at(-1) ?? 1;
  const labels = output.labels?.length;
  if (labels !== undefined && labels !== entries) {
    const words = `${name} has ${entries} entries for ${labels} labels`;
    findings.push(finding('output.labels', words, { value: entries, threshold: labels }));
  }
  if (output.probabilities === true && !findings.some(({ code }) => code === 'output.not-finite')) {
    findings.push(...checkProbabilities(name, tensor, entries, sumTolerance));
  }
  return findings;
}

/** Rows of the last axis: each entry in [0, 1], each sum within the tolerance of 1. */
function checkProbabilities(
  name: string,
  tensor: Tensor,
  entries: number,
  sumTolerance: number,
): Finding[] {
  const numbers = numbersOf(tensor);
  if (numbers === undefined) {
    return [finding('output.probabilities', `${name} holds texts, not probabilities`)];
  }
  const entry = checkRanges(tensor, [{ min: 0, max: 1 }], -1, {
    name,
    notFinite: 'output.not-finite',
    range: 'output.range',
  })[0];
  if (entry !== undefined) {
    return [finding('output.probabilities', `${entry.detail} of probabilities`, entry)];
  }
  let worst = 0;
  let worstAt = 0;
  for (let start = 0; start < numbers.length; start += entries) {
    let sum = 0;
    for (let i = start; i < start + entries; i++) sum += Number(numbers[i]);
    const off = Math.abs(sum - 1);
    if (off <= worst) continue;
    worst = off;
    worstAt = start;
  }
  if (worst <= sumTolerance) return [];
  const row = coordinates(worstAt, tensor.dims);
  return [
    finding('output.probabilities', `the row of ${name} at ${row} sums to 1 only within ${worst}`, {
      value: worst,
      threshold: sumTolerance,
    }),
  ];
}
