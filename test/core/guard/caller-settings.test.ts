import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CALLERS_DECLARED_MAX } from '../../../src/core/base/limits.ts';
import {
  type CallerSettings,
  callerSettingsToMap,
  DEFAULT_CALLER_SETTINGS,
  parseCallerSettings,
  principalOf,
} from '../../../src/core/guard/caller-settings.ts';
import { codeOf } from '../base/outcome.ts';

const allowance = {
  perSecond: fc.double({ min: 1e-6, max: 1e9, noNaN: true }),
  burst: fc.integer({ min: 1, max: 1e9 }),
  budget: fc.nat(1e9),
};
const principal = fc.record({
  kind: fc.constantFrom('query' as const, 'sensor' as const),
  ...allowance,
});
const period = fc.integer({ min: 600_000, max: 2_678_400_000 });
const share = fc.double({ min: 0.5, max: 0.9, noNaN: true });
const anySettings: fc.Arbitrary<CallerSettings> = fc.record({
  principals: fc
    .dictionary(fc.stringMatching(/^[a-z0-9._-]{1,128}$/), principal, { maxKeys: 5 })
    .map((entries) => new Map(Object.entries(entries))),
  undeclared: fc.record(allowance),
  budgetPeriodMs: period,
  alpha: fc.double({ min: 1e-12, max: 0.1, noNaN: true }),
  noveltyLevel: fc.double({ min: 1e-6, max: 0.5, noNaN: true }),
  noveltyShare: share,
  nearShare: share,
  flipShare: share,
  quarantineMs: period,
  kills: fc.integer({ min: 1, max: 3 }),
  killWindowMs: period,
});

const messageOf = (value: unknown): string => {
  const parsed = parseCallerSettings(value);
  return parsed.ok ? 'ok' : parsed.fault.message;
};
const refusal = (value: unknown): string => codeOf(parseCallerSettings(value));

describe('caller settings', () => {
  it('survive the way through the signed map', () => {
    fc.assert(
      fc.property(anySettings, (settings) => {
        const map = callerSettingsToMap(settings);
        expect(parseCallerSettings(map)).toEqual({ ok: true, value: settings });
      }),
    );
  });

  it('take their defaults from an empty map', () => {
    const parsed = parseCallerSettings(new Map());
    expect(parsed).toEqual({ ok: true, value: DEFAULT_CALLER_SETTINGS });
  });

  it('give a principal the defaults of its kind, and one that is not declared those of a query', () => {
    const parsed = parseCallerSettings({
      principals: { camera: { kind: 'sensor' }, app: { kind: 'query', budget: 7 } },
      undeclared: { burst: 3 },
    });
    if (!parsed.ok) throw new Error(parsed.fault.message);
    expect(principalOf(parsed.value, 'camera')).toMatchObject({ kind: 'sensor', budget: 0 });
    expect(principalOf(parsed.value, 'app')).toMatchObject({ kind: 'query', budget: 7, burst: 40 });
    expect(principalOf(parsed.value, '?')).toMatchObject({
      kind: 'query',
      burst: 3,
      perSecond: 20,
    });
  });

  it('name the nearest known member', () => {
    expect(messageOf({ quarantine: 1 })).toContain('did you mean quarantineMs?');
    expect(messageOf({ principals: { a: { kind: 'query', bugdet: 1 } } })).toContain(
      'callers.principals.a.bugdet is not known here; did you mean budget?',
    );
    expect(messageOf({ undeclared: { perSeconds: 1 } })).toContain('did you mean perSecond?');
  });

  it('refuse what cannot be meant', () => {
    expect(refusal({ alpha: 0 })).toBe('field.range');
    expect(refusal({ kills: 4 })).toBe('field.range');
    expect(refusal({ kills: 1.5 })).toBe('field.type');
    expect(refusal({ killWindowMs: 1_000 })).toBe('field.range');
    expect(refusal({ nearShare: 0 })).toBe('field.range');
    expect(refusal({ noveltyShare: 0.04 })).toBe('field.range');
    expect(refusal({ undeclared: { perSecond: 0 } })).toBe('field.range');
    expect(refusal({ undeclared: { kind: 'sensor' } })).toBe('field.unknown');
    expect(refusal({ principals: { a: { kind: 'camera' } } })).toBe('field.range');
    expect(refusal({ principals: { a: {} } })).toBe('field.missing');
    expect(refusal({ principals: { '': { kind: 'query' } } })).toBe('field.range');
    expect(refusal({ principals: { '\ud800': { kind: 'query' } } })).toBe('field.range');
    expect(refusal({ principals: new Map([[1, { kind: 'query' }]]) })).toBe('field.range');
    const many = Array.from({ length: CALLERS_DECLARED_MAX + 1 }, (_, i) => `p${i}`);
    const principals = Object.fromEntries(many.map((name) => [name, { kind: 'query' }]));
    expect(refusal({ principals })).toBe('field.range');
  });

  it('never throw, whatever the map holds', () => {
    fc.assert(
      fc.property(fc.anything({ withMap: true }), (value) => {
        expect(refusal(value)).toMatch(/^(accepted|field\.[a-z]+)$/);
        expect(refusal({ principals: value })).toMatch(/^(accepted|field\.[a-z]+)$/);
      }),
    );
  });
});
