/** verifyBundle on a bundle with one byte changed, cut short, or grown. */
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../../src/core/base/bytes.ts';
import { readManifestEntry, walkPayloads } from '../../../src/core/bundle/layout.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import { verifyBundle } from '../../../src/core/trust/verify.ts';
import { accepted, codeOf } from '../base/outcome.ts';
import { MODEL, packed } from '../bundle/specimen.ts';
import { CONTEXT } from './trusting.ts';

const judge = (bytes: Uint8Array): string =>
  codeOf(verifyBundle(bytesSource(bytes), 'install', CONTEXT, { keep: ['model', 'guard'] }));

describe('damage', () => {
  const small = packed({ files: [{ ...MODEL, bytes: MODEL.bytes.subarray(0, 100) }] });

  it('the small bundle is good before', () => {
    expect(judge(small)).toBe('accepted');
    expect(small.length).toBeLessThan(12 * 1024);
  });

  const { endOffset } = accepted(readManifestEntry(bytesSource(small)));
  const files = accepted(verifyBundle(bytesSource(small), 'boot', CONTEXT)).meta.files;
  // Behind the manifest nothing is judged but by this walk, and it costs no signature.
  const walk = (bytes: Uint8Array): string =>
    codeOf(walkPayloads(bytesSource(bytes), endOffset, files, { keep: () => true }));
  const changed = (at: number, mask: number): Uint8Array => {
    const damaged = Uint8Array.from(small);
    damaged[at] = (damaged[at] as number) ^ mask;
    return damaged;
  };

  it('one changed byte anywhere is refused, at every offset, three ways', () => {
    const families = new Set<string>();
    const accept: string[] = [];
    const note = (code: string, at: number, mask: number): void => {
      families.add(code.slice(0, code.indexOf('.')));
      if (code === 'accepted') accept.push(`byte ${at} ^ ${mask}`);
    };
    for (let at = 0; at < small.length; at++) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const damaged = changed(at, mask);
        if (at >= endOffset) note(walk(damaged), at, mask);
        if (at < endOffset || at % 16 === 0) note(judge(damaged), at, mask);
      }
    }
    expect(accept).toEqual([]);
    expect([...families].sort()).toEqual(['bundle', 'cbor', 'cose', 'crypto', 'suit']);
  });

  it('cut at every length it is refused', () => {
    for (let length = 0; length < small.length; length++) {
      const cut = small.subarray(0, length);
      if (length >= endOffset) expect(walk(cut), `${length}`).toBe('bundle.truncated');
      if (length < endOffset || length % 16 === 0) expect(judge(cut)).toBe('bundle.truncated');
    }
  });

  it('with bytes behind, or before, it is refused', () => {
    expect(judge(concatBytes(small, new Uint8Array(512)))).toBe('bundle.trailing');
    expect(judge(concatBytes(new Uint8Array(512), small))).toBe('bundle.header');
    expect(judge(concatBytes(small, small))).toBe('bundle.trailing');
  });
});
