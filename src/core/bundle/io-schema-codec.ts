/** Reading and writing the input and output schema as maps with text keys. */
import { Fields } from '../base/fields.ts';
import { MODEL_PORTS_MAX, TENSOR_NAME_CHARS_MAX, TENSOR_RANK_MAX } from '../base/limits.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { DTYPES, elementCount } from '../numeric/tensor.ts';
import { refuseBundle } from './faults.ts';
import type {
  Dim,
  InputSchema,
  IoSchema,
  OutputRole,
  OutputSchema,
  ValueRange,
} from './io-schema.ts';

const DIM_MAX = 2 ** 26;
const CHANNELS_MAX = 4096;
const LABELS_MAX = 4096;
const OUTPUT_ROLES: readonly OutputRole[] = ['scores', 'features', 'other'];

export function ioSchemaToCbor(io: IoSchema): CborMap {
  return cborMap(['inputs', io.inputs.map(inputToCbor)], ['outputs', io.outputs.map(outputToCbor)]);
}

/** Refuses with `field.*` and `metadata.invalid`. */
export function readIoSchema(fields: Fields): IoSchema {
  const inputs = fields
    .list('inputs', MODEL_PORTS_MAX)
    .map((entry, i) => readInput(Fields.of(`inputs[${i}]`, entry)));
  const outputs = fields
    .list('outputs', MODEL_PORTS_MAX)
    .map((entry, i) => readOutput(Fields.of(`outputs[${i}]`, entry)));
  fields.done();
  checkIoSchema({ inputs, outputs });
  return { inputs, outputs };
}

/** What must hold across members, for the packer and the device alike. */
export function checkIoSchema(io: IoSchema): void {
  for (const ports of [io.inputs, io.outputs]) {
    const names = new Set(ports.map((port) => port.name));
    if (ports.length === 0 || names.size !== ports.length) {
      throw refuseBundle('metadata.invalid', 'inputs and outputs need at least one, unique names');
    }
  }
  for (const role of ['scores', 'features'] as const) {
    if (io.outputs.filter((output) => output.role === role).length > 1) {
      throw refuseBundle('metadata.invalid', `more than one output has the role ${role}`);
    }
  }
  for (const input of io.inputs) checkChannels(input);
  for (const output of io.outputs) checkLabels(output);
}

function checkChannels(input: InputSchema): void {
  if (input.channelRanges === undefined) return;
  const axis = input.layout?.indexOf('C') ?? -1;
  if (axis < 0 || input.dims[axis] !== input.channelRanges.length) {
    throw refuseBundle(
      'metadata.invalid',
      `${input.name}: channelRanges need a layout with a C axis of that size`,
    );
  }
}

function checkLabels(output: OutputSchema): void {
  const last = output.dims.at(-1);
  if (output.labels !== undefined && output.labels.length !== last) {
    throw refuseBundle(
      'metadata.invalid',
      `${output.name}: ${output.labels.length} labels for a last dimension of ${dimText(last)}`,
    );
  }
}

function dimText(dim: Dim | undefined): string {
  return typeof dim === 'object' ? dim.name : String(dim);
}

function inputToCbor(input: InputSchema): CborMap {
  return cborMap(
    ['name', input.name],
    ['dtype', input.dtype],
    ['dims', input.dims.map(dimToCbor)],
    ['layout', input.layout],
    ['range', rangeToCbor(input.range)],
    ['channelRanges', input.channelRanges?.map((range) => [range.min, range.max])],
    [
      'convert',
      input.convert && cborMap(['scale', input.convert.scale], ['offset', input.convert.offset]),
    ],
  );
}

function outputToCbor(output: OutputSchema): CborMap {
  return cborMap(
    ['name', output.name],
    ['dtype', output.dtype],
    ['dims', output.dims.map(dimToCbor)],
    ['role', output.role],
    ['labels', output.labels],
    ['range', rangeToCbor(output.range)],
    ['probabilities', output.probabilities],
  );
}

function dimToCbor(dim: Dim): number | CborMap {
  return typeof dim === 'number'
    ? dim
    : cborMap(['name', dim.name], ['min', dim.min], ['max', dim.max]);
}

function rangeToCbor(range: ValueRange | undefined): readonly number[] | undefined {
  return range && [range.min, range.max];
}

