/** The damage suite in its short extent: `npm run damage` is the long one. */
import { describe, expect, it } from 'vitest';
import { equalBytes, toHex } from '../../src/core/base/bytes.ts';
import { ok } from '../../src/core/base/fault.ts';
import type { VerifiedBundle } from '../../src/core/trust/verify.ts';
import { accepted, codeOf } from '../core/base/outcome.ts';
import { tarOf } from '../fuzz/archive-changes.ts';
import { readTree, writeTree } from '../fuzz/cbor-tree.ts';
import { everyByte, everyChange, lineOf } from './damage.ts';
import { membersOf } from './member-changes.ts';
import { LARGE_BUNDLE } from './specimens.ts';
import { damageSuite, manifestChanges, specimensOf } from './suite.ts';

const EXTENT = { long: false, seed: 1 };

describe('damage', () => {
  it.each(specimensOf({ ...EXTENT, long: true }))('$name is accepted as it is', (specimen) => {
    expect(codeOf(specimen.judge(specimen.bytes))).toBe('accepted');
    expect(specimen.bytes.length).toBeLessThanOrEqual(12 * 1024);
  });

  it('is refused wherever it is done, never throws, and every layer has its own words', () => {
    const tallies = [...damageSuite(EXTENT)];
    console.log(tallies.map(lineOf).join('\n'));
    for (const { what, accepted, thrown } of tallies) {
      expect({ what, accepted, thrown }).toEqual({ what, accepted: [], thrown: [] });
    }
    const tallyOf = (what: string) => tallies.find((one) => one.what === what);
    const tried = (what: string): number => tallyOf(what)?.tried ?? 0;
    for (const { name, bytes } of specimensOf(EXTENT)) {
      expect(tried(`${name}, one changed byte`)).toBe(3 * bytes.length);
      expect(tried(`${name}, cut short`)).toBe(bytes.length);
      expect(tried(`${name}, grown`)).toBe(5 * (Math.ceil(bytes.length / 512) + 1));
    }
    expect(tried('root, items changed')).toBeGreaterThan(500);
    expect(tried('telemetry event, items changed')).toBeGreaterThan(450);
    expect(tried('bundle of two signers, members changed')).toBeGreaterThan(240);
    expect(tried('bundle, items of its manifest changed')).toBeGreaterThan(1500);
    const codes = tallyOf('bundle, one changed byte')?.codes.keys() ?? [];
    const families = new Set([...codes].map((code) => code.slice(0, code.indexOf('.'))));
    expect([...families].sort()).toEqual(['bundle', 'cbor', 'cose', 'crypto', 'suit']);
    expect([...(tallyOf('bundle, cut short')?.codes.keys() ?? [])]).toEqual(['bundle.truncated']);
  });

  it('leaves one freedom: the order of the signature blocks, which nobody signs', () => {
    const moved = [...manifestChanges(LARGE_BUNDLE)].filter(([what]) => what.includes('moved'));
    const tally = everyChange(LARGE_BUNDLE, 'items of its manifest moved', moved);
    expect(tally.tried).toBeGreaterThan(200);
    expect(tally.thrown).toEqual([]);
    const surviving = moved.filter(([what]) => tally.accepted.includes(what));
    const [original, ...others] = [LARGE_BUNDLE.bytes, ...surviving.map(([, bytes]) => bytes)].map(
      (bytes) => {
        const verified = accepted(LARGE_BUNDLE.judge(bytes)) as VerifiedBundle;
        return { ...verified, signers: verified.signers.map(toHex).sort() };
      },
    );
    expect(new Set(surviving.map(([, bytes]) => toHex(bytes))).size).toBe(1);
    for (const other of others) expect(other).toEqual(original);
  });
});

describe('the damage suite itself', () => {
  it('takes documents apart without loss', () => {
    const members = membersOf(LARGE_BUNDLE.bytes);
    expect(members.map(({ path }) => path)).toEqual([
      'manifest.suit',
      'model.onnx',
      'guard.cbor',
      'NOTICE',
    ]);
    expect(equalBytes(tarOf(members), LARGE_BUNDLE.bytes)).toBe(true);
    const [{ bytes } = { bytes: new Uint8Array(0) }] = members;
    const tree = readTree(bytes);
    expect(tree && equalBytes(writeTree(tree, true), bytes)).toBe(true);
  });

  it('tells of a judge that accepts, and of one that throws', () => {
    const bytes = Uint8Array.of(1, 2);
    const lax = everyByte({ name: 'lax', bytes, judge: () => ok(1) }, EXTENT);
    expect(lax.accepted).toHaveLength(6);
    expect(lineOf(lax)).toContain('6 tried, 6 accepted, 0 thrown');
    const judge = (): never => {
      throw new RangeError('out');
    };
    const broken = everyChange({ name: 'broken', bytes, judge }, 'all', [
      ['same', bytes],
      ['other', Uint8Array.of(3)],
    ]);
    expect(broken.thrown).toEqual(['other: RangeError: out']);
  });
});
