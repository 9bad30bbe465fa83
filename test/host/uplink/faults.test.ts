import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UPLINK_FAULTS } from '../../../src/host/uplink/faults.ts';

describe('uplink faults', () => {
  it('are each produced by a test of this folder', () => {
    const tests = readdirSync(import.meta.dirname)
      .filter((name) => name.endsWith('.test.ts') && name !== 'faults.test.ts')
      .map((name) => readFileSync(`${import.meta.dirname}/${name}`, 'utf8'))
      .join('\n');
    for (const code of Object.keys(UPLINK_FAULTS)) expect(tests).toContain(`'${code}'`);
  });
});
