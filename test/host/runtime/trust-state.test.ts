/** What a device trusts: its root file, and a clock that is never before what it has seen. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT_BYTES_MAX } from '../../../src/core/base/limits.ts';
import { timeFloorMs } from '../../../src/core/trust/admissible.ts';
import { EMPTY_FLOOR } from '../../../src/core/trust/floor.ts';
import { readRoot, trustContext } from '../../../src/host/runtime/trust-state.ts';
import { EDGEWARD_VERSION } from '../../../src/host/runtime/version.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { scratch } from '../store/folder.ts';
import { ROOT, rootBytes, stillClock } from './releases.ts';

const folder = scratch();

function written(bytes: Uint8Array): string {
  const path = join(folder(), 'root.cbor');
  writeFileSync(path, bytes);
  return path;
}

describe('readRoot', () => {
  it('reads a root that its keys signed', () => {
    expect(accepted(readRoot(written(rootBytes()))).sha256).toEqual(ROOT.sha256);
  });

  it('refuses every flipped byte, every cut, and more bytes than a root may have', () => {
    const whole = rootBytes();
    for (let i = 0; i < whole.length; i++) {
      const bad = Uint8Array.from(whole);
      bad[i] = (bad[i] as number) ^ 1;
      expect(codeOf(readRoot(written(bad))), `byte ${i}`).not.toBe('accepted');
    }
    expect(codeOf(readRoot(written(whole.subarray(0, -1))))).not.toBe('accepted');
    expect(codeOf(readRoot(written(new Uint8Array(0))))).not.toBe('accepted');
    expect(codeOf(readRoot(written(new Uint8Array(ROOT_BYTES_MAX + 1))))).toBe('store.too-large');
  });
});

describe('trustContext', () => {
  it('takes the clock at its word, beside a floor that it cannot lower, and no class that is not known', () => {
    const floors = { ...EMPTY_FLOOR, clockFloorMs: 2e12 };
    const context = (unixMs: number) =>
      trustContext(ROOT, floors, 'production', undefined, stillClock(unixMs));
    expect([context(5).nowMs, timeFloorMs(context(5))]).toEqual([5, 2e12]);
    expect('hardwareClass' in context(5)).toBe(false);
    expect(context(5)).toMatchObject({ profile: 'production', guardVersion: EDGEWARD_VERSION });
  });
});
