/**
 * The fs-verity digest of a file (SHA-256, 4,096-byte blocks, no salt), computed while streaming.
 *
 * Layout: Linux Documentation/filesystems/fsverity.rst. Each level hashes the blocks of the one
 * below, zero-padded, until one hash is left; the digest is over the 256-byte descriptor.
 */
import { hash } from 'node:crypto';
import { sha256 } from './digest.ts';

const BLOCK_BYTES = 4096;
const HASH_BYTES = 32;
const DESCRIPTOR_BYTES = 256;

/** One block being filled at each level of the Merkle tree; level 0 holds file bytes. */
interface Level {
  readonly block: Uint8Array;
  filled: number;
  blocks: number;
}

export interface VerityHasher {
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
}

export function createVerityHasher(): VerityHasher {
  const levels: Level[] = [newLevel()];
  let sizeBytes = 0;
  return {
    update(bytes) {
      sizeBytes += bytes.length;
      feed(levels, 0, bytes);
    },
    digest() {
      return descriptorDigest(sizeBytes, rootHash(levels, sizeBytes));
    },
  };
}

function newLevel(): Level {
  return { block: new Uint8Array(BLOCK_BYTES), filled: 0, blocks: 0 };
}

function feed(levels: Level[], index: number, bytes: Uint8Array): void {
  const level = levels[index] as Level;
  for (let at = 0; at < bytes.length; ) {
    if (level.filled === BLOCK_BYTES) flush(levels, index);
    // Whole blocks with more behind them go by the copy: nearly all bytes of a file do.
    while (level.filled === 0 && bytes.length - at > BLOCK_BYTES) {
      raise(levels, index, bytes.subarray(at, at + BLOCK_BYTES));
      at += BLOCK_BYTES;
    }
    const take = Math.min(BLOCK_BYTES - level.filled, bytes.length - at);
    level.block.set(bytes.subarray(at, at + take), level.filled);
    level.filled += take;
    at += take;
  }
}

/** A full block's hash goes up; it is flushed only when more follows, so a lone block stays. */
function flush(levels: Level[], index: number): void {
  const level = levels[index] as Level;
  raise(levels, index, level.block.fill(0, level.filled));
  level.filled = 0;
}

function raise(levels: Level[], index: number, block: Uint8Array): void {
  (levels[index] as Level).blocks++;
  if (levels[index + 1] === undefined) levels.push(newLevel());
  feed(levels, index + 1, blockHash(block));
}

/**
 * One call a block, and its answer as a string of bytes: a hash object for each block, or a Buffer for
 * each answer, costs half as much again as the hashing itself.
 */
function blockHash(block: Uint8Array): Uint8Array {
  const text = hash('sha256', block, 'binary');
  const answer = new Uint8Array(HASH_BYTES);
  for (let i = 0; i < HASH_BYTES; i++) answer[i] = text.charCodeAt(i);
  return answer;
}

function rootHash(levels: Level[], sizeBytes: number): Uint8Array {
  if (sizeBytes === 0) return new Uint8Array(HASH_BYTES);
  for (let index = 0; ; index++) {
    const level = levels[index] as Level;
    if (level.blocks === 0 && levels[index + 1] === undefined) {
      return sha256(level.block.fill(0, level.filled));
    }
    flush(levels, index);
  }
}

function descriptorDigest(sizeBytes: number, root: Uint8Array): Uint8Array {
  const descriptor = new Uint8Array(DESCRIPTOR_BYTES);
  const view = new DataView(descriptor.buffer);
  view.setUint8(0, 1); // version
  view.setUint8(1, 1); // SHA-256
  view.setUint8(2, 12); // log2 of the block size
  view.setBigUint64(8, BigInt(sizeBytes), true);
  descriptor.set(root, 16);
  return sha256(descriptor);
}
