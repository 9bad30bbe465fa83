/** Reads a `Result` in a test: its code, or its value. */
import { expect } from 'vitest';
import type { Result } from '../../../src/core/base/fault.ts';

/** The code of the fault, or `accepted`. */
export function codeOf(result: Result<unknown>): string {
  return result.ok ? 'accepted' : result.fault.code;
}

/** The value of a result that a test expects to be good. */
export function accepted<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(`${result.fault.code}: ${result.fault.message}`);
}

/** The whole fault of a result that a test expects to be refused, complete and on one line. */
export function faultIn(result: Result<unknown>): { code: string; message: string; next: string } {
  if (result.ok) throw new Error('accepted, where a fault was expected');
  expect(result.fault.message).toMatch(/^[^\n]+$/);
  expect(result.fault.next).toMatch(/^[A-Z].*\.$/);
  return result.fault;
}
