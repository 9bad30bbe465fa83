/** What callers are told: codes without numbers, and outputs as the signed settings say. */
import { describe, expect, it } from 'vitest';
import type { IoSchema } from '../../../src/core/bundle/io-schema.ts';
import {
  DEFAULT_CALLER_SETTINGS,
  type Principal,
} from '../../../src/core/guard/caller-settings.ts';
import type { Source } from '../../../src/core/guard/decision.ts';
import { disclosed } from '../../../src/core/guard/disclosure.ts';
import { FINDINGS, type FindingCode, finding } from '../../../src/core/guard/findings.ts';
import type { Judgement } from '../../../src/core/guard/guard.ts';
import { DEFAULT_GUARD_SETTINGS, type GuardSettings } from '../../../src/core/guard/settings.ts';

const SCHEMA: IoSchema = {
  inputs: [],
  outputs: [
    { name: 'scores', dtype: 'float32', dims: [1, 3], role: 'scores', probabilities: true },
    { name: 'features', dtype: 'float32', dims: [1, 2], role: 'features' },
  ],
};
const CAMERA: Principal = { kind: 'sensor', perSecond: 1, burst: 1, budget: 0 };
const SETTINGS: GuardSettings = {
  ...DEFAULT_GUARD_SETTINGS,
  disclosure: { topK: 1, decimals: 1, features: false },
  callers: { ...DEFAULT_CALLER_SETTINGS, principals: new Map([['camera', CAMERA]]) },
};
const OUTPUTS = new Map([
  ['scores', { dtype: 'float32', dims: [1, 3], data: Float32Array.of(0.72, 0.2, 0.08) }],
  ['features', { dtype: 'float32', dims: [1, 2], data: Float32Array.of(7, 8) }],
] as const);
const numbered = (code: FindingCode) =>
  finding(code, 'the usualness 0.0123 is below 0.0456', {
    value: 0.0123,
    threshold: 0.0456,
    p: 0.01,
  });

function judged(source: Source = 'model'): Judgement & { readonly frame: number } {
  return {
    ...{ verdict: 'flag', source, outputs: OUTPUTS, mode: 'NOMINAL', frame: 9 },
    novelty: { score: -2.5, p: 0.01 },
    input: { score: -3.5, p: 0.02 },
    reasons: [numbered('novelty.out-of-distribution'), numbered('drift.novelty')],
    drift: [numbered('drift.novelty')],
    words: 'flag, gives the model output: novelty.out-of-distribution: the usualness 0.0123',
  };
}
const told = (principal: string | undefined, source?: Source) =>
  disclosed(judged(source), principal, SCHEMA, SETTINGS);
const names = (told: Judgement): string[] => [...(told.outputs?.keys() ?? [])];

describe('who has no principal', () => {
  it('is told all, as it is', () => {
    const whole = judged();
    expect(disclosed(whole, undefined, SCHEMA, SETTINGS)).toBe(whole);
  });
});

describe('a caller', () => {
  it('is told verdict, mode and codes, and no number of a check', () => {
    const answer = told('somebody');
    expect(answer).toEqual({
      ...{ verdict: 'flag', source: 'model', mode: 'NOMINAL', frame: 9 },
      outputs: expect.any(Map),
      reasons: (['novelty.out-of-distribution', 'drift.novelty'] as const).map((code) => ({
        ...{ code, check: code.slice(0, code.indexOf('.')), detail: FINDINGS[code] },
      })),
      drift: [{ code: 'drift.novelty', check: 'drift', detail: FINDINGS['drift.novelty'] }],
      words: `flag: ${FINDINGS['novelty.out-of-distribution']}`,
    });
    const { outputs: _, frame: __, ...rest } = answer;
    expect(JSON.stringify(rest)).not.toMatch(/\d/);
  });

  it('finds no number in the meaning of any code', () => {
    for (const words of Object.values(FINDINGS).filter((words) => !/sum to 1\./.test(words))) {
      expect(words).not.toMatch(/\d/);
    }
  });

  it.each(['model', 'last-good'] as const)('gets what the model gave minimised (%s)', (source) => {
    const answer = told('somebody', source);
    expect(names(answer)).toEqual(['scores']);
    expect(answer.outputs?.get('scores')?.data).toEqual(Float32Array.of(0.7, 0, 0));
  });

  it('gets a declared safe output as it was declared', () => {
    expect(told('somebody', 'safe').outputs).toBe(OUTPUTS);
  });

  it('that the settings declare a sensor gets the outputs whole, and no scores of checks', () => {
    const { outputs, ...answer } = told('camera');
    expect(outputs).toBe(OUTPUTS);
    expect([answer.novelty, answer.input]).toEqual([undefined, undefined]);
    expect(JSON.stringify(answer.reasons)).not.toMatch(/\d/);
  });

  it('is told of a frame with nothing found that it was released, and no more', () => {
    const fine: Judgement = {
      ...{ verdict: 'release', source: 'none', outputs: undefined, mode: 'NOMINAL' },
      ...{ reasons: [], words: 'release, gives the model output: nothing was found' },
    };
    expect(disclosed(fine, 'somebody', SCHEMA, SETTINGS)).toEqual({ ...fine, words: 'release' });
  });
});
