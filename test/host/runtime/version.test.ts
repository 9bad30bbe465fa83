/** The version that devices report and bundles ask for is the one that ships. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { EDGEWARD_VERSION } from '../../../src/host/runtime/version.ts';

it('EDGEWARD_VERSION is that of the package', () => {
  const url = new URL('../../../package.json', import.meta.url);
  expect(EDGEWARD_VERSION).toBe(JSON.parse(readFileSync(url, 'utf8')).version);
});
