/** Numbers in bulk inside a policy: little-endian doubles in one byte string, checked as they are read. */
import type { Fields } from '../base/fields.ts';
import { refusePolicy } from './policy-faults.ts';

/** No honest statistic comes near it, and the squares of whatever is below it do not overflow. */
const MAGNITUDE_MAX = 1e100;
const DOUBLE_BYTES = 8;

/** Refuses with `policy.order`. */
export function needAscending(place: string, values: Float64Array): void {
  for (let i = 1; i < values.length; i++) {
    if ((values[i] as number) < (values[i - 1] as number)) {
      throw refusePolicy('policy.order', `${place} falls at entry ${i}`);
    }
  }
}

export function doublesToBytes(values: Float64Array): Uint8Array {
  const bytes = new Uint8Array(values.length * DOUBLE_BYTES);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) {
    view.setFloat64(i * DOUBLE_BYTES, values[i] as number, true);
  }
  return bytes;
}

/**
 * `length` finite doubles. Allocates only after the byte string has shown the length. Refuses with
 * `policy.length`, `policy.values`, `field.*`.
 */
export function readDoubles(map: Fields, name: string | number, length: number): Float64Array {
  const bytes = map.bytes(name);
  if (bytes.length !== length * DOUBLE_BYTES) {
    throw refusePolicy(
      'policy.length',
      `${map.at(name)} has ${bytes.length} bytes, ${length} doubles are ${length * DOUBLE_BYTES}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const value = view.getFloat64(i * DOUBLE_BYTES, true);
    if (!(Math.abs(value) <= MAGNITUDE_MAX)) {
      throw refusePolicy('policy.values', `${map.at(name)} has ${value} at entry ${i}`);
    }
    values[i] = value;
  }
  return values;
}
