/** Values of one tensor held against their range: finite first, then the tensor's or channel's own. */
import type { ValueRange } from '../bundle/io-schema.ts';
import type { Tensor } from '../numeric/tensor.ts';
import { type Finding, finding } from './findings.ts';
import { coordinates } from './shape.ts';
import { type Bounds, findBadValues, isFinite32, isFloat, numbersOf } from './values.ts';

/** How the findings about values of one tensor are called. */
export interface ValueFindings {
  readonly name: string;
  readonly notFinite: 'contract.not-finite' | 'output.not-finite';
  readonly range: 'contract.range' | 'output.range';
}

/**
 * At most one finding for values that are not finite and one for values out of range. `ranges` is
 * empty (no range), one for the whole tensor (`axis` -1), or one per entry of `axis`.
 */
export function checkRanges(
  tensor: Tensor,
  ranges: readonly ValueRange[],
  axis: number,
  as: ValueFindings,
): Finding[] {
  const all = tensor.dtype === 'bool' ? [BIT] : ranges;
  const numbers = all.length > 0 || isFloat(tensor.dtype) ? numbersOf(tensor) : undefined;
  if (numbers === undefined) return [];
  if (all.length === 0 && numbers instanceof Float32Array && isFinite32(numbers)) return [];
  const inner = axis < 0 ? numbers.length : product(tensor.dims.slice(axis + 1));
  const bounds = boundsOf(all);
  const bad = findBadValues(numbers, inner, bounds);
  if (bad === undefined) return [];
  const findings: Finding[] = [];
  if (bad.notFinite > 0) {
    const value = Number(numbers[bad.firstNotFinite]);
    const place = placeOf(bad.firstNotFinite, tensor, axis, inner);
    const more = bad.notFinite > 1 ? ` and ${bad.notFinite - 1} more that are not finite` : '';
    findings.push(
      finding(as.notFinite, `${as.name} holds ${value} at ${place}${more}`, {
        value: bad.notFinite,
        threshold: 0,
      }),
    );
  }
  if (bad.outside > 0) {
    const channel = axis < 0 ? 0 : channelOf(bad.worst, inner, bounds);
    const [low, high] = [bounds.lows[channel] as number, bounds.highs[channel] as number];
    const place = placeOf(bad.worst, tensor, axis, inner);
    const more = bad.outside > 1 ? `, the worst of ${bad.outside}` : '';
    findings.push(
      finding(
        as.range,
        `${as.name} holds ${bad.worstValue} at ${place}, outside [${low}, ${high}]${more}`,
        { value: bad.worstValue, threshold: bad.worstValue < low ? low : high },
      ),
    );
  }
  return findings;
}

const BIT: ValueRange = { min: 0, max: 1 };
const ANY: ValueRange = { min: -Number.MAX_VALUE, max: Number.MAX_VALUE };

/** Infinite range ends become the largest doubles, so that an infinity is never inside. */
function boundsOf(ranges: readonly ValueRange[]): Bounds {
  const used = ranges.length > 0 ? ranges : [ANY];
  return {
    lows: Float64Array.from(used, ({ min }) => Math.max(min, ANY.min)),
    highs: Float64Array.from(used, ({ max }) => Math.min(max, ANY.max)),
  };
}

function placeOf(index: number, tensor: Tensor, axis: number, inner: number): string {
  const place = coordinates(index, tensor.dims);
  if (axis < 0) return place;
  const channel = Math.floor(index / inner) % (tensor.dims[axis] as number);
  return `${place} (channel ${channel})`;
}

function channelOf(index: number, inner: number, bounds: Bounds): number {
  return Math.floor(index / inner) % bounds.lows.length;
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all * size, 1);
}
