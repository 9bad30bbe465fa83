/** A set of recorded inputs, with what it takes to name it later: its digest and its size. */
import { need } from '../../core/base/fault.ts';
import { NPY_FILE_BYTES_MAX } from '../../core/base/limits.ts';
import { decodeNpy } from '../../core/numeric/npy.ts';
import type { Tensor } from '../../core/numeric/tensor.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { refuseMaker } from './faults.ts';
import { type Frames, joinRows } from './frames.ts';
import { isTable, openRows } from './recorded-file.ts';
import type { Port } from './recorded-rows.ts';

export interface RecordedSet {
  /** In order: rows of an array or table, images by the code units of their names. */
  readonly frames: Frames;
  /** Of the file; of a folder, of what `sha256sum` prints for its images in their order. */
  readonly sha256: Uint8Array;
  /** Class index of every frame, where the set is a folder with a folder for each class. */
  readonly labels?: Int32Array;
  /** In words: the form and how many of what. */
  readonly description: string;
}

/**
 * Opens recorded inputs of a model with one input: a `.npy` file, a `.csv` file, or a folder of
 * PNG and JPEG images. `classNames` are the labels of the model's scores, in order. Refuses with
 * `maker.*`, `store.*`, `npy.*`; `frames.frame` refuses too, with `maker.*`, `tensor.*`.
 */
export async function openRecorded(
  path: string,
  ports: readonly Port[],
  classNames: readonly string[] = [],
): Promise<RecordedSet> {
  const [port, ...others] = ports;
  if (port === undefined || others.length > 0) {
    throw refuseMaker(
      'maker.input',
      `recorded inputs need a model with one input, not ${ports.length}`,
    );
  }
  const rows = await openRows(path, port, classNames);
  const { description, labels } = rows;
  return {
    frames: joinRows(new Map([[port.name, rows]]), ports),
    sha256: rows.digest(),
    description,
    ...(labels === undefined ? {} : { labels }),
  };
}

/**
 * Class indices from a file of their own: `.npy` of whole numbers along one axis, or CSV of one
 * column. Refuses with `maker.labels`, `maker.csv`, `store.*`, `npy.*`.
 */
export async function openLabels(path: string): Promise<Int32Array> {
  if (!isTable(path)) {
    return labelsOf(need(decodeNpy(need(readFileBounded(path, NPY_FILE_BYTES_MAX)))));
  }
  const { readLabelTable } = await import('./recorded-table.ts');
  return need(readLabelTable(path));
}

function labelsOf({ dtype, data, dims }: Tensor): Int32Array {
  if (dims.length !== 1 || !/^u?int/.test(dtype)) {
    throw refuseMaker('maker.labels', `the labels are ${dtype} of shape [${dims.join(', ')}]`);
  }
  const labels = Array.from(data as ArrayLike<number | bigint>, Number);
  const narrow = Int32Array.from(labels);
  const at = labels.findIndex((label, row) => label !== narrow[row]);
  if (at >= 0) throw refuseMaker('maker.labels', `the label of row ${at} is ${labels[at]}`);
  return narrow;
}
