/** The boot record comes back as it was written, and in no other shape. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TRIAL_ATTEMPTS } from '../../../src/core/base/limits.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import { cborMap } from '../../../src/core/cose/value.ts';
import { sealRecord } from '../../../src/core/crypto/mac.ts';
import {
  type BootRecord,
  decodeBootRecord,
  EMPTY_BOOT_RECORD,
  encodeBootRecord,
} from '../../../src/core/update/boot-record.ts';
import type { SlotEntry } from '../../../src/core/update/slot-table.ts';
import { accepted, codeOf } from '../base/outcome.ts';

const KEY = new Uint8Array(32).fill(3);
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
const entry: fc.Arbitrary<SlotEntry> = fc.oneof(
  fc.constant({ state: 'empty' as const }),
  fc.record({ state: fc.constantFrom('staging', 'staged', 'confirmed'), manifestSha256: digest }),
  fc.record({
    state: fc.constant('trial' as const),
    manifestSha256: digest,
    attemptsLeft: fc.nat({ max: TRIAL_ATTEMPTS }),
  }),
  fc.record({ state: fc.constant('bad' as const), reason: fc.stringMatching(/^[a-z.-]{1,60}$/) }),
);
const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const slot = fc.constantFrom('A', 'B', 'GOLDEN');
const record: fc.Arbitrary<BootRecord> = fc.record(
  {
    generation: fc.nat(),
    pin: fc.record({ vendor: fc.string({ maxLength: 99 }), hardwareClass: name, model: name }),
    active: slot,
    confirming: slot,
    rebuilt: fc.boolean(),
    slots: fc.record({ A: entry, B: entry, GOLDEN: entry }),
  },
  { requiredKeys: ['generation', 'rebuilt', 'slots'] },
);

const FULL: BootRecord = {
  generation: 7,
  pin: { vendor: 'example.com', hardwareClass: 'pi', model: 'rotor' },
  active: 'A',
  confirming: 'B',
  rebuilt: false,
  slots: {
    A: { state: 'confirmed', manifestSha256: new Uint8Array(32).fill(1) },
    B: { state: 'trial', manifestSha256: new Uint8Array(32).fill(2), attemptsLeft: 1 },
    GOLDEN: { state: 'bad', reason: 'rollback.security-version' },
  },
};

describe('the boot record', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(record, (written) => {
        expect(accepted(decodeBootRecord(encodeBootRecord(written, KEY), KEY))).toEqual(written);
      }),
    );
  });

  it('is of another device when another key sealed it', () => {
    const bytes = encodeBootRecord(FULL, new Uint8Array(32).fill(4));
    expect(codeOf(decodeBootRecord(bytes, KEY))).toBe('update.record-mac');
  });

  it('shows every flipped byte and every cut', () => {
    const bytes = encodeBootRecord(FULL, KEY);
    for (let at = 0; at < bytes.length; at++) {
      const flipped = bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
      expect(codeOf(decodeBootRecord(flipped, KEY))).toBe('update.record-mac');
      expect(codeOf(decodeBootRecord(bytes.subarray(0, at), KEY))).toBe('update.record-mac');
    }
  });

  it('is refused in any other shape, also with the right key', () => {
    const sealed = (profile: string) =>
      codeOf(decodeBootRecord(sealRecord(KEY, encodeCbor(cborMap(['profile', profile]))), KEY));
    expect(sealed('edgeward-boot/2')).toBe('update.record-malformed');
    expect(sealed('edgeward-boot/1')).toMatch(/^field\./);
    expect(codeOf(decodeBootRecord(new Uint8Array(5000), KEY))).toBe('update.record-malformed');
    const unknown = { ...EMPTY_BOOT_RECORD, slots: { ...FULL.slots, A: { state: 'golden' } } };
    const bytes = encodeBootRecord(unknown as unknown as BootRecord, KEY);
    expect(codeOf(decodeBootRecord(bytes, KEY))).toBe('field.range');
  });
});
