/** Reads the WASM kernels from the package's own files. */
import { readFileSync } from 'node:fs';
import type { Fault } from '../../core/base/fault.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import type { Kernels } from '../../core/numeric/kernels.ts';
import { referenceKernels } from '../../core/numeric/reference.ts';
import { openWasmKernels } from '../../core/numeric/wasm-kernels.ts';
import { inferenceFault } from './faults.ts';

export interface LoadedKernels {
  readonly kernels: Kernels;
  /** Why these are the reference kernels, which do the same work in more time: worth a report. */
  readonly fault?: Fault;
}

/**
 * The WASM kernels, or the reference where they cannot be had. Faults: `inference.kernels-file`,
 * `kernels.*`. Synchronous, some milliseconds; what it returns keeps memory of its own.
 *
 * @param file the built file; that of the package unless stated
 */
export function loadKernels(file: URL = builtFile()): LoadedKernels {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (thrown) {
    const fault = inferenceFault('inference.kernels-file', String(thrown));
    return { kernels: referenceKernels, fault };
  }
  const opened = openWasmKernels(bytes, sha256);
  if (opened.ok) return { kernels: opened.value };
  return { kernels: referenceKernels, fault: opened.fault };
}

/** Beside this file when it is built, else what `npm run build` left. */
function builtFile(): URL {
  const folder = import.meta.url.endsWith('.ts') ? '../../../dist/' : './';
  return new URL(`${folder}edgeward-kernels.wasm`, import.meta.url);
}
