/**
 * The kernels of `wasm/`, made from the bytes of the built file: checked against a pinned digest,
 * against having any access to the outside, and against the reference before they are used.
 *
 * Where a call is beyond what they are made for, or its result is not finite, the reference answers:
 * it is the specification, and such calls are rare. So the two differ by rounding only: `scan` and
 * `histogram` not at all but for the sign of a zero; `nearestSquared`, `softmaxEnergy` and `gen` by
 * 1e-12 of the terms that are added (`gen` by 1e-30 more at gamma 0.1, where a probability is
 * subnormal); `kthNearestSquared`, which computes in single precision, by `(d / 16 + 8) 2^-24` of
 * the distance. They give the same bits on every processor.
 */

import { toHex } from '../base/bytes.ts';
import { attempt, need, Refusal, type Result } from '../base/fault.ts';
import { refuseNumeric } from './faults.ts';
import {
  CALL_BYTES,
  type KernelMemory,
  type LinearMemory,
  openKernelMemory,
  roomOf,
} from './kernel-memory.ts';
import type { Kernels, Scan } from './kernels.ts';
import { checkKernels } from './kernels-check.ts';
import { KERNELS_SHA256 } from './kernels-pin.ts';
import { referenceKernels as reference } from './reference.ts';
import { indexOfLargest } from './vectors.ts';

/** What `wasm/` exports; addresses and counts are 32-bit. */
interface KernelExports {
  readonly memory: LinearMemory;
  readonly heapStart: { readonly value: number };
  scan(values: number, count: number, result: number): void;
  nearestSquared(
    panels: number,
    centres: number,
    count: number,
    x: number,
    white: number,
    blocks: number,
  ): number;
  kthNearestSquared(
    bank: number,
    rows: number,
    x: number,
    blocks: number,
    best: number,
    k: number,
  ): number;
  exponentials(logits: number, count: number, exps: number, top: number): number;
  entropy(exps: number, count: number, top: number, others: number, gamma: number): number;
  divide(values: number, count: number, total: number): void;
  histogram(
    values: number,
    count: number,
    low: number,
    scale: number,
    bins: number,
    tables: number,
  ): void;
}

interface ModuleMember {
  readonly name: string;
  readonly kind: string;
}

declare const WebAssembly: {
  Module: {
    new (bytes: Uint8Array): object;
    imports(module: object): readonly ModuleMember[];
    exports(module: object): readonly ModuleMember[];
  };
  Instance: new (module: object) => { readonly exports: unknown };
};

const EXPORTS: Readonly<Record<keyof KernelExports, string>> = {
  memory: 'memory',
  heapStart: 'global',
  scan: 'function',
  nearestSquared: 'function',
  kthNearestSquared: 'function',
  exponentials: 'function',
  entropy: 'function',
  divide: 'function',
  histogram: 'function',
};

const CHUNK = CALL_BYTES / Float32Array.BYTES_PER_ELEMENT;
/** Values of one row: they are held as f64. */
const ROW_MAX = CALL_BYTES / Float64Array.BYTES_PER_ELEMENT;
/** Of a histogram, which has four tables; their four counters for NaN lie behind the room. */
const BINS_MAX = CALL_BYTES / (4 * Uint32Array.BYTES_PER_ELEMENT);
/** Rows of the triangle in one panel, and f32 of a bank in one step. */
const PANEL = 8;
const STEP = 16;

/**
 * The kernels in the built file's bytes. They hold at most `KERNEL_MEMORY_BYTES_MAX` and live as
 * long as the value; constants are copied in when they are first used. Faults: `kernels.digest`,
 * `kernels.module`, `kernels.self-check`; the caller then takes `referenceKernels`.
 *
 * @param sha256 the digest function, which this room has none of
 */
export function openWasmKernels(
  bytes: Uint8Array,
  sha256: (bytes: Uint8Array) => Uint8Array,
): Result<Kernels> {
  return attempt(() => {
    const digest = toHex(sha256(bytes));
    if (digest !== KERNELS_SHA256) {
      throw refuseNumeric('kernels.digest', `the file's SHA-256 is ${digest}`);
    }
    return need(instantiateKernels(bytes));
  });
}

/**
 * The same without the digest, which is what vouches that a module ends. Faults: `kernels.module`,
 * `kernels.self-check`.
 */
export function instantiateKernels(bytes: Uint8Array): Result<Kernels> {
  return attempt(() => {
    const exports = exportsOf(bytes);
    const memory = need(openKernelMemory(exports.memory, exports.heapStart.value));
    const kernels = kernelsOn(exports, memory);
    need(checkKernels(kernels));
    // What the check left there nobody will ask for again.
    memory.forget();
    return kernels;
  });
}

