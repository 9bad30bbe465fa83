/** Everything on disk that the tests of the program need: keys, root, model, recordings, bundles. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeKey } from '../../../src/apps/maker/keys.ts';
import { need } from '../../../src/core/base/fault.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { npy, toyModel, toyRows } from '../maker/toy.ts';
import { outputOf } from './program.ts';

export const METADATA: Readonly<Record<string, unknown>> = {
  vendor: 'example.com',
  description: 'A toy',
  inputs: { x: { range: [-20, 20] } },
  outputs: { logits: { labels: ['left', 'right', 'straight'] } },
  safeOutput: { outputs: { logits: [0, 0, 9] } },
};

export class ToyBench {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'edgeward-bench-'));

  at(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, bytes: Uint8Array | string): string {
    writeFileSync(this.at(name), bytes);
    return this.at(name);
  }

  npy(name: string, tensor: Tensor): string {
    return this.write(name, npy(tensor));
  }

  /** A copy of a file with one bit of one byte changed. */
  damaged(name: string, at: number): string {
    const bytes = new Uint8Array(readFileSync(this.at(name)));
    bytes[at] = (bytes[at] as number) ^ 1;
    return this.write(`damaged-${at}-${name}`, bytes);
  }

  calibrate(...more: string[]): string[] {
    return [
      ...['calibrate', '--model', this.at('toy.onnx'), '--fit', this.at('fit.npy')],
      ...['--labels', this.at('labels.npy'), '--calibration', this.at('calibration.npy')],
      ...['--false-alarms', '0.05', '--out', this.at('guard.cbor'), ...more],
    ];
  }

  pack(out: string, ...more: string[]): string[] {
    return [
      ...['pack', '--model', this.at('toy.onnx'), '--metadata', this.at('toy.json')],
      ...['--name', 'toy', '--version', '1.2.3', '--security-version', '7', '--class', 'bench'],
      ...['--key', this.at('release.key'), '--out', this.at(out), ...more],
    ];
  }

  /** `command BUNDLE --root ROOT` and what follows. */
  trusting(command: string, bundle: string, ...more: string[]): string[] {
    return [command, this.at(bundle), '--root', this.at('root.cbor'), ...more];
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Development keys, `root.cbor`, `toy.onnx`, recordings, `guard.cbor`, and two bundles made by the
 * program itself: `toy.bundle` (guarded) and `plain.bundle` (contract only).
 */
export async function openToyBench(): Promise<ToyBench> {
  const bench = new ToyBench();
  for (const name of ['root', 'release']) need(makeKey(bench.at(name), true));
  bench.write('toy.onnx', toyModel());
  bench.write('toy.json', JSON.stringify(METADATA));
  const fit = toyRows(1, 150);
  bench.npy('fit.npy', fit.x);
  bench.npy('labels.npy', fit.labels);
  bench.npy('calibration.npy', toyRows(2, 200).x);
  bench.npy('usual.npy', toyRows(3, 40).x);
  bench.npy('strange.npy', toyRows(4, 20, 6).x);
  await outputOf([
    ...['root', 'init', '--root-key', bench.at('root.key')],
    ...['--release-key', bench.at('release.pub'), '--out', bench.at('root.cbor')],
  ]);
  await outputOf(bench.calibrate());
  await Promise.all([
    outputOf(bench.pack('toy.bundle', '--guard', bench.at('guard.cbor'))),
    outputOf(bench.pack('plain.bundle', '--contract-only')),
  ]);
  return bench;
}