export function readInput(fields: Fields): InputSchema {
  const layout = fields.optional('layout', (n) => fields.text(n, TENSOR_RANK_MAX));
  const range = fields.optional('range', (n) => readRange(fields.at(n), fields.list(n, 2)));
  const channelRanges = fields.optional('channelRanges', (n) =>
    readChannelRanges(fields.at(n), fields.list(n, CHANNELS_MAX)),
  );
  const convert = fields.optional('convert', (n) => readConvert(fields.map(n)));
  const input: InputSchema = {
    name: fields.text('name', TENSOR_NAME_CHARS_MAX),
    dtype: fields.oneOf('dtype', DTYPES),
    dims: readDims(fields),
    ...(layout === undefined ? {} : { layout }),
    ...(range === undefined ? {} : { range }),
    ...(channelRanges === undefined ? {} : { channelRanges }),
    ...(convert === undefined ? {} : { convert }),
  };
  fields.done();
  if (layout !== undefined && layout.length !== input.dims.length) {
    throw refuseBundle('metadata.invalid', `${fields.at('layout')} needs a letter per dimension`);
  }
  return input;
}

export function readOutput(fields: Fields): OutputSchema {
  const labels = fields.optional('labels', (n) =>
    readLabels(fields.at(n), fields.list(n, LABELS_MAX)),
  );
  const range = fields.optional('range', (n) => readRange(fields.at(n), fields.list(n, 2)));
  const probabilities = fields.optional('probabilities', (n) => fields.boolean(n));
  const output: OutputSchema = {
    name: fields.text('name', TENSOR_NAME_CHARS_MAX),
    dtype: fields.oneOf('dtype', DTYPES),
    dims: readDims(fields),
    role: fields.oneOf('role', OUTPUT_ROLES),
    ...(labels === undefined ? {} : { labels }),
    ...(range === undefined ? {} : { range }),
    ...(probabilities === undefined ? {} : { probabilities }),
  };
  fields.done();
  return output;
}

function readDims(fields: Fields): readonly Dim[] {
  const dims = fields.list('dims', TENSOR_RANK_MAX).map((entry, index): Dim => {
    if (typeof entry === 'number') {
      if (Number.isSafeInteger(entry) && entry >= 0 && entry <= DIM_MAX) return entry;
      throw refuseBundle('metadata.invalid', `${fields.at('dims')}[${index}] is ${entry}`);
    }
    return readDynamicDim(Fields.of(`${fields.at('dims')}[${index}]`, entry));
  });
  const least = dims.map((dim) => (typeof dim === 'number' ? dim : dim.min));
  if (elementCount(least) === undefined) {
    throw refuseBundle('metadata.invalid', `${fields.at('dims')} has too many elements`);
  }
  return dims;
}

function readDynamicDim(fields: Fields): Dim {
  const min = fields.integer('min', 0, DIM_MAX);
  const dim = {
    name: fields.text('name', TENSOR_NAME_CHARS_MAX),
    min,
    max: fields.integer('max', min, DIM_MAX),
  };
  fields.done();
  return dim;
}

/** `[min, max]`, both finite. */
export function readRange(path: string, pair: readonly unknown[]): ValueRange {
  const [min, max] = pair;
  if (
    pair.length !== 2 ||
    typeof min !== 'number' ||
    typeof max !== 'number' ||
    !(Number.isFinite(min) && Number.isFinite(max) && min <= max)
  ) {
    throw refuseBundle('metadata.invalid', `${path} must be [min, max] of finite numbers`);
  }
  return { min, max };
}

function readChannelRanges(path: string, list: readonly unknown[]): readonly ValueRange[] {
  return list.map((entry, index) =>
    readRange(`${path}[${index}]`, Array.isArray(entry) ? entry : []),
  );
}

function readLabels(path: string, list: readonly unknown[]): readonly string[] {
  return list.map((entry, index) => {
    if (typeof entry === 'string' && entry.length > 0 && entry.length <= 128) return entry;
    throw refuseBundle('metadata.invalid', `${path}[${index}] is no short text`);
  });
}

function readConvert(fields: Fields): { scale: number; offset: number } {
  const convert = { scale: fields.number('scale'), offset: fields.number('offset') };
  fields.done();
  return convert;
}
