import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';
import { loadKernels } from '../../../src/host/inference/kernels-file.ts';
import { compiledKernels } from '../../compiled-kernels.ts';

const folder = mkdtempSync(join(tmpdir(), 'kernels-'));
afterAll(() => rmSync(folder, { recursive: true }));

const built = await compiledKernels();

function fileOf(name: string, bytes: Uint8Array): URL {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return pathToFileURL(path);
}

describe('the kernels file', () => {
  it('gives the WASM kernels', () => {
    const { kernels, fault } = loadKernels(fileOf('built.wasm', built));
    expect(fault).toBeUndefined();
    expect(kernels.name).toBe('wasm-simd');
  });

  it('gives the reference and the reason where it is missing', () => {
    const { kernels, fault } = loadKernels(pathToFileURL(join(folder, 'none.wasm')));
    expect(kernels).toBe(referenceKernels);
    expect(fault?.code).toBe('inference.kernels-file');
    expect(fault?.message).toContain('ENOENT');
  });

  it('gives the reference and the reason where it is another', () => {
    const { kernels, fault } = loadKernels(fileOf('cut.wasm', built.slice(0, -1)));
    expect(kernels).toBe(referenceKernels);
    expect(fault?.code).toBe('kernels.digest');
  });

  it('is looked for in the package, and its absence is no failure', () => {
    const { kernels, fault } = loadKernels();
    if (fault === undefined) expect(kernels.name).toBe('wasm-simd');
    else expect(kernels).toBe(referenceKernels);
  });
});
