/** Reads the vectors that others published, and holds every suite to the number of them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../src/core/base/bytes.ts';
import { sharedMissing, sharedPath } from '../shared.ts';

/** A suite over files in `vectors/`: skipped, with the reason, where they are absent. */
export function describeVectors(title: string, body: () => void): void {
  if (sharedMissing) it.skip(`${title} (shared vectors absent)`, () => undefined);
  else describe(title, body);
}

export function vectorText(path: string): string {
  return readFileSync(sharedPath(`vectors/${path}`), 'utf8');
}

/** The caller states the shape that the publisher documents. */
export function vectorJson<T>(path: string): T {
  return JSON.parse(vectorText(path)) as T;
}

/** Fails when a file, or what is read of it, shrinks; a larger number is to be looked at too. */
export function expectRan(suite: string, ran: number, expected: number): void {
  console.log(`${suite}: ${ran} vectors ran`);
  expect(ran, `${suite}: vectors that ran`).toBe(expected);
}

/** Hexadecimal with any white space. */
export function hex(text: string): Uint8Array {
  const bytes = fromHex(text.replaceAll(/\s/g, ''));
  if (bytes === undefined) throw new Error(`no hex: ${text}`);
  return bytes;
}
