/** An image file whose outside was read: what is in it, and how to decode it. */
import { IMAGE_PARTS_MAX, IMAGE_PIXELS_MAX } from '../../core/base/limits.ts';
import { refuseMaker } from './faults.ts';

export interface ImageFile {
  readonly format: 'PNG' | 'JPEG';
  readonly width: number;
  readonly height: number;
  /** Grey, or red, green and blue. */
  readonly channels: 1 | 3;
  /**
   * The samples, 8 bits each, row by row, the channels of a pixel together. Throws whatever the
   * decoder throws.
   */
  decode(): Uint8Array;
}

/** Before anything of that size is allocated. Refuses with `maker.image`. */
export function refuseHuge(width: number, height: number): void {
  if (width > 0 && height > 0 && width * height <= IMAGE_PIXELS_MAX) return;
  const limit = `an image has from 1 to ${IMAGE_PIXELS_MAX} pixels`;
  throw refuseMaker('maker.image', `${width} x ${height} pixels: ${limit}`);
}

/** Before one more chunk or segment is kept. Refuses with `maker.image`. */
export function refuseMany(parts: number): void {
  if (parts < IMAGE_PARTS_MAX) return;
  throw refuseMaker('maker.image', `the file has more than ${IMAGE_PARTS_MAX} parts`);
}
