/** IEEE 754 binary16: 16-bit patterns to numbers and back, for hosts without `Float16Array`. */

const scratch = new Float64Array(1);
const scratchWords = new Uint32Array(scratch.buffer);

/** The number that a binary16 pattern (0 to 65,535) stands for; exact. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/**
 * The pattern of the binary16 nearest to `value`, ties to even (IEEE 754 4.3.1); beyond 65,520 in
 * magnitude it is an infinity, and every NaN becomes the quiet 0x7e00.
 */
export function numberToHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  scratch[0] = value;
  const high = scratchWords[1] as number;
  const sign = (high >>> 16) & 0x8000;
  const exponent = Math.max(((high >>> 20) & 0x7ff) - 1023, -14);
  if (exponent > 15) return sign | 0x7c00;
  // In units of the last place; the division by a power of two is exact, so it is rounded once.
  const units = Math.abs(value) / 2 ** (exponent - 10);
  const below = Math.floor(units);
  const rest = units - below;
  const rounded = rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
  // A normal number carries its leading 1024 into the exponent field, which starts one lower.
  return sign | (((exponent + 14) << 10) + rounded);
}
