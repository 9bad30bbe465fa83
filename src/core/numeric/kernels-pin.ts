/**
 * SHA-256 of `edgeward-kernels.wasm`, the only WebAssembly that `wasm-kernels.ts` runs.
 *
 * The pinned compiler gives the same bytes everywhere; the build stops where they are others and
 * says what to write here. Changed with `wasm/` or the compiler, in the same commit.
 */
export const KERNELS_SHA256: string =
  'd6e7c4411efa0c7b96c7373c949b8c7bdec8455946488bfd45dcfd2eeb1e1de3';
