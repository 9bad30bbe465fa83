/**
 * Counts what readers ask the engine for, before they get it: a length that came from outside and
 * was believed shows here, even where nothing is written to the memory. To be installed before the
 * modules under test are loaded, in a thread of its own.
 */

const METERED = [
  'ArrayBuffer',
  'Uint8Array',
  'Int8Array',
  'Uint16Array',
  'Int16Array',
  'Uint32Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
] as const;

export interface AllocationMeter {
  /** Bytes asked for since the last reset. */
  readonly bytes: number;
  reset(): void;
}

export function installAllocationMeter(): AllocationMeter {
  let bytes = 0;
  for (const name of METERED) {
    const Original = globalThis[name] as unknown as new (...parts: unknown[]) => object;
    const bytesEach = 'BYTES_PER_ELEMENT' in Original ? Number(Original.BYTES_PER_ELEMENT) : 1;
    const Metered: object = new Proxy(Original, {
      construct(target, parts: unknown[], newTarget): object {
        const [first] = parts;
        if (typeof first === 'number') bytes += first * bytesEach;
        else if (ArrayBuffer.isView(first)) bytes += first.byteLength;
        return Reflect.construct(target, parts, newTarget === Metered ? target : newTarget);
      },
    });
    Object.defineProperty(globalThis, name, { value: Metered, configurable: true, writable: true });
  }
  return {
    get bytes() {
      return bytes;
    },
    reset() {
      bytes = 0;
    },
  };
}
