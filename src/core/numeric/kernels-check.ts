/** A few calls of other kernels beside the reference, before their results are relied on. */
import { attempt, type Result } from '../base/fault.ts';
import { refuseNumeric } from './faults.ts';
import type { Kernels } from './kernels.ts';
import { referenceKernels as reference } from './reference.ts';

/** Neither a multiple of what is done at once, nor below it. */
const D = 21;
const ROWS = 3;
const VALUES = 67;

/** What every kernel gives for the same small arguments. */
const TRIALS: readonly [kernel: string, tolerance: number, run: (kernels: Kernels) => number[]][] =
  [
    ['scan', 0, (kernels) => scanned(kernels)],
    ['nearestSquared', 1e-12, ({ nearestSquared }) => [nearestSquared(whitener, centres, x)]],
    ['gen', 1e-12, ({ gen }) => [gen(logits, 0.1)]],
    ['kthNearestSquared', 1e-5, ({ kthNearestSquared }) => [kthNearestSquared(bank, point, 2)]],
    ['softmaxEnergy', 1e-12, (kernels) => softmaxOf(kernels)],
    ['histogram', 0, (kernels) => histogramOf(kernels)],
  ];

const wave = (i: number): number => Math.sin(i + 1);
const whitener = Float64Array.from({ length: (D * (D + 1)) / 2 }, (_, i) => wave(i));
const centres = Float64Array.from({ length: ROWS * D }, (_, i) => 2 + wave(3 * i));
const x = Float64Array.from({ length: D }, (_, i) => wave(7 * i));
const bank = Float32Array.from({ length: ROWS * D }, (_, i) => wave(5 * i));
const point = Float32Array.from(x);
const logits = Float32Array.from({ length: D }, (_, i) => 9 * wave(11 * i));
const values = Float32Array.from({ length: VALUES }, (_, i) => wave(13 * i));
const broken = values.map((value, i) => (i === VALUES - 1 ? NaN : value));

/** Fault: `kernels.self-check`, for a result that differs or a call that throws. */
export function checkKernels(kernels: Kernels): Result<true> {
  return attempt(() => {
    for (const [kernel, tolerance, run] of TRIALS) {
      const wanted = run(reference);
      const found = resultOf(kernel, () => run(kernels));
      const differs = wanted.findIndex((want, i) => !near(found[i], want, tolerance));
      if (differs < 0) continue;
      throw refuseNumeric(
        'kernels.self-check',
        `${kernel} gives ${found[differs]} in place ${differs}, the reference ${wanted[differs]}`,
      );
    }
    return true;
  });
}

function near(found: number | undefined, wanted: number, tolerance: number): boolean {
  return found !== undefined && Math.abs(found - wanted) <= tolerance * Math.abs(wanted);
}

function resultOf(kernel: string, run: () => number[]): number[] {
  try {
    return run();
  } catch (thrown) {
    throw refuseNumeric('kernels.self-check', `${kernel}: ${thrown}`);
  }
}

function scanned(kernels: Kernels): number[] {
  const { finite, min, max } = kernels.scan(values);
  return [finite ? 1 : 0, min, max, kernels.scan(broken).finite ? 1 : 0];
}

function softmaxOf(kernels: Kernels): number[] {
  const probabilities = new Float64Array(D);
  return [kernels.softmaxEnergy(logits, probabilities), ...probabilities];
}

function histogramOf(kernels: Kernels): number[] {
  const counts = new Uint32Array(5);
  kernels.histogram(broken, -0.7, 0.7, counts);
  return [...counts];
}
