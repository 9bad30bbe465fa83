/**
 * The declared safe output: what callers get instead of a model output. The signed metadata holds
 * `{ outputs: { name: [numbers] } }`, or a label in place of the numbers for the scores output;
 * without one the guard withholds.
 */

import { attempt, type Result } from '../base/fault.ts';
import { Fields, nearestName } from '../base/fields.ts';
import { MODEL_PORTS_MAX, SAFE_OUTPUT_VALUES_MAX, TENSOR_NAME_CHARS_MAX } from '../base/limits.ts';
import type { Dim, IoSchema, OutputSchema } from '../bundle/io-schema.ts';
import { dataFromNumbers } from '../numeric/from-numbers.ts';
import { type DType, elementCount, type NamedTensors, type TensorData } from '../numeric/tensor.ts';
import { refuseGuard } from './faults.ts';
import { quoted } from './findings.ts';
import { checkOutput } from './output-contract.ts';

/** As declared: row-major numbers of one row, or a label, by output name. */
export interface SafeOutput {
  readonly outputs: ReadonlyMap<string, readonly number[] | string>;
}

/** Reads a declaration from a decoded map. Faults: `field.*`, `guard.safe-output*`. */
export function parseSafeOutput(value: unknown): Result<SafeOutput> {
  return attempt(() => {
    const fields = Fields.of('safeOutput', value);
    const declared = fields.map('outputs');
    fields.done();
    const outputs = new Map<string, readonly number[] | string>();
    for (const name of declared.keys()) {
      if (typeof name !== 'string' || name.length > TENSOR_NAME_CHARS_MAX) {
        throw refuseGuard('guard.safe-output', 'an output of the safe output has no usable name');
      }
      if (outputs.size === MODEL_PORTS_MAX) {
        throw refuseGuard('guard.safe-output', `there are more than ${MODEL_PORTS_MAX} outputs`);
      }
      const values = declared.raw(name);
      outputs.set(name, typeof values === 'string' ? values : numbers(declared, name));
    }
    return { outputs };
  });
}

/** The map that `parseSafeOutput` reads back. */
export function safeOutputToMap(safe: SafeOutput): ReadonlyMap<string, unknown> {
  return new Map([['outputs', new Map(safe.outputs)]]);
}

/**
 * The declaration as tensors of one row. Every output except features must be declared. A label
 * becomes 1 at its entry and 0 elsewhere. A dynamic first dimension (the batch) is 1; one other
 * dynamic dimension takes what the number of values leaves. What comes out keeps the output
 * contract. Faults: `guard.safe-output*`.
 */
export function safeOutputTensors(
  safe: SafeOutput,
  schema: IoSchema,
  sumTolerance: number,
): Result<NamedTensors> {
  return attempt(() => {
    needNames(safe, schema);
    const tensors = new Map(
      schema.outputs.flatMap((output) => {
        const declared = safe.outputs.get(output.name);
        if (declared === undefined) return [];
        const values = typeof declared === 'string' ? oneHot(output, declared) : declared;
        const dims = dimsFor(output, values.length);
        const data = dataFor(output, values);
        return [[output.name, { dtype: output.dtype, dims, data }] as const];
      }),
    );
    const declaredOnly = {
      inputs: [],
      outputs: schema.outputs.filter((output) => tensors.has(output.name)),
    };
    const broken = checkOutput(declaredOnly, tensors, new Map(), sumTolerance)[0];
    if (broken !== undefined) {
      throw refuseGuard('guard.safe-output-contract', `${broken.code}: ${broken.detail}`);
    }
    return tensors;
  });
}

function numbers(declared: Fields, name: string): readonly number[] {
  const list = declared.list(name, SAFE_OUTPUT_VALUES_MAX);
  return Array.from(list, (value, i) => {
    if (typeof value === 'number') return value;
    throw refuseGuard('guard.safe-output-value', `entry ${i} of ${quoted(name)} is no number`);
  });
}

function needNames(safe: SafeOutput, schema: IoSchema): void {
  const names = schema.outputs.map((output) => output.name);
  for (const name of safe.outputs.keys()) {
    if (names.includes(name)) continue;
    const near = nearestName(name, names);
    const hint = near === undefined ? '' : `; did you mean ${quoted(near)}?`;
    throw refuseGuard('guard.safe-output', `the model has no output ${quoted(name)}${hint}`);
  }
  for (const { name, role } of schema.outputs) {
    // Features are for the guard; callers do not miss them.
    if (role === 'features' || safe.outputs.has(name)) continue;
    throw refuseGuard('guard.safe-output', `the safe output leaves out ${quoted(name)}`);
  }
}

function oneHot(output: OutputSchema, label: string): readonly number[] {
  const labels = output.labels ?? [];
  const at = labels.indexOf(label);
  if (output.role === 'scores' && at >= 0) return labels.map((_, i) => (i === at ? 1 : 0));
  const near = nearestName(label, labels);
  const hint = near === undefined ? '' : `; did you mean ${quoted(near)}?`;
  throw refuseGuard(
    'guard.safe-output-value',
    `${quoted(label)} is no label of ${quoted(output.name)}${hint}`,
  );
}

function dimsFor(output: OutputSchema, count: number): readonly number[] {
  const name = quoted(output.name);
  const dims = output.dims.map((dim, axis) => {
    if (typeof dim === 'number') return dim;
    return axis === 0 ? 1 : dim.min;
  });
  const [open, second] = [...dims.keys()].filter((axis) => isOpen(output.dims[axis], axis));
  if (second !== undefined) {
    throw refuseGuard(
      'guard.safe-output',
      `${name} has two open dimensions; a list of numbers cannot say both`,
    );
  }
  if (open !== undefined) {
    dims[open] = 1;
    dims[open] = count / (elementCount(dims) ?? 0);
  }
  if (elementCount(dims) === count) return dims;
  const words = `${name} has ${count} values, which do not fill [${dims.join(', ')}]`;
  throw refuseGuard('guard.safe-output-value', words);
}

/** A dimension whose size only the values can say; the batch is 1. */
function isOpen(dim: Dim | undefined, axis: number): boolean {
  return typeof dim === 'object' && axis > 0 && dim.min < dim.max;
}

const INTEGERS: Partial<Record<DType, readonly [low: number, high: number]>> = {
  int8: [-128, 127],
  int16: [-32_768, 32_767],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint8: [0, 255],
  uint16: [0, 65_535],
  uint32: [0, 2 ** 32 - 1],
  uint64: [0, Number.MAX_SAFE_INTEGER],
  bool: [0, 1],
};

function dataFor({ name, dtype }: OutputSchema, values: readonly number[]): TensorData {
  const bounds = INTEGERS[dtype];
  for (const [i, value] of values.entries()) {
    const whole = bounds === undefined || Number.isInteger(value);
    const [low, high] = bounds ?? [-Infinity, Infinity];
    if (whole && value >= low && value <= high) continue;
    throw refuseGuard(
      'guard.safe-output-value',
      `entry ${i} of ${quoted(name)} is ${value}, not ${dtype}`,
    );
  }
  if (dtype === 'string') {
    throw refuseGuard('guard.safe-output-value', `${quoted(name)} holds texts, not numbers`);
  }
  return dataFromNumbers(dtype, values);
}
