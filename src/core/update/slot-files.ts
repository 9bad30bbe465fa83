/**
 * The files of a slot: emptied, copied and published. A slot is published by READY, which is written
 * only after every file and every name below it is durable.
 */
import { equalBytes, fromHex, fromUtf8, toHex, utf8 } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { HASH_CHUNK_BYTES, SLOT_FILES_MAX } from '../base/limits.ts';
import { MANIFEST_PATH } from '../bundle/ustar.ts';
import { nodeDigest } from '../crypto/digest.ts';
import type { Disk } from './disk.ts';
import { refuseDisk, refuseUpdate } from './faults.ts';
import { removeIfThere, writeNew } from './record-pair.ts';
import { type ClaimedFile, READY_NAME, slotFolder } from './slot-layout.ts';
import { openSlotSource } from './slot-source.ts';
import { SLOT_NAMES } from './slot-table.ts';

const READY_BYTES = 65;

/** Makes the folders where they are missing. Refuses with `disk.*`. */
export function makeSlotFolders(disk: Disk, folder: string): void {
  makeFolder(disk, folder, `${folder}/slots`);
  for (const slot of SLOT_NAMES) makeFolder(disk, `${folder}/slots`, slotFolder(folder, slot));
}

function makeFolder(disk: Disk, parent: string, path: string): void {
  const made = disk.makeFolder(path);
  if (!made.ok && made.fault.code !== 'disk.exists') need(made);
  // Also where it stands already: the power may have failed before its name was durable.
  need(disk.syncFolder(parent));
}

/**
 * The digest that READY names; `undefined` where it is missing or makes no sense.
 * Faults: `disk.denied`, `disk.io`.
 */
export function readReady(disk: Disk, slotPath: string): Result<Uint8Array | undefined> {
  return attempt(() => {
    const read = disk.read(`${slotPath}/${READY_NAME}`, READY_BYTES);
    if (!read.ok && (read.fault.code === 'disk.io' || read.fault.code === 'disk.denied')) {
      need(read);
    }
    const text = read.ok ? fromUtf8(read.value) : undefined;
    return text !== undefined && /^[0-9a-f]{64}\n$/.test(text)
      ? fromHex(text.slice(0, 64))
      : undefined;
  });
}

/** Takes the marker away durably, then all files. Refuses with `disk.*`. */
export function emptySlot(disk: Disk, slotPath: string): void {
  const names = need(disk.list(slotPath));
  if (names.length > SLOT_FILES_MAX) {
    throw refuseDisk('disk.too-large', `${slotPath} holds ${names.length} files`);
  }
  if (names.length === 0) return;
  removeIfThere(disk, `${slotPath}/${READY_NAME}`);
  need(disk.syncFolder(slotPath));
  for (const name of names) if (name !== READY_NAME) removeIfThere(disk, `${slotPath}/${name}`);
  need(disk.syncFolder(slotPath));
}

/** Everything is durable when this returns. Refuses with `disk.*`. */
export function publishSlot(disk: Disk, slotPath: string, manifestSha256: Uint8Array): void {
  need(disk.syncFolder(slotPath));
  writeNew(disk, `${slotPath}/${READY_NAME}`, utf8(`${toHex(manifestSha256)}\n`));
  need(disk.syncFolder(slotPath));
}

/**
 * Byte copies of all files but READY, into an empty folder, each one durable. Never hard links: they
 * would share the bytes, and one bad sector or one edit would cost both slots.
 */
export function copySlot(disk: Disk, fromPath: string, toPath: string): void {
  const source = need(openSlotSource(disk, fromPath));
  source.close();
  for (const path of [MANIFEST_PATH, ...source.claims.files.map((file) => file.path)]) {
    copyFile(disk, `${fromPath}/${path}`, `${toPath}/${path}`, () => undefined);
  }
}

/**
 * Copies a payload that another slot holds already, hashing what is written; false where that slot
 * did not hold it after all, and nothing is left then. Refuses with `disk.*` of the target.
 */
export function reusePayload(
  disk: Disk,
  fromPath: string,
  toPath: string,
  file: ClaimedFile,
  heldName: string,
): boolean {
  const held = `${fromPath}/${heldName}`;
  const source = disk.open(held);
  if (!source.ok) return false;
  source.value.close();
  if (source.value.sizeBytes !== file.sizeBytes) return false;
  const hasher = nodeDigest.create();
  const target = `${toPath}/${file.path}`;
  const copied = attempt(() => copyFile(disk, held, target, (bytes) => hasher.update(bytes)));
  if (copied.ok && equalBytes(hasher.digest(), file.sha256)) return true;
  removeIfThere(disk, target);
  // A full disk does not get emptier by reading the bytes from elsewhere.
  if (!copied.ok && copied.fault.code !== 'disk.io') need(copied);
  return false;
}

function copyFile(
  disk: Disk,
  from: string,
  to: string,
  onBytes: (bytes: Uint8Array) => void,
): void {
  const source = need(disk.open(from));
  try {
    const file = need(disk.create(to));
    try {
      const buffer = new Uint8Array(Math.min(HASH_CHUNK_BYTES, source.sizeBytes));
      for (let offset = 0; offset < source.sizeBytes; ) {
        const count = source.read(offset, buffer);
        if (count === 0) throw refuseUpdate('update.slot-damaged', `${from} ends at ${offset}`);
        const piece = buffer.subarray(0, count);
        onBytes(piece);
        need(file.append(piece));
        offset += count;
      }
      need(file.sync());
    } finally {
      file.close();
    }
  } finally {
    source.close();
  }
}
