/** Writing what a command makes: never over one of the files it was made from. */
import { realpathSync } from 'node:fs';
import { need } from '../../core/base/fault.ts';
import { writeFileAtomic } from '../../host/store/files.ts';
import { refuseCli } from './faults.ts';

/** Refuses with `cli.option` where `out` is one of `inputs` by whatever path, and `store.write`. */
export function writeOutput(
  out: string,
  bytes: Uint8Array,
  inputs: readonly (string | undefined)[],
): void {
  refuseOverwriting(out, inputs);
  need(writeFileAtomic(out, [bytes]));
}

/** The same refusal before any work is done, where there is much of it. */
export function refuseOverwriting(out: string, inputs: readonly (string | undefined)[]): void {
  const target = realPath(out);
  const same = inputs.find((path) => path !== undefined && realPath(path) === target);
  if (target !== undefined && same !== undefined) {
    throw refuseCli('cli.option', `--out ${out} would overwrite the input ${same}`);
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    // What is not there cannot be overwritten.
    return undefined;
  }
}
