/** Where the outside models, data and vectors are; tests that need them say so when they are absent. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(
  process.env['EDGEWARD_SHARED'] ?? resolve(import.meta.dirname, '../../shared'),
);

/** True on a machine without the shared models and data; under CI that is a failure instead. */
export const sharedMissing: boolean = !existsSync(resolve(root, 'models'));

if (sharedMissing && process.env['CI'] === 'true') {
  throw new Error(`the shared models and data are not at ${root}; set EDGEWARD_SHARED`);
}

export function sharedPath(relative: string): string {
  return resolve(root, relative);
}
