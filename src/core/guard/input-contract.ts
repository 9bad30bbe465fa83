/**
 * The input contract (guard 1): names, element types, shapes, sizes, finite values and ranges as
 * the signed schema states them. A frame that breaks it never reaches the model.
 */

import { nearestName } from '../base/fields.ts';
import { TENSOR_BYTES_MAX } from '../base/limits.ts';
import type { InputSchema, IoSchema } from '../bundle/io-schema.ts';
import type { NamedTensors, Tensor } from '../numeric/tensor.ts';
import { carries } from './admission.ts';
import { type Finding, finding, quoted } from './findings.ts';
import { checkRanges } from './ranges.ts';
import { isMismatch, matchShape, matchSize, type NamedSizes } from './shape.ts';

export interface InputLimits {
  /** All data of a frame together; a string counts two bytes a character. */
  readonly payloadBytesMax: number;
  /** Rows of a dynamic first dimension. */
  readonly batchMax: number;
}

/** One judgement covers one row: novelty of the first row says nothing about a second. */
export const ONE_ROW: InputLimits = { payloadBytesMax: TENSOR_BYTES_MAX, batchMax: 1 };

export interface InputCheck {
  /** `contract.*`, in the order of the schema; empty for a frame that keeps the contract. */
  readonly findings: readonly Finding[];
  /** The sizes of named dimensions, which the outputs must repeat. */
  readonly sizes: NamedSizes;
}

/**
 * Holds a frame against the schema. Values are looked at only where type, shape and size of their
 * tensor hold, in one pass, and the worst one is reported with its place.
 */
export function checkInput(
  schema: IoSchema,
  inputs: NamedTensors,
  limits: InputLimits = ONE_ROW,
): InputCheck {
  const findings = [...checkNames(schema, inputs), ...checkPayload(inputs, limits)];
  let sizes: NamedSizes = new Map();
  for (const input of schema.inputs) {
    const tensor = inputs.get(input.name);
    if (tensor === undefined) continue;
    const form = checkForm(input, tensor, sizes, limits);
    if (form instanceof Map) {
      sizes = form;
      // The cost of looking at values is bounded by the payload limit.
      if (!findings.some(({ code }) => code === 'contract.payload')) {
        findings.push(...checkValues(input, tensor));
      }
    } else {
      findings.push(form as Finding);
    }
  }
  return { findings, sizes };
}

function checkNames(schema: IoSchema, inputs: NamedTensors): Finding[] {
  const names = schema.inputs.map((input) => input.name);
  const findings = names
    .filter((name) => !inputs.has(name))
    .map((name) => finding('contract.missing-input', `input ${quoted(name)} is not given`));
  let unknown = 0;
  let first = '';
  for (const name of inputs.keys()) {
    if (!names.includes(name) && unknown++ === 0) first = name;
  }
  if (unknown > 0) {
    const near = nearestName(first, names);
    findings.push(
      finding(
        'contract.unknown-input',
        `the model has no input ${quoted(first)}${near === undefined ? '' : `; did you mean ${quoted(near)}?`}`,
        { value: unknown, threshold: 0 },
      ),
    );
  }
  return findings;
}

function checkPayload(inputs: NamedTensors, limits: InputLimits): Finding[] {
  let bytes = 0;
  for (const { data } of inputs.values()) {
    if ('byteLength' in data) bytes += data.byteLength;
    else for (const text of data) bytes += 2 * text.length;
  }
  if (bytes <= limits.payloadBytesMax) return [];
  return [
    finding('contract.payload', `the frame is ${bytes} bytes, at most ${limits.payloadBytesMax}`, {
      value: bytes,
      threshold: limits.payloadBytesMax,
    }),
  ];
}

function checkForm(
  input: InputSchema,
  tensor: Tensor,
  sizes: NamedSizes,
  limits: InputLimits,
): Finding | NamedSizes {
  const name = `input ${quoted(input.name)}`;
  if (tensor.dtype !== input.dtype) {
    return finding('contract.dtype', `${name} is ${tensor.dtype}, the model takes ${input.dtype}`);
  }
  if (!carries(tensor.dtype, tensor.data)) {
    return finding('contract.dtype', `${name} is ${tensor.dtype} in an array of another type`);
  }
  const rows = typeof input.dims[0] === 'object' ? tensor.dims[0] : undefined;
  if (rows !== undefined && !(rows >= 1 && rows <= limits.batchMax)) {
    return finding('contract.batch', `${name} has ${rows} rows, at most ${limits.batchMax}`, {
      value: rows,
      threshold: limits.batchMax,
    });
  }
  const grown = matchShape(input.dims, tensor.dims, sizes);
  if (isMismatch(grown)) return finding('contract.shape', `${name} ${grown.words}`, grown);
  const size = matchSize(tensor);
  if (size !== undefined) return finding('contract.size', `${name} ${size.words}`, size);
  return grown;
}

function checkValues(input: InputSchema, tensor: Tensor): Finding[] {
  const name = `input ${quoted(input.name)}`;
  const ranges = input.channelRanges ?? (input.range === undefined ? [] : [input.range]);
  const axis = input.channelRanges === undefined ? -1 : channelAxis(input);
  const channels = input.channelRanges === undefined ? 1 : tensor.dims[axis];
  if (channels === undefined || (ranges.length !== channels && ranges.length > 0)) {
    const words = `${name} has ${channels ?? 'no'} channels, the schema ${ranges.length} ranges`;
    return [finding('contract.shape', words, { value: channels, threshold: ranges.length })];
  }
  return checkRanges(tensor, ranges, axis, {
    name,
    notFinite: 'contract.not-finite',
    range: 'contract.range',
  });
}

function channelAxis(input: InputSchema): number {
  const { layout, dims } = input;
  return layout === undefined || layout.length !== dims.length ? dims.length : layout.indexOf('C');
}
