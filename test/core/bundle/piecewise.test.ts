/** Reading ahead: the same judgement as reading piece by piece, and nothing left running behind it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AHEAD_CHUNK_BYTES } from '../../../src/core/base/limits.ts';
import { refuseBundle } from '../../../src/core/bundle/faults.ts';
import { type Walk, walkAhead, walkNow } from '../../../src/core/bundle/piecewise.ts';
import { type AheadSource, bytesSource } from '../../../src/core/bundle/source.ts';
import { verifyBundle, verifyBundleAhead } from '../../../src/core/trust/verify.ts';
import { faultIn } from '../base/outcome.ts';
import { CONTEXT } from '../trust/trusting.ts';
import { GUARD, MODEL, packed } from './specimen.ts';

const LARGE = {
  ...MODEL,
  bytes: Uint8Array.from(
    { length: 3 * AHEAD_CHUNK_BYTES + 77 },
    (_, i) => (i * 31 + (i >> 9)) & 255,
  ),
};
const BUNDLE = packed({ files: [LARGE, GUARD] });

interface Watched extends AheadSource {
  readonly reading: () => number;
  readonly most: () => number;
}

/** Bytes that come later, `atMost` at a time; two reads never go to the same memory. */
function slow(bytes: Uint8Array, atMost = bytes.length): Watched {
  const now = bytesSource(bytes);
  const open = new Set<Uint8Array>();
  let most = 0;
  return {
    ...now,
    async readAhead(offset, into) {
      for (const other of open) {
        const apart =
          other.buffer !== into.buffer ||
          other.byteOffset + other.length <= into.byteOffset ||
          into.byteOffset + into.length <= other.byteOffset;
        expect(apart).toBe(true);
      }
      open.add(into);
      most = Math.max(most, open.size);
      // Half of it stands there at once, so that who looks too early sees something else.
      into.fill(0xee);
      await new Promise((resolve) => setImmediate(resolve));
      open.delete(into);
      return now.read(offset, into.subarray(0, atMost));
    },
    reading: () => open.size,
    most: () => most,
  };
}

describe('reading ahead', () => {
  it.each([
    ['kept', ['model', 'guard']],
    ['not kept', []],
  ] as const)('gives what reading piece by piece gives, %s', async (_, keep) => {
    for (const atMost of [BUNDLE.length, 1, 70_001]) {
      const source = slow(BUNDLE, atMost);
      const ahead = await verifyBundleAhead(source, 'boot', CONTEXT, { keep });
      expect(ahead).toStrictEqual(verifyBundle(bytesSource(BUNDLE), 'boot', CONTEXT, { keep }));
      expect([ahead.ok, source.reading(), source.most()]).toStrictEqual([true, 0, 1]);
    }
  });

  it('finds every changed byte and every cut, as reading piece by piece does', async () => {
    const at = fc.integer({ min: 0, max: BUNDLE.length - 1 });
    await fc.assert(
      fc.asyncProperty(at, fc.boolean(), async (where, cut) => {
        const damaged = cut
          ? BUNDLE.subarray(0, where)
          : BUNDLE.map((byte, i) => (i === where ? byte ^ 1 : byte));
        const source = slow(damaged);
        const ahead = faultIn(await verifyBundleAhead(source, 'boot', CONTEXT));
        expect(ahead).toStrictEqual(faultIn(verifyBundle(bytesSource(damaged), 'boot', CONTEXT)));
        expect(source.reading()).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  const lies: [string, Partial<AheadSource>, string][] = [
    ['claims more than was asked for', { readAhead: async () => 2 ** 30 }, 'bundle.truncated'],
    ['claims no number', { readAhead: async () => Number.NaN }, 'bundle.truncated'],
    ['has nothing', { readAhead: async () => 0 }, 'bundle.truncated'],
    [
      'refuses',
      { readAhead: () => Promise.reject(refuseBundle('bundle.header', 'as a device does')) },
      'bundle.header',
    ],
  ];
  it.each(lies)('of a source that %s is refused', async (_, lie, code) => {
    const source = { ...bytesSource(BUNDLE), ...lie } as AheadSource;
    const result = await verifyBundleAhead(source, 'boot', CONTEXT);
    expect(faultIn(result).code).toBe(code);
  });

  it('waits for a read that nobody needs any more, and lets its failure be', async () => {
    let failed = false;
    const into = new Uint8Array(4);
    function* stops(): Walk<never> {
      yield { offset: 0, into, next: { offset: 4, into: new Uint8Array(4) } };
      throw refuseBundle('bundle.file-digest', 'not what was signed');
    }
    const source: AheadSource = {
      ...bytesSource(new Uint8Array(8)),
      async readAhead(offset, { length }) {
        if (offset === 0) return length;
        await new Promise((resolve) => setImmediate(resolve));
        failed = true;
        throw refuseBundle('bundle.truncated', 'it failed meanwhile');
      },
    };
    await expect(walkAhead(stops(), source)).rejects.toThrow('not what was signed');
    expect(failed).toBe(true);
  });

  it('and piece by piece both give the value of the walk', async () => {
    function* sums(): Walk<number> {
      let sum = 0;
      for (let offset = 0; offset < 3; offset++) {
        const into = new Uint8Array(1);
        yield { offset, into };
        sum += into[0] as number;
      }
      return sum;
    }
    const bytes = Uint8Array.of(1, 20, 300 & 255);
    expect(walkNow(sums(), bytesSource(bytes))).toBe(65);
    expect(await walkAhead(sums(), slow(bytes))).toBe(65);
  });
});
