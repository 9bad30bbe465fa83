/**
 * Recorded inputs as a folder of PNG and JPEG images, all in the folder itself, or all one level
 * below it in a folder for each class. Images are never scaled, flattened or turned: what the model
 * was given in the field is what its guard is fitted on. Every file is read, hashed and looked at
 * when the folder is opened; its pixels are decoded when its row is asked for.
 */
import { join } from 'node:path';
import { equalBytes, toHex, utf8 } from '../../core/base/bytes.ts';
import { attempt, need, Refusal, type Result } from '../../core/base/fault.ts';
import { IMAGE_FILE_BYTES_MAX, RECORDED_FILES_MAX } from '../../core/base/limits.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import type { Tensor } from '../../core/numeric/tensor.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { listFolder } from '../../host/store/folder-listing.ts';
import { refuseMaker } from './faults.ts';
import type { ImageFile } from './image-file.ts';
import { imageAxes, needSize, pixelsAsTensor } from './image-layout.ts';
import { isJpeg, openJpeg } from './jpeg.ts';
import { isPng, openPng } from './png.ts';
import { convertRow, type Port, type RecordedRows } from './recorded-rows.ts';

const ENDING = /\.(png|jpe?g)$/i;

interface Listed {
  /** Below the folder, with `/` between. */
  readonly name: string;
  readonly label?: number;
}

/**
 * Faults: `maker.folder`, `maker.classes`, `maker.shape`, `maker.image`, `maker.image-kind`,
 * `maker.image-size`, `store.*`; a row also `maker.changed`, `tensor.*`.
 */
export function openImages(
  path: string,
  port: Port,
  classNames: readonly string[],
): Result<RecordedRows> {
  return attempt(() => {
    const axes = imageAxes(port);
    const { files, classes } = listImages(path, classNames);
    const formats = new Set<string>();
    const digests = files.map(({ name }) => {
      const bytes = readImage(path, name);
      const image = openImage(bytes, name);
      needSize(image, axes, name);
      formats.add(image.format);
      return sha256(bytes);
    });
    const decoded = (index: number): Tensor => {
      const { name } = files[index] as Listed;
      const bytes = readImage(path, name);
      if (!equalBytes(sha256(bytes), digests[index] as Uint8Array)) {
        throw refuseMaker('maker.changed', `${name} is not the file it was`);
      }
      const image = openImage(bytes, name);
      return convertRow(pixelsAsTensor(decode(image, name), image, axes), port);
    };
    const of = classes === undefined ? '' : `, ${classes} classes`;
    return {
      count: files.length,
      row: (index) => attempt(() => decoded(index)),
      digest: () => listingDigest(files, digests),
      description: `folder of ${files.length} images (${[...formats].sort().join(', ')})${of}`,
      ...(classes === undefined ? {} : { labels: labelsOf(files) }),
    };
  });
}

/** What `sha256sum` prints for the files in this order. */
function listingDigest(files: readonly Listed[], digests: readonly Uint8Array[]): Uint8Array {
  const lines = files.map(({ name }, at) => `${toHex(digests[at] as Uint8Array)}  ${name}\n`);
  return sha256(utf8(lines.join('')));
}

function labelsOf(files: readonly Listed[]): Int32Array {
  return Int32Array.from(files, ({ label }) => label as number);
}

function listImages(
  path: string,
  classNames: readonly string[],
): { readonly files: readonly Listed[]; readonly classes?: number } {
  const entries = visibleIn(path, RECORDED_FILES_MAX);
  const folders = entries.filter((entry) => entry.folder).map(({ name }) => name);
  if (folders.length === 0) return { files: imagesOf(entries, path) };
  const stray = entries.find((entry) => !entry.folder);
  if (stray !== undefined) {
    throw refuseMaker('maker.folder', `${stray.name} lies beside the folders of the classes`);
  }
  const labelOf = classIndexes(folders, classNames);
  const files: Listed[] = [];
  for (const folder of folders) {
    const within = join(path, folder);
    const label = labelOf(folder);
    const images = imagesOf(visibleIn(within, RECORDED_FILES_MAX - files.length), within);
    for (const { name } of images) files.push({ name: `${folder}/${name}`, label });
  }
  return { files: files.sort((a, b) => (a.name < b.name ? -1 : 1)), classes: folders.length };
}

/** Without what desktops leave behind under names that start with a dot. */
function visibleIn(path: string, namesMax: number): readonly { name: string; folder: boolean }[] {
  const entries = need(listFolder(path, namesMax)).filter(({ name }) => !name.startsWith('.'));
  const odd = entries.find(({ name }) => /[\p{Cc}\\\ufffd]/u.test(name));
  if (odd === undefined) return entries;
  // The listing is one file a line; a name that is no UTF-8 cannot be opened by its text.
  throw refuseMaker('maker.folder', `the name ${JSON.stringify(odd.name)} cannot be listed`);
}

function imagesOf(
  entries: readonly { name: string; folder: boolean }[],
  path: string,
): readonly Listed[] {
  const other = entries.find(({ name, folder }) => folder || !ENDING.test(name));
  if (other !== undefined) {
    throw refuseMaker('maker.folder', `${other.name} in ${path} is neither .png nor .jpg`);
  }
  if (entries.length === 0) throw refuseMaker('maker.folder', `${path} holds no images`);
  return entries;
}

/**
 * Folders are called as the model's classes, or each by a class index; else their order counts.
 * Refuses with `maker.classes` where only some are known: the others would get a wrong index.
 */
function classIndexes(
  folders: readonly string[],
  classNames: readonly string[],
): (folder: string) => number {
  const known = folders.filter((folder) => classNames.includes(folder));
  if (known.length === folders.length) return (folder) => classNames.indexOf(folder);
  if (known.length > 0) {
    const stranger = folders.find((folder) => !known.includes(folder));
    const names = classNames.slice(0, 20).join(', ');
    throw refuseMaker('maker.classes', `the folder ${stranger} is none of the classes ${names}`);
  }
  const numbered = folders.every((folder) => /^(0|[1-9][0-9]{0,8})$/.test(folder));
  return numbered ? Number : (folder) => folders.indexOf(folder);
}

function readImage(path: string, name: string): Uint8Array {
  return need(readFileBounded(join(path, name), IMAGE_FILE_BYTES_MAX));
}

/** By what the file is, not by what it is called. */
function openImage(bytes: Uint8Array, name: string): ImageFile {
  return naming(name, () => {
    if (isPng(bytes)) return openPng(bytes);
    if (isJpeg(bytes)) return openJpeg(bytes);
    throw refuseMaker('maker.image', 'the file is neither PNG nor JPEG');
  });
}

function decode(image: ImageFile, name: string): Uint8Array {
  const { width, height, channels } = image;
  return naming(name, () => {
    const pixels = decoderThrew(() => image.decode());
    if (pixels.length === width * height * channels) return pixels;
    throw refuseMaker('maker.image', `the decoder gave ${pixels.length} samples`);
  });
}

function decoderThrew<T>(decode: () => T): T {
  try {
    return decode();
  } catch (thrown) {
    if (thrown instanceof Refusal) throw thrown;
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw refuseMaker('maker.image', `the decoder stopped: ${why}`);
  }
}

/** A refusal says which file it is about. */
function naming<T>(name: string, body: () => T): T {
  const result = attempt(body);
  if (result.ok) return result.value;
  const { code, message, next } = result.fault;
  throw new Refusal({ code, next, message: `${name}: ${message}` });
}
