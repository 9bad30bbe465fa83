import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TELEMETRY_FAULTS } from '../../../src/core/telemetry/faults.ts';

describe('telemetry faults', () => {
  it('are each produced by a test of this folder', () => {
    const tests = readdirSync(import.meta.dirname)
      .filter((name) => name.endsWith('.test.ts') && name !== 'faults.test.ts')
      .map((name) => readFileSync(`${import.meta.dirname}/${name}`, 'utf8'))
      .join('\n');
    for (const code of Object.keys(TELEMETRY_FAULTS)) expect(tests).toContain(`'${code}'`);
  });
});
