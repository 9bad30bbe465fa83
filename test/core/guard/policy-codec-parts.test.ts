/** A guard policy with every part as bytes, and hostile ones: refused, or sound in every judgement. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { need } from '../../../src/core/base/fault.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { CborValue } from '../../../src/core/cose/value.ts';
import { GUARD_AT_START } from '../../../src/core/guard/guard.ts';
import type { GuardPolicy } from '../../../src/core/guard/policy.ts';
import { decodeGuardPolicy, encodeGuardPolicy } from '../../../src/core/guard/policy-codec.ts';
import { settings } from './frames.ts';
import {
  codes,
  loudSignals,
  outputsOf,
  pass,
  UNPROBED,
  usualSignals,
  WHOLE,
  wholeGuard,
  wholePolicy,
} from './whole-model.ts';

type Path = readonly (string | number)[];
type Node = Map<unknown, unknown> | unknown[];

const PARTS = ['input', 'perturbation', 'drift', 'callers'] as const;
const [USUAL, LOUD] = [usualSignals(71)(), loudSignals(72)()];

/** Whatever was accepted judges every frame, and never takes for usual what is no number. */
function judgeAll(policy: GuardPolicy): readonly string[] {
  const guard = wholeGuard({ policy, settings: settings({ frozenFrames: 0 }) });
  let state = GUARD_AT_START;
  const context = { principal: 'someone' };
  const nan = { ok: true, value: outputsOf([Number.NaN, 0, 0]) } as const;
  const found: string[] = [];
  for (const given of [
    ...[{ inputs: USUAL }, { inputs: LOUD }, { inputs: USUAL, context }],
    ...[
      { inputs: LOUD, context },
      { inputs: USUAL, ran: nan },
    ],
  ]) {
    const passed = pass(guard, state, given);
    state = passed.state;
    for (const judged of [passed.judgement.novelty, passed.judgement.input]) {
      if (judged === undefined) continue;
      expect(judged.score).not.toBeNaN();
      expect(judged.p > 0 && judged.p <= 1).toBe(true);
    }
    for (const { value, p } of passed.judgement.reasons) {
      expect(value).not.toBeNaN();
      expect(p).not.toBeNaN();
    }
    found.push(...codes(passed), '|');
    if ('ran' in given) expect(codes(passed)).toContain('novelty.not-scored');
  }
  return found;
}

function plain(policy: GuardPolicy = WHOLE): Map<unknown, unknown> {
  return need(decodeCbor(encodeGuardPolicy(policy))) as unknown as Map<unknown, unknown>;
}

const get = (node: Node, key: string | number): unknown =>
  Array.isArray(node) ? node[key as number] : node.get(key);

/** The whole policy's bytes after a change to one member. */
function changed(path: Path, change: (parent: Node, key: string | number) => void): Uint8Array {
  const root = plain();
  const parent = path.slice(0, -1).reduce((node: Node, key) => get(node, key) as Node, root);
  change(parent, path.at(-1) as string | number);
  return encodeCbor(root as unknown as CborValue);
}

const set = (path: Path, value: unknown): Uint8Array =>
  changed(path, (parent, key) => {
    if (Array.isArray(parent)) parent[key as number] = value;
    else parent.set(key, value);
  });

const remove = (path: Path): Uint8Array =>
  changed(path, (parent, key) => {
    if (Array.isArray(parent)) parent.splice(key as number, 1);
    else parent.delete(key);
  });

function pathsOf(node: unknown, path: Path = []): Path[] {
  const here = path.length === 0 ? [] : [path];
  if (!(node instanceof Map) && !Array.isArray(node)) return here;
  const entries = [...node.entries()] as [string | number, unknown][];
  return [...here, ...entries.flatMap(([key, value]) => pathsOf(value, [...path, key]))];
}

const PATHS = pathsOf(plain());
const at = (path: Path): unknown =>
  path.reduce((node: unknown, key) => get(node as Node, key), plain());

function codeOf(bytes: Uint8Array): string {
  const result = decodeGuardPolicy(bytes);
  if (!result.ok) return result.fault.code;
  judgeAll(result.value);
  return 'accepted';
}

