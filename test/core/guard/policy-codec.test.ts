import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { need } from '../../../src/core/base/fault.ts';
import { GUARD_POLICY_BYTES_MAX } from '../../../src/core/base/limits.ts';
import { fitGuardPolicy } from '../../../src/core/calibration/fit.ts';
import { rowOf } from '../../../src/core/calibration/rows.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { CborValue } from '../../../src/core/cose/value.ts';
import type { GuardPolicy } from '../../../src/core/guard/policy.ts';
import { decodeGuardPolicy, encodeGuardPolicy } from '../../../src/core/guard/policy-codec.ts';
import { simulatedInput, simulatedModel } from '../calibration/simulated.ts';
import { judgedNovelty } from './judged.ts';

const model = simulatedModel(3, 4);
const { outputs: _, ...input } = simulatedInput(model);
const full = need(
  fitGuardPolicy({ ...input, outputs: { scores: 'logits', features: 'features' } }),
);
const reduced = need(
  fitGuardPolicy({
    ...input,
    outputs: { scores: 'logits' },
    fit: { logits: input.fit.logits, sha256: input.fit.sha256 },
    calibration: { logits: input.calibration.logits, sha256: input.calibration.sha256 },
  }),
);
const usual = model.outputs(70, 6);
const strange = model.outputs(71, 6, 40);

describe('the guard policy as bytes', () => {
  it('comes back as it was, in both modes, and scores the same', () => {
    for (const policy of [full, reduced]) {
      const back = need(decodeGuardPolicy(encodeGuardPolicy(policy)));
      expect(back).toEqual(policy);
      expect(encodeGuardPolicy(back)).toEqual(encodeGuardPolicy(policy));
      expect(judgeAll(back)).toEqual(judgeAll(policy));
    }
  });

  it('does not keep views of the bytes it was read from', () => {
    const bytes = encodeGuardPolicy(full);
    const policy = need(decodeGuardPolicy(bytes));
    bytes.fill(0);
    expect(policy).toEqual(full);
  });

  it('is refused beyond its size limit before it is read', () => {
    const result = decodeGuardPolicy(new Uint8Array(GUARD_POLICY_BYTES_MAX + 1));
    expect(result).toMatchObject({ ok: false, fault: { code: 'policy.size' } });
  });
});

describe('a hostile policy, signed or not', () => {
  type Change = (at: (...path: (string | number)[]) => Place) => void;
  const cases: [string, string, Change][] = [
    ['has another profile', 'field.range', (at) => at('profile').set('edgeward-guard/9')],
    ['names its model by five bytes', 'field.range', (at) => at('model').set(new Uint8Array(5))],
    ['hides a member', 'field.unknown', (at) => at('backdoor').set(true)],
    ['hides a member inside', 'field.unknown', (at) => at('novelty', 'skip').set(true)],
    ['leaves the threshold out', 'field.missing', (at) => at('checks', 'threshold').remove()],
    ['is full without features', 'policy.detection', (at) => at('outputs', 'features').remove()],
    [
      'is full without statistics',
      'policy.detection',
      (at) => at('novelty', 'statistics').remove(),
    ],
    ['counts other halves', 'policy.length', (at) => at('promise', 'rows-half-a').set(60)],
    ['has a detector too few', 'policy.length', (at) => at('novelty', 'half-a').shorten()],
    ['has 4,096 classes', 'policy.length', (at) => at('novelty', 'classes').set(4096)],
    ['has 5 features', 'policy.length', (at) => at('novelty', 'statistics', 'features').set(5)],
    ['has one class', 'field.range', (at) => at('novelty', 'classes').set(1)],
    ['says NaN', 'policy.values', (at) => at('novelty', 'half-a', 0).double(3, NaN)],
    ['says Infinity', 'policy.values', (at) => at('checks', 'half-b').double(58, Infinity)],
    ['overflows', 'policy.values', (at) => at(...STATS, 'class-centres').double(1, -1e200)],
    [
      'lets two classes coincide',
      'policy.values',
      (at) => at(...STATS, 'head-distances').double(1, 0),
    ],
    [
      'maps all frames to one',
      'policy.values',
      (at) => at(...STATS, 'class-whitener').double(2, 0),
    ],
    ['turns a frame around', 'policy.values', (at) => at(...STATS, 'whole-whitener').double(9, -1)],
    ['is unsorted', 'policy.order', (at) => at('novelty', 'half-a', 2).double(0, 0)],
    ['is unsorted in half B', 'policy.order', (at) => at('checks', 'half-b').double(9, -1e9)],
    ['ranks nothing', 'policy.order', (at) => at(...SCALE, 'half-b').double(9, -1e9)],
    ['is unsorted in its scale', 'policy.order', (at) => at(...SCALE, 'half-a').double(9, -1e9)],
    ['has no scale', 'policy.order', (at) => at(...SCALE, 'half-a').set(new Uint8Array(59 * 8))],
    ['has half a scale', 'policy.length', (at) => at(...SCALE, 'half-a').set(new Uint8Array(58))],
    [
      'gives novelty to another check',
      'policy.shares',
      (at) => {
        at('checks', 'input').set(at(...SCALE).get() as CborValue);
        at(...SCALE).remove();
      },
    ],
    [
      'never varies',
      'policy.order',
      (at) => at('novelty', 'half-a', 1).set(new Uint8Array(59 * 8)),
    ],
    ['never reaches its threshold', 'policy.rank', (at) => at('checks', 'threshold').set(-1e9)],
    ['alarms always', 'policy.rank', (at) => at('checks', 'rank').set(59)],
    ['promises more', 'policy.rank', (at) => at('promise', 'false-alarms').set(0.01)],
    ['is surer', 'policy.rank', (at) => at('promise', 'confidence').set(0.99)],
    ['spends less', 'policy.shares', (at) => at(...SCALE, 'share').set(0.1)],
    ['promises nothing', 'field.range', (at) => at('promise', 'false-alarms').set(1)],
    ['asks for endless sums', 'field.range', (at) => at('promise', 'false-alarms').set(5e-324)],
    ['has a list as a map', 'field.type', (at) => at('novelty').set([1])],
    ['has an essay', 'field.range', (at) => at('promise', 'statement').set('x'.repeat(3000))],
  ];
  it.each(cases)('that %s is refused with %s', (_, code, change) => {
    expect(decodeGuardPolicy(changed(change))).toMatchObject({ ok: false, fault: { code } });
  });

  it('that adds statistics to reduced detection is refused', () => {
    const bytes = changed((at) => {
      at('detection').set('reduced');
      at('outputs', 'features').remove();
    });
    const result = decodeGuardPolicy(bytes);
    expect(result).toMatchObject({ ok: false, fault: { code: 'policy.detection' } });
  });

  it('with any byte changed is refused, or judges without a crash and still alarms on NaN', () => {
    const bytes = encodeGuardPolicy(full);
    let accepted = 0;
    let refused = 0;
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (place, flip) => {
        const damaged = bytes.slice();
        damaged[place] = (damaged[place] as number) ^ flip;
        const result = decodeGuardPolicy(damaged);
        if (!result.ok) refused += 1;
        else {
          accepted += 1;
          judgeAll(result.value);
        }
      }),
      { numRuns: 2000, seed: 5 },
    );
    expect(accepted).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(100);
  });

  it('cut short anywhere, or of any bytes, is refused', () => {
    const bytes = encodeGuardPolicy(reduced);
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeGuardPolicy(bytes.subarray(0, length)).ok).toBe(false);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (any) => {
        expect(decodeGuardPolicy(any).ok).toBe(false);
      }),
    );
  });

  it('with any one member replaced by any other value is refused or judges soundly', () => {
    const paths = allPaths(plain(full), []);
    const value = fc.oneof(
      fc.constantFrom<CborValue>(null, true, '', [], new Map(), -1, 0, 1, 2 ** 40, 1e99, -1e300),
      fc.uint8Array({ maxLength: 64 }),
      fc.double(),
    );
    fc.assert(
      fc.property(fc.constantFrom(...paths), value, (path, replacement) => {
        const result = decodeGuardPolicy(changed((at) => at(...path).set(replacement)));
        if (result.ok) judgeAll(result.value);
      }),
      { numRuns: 1000 },
    );
    expect(paths.length).toBeGreaterThan(30);
  });
});

