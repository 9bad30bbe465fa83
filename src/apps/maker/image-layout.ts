/** Where the height, the width and the channels of an image lie in a model's input. */
import type { Dim } from '../../core/bundle/io-schema.ts';
import { inputLayout } from '../../core/guard/input-layout.ts';
import type { Tensor } from '../../core/numeric/tensor.ts';
import { refuseMaker } from './faults.ts';
import type { ImageFile } from './image-file.ts';
import type { Port } from './recorded-rows.ts';

/** The letters of the layout and their sizes, in order. */
export type ImageAxes = readonly (readonly [letter: string, dim: Dim])[];

/**
 * By the layout in the metadata: H and W once, C and N at most once, and room for one image. Where
 * none is stated, as the guard takes the input, which it does by its sizes. Refuses with
 * `maker.shape`.
 */
export function imageAxes(port: Port): ImageAxes {
  const { name, dims } = port;
  const layout = port.layout ?? guessedLayout(port);
  if (layout === undefined) {
    throw refuseMaker('maker.shape', `"${name}" has no layout, and its sizes are no image's`);
  }
  const axes = [...layout].map((letter, axis) => [letter, dims[axis] ?? 0] as const);
  const letters = [...layout].sort().join('');
  const batch = axes.find(([letter]) => letter === 'N')?.[1] ?? 1;
  if (!/^C?HN?W$/.test(letters) || !sizeWithin(batch, 1)) {
    const shape = dims.map((dim) => (typeof dim === 'number' ? dim : dim.name)).join(', ');
    throw refuseMaker('maker.shape', `"${name}" is ${layout} [${shape}], not one image`);
  }
  return axes;
}

/** The letters with which the guard's own reading of the input has the sizes that it found. */
function guessedLayout({ dtype, dims }: Port): string | undefined {
  const found = inputLayout({ dtype, dims });
  if (found?.kind !== 'image') return undefined;
  const sizes: Readonly<Record<string, number>> = {
    ...{ C: found.channels, H: found.height, W: found.width, N: 1 },
  };
  const fits = (letters: string): boolean =>
    letters.length === dims.length &&
    [...letters].every((letter, axis) => sizeWithin(dims[axis] ?? 0, sizes[letter] as number));
  return ['HW', 'CHW', 'HWC', 'NHW', 'NCHW', 'NHWC'].find(fits);
}

/** Refuses with `maker.image-size`, `maker.image-kind`: nothing is scaled here. */
export function needSize(image: ImageFile, axes: ImageAxes, name: string): void {
  const dimOf = (wanted: string): Dim => axes.find(([letter]) => letter === wanted)?.[1] ?? 1;
  const { width, height, channels } = image;
  if (!sizeWithin(dimOf('W'), width) || !sizeWithin(dimOf('H'), height)) {
    const takes = `${wordsOf(dimOf('W'))} x ${wordsOf(dimOf('H'))}`;
    const is = `${name} is ${width} x ${height} pixels`;
    throw refuseMaker('maker.image-size', `${is}, the model takes ${takes}`);
  }
  if (!sizeWithin(dimOf('C'), channels)) {
    const kind = channels === 1 ? 'grey' : 'in colour';
    const takes = `the model takes ${wordsOf(dimOf('C'))} channels`;
    throw refuseMaker('maker.image-kind', `${name} is ${kind}, ${takes}`);
  }
}

/** `pixels` have the channels of a pixel together; the tensor has them where the layout says. */
export function pixelsAsTensor(pixels: Uint8Array, image: ImageFile, axes: ImageAxes): Tensor {
  const sizes: Record<string, number> = {
    ...{ N: 1, C: image.channels, H: image.height, W: image.width },
  };
  const dims = axes.map(([letter]) => sizes[letter] as number);
  const strideOf = (wanted: string): number => {
    const axis = axes.findIndex(([letter]) => letter === wanted);
    return dims.slice(axis + 1).reduce((product, size) => product * size, 1);
  };
  const [strideC, strideH, strideW] = [strideOf('C'), strideOf('H'), strideOf('W')];
  const data = new Uint8Array(pixels.length);
  let from = 0;
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      for (let c = 0; c < image.channels; c++) {
        data[c * strideC + y * strideH + x * strideW] = pixels[from++] as number;
      }
    }
  }
  return { dtype: 'uint8', dims, data };
}

function sizeWithin(dim: Dim, size: number): boolean {
  return typeof dim === 'number' ? dim === size : size >= dim.min && size <= dim.max;
}

function wordsOf(dim: Dim): string {
  return typeof dim === 'number' ? String(dim) : `${dim.min} to ${dim.max}`;
}
