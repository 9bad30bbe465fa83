import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { decodeStatus, encodeStatus, STATUSES } from '../../../src/core/telemetry/status.ts';

describe('status', () => {
  it('is small JSON that reads back', () => {
    for (const status of STATUSES) {
      expect(decodeStatus(encodeStatus(status))).toEqual({ ok: true, value: status });
    }
    expect(new TextDecoder().decode(encodeStatus('offline'))).toBe('{"v":1,"status":"offline"}');
  });

  it.each([
    ['{"v":1', 'telemetry.json'],
    [`{"v":1,"status":"online"${' '.repeat(300)}}`, 'telemetry.json'],
    ['{"v":2,"status":"online"}', 'telemetry.version'],
    ['{"v":1,"status":"fine"}', 'field.range'],
    ['{"v":1,"status":"online","x":1}', 'field.unknown'],
    ['[]', 'field.type'],
    ['{"v":1}', 'field.missing'],
  ])('refuses %s', (text, code) => {
    expect(decodeStatus(utf8(text))).toMatchObject({ ok: false, fault: { code } });
  });

  it('is total', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        decodeStatus(bytes);
      }),
    );
  });
});