describe('a policy with every part as bytes', () => {
  it('has them, and comes back as it was', () => {
    for (const policy of [WHOLE, UNPROBED, wholePolicy({ when: 'risk', riskP: 0.25 })]) {
      const bytes = encodeGuardPolicy(policy);
      const back = need(decodeGuardPolicy(bytes));
      expect(back).toEqual(policy);
      expect(encodeGuardPolicy(back)).toEqual(bytes);
      expect(judgeAll(back)).toEqual(judgeAll(policy));
    }
    for (const part of PARTS) expect(WHOLE[part]).toBeDefined();
  });

  it('keeps no views of them', () => {
    const bytes = encodeGuardPolicy(WHOLE);
    const policy = need(decodeGuardPolicy(bytes));
    bytes.fill(0);
    expect(policy).toEqual(WHOLE);
  });
});

describe('a hostile policy with every part', () => {
  it('that lacks any member is refused, but for the parts that nothing else asks for', () => {
    const accepted = PATHS.filter((path) => codeOf(remove(path)) === 'accepted');
    expect(accepted.map((path) => path.join('.'))).toEqual([
      'drift',
      'drift.class-counts',
      'callers',
    ]);
  });

  it.each([
    ['a part without its share', remove(['checks', 'input']), 'policy.shares'],
    ['a tripwire without its share', remove(['checks', 'perturbation']), 'policy.shares'],
    ['novelty without its share', remove(['checks', 'novelty']), 'policy.shares'],
    ['a share without its part', remove(['input']), 'policy.shares'],
    ['a share without its tripwire', remove(['perturbation']), 'policy.shares'],
    ['a share of nothing', set(['checks', 'input', 'share'], 0), 'field.range'],
    ['a share below nothing', set(['checks', 'input', 'share'], -1 / 3), 'field.range'],
    ['shares above 1 together', set(['checks', 'input', 'share'], 1), 'policy.shares'],
    ['a share of NaN', set(['checks', 'input', 'share'], NaN), 'field.type'],
    ['another check', set(['checks', 'luck'], new Map()), 'field.unknown'],
    ['a table of no columns', set(['input', 'layout', 'kind'], 'table'), 'field.missing'],
    ['a signal of no samples', set(['input', 'layout', 'samples'], 0), 'field.range'],
    ['a signal of endless samples', set(['input', 'layout', 'samples'], 2 ** 53), 'field.range'],
    ['more channels than statistics', set(['input', 'layout', 'channels'], 2), 'policy.length'],
    ['one-sided statistics', set(['input', 'ranks', 'sides'], 'one'), 'field.range'],
    ['statistics of other rows', set(['input', 'ranks', 'quantiles'], 149), 'policy.length'],
    ['no filter', set(['perturbation', 'kind'], 'none'), 'field.range'],
    ['no frame at risk', set(['perturbation', 'risk-p'], 0), 'field.range'],
    ['no frame sampled', set(['perturbation', 'sample-every'], 0), 'field.range'],
    ['no budget of probes', set(['perturbation', 'probes-per-minute'], 0), 'field.range'],
    ['endless probes', set(['perturbation', 'probes-per-minute'], 1e9), 'field.range'],
    ['a drift alarm at once', set(['drift', 'alpha'], 1), 'policy.values'],
    ['a drift alarm never', set(['drift', 'alpha'], 0), 'policy.values'],
    ['a drift allowance without end', set(['drift', 'delta'], 1e-300), 'policy.values'],
    ['fewer classes that drift', set(['drift', 'class-counts'], [1, 2]), 'field.range'],
    ['classes that never came', set(['drift', 'class-counts'], [0, 0, 0]), 'policy.values'],
    ['half an answer', set(['drift', 'class-counts'], [0.5, 0.5, 1]), 'policy.values'],
    ['callers of other features', set(['callers', 'features'], 5), 'policy.length'],
    ['frames that are all near', set(['callers', 'near-distance'], 3), 'field.range'],
    ['frames that are never near', set(['callers', 'near-distance'], 0), 'field.range'],
    ['scenes within nearness', set(['callers', 'scene-distance'], 1e-9), 'field.range'],
    ['a rank that is not promised', set(['checks', 'rank'], 2), 'policy.rank'],
  ] as const)('with %s is refused', (_, bytes, code) => {
    expect(codeOf(bytes)).toBe(code);
  });

  it('with a threshold below every row is refused: it would hardly ever alarm', () => {
    const bytes = encodeGuardPolicy({
      ...WHOLE,
      checks: {
        ...WHOLE.checks,
        halfB: WHOLE.checks.halfB.map((_, i) => -1e8 + i),
        threshold: -1e8,
      },
    });
    expect(codeOf(bytes)).toBe('policy.rank');
  });

  it('with two members of one part swapped is refused or judges soundly', () => {
    let accepted = 0;
    for (const first of PATHS) {
      for (const second of PATHS) {
        // The same in both places, or one within the other, is no swap.
        if (first >= second || String(first).split(',')[0] !== String(second).split(',')[0])
          continue;
        const nested =
          String(second).startsWith(String(first)) || String(first).startsWith(String(second));
        if (nested) continue;
        const [a, b] = [at(first), at(second)];
        const root = plain();
        for (const [path, value] of [
          [first, b],
          [second, a],
        ] as const) {
          const parent = path
            .slice(0, -1)
            .reduce((node: Node, key) => get(node, key) as Node, root);
          if (Array.isArray(parent)) parent[path.at(-1) as number] = value;
          else parent.set(path.at(-1), value);
        }
        const result = decodeGuardPolicy(encodeCbor(root as unknown as CborValue));
        if (!result.ok) continue;
        accepted += 1;
        if (accepted % 10 === 0) judgeAll(result.value);
      }
    }
    expect(accepted).toBeGreaterThan(10);
  });

  it('with any member replaced is refused or judges soundly', () => {
    const value = fc.oneof(
      fc.constantFrom<CborValue>(null, true, '', [], new Map(), -1, 0, 1, 2, 2 ** 40, 1e99, -1e300),
      fc.uint8Array({ maxLength: 64 }),
      fc.double(),
    );
    fc.assert(
      fc.property(fc.constantFrom(...PATHS), value, (path, replacement) => {
        codeOf(set(path, replacement));
      }),
      { numRuns: 1500 },
    );
    expect(PATHS.length).toBeGreaterThan(60);
  });

  it('with any double replaced is refused or judges soundly', () => {
    const arrays = PATHS.filter((path) => at(path) instanceof Uint8Array && path.length > 1);
    const place = fc.constantFrom(...arrays);
    const double = fc.oneof(
      fc.constantFrom(0, -0, 5e-324, -5e-324, 1e99, -1e99, 1e-300, NaN, Infinity, -Infinity),
      fc.double(),
    );
    let accepted = 0;
    fc.assert(
      fc.property(place, fc.nat(), double, (path, entry, value) => {
        const bytes = (at(path) as Uint8Array).slice();
        if (bytes.length < 8) return;
        const offset = 8 * (entry % Math.floor(bytes.length / 8));
        new DataView(bytes.buffer).setFloat64(offset, value, true);
        if (codeOf(set(path, bytes)) === 'accepted') accepted += 1;
      }),
      { numRuns: 1500 },
    );
    expect(accepted).toBeGreaterThan(50);
  });

  it('with any byte changed, or cut short, is refused or judges soundly', () => {
    const bytes = encodeGuardPolicy(WHOLE);
    const codesSeen = new Map<string, number>();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (place, flip) => {
        const damaged = bytes.slice();
        damaged[place] = (damaged[place] as number) ^ flip;
        const code = codeOf(damaged);
        codesSeen.set(code, (codesSeen.get(code) ?? 0) + 1);
      }),
      { numRuns: 2000 },
    );
    expect(codesSeen.get('accepted')).toBeGreaterThan(100);
    expect(codesSeen.size).toBeGreaterThan(4);
    for (let length = 0; length < bytes.length; length += 7) {
      expect(decodeGuardPolicy(bytes.subarray(0, length)).ok).toBe(false);
    }
  });
});
