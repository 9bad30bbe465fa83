/** The rows of one input from whatever a path names: an array, a table, a folder of images. */
import { need } from '../../core/base/fault.ts';
import { NPY_FILE_BYTES_MAX } from '../../core/base/limits.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import { decodeNpy } from '../../core/numeric/npy.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { isFolder } from '../../host/store/folder-listing.ts';
import { arrayRows, type Port, type RecordedRows } from './recorded-rows.ts';

/**
 * What is no `.npy` file is read by code that is loaded only then. `classNames` are what the
 * model's outputs are called, for folders that are named so. Refuses with `maker.*`, `store.*`,
 * `npy.*`.
 */
export async function openRows(
  path: string,
  port: Port,
  classNames: readonly string[] = [],
): Promise<RecordedRows> {
  if (isFolder(path)) {
    const { openImages } = await import('./recorded-images.ts');
    return need(openImages(path, port, classNames));
  }
  if (isTable(path)) {
    const { openTable } = await import('./recorded-table.ts');
    return need(openTable(path, port));
  }
  return openArray(path, port);
}

export function isTable(path: string): boolean {
  return /\.csv$/i.test(path);
}

function openArray(path: string, port: Port): RecordedRows {
  const bytes = need(readFileBounded(path, NPY_FILE_BYTES_MAX));
  const tensor = need(decodeNpy(bytes));
  const rows = arrayRows(tensor, port);
  const description = `array of ${tensor.dtype} [${tensor.dims.join(', ')}], ${rows.count} rows`;
  return { ...rows, digest: () => sha256(bytes), description };
}
