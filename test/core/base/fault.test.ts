/** Expected failures travel as values, programmer errors do not. */
import { describe, expect, it } from 'vitest';
import {
  AssertionFailure,
  assert,
  attempt,
  attemptAsync,
  err,
  type FaultTable,
  faultOf,
  need,
  ok,
  refusing,
} from '../../../src/core/base/fault.ts';
import { FAULT_MESSAGE_CHARS_MAX } from '../../../src/core/base/limits.ts';
import { codeOf } from './outcome.ts';

const TABLE: FaultTable<'sample.bad'> = { 'sample.bad': 'Do it again.' };
const refuse = refusing(TABLE);

describe('attempt', () => {
  it('gives the value, or the fault of a refusal with code, message and next', () => {
    expect(attempt(() => 7)).toEqual(ok(7));
    const result = attempt(() => {
      throw refuse('sample.bad', 'seen at byte 3');
    });
    const fault = { code: 'sample.bad', message: 'seen at byte 3', next: 'Do it again.' };
    expect(result).toEqual(err(fault));
  });

  it('passes a refusal through every depth unchanged', () => {
    const inner = attempt(() => {
      throw refuse('sample.bad', 'deep');
    });
    const outer = attempt(() => need(attempt(() => need(inner))));
    expect(outer).toEqual(inner);
  });

  it('lets programmer errors out', () => {
    expect(() => attempt(() => assert(false, 'a bug'))).toThrow(AssertionFailure);
    expect(() => attempt(() => (undefined as unknown as string).length)).toThrow(TypeError);
    expect(() => assert(true, 'fine')).not.toThrow();
  });

  it('does the same for a body that awaits', async () => {
    expect(await attemptAsync(async () => 7)).toEqual(ok(7));
    const refused = await attemptAsync(async () => {
      await Promise.resolve();
      throw refuse('sample.bad', 'later');
    });
    expect(codeOf(refused)).toBe('sample.bad');
    const broken = attemptAsync(() => Promise.reject(new TypeError('a bug')));
    await expect(broken).rejects.toThrow(TypeError);
  });
});

describe('the message of a fault', () => {
  const messageOf = (text: string): string => faultOf(TABLE, 'sample.bad', text).message;

  it('shows control characters of the input instead of passing them to a terminal or a log', () => {
    expect(messageOf('made for \u001b[2J\r\nok: verified')).toBe(
      'made for \\u001b[2J\\u000d\\u000aok: verified',
    );
    expect(messageOf('a\u009b1mb\u007f')).toBe('a\\u009b1mb\\u007f');
    expect(messageOf('evil\u202etxt.exe\u2028')).toBe('evil\\u202etxt.exe\\u2028');
  });

  it('keeps every other text as it is', () => {
    const text = 'größer als 5 °C, "model.onnx" — 温度';
    expect(messageOf(text)).toBe(text);
  });

  it('stays short, whatever the input holds', () => {
    const message = messageOf(`the name ${'x'.repeat(70_000)}`);
    expect(message.length).toBe(FAULT_MESSAGE_CHARS_MAX);
    expect(message.endsWith('…')).toBe(true);
    expect(messageOf('x'.repeat(FAULT_MESSAGE_CHARS_MAX)).length).toBe(FAULT_MESSAGE_CHARS_MAX);
  });
});