const STATS: readonly string[] = ['novelty', 'statistics'];
const SCALE: readonly string[] = ['checks', 'novelty'];

/** Judges usual, strange and broken frames; every answer must be sound whatever the policy. */
function judgeAll(policy: GuardPolicy): unknown[] {
  const broken = {
    logits: { width: 3, data: usual.logits.data.map(() => NaN) },
    features: usual.features,
  };
  return [usual, strange, broken].flatMap((frames) =>
    Array.from({ length: 6 }, (_, row) => {
      const judged = judgedNovelty(policy, rowOf(frames.logits, row), rowOf(frames.features, row));
      expect(judged.score).toBeLessThanOrEqual(0);
      expect(judged.p).toBeGreaterThan(0);
      expect(judged.p).toBeLessThanOrEqual(1);
      expect(judged.alarm).toBe(judged.usualness < judged.threshold);
      if (frames === broken) expect(judged.alarm).toBe(true);
      return judged;
    }),
  );
}

/** One member of a decoded policy, to be changed in place. */
interface Place {
  get(): unknown;
  set(value: CborValue): void;
  remove(): void;
  shorten(): void;
  double(index: number, value: number): void;
}

type Node = Map<unknown, unknown> | unknown[];

/** The full policy's bytes after a change to its CBOR map. */
function changed(change: (at: (...path: (string | number)[]) => Place) => void): Uint8Array {
  const root = plain(full);
  change((...path) => {
    const last = path.at(-1) as string | number;
    const parent = path.slice(0, -1).reduce((node: Node, key) => child(node, key) as Node, root);
    return {
      get: () => child(parent, last),
      set: (value) => {
        if (Array.isArray(parent)) parent[last as number] = value;
        else parent.set(last, value);
      },
      remove: () => {
        (parent as Map<unknown, unknown>).delete(last);
      },
      shorten: () => {
        (child(parent, last) as unknown[]).pop();
      },
      double: (index, value) => {
        const bytes = child(parent, last) as Uint8Array;
        new DataView(bytes.buffer, bytes.byteOffset).setFloat64(index * 8, value, true);
      },
    };
  });
  return encodeCbor(root as unknown as CborValue);
}

function plain(policy: GuardPolicy): Map<unknown, unknown> {
  return need(decodeCbor(encodeGuardPolicy(policy))) as unknown as Map<unknown, unknown>;
}

function child(node: Node, key: string | number): unknown {
  return Array.isArray(node) ? node[key as number] : node.get(key);
}

function allPaths(node: unknown, path: (string | number)[]): (string | number)[][] {
  const here = path.length === 0 ? [] : [path];
  if (!(node instanceof Map) && !Array.isArray(node)) return here;
  const entries = [...node.entries()] as [string | number, unknown][];
  return [...here, ...entries.flatMap(([key, value]) => allPaths(value, [...path, key]))];
}
