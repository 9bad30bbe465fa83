import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DRIFT_STATE_BYTES_MAX } from '../../../src/core/base/limits.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { CborValue } from '../../../src/core/cose/value.ts';
import { DRIFT_AT_START, type DriftState, stepDrift } from '../../../src/core/guard/drift.ts';
import {
  DRIFT_FAULTS,
  decodeDriftState,
  encodeDriftState,
} from '../../../src/core/guard/drift-codec.ts';
import { driftPolicy } from '../../../src/core/guard/drift-policy.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';

const TERMS = { alpha: 0.01, delta: 0.01, bankRows: 300 };
const POLICY = driftPolicy({ ...TERMS, classCounts: [50, 150, 100] });
const PLAIN = driftPolicy(TERMS);
const SHA = new Uint8Array(32).fill(3);
const OTHER = new Uint8Array(32).fill(4);

const frames = fc.array(
  fc.record(
    {
      noveltyP: fc.double({ min: 0.001, max: 0.999, noNaN: true }),
      inputP: fc.double({ min: 0.001, max: 0.999, noNaN: true }),
      class: fc.nat(2),
    },
    { requiredKeys: [] },
  ),
  { maxLength: 60 },
);
const stepped = (inputs: readonly object[], policy = POLICY): DriftState =>
  inputs.reduce(
    (state: DriftState, input) => stepDrift(state, policy, input).state,
    DRIFT_AT_START,
  );

describe('a drift state as bytes', () => {
  it('comes back as it was to the last bit, whatever came before', () => {
    fc.assert(
      fc.property(frames, fc.boolean(), (inputs, plain) => {
        const policy = plain ? PLAIN : POLICY;
        const state = stepped(inputs, policy);
        const bytes = encodeDriftState(state, SHA);
        expect(accepted(decodeDriftState(bytes, policy, SHA))).toEqual(state);
        expect(bytes.length).toBeLessThan(DRIFT_STATE_BYTES_MAX / 4);
      }),
      { seed: 7 },
    );
  });

  it('fits with the most groups that there are', () => {
    const many = driftPolicy({ ...TERMS, classCounts: Array<number>(4096).fill(1) });
    let state = DRIFT_AT_START;
    for (let i = 0; i < 300; i++) state = stepDrift(state, many, { class: (i * 997) % 4096 }).state;
    const bytes = encodeDriftState(state, SHA);
    expect(bytes.length).toBeLessThan(DRIFT_STATE_BYTES_MAX);
    expect(accepted(decodeDriftState(bytes, many, SHA))).toEqual(state);
  });

  it('is refused under another policy, with what to do next', () => {
    const bytes = encodeDriftState(stepped([{ noveltyP: 0.1, class: 1 }]), SHA);
    const fault = faultIn(decodeDriftState(bytes, POLICY, OTHER));
    expect(fault.code).toBe('drift.other-policy');
    expect(fault.next).toBe(DRIFT_FAULTS['drift.other-policy']);
  });
});

describe('hostile bytes', () => {
  const good = stepped(Array<object>(20).fill({ noveltyP: 0.3, inputP: 0.6, class: 1 }));
  const bytes = encodeDriftState(good, SHA);

  /** The state with one member changed, by its path. */
  function changed(path: readonly string[], value: CborValue): Uint8Array {
    const map = accepted(decodeCbor(bytes)) as Map<string, CborValue>;
    const inner = path
      .slice(0, -1)
      .reduce((at, name) => at.get(name) as Map<string, CborValue>, map);
    inner.set(path.at(-1) as string, value);
    return encodeCbor(map);
  }

  it.each<[string, string, readonly string[], CborValue]>([
    ['another profile', 'field.range', ['profile'], 'edgeward-drift/9'],
    ['a short digest', 'field.range', ['policy'], new Uint8Array(5)],
    ['a member too many', 'field.unknown', ['more'], 1],
    ['a member too many inside', 'field.unknown', ['input', 'more'], 1],
    ['NaN', 'field.type', ['input', 'ln-staked'], Number.NaN],
    ['boundless wealth', 'field.range', ['input', 'ln-staked'], 1e6],
    ['frames below none', 'field.range', ['novelty', 'frames'], -1],
    ['frames beyond counting', 'field.range', ['novelty', 'frames'], 2 ** 52 + 1],
    ['half a frame', 'field.type', ['novelty', 'frames'], 0.5],
    ['a bet too few', 'field.range', ['novelty', 'stakes'], [0.5, 0.5]],
    ['a bet too many', 'field.range', ['novelty', 'stakes'], [0.5, 0.5, 0, 0, 0, 0]],
    ['stakes beyond the money', 'field.range', ['novelty', 'stakes'], [1, 1, 1, 1, 1]],
    ['a negative stake', 'field.range', ['novelty', 'stakes'], [-0.5, 0.5, 0.5, 0.25, 0.25]],
    ['a group too few', 'field.range', ['classes', 'recent'], [1, 2]],
    ['too long a memory', 'field.range', ['classes', 'recent'], [150, 150, 150]],
    ['no memory of its answers', 'field.range', ['classes', 'recent'], [0, 0, 0]],
    ['no list', 'field.type', ['classes', 'recent'], 'many'],
    ['no map', 'field.type', ['classes', 'capital'], 7],
  ])('%s is %s', (_, code, path, value) => {
    expect(codeOf(decodeDriftState(changed(path, value), POLICY, SHA))).toBe(code);
  });

  it('answers that this policy cannot have seen are refused', () => {
    expect(codeOf(decodeDriftState(bytes, PLAIN, SHA))).toBe('field.range');
  });

  it('too many bytes are refused before they are read', () => {
    const many = new Uint8Array(DRIFT_STATE_BYTES_MAX + 1);
    expect(codeOf(decodeDriftState(many, POLICY, SHA))).toBe('cbor.size');
  });

  it('every cut and every changed byte is refused, or a state that can be stepped on', () => {
    let refused = 0;
    const judge = (hostile: Uint8Array): void => {
      const read = decodeDriftState(hostile, POLICY, SHA);
      if (!read.ok) {
        expect(read.fault.code).toMatch(/^(cbor|field|drift)\./);
        refused++;
        return;
      }
      const { state } = stepDrift(read.value, POLICY, { noveltyP: 0.4, inputP: 0.4, class: 0 });
      const again = decodeDriftState(encodeDriftState(state, SHA), POLICY, SHA);
      expect(accepted(again)).toEqual(state);
    };
    for (let length = 0; length < bytes.length; length++) judge(bytes.subarray(0, length));
    expect(refused).toBe(bytes.length);
    for (let at = 0; at < bytes.length; at++) {
      for (const mask of [1, 0x10, 0x80, 0xff]) {
        const hostile = bytes.slice();
        hostile[at] = (hostile[at] as number) ^ mask;
        judge(hostile);
      }
    }
    expect(refused).toBeGreaterThan(2 * bytes.length);
  });

  it('bytes of any kind never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (any) => {
        expect(decodeDriftState(any, POLICY, SHA).ok).toBe(false);
      }),
      { seed: 8 },
    );
  });
});
