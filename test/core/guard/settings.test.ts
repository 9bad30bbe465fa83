import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_CALLER_SETTINGS } from '../../../src/core/guard/caller-settings.ts';
import {
  ACTIONS,
  DEFAULT_GUARD_SETTINGS,
  type GuardSettings,
  guardSettingsToMap,
  parseGuardSettings,
} from '../../../src/core/guard/settings.ts';

const hard = fc.constantFrom('substitute' as const, 'withhold' as const);
const any = fc.constantFrom(...ACTIONS);
const share = fc.double({ min: 0, max: 1, noNaN: true });
const few = fc.integer({ min: 0, max: 4096 });
const anySettings: fc.Arbitrary<GuardSettings> = fc.record({
  actions: fc.record({
    ...{ contract: hard, caller: hard, inference: hard },
    ...{ sensor: any, input: any, novelty: any, perturbation: any, drift: any, output: any },
  }),
  holdMaxMs: fc.integer({ min: 1, max: 600_000 }),
  holdsMax: fc.integer({ min: 1, max: 64 }),
  sensors: fc.record({
    ...{ stuckChannel: fc.boolean(), timeOrder: fc.boolean() },
    ...{ dropoutShare: share, saturatedShare: share, deadLines: few, replayFrames: few },
  }),
  temporal: fc.record({
    ...{ flipWindowFrames: few, flipsMax: few, confidenceMin: share },
    changePerSMax: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
  }),
  disclosure: fc.record({
    ...{ topK: few, decimals: fc.integer({ min: 0, max: 17 }), features: fc.boolean() },
  }),
  callers: fc.constantFrom(DEFAULT_CALLER_SETTINGS, {
    ...DEFAULT_CALLER_SETTINGS,
    ...{ alpha: 0.01, kills: 1 },
  }),
  frozenFrames: fc.oneof(fc.constant(0), fc.integer({ min: 2, max: 1_000 })),
  lastGoodMaxAgeMs: fc.integer({ min: 0, max: 86_400_000 }),
  shadow: fc.boolean(),
  probabilitySumTolerance: fc.double({ min: 0, max: 1, noNaN: true }),
});

const codeOf = (value: unknown): string => {
  const parsed = parseGuardSettings(value);
  return parsed.ok ? 'ok' : parsed.fault.code;
};

describe('guard settings', () => {
  it('survive the way through the signed map', () => {
    fc.assert(
      fc.property(anySettings, (settings) => {
        const map = guardSettingsToMap(settings);
        expect(parseGuardSettings(map)).toEqual({ ok: true, value: settings });
      }),
    );
  });

  it('take their defaults from an empty map, and never share them', () => {
    const parsed = parseGuardSettings(new Map());
    expect(parsed).toEqual({ ok: true, value: DEFAULT_GUARD_SETTINGS });
    expect(parsed.ok && parsed.value.actions).not.toBe(DEFAULT_GUARD_SETTINGS.actions);
  });

  it('name the nearest known member', () => {
    const parsed = parseGuardSettings({ frozenFrame: 3 });
    expect(parsed).toMatchObject({ ok: false, fault: { code: 'field.unknown' } });
    expect(!parsed.ok && parsed.fault.message).toContain('did you mean frozenFrames?');
    expect(codeOf({ actions: { novlty: 'flag' } })).toBe('field.unknown');
  });

  it('refuse what cannot be meant', () => {
    expect(codeOf({ frozenFrames: 1 })).toBe('field.range');
    expect(codeOf({ frozenFrames: 1_001 })).toBe('field.range');
    expect(codeOf({ frozenFrames: 2.5 })).toBe('field.type');
    expect(codeOf({ lastGoodMaxAgeMs: 86_400_001 })).toBe('field.range');
    expect(codeOf({ shadow: 1 })).toBe('field.type');
    expect(codeOf({ probabilitySumTolerance: Number.NaN })).toBe('field.type');
    expect(codeOf({ actions: { contract: 'flag' } })).toBe('field.range');
    expect(codeOf({ actions: { inference: 'flag' } })).toBe('field.range');
    expect(codeOf({ actions: { contract: 'hold' } })).toBe('field.range');
    expect(codeOf({ holdMaxMs: 0 })).toBe('field.range');
    expect(codeOf({ sensors: { deadLine: 1 } })).toBe('field.unknown');
    expect(codeOf({ callers: { kills: 0 } })).toBe('field.range');
    expect(codeOf({ temporal: [] })).toBe('field.type');
    expect(codeOf('flag')).toBe('field.type');
  });

  it('never throw, whatever the map holds', () => {
    fc.assert(
      fc.property(fc.anything({ withMap: true }), (value) => {
        expect(['ok', 'field.type', 'field.range', 'field.unknown']).toContain(codeOf(value));
      }),
    );
  });
});
