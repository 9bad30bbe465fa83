/** Where a bundle's bytes come from: the port that keeps this floor free of disks. */

export interface ByteSource {
  readonly sizeBytes: number;
  /**
   * Fills `into` from `offset` and gives the bytes read, fewer only at the end. A failing device
   * is a refusal (`store.read`), which the reader's `attempt` turns into a fault.
   */
  read(offset: number, into: Uint8Array): number;
}

export interface AheadSource extends ByteSource {
  /** `read` without waiting for it; `into` is the reader's until then. Rejects with a `Refusal`. */
  readAhead(offset: number, into: Uint8Array): Promise<number>;
}

/** A bundle that is in memory already. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    sizeBytes: bytes.length,
    read(offset, into) {
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
  };
}
