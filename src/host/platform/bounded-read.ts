/** Reads small files of the kernel and of the package: bounded, never blocking, never throwing. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * The text of a regular file of at most `bytesMax` bytes; `undefined` when it is missing, longer,
 * unreadable or something else than a file.
 */
export async function readSmallText(path: string, bytesMax: number): Promise<string | undefined> {
  try {
    // Without O_NONBLOCK a planted pipe would hold the probe for ever.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) return undefined;
      return await readUpTo(file, bytesMax);
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

/** Sysfs and procfs state sizes that are not true, so the end is found by reading. */
async function readUpTo(
  file: Awaited<ReturnType<typeof open>>,
  bytesMax: number,
): Promise<string | undefined> {
  const buffer = Buffer.alloc(bytesMax + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
    if (bytesRead === 0) return buffer.toString('utf8', 0, length);
    length += bytesRead;
  }
  return undefined;
}