function exportsOf(bytes: Uint8Array): KernelExports {
  try {
    const module = new WebAssembly.Module(bytes);
    const [wanted] = WebAssembly.Module.imports(module);
    if (wanted !== undefined) {
      throw refuseNumeric('kernels.module', `the module imports ${wanted.kind} ${wanted.name}`);
    }
    const found = new Map(WebAssembly.Module.exports(module).map(({ name, kind }) => [name, kind]));
    for (const [name, kind] of Object.entries(EXPORTS)) {
      if (found.get(name) === kind) continue;
      throw refuseNumeric('kernels.module', `the module exports no ${kind} ${name}`);
    }
    return new WebAssembly.Instance(module).exports as KernelExports;
  } catch (thrown) {
    if (thrown instanceof Refusal) throw thrown;
    // A CompileError or a RangeError: no module, no SIMD, no memory; or there is no WebAssembly.
    throw refuseNumeric('kernels.module', String(thrown));
  }
}

function kernelsOn(exports: KernelExports, memory: KernelMemory): Kernels {
  return {
    name: 'wasm-simd',
    scan: (values) => scan(exports, memory, values),
    nearestSquared(whitener, centres, x) {
      const found = nearestSquared(exports, memory, whitener, centres, x);
      return Number.isFinite(found) ? found : reference.nearestSquared(whitener, centres, x);
    },
    gen(logits, gamma) {
      const found = gen(exports, memory, logits, gamma);
      return Number.isFinite(found) ? found : reference.gen(logits, gamma);
    },
    kthNearestSquared(bank, x, k) {
      const found = kthNearestSquared(exports, memory, bank, x, k);
      return Number.isFinite(found) ? found : reference.kthNearestSquared(bank, x, k);
    },
    softmaxEnergy(logits, probabilities) {
      const found = softmaxEnergy(exports, memory, logits, probabilities);
      return Number.isFinite(found) ? found : reference.softmaxEnergy(logits, probabilities);
    },
    histogram(values, low, high, counts) {
      // Four tables cost more than they save where there are fewer values than bins.
      const fits = counts.length <= BINS_MAX && counts.length <= values.length;
      if (fits) histogram(exports, memory, values, low, high, counts);
      else reference.histogram(values, low, high, counts);
    },
  };
}

function scan(exports: KernelExports, memory: KernelMemory, values: Float32Array): Scan {
  const { f32, resultAt, valuesAt } = memory;
  const result = resultAt / 4;
  let min = Infinity;
  let max = -Infinity;
  let finite = true;
  for (let from = 0; from < values.length; from += CHUNK) {
    const chunk = values.length <= CHUNK ? values : values.subarray(from, from + CHUNK);
    f32.set(chunk, valuesAt / 4);
    exports.scan(valuesAt, chunk.length, resultAt);
    min = Math.min(min, f32[result] as number);
    max = Math.max(max, f32[result + 1] as number);
    finite &&= f32[result + 2] === 0;
  }
  return { finite, min, max };
}

/** NaN where the call is not for this kernel. */
function nearestSquared(
  exports: KernelExports,
  memory: KernelMemory,
  whitener: Float64Array,
  centres: Float64Array,
  x: Float64Array,
): number {
  const d = x.length;
  const fits = d > 0 && d <= ROW_MAX && centres.length % d === 0;
  if (!fits || whitener.length !== (d * (d + 1)) / 2) return NaN;
  const blocks = Math.ceil(d / PANEL);
  let panelsAt = memory.find('triangle', whitener, d);
  let centresAt = memory.find('rows', centres, d);
  if (panelsAt === undefined || centresAt === undefined) {
    const kept = keepWeights(memory, whitener, centres, d);
    if (kept === undefined) return NaN;
    [panelsAt, centresAt] = kept;
  }
  const { f64, valuesAt, workAt } = memory;
  f64.set(x, valuesAt / 8);
  f64.fill(0, valuesAt / 8 + d, valuesAt / 8 + blocks * PANEL);
  return exports.nearestSquared(panelsAt, centresAt, centres.length / d, valuesAt, workAt, blocks);
}

/** Copies both in, as `wasm/distance.ts` wants them; `undefined` where they do not fit. */
function keepWeights(
  memory: KernelMemory,
  whitener: Float64Array,
  centres: Float64Array,
  d: number,
): [panelsAt: number, centresAt: number] | undefined {
  const blocks = Math.ceil(d / PANEL);
  const panelsBytes = 8 * PANEL * PANEL * ((blocks * (blocks + 1)) / 2);
  const centresBytes = 8 * (centres.length / d) * blocks * PANEL;
  if (!memory.makeRoom(roomOf(panelsBytes) + roomOf(centresBytes))) return undefined;
  const panelsAt = memory.keep('triangle', whitener, d, panelsBytes);
  const centresAt = memory.keep('rows', centres, d, centresBytes);
  const { f64 } = memory;
  for (let row = 0, from = 0; row < d; row++) {
    const block = Math.floor(row / PANEL);
    const panel = panelsAt / 8 + PANEL * PANEL * ((block * (block + 1)) / 2) + (row % PANEL);
    for (let column = 0; column <= row; column++) {
      f64[panel + column * PANEL] = whitener[from++] as number;
    }
  }
  copyRows(f64, centresAt / 8, centres, d, blocks * PANEL);
  return [panelsAt, centresAt];
}

function kthNearestSquared(
  exports: KernelExports,
  memory: KernelMemory,
  bank: Float32Array,
  x: Float32Array,
  k: number,
): number {
  const d = x.length;
  if (!(d > 0 && d <= ROW_MAX && bank.length % d === 0 && k >= 1 && k <= CHUNK)) return NaN;
  const rows = bank.length / d;
  const blocks = Math.ceil(d / STEP);
  let bankAt = memory.find('rows', bank, d);
  if (bankAt === undefined) {
    const bytes = 4 * rows * blocks * STEP;
    if (!memory.makeRoom(roomOf(bytes))) return NaN;
    bankAt = memory.keep('rows', bank, d, bytes);
    copyRows(memory.f32, bankAt / 4, bank, d, blocks * STEP);
  }
  const { f32, valuesAt, workAt } = memory;
  f32.set(x, valuesAt / 4);
  f32.fill(0, valuesAt / 4 + d, valuesAt / 4 + blocks * STEP);
  return exports.kthNearestSquared(bankAt, rows, valuesAt, blocks, workAt, k);
}

/** Rows of `d`, each in room for `width`. */
function copyRows<Floats extends Float32Array | Float64Array>(
  to: Floats,
  at: number,
  rows: Floats,
  d: number,
  width: number,
): void {
  for (let from = 0, row = at; from < rows.length; from += d, row += width) {
    to.set(rows.subarray(from, from + d), row);
  }
}

function gen(
  exports: KernelExports,
  memory: KernelMemory,
  logits: Float32Array,
  gamma: number,
): number {
  if (logits.length < 1 || logits.length > ROW_MAX) return NaN;
  const top = indexOfLargest(logits);
  const others = exponentials(exports, memory, logits, top);
  return -exports.entropy(memory.workAt, logits.length, top, others, gamma);
}

function softmaxEnergy(
  exports: KernelExports,
  memory: KernelMemory,
  logits: Float32Array,
  probabilities: Float64Array,
): number {
  const count = logits.length;
  if (count < 1 || count > ROW_MAX) return NaN;
  const top = indexOfLargest(logits);
  const others = exponentials(exports, memory, logits, top);
  const { f64, workAt } = memory;
  exports.divide(workAt, count, 1 + others);
  probabilities.set(f64.subarray(workAt / 8, workAt / 8 + count));
  return (logits[top] as number) + Math.log1p(others);
}

/** Leaves `exp(z_j - max)` in the kernel's room and returns their sum without the top class. */
function exponentials(
  exports: KernelExports,
  { f32, valuesAt, workAt }: KernelMemory,
  logits: Float32Array,
  top: number,
): number {
  f32.set(logits, valuesAt / 4);
  return exports.exponentials(valuesAt, logits.length, workAt, top);
}

function histogram(
  exports: KernelExports,
  { f32, u32, valuesAt, workAt }: KernelMemory,
  values: Float32Array,
  low: number,
  high: number,
  counts: Uint32Array,
): void {
  const bins = counts.length;
  const tables = workAt / 4;
  u32.fill(0, tables, tables + 4 * (bins + 1));
  for (let from = 0; from < values.length; from += CHUNK) {
    const chunk = values.length <= CHUNK ? values : values.subarray(from, from + CHUNK);
    f32.set(chunk, valuesAt / 4);
    exports.histogram(valuesAt, chunk.length, low, bins / (high - low), bins, workAt);
  }
  for (let bin = 0; bin < bins; bin++) {
    let sum = 0;
    for (let table = 0; table < 4; table++) sum += u32[tables + table * (bins + 1) + bin] as number;
    counts[bin] = sum;
  }
}
