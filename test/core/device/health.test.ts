/** Every row of the health judgement, from a sample to its level. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assessHealth, HEALTH_LEVELS, type HealthSample } from '../../../src/core/device/health.ts';
import type { BoardProfile } from '../../../src/core/device/profile.ts';

const board: BoardProfile = {
  name: 'board',
  architecture: 'arm64',
  memoryBytes: 2 ** 30,
  memoryAvailableWarnBytes: 2 ** 26,
  wasmPagesMax: 4096,
  threads: 1,
  runDeadlineMs: 1000,
  sessionDeadlineMs: 30_000,
  thermal: { warnMilliC: 80_000, criticalMilliC: 85_000 },
  probes: {
    memory: 'proc/meminfo',
    thermalZoneTypes: [],
    underVoltage: { hwmon: 'rpi_volt', attribute: 'in0_lcrit_alarm' },
  },
  sources: [],
  notes: [],
};
const well: HealthSample = {
  temperatureMilliC: 79_999,
  memoryAvailableBytes: 2 ** 26,
  underVoltage: false,
  throttled: false,
  overCurrentEvents: 3,
};

describe('assessHealth', () => {
  it('finds nothing in a well board at the edge of its limits', () => {
    expect(assessHealth(board, well, well)).toEqual({ level: 'good', findings: [] });
  });

  it.each([
    ['health.temperature-high', 'degraded', { temperatureMilliC: 80_000 }],
    ['health.temperature-critical', 'critical', { temperatureMilliC: 85_000 }],
    ['health.temperature-unknown', 'unknown', { temperatureMilliC: undefined }],
    ['health.memory-low', 'degraded', { memoryAvailableBytes: 2 ** 26 - 1 }],
    ['health.memory-unknown', 'unknown', { memoryAvailableBytes: undefined }],
    ['health.under-voltage', 'degraded', { underVoltage: true }],
    ['health.under-voltage-unknown', 'unknown', { underVoltage: undefined }],
    ['health.throttled', 'degraded', { throttled: true }],
    ['health.over-current', 'degraded', { overCurrentEvents: 4 }],
  ])('reports %s as %s', (code, level, change) => {
    const found = assessHealth(board, { ...well, ...change }, well);
    expect(found.level).toBe(level);
    expect(found.findings.map((finding) => finding.code)).toEqual([code]);
  });

  it('states the value and the limit that it met', () => {
    const [finding] = assessHealth(board, { ...well, temperatureMilliC: 81_500 }).findings;
    expect(finding).toEqual({
      code: 'health.temperature-high',
      level: 'degraded',
      value: 81_500,
      limit: 80_000,
    });
  });

  it('takes the worst of several findings', () => {
    const bad = { temperatureMilliC: 90_000, underVoltage: true };
    const found = assessHealth(board, bad);
    expect(found.level).toBe('critical');
    expect(found.findings).toHaveLength(3);
  });

  it('knows nothing about an empty sample, and does not call that good', () => {
    expect(assessHealth(board, {}).level).toBe('unknown');
  });

  it('does not take a restarted over-current counter for an event', () => {
    expect(assessHealth(board, { ...well, overCurrentEvents: 0 }, well).level).toBe('good');
  });

  it('does not judge a temperature without limits, nor miss a probe nobody promised', () => {
    const { thermal: _, ...rest } = board;
    const plain = { ...rest, probes: { memory: 'proc/meminfo', thermalZoneTypes: [] } };
    const sample = { temperatureMilliC: 150_000, memoryAvailableBytes: 2 ** 29 };
    expect(assessHealth(plain, sample)).toEqual({ level: 'good', findings: [] });
  });
});

describe('every sample', () => {
  const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
  const anySample: fc.Arbitrary<HealthSample> = fc.record({
    temperatureMilliC: optional(fc.integer({ min: -60_000, max: 200_000 })),
    memoryAvailableBytes: optional(fc.nat(2 ** 27)),
    underVoltage: optional(fc.boolean()),
    throttled: optional(fc.boolean()),
    overCurrentEvents: optional(fc.nat(10)),
  });
  const rank = (sample: HealthSample): number =>
    HEALTH_LEVELS.indexOf(assessHealth(board, sample, well).level);

  it('has the level of its worst finding, and none better for a worse or missing reading', () => {
    fc.assert(
      fc.property(anySample, fc.nat(10_000), fc.nat(2 ** 20), (sample, hotter, less) => {
        const { level, findings } = assessHealth(board, sample, well);
        const ranks = findings.map((found) => HEALTH_LEVELS.indexOf(found.level));
        expect(HEALTH_LEVELS.indexOf(level)).toBe(Math.max(0, ...ranks));
        const { temperatureMilliC: milliC, memoryAvailableBytes: bytes } = sample;
        const worse: HealthSample[] = [
          { ...sample, underVoltage: true },
          { ...sample, throttled: true },
          ...(milliC === undefined ? [] : [{ ...sample, temperatureMilliC: milliC + hotter }]),
          ...(bytes === undefined ? [] : [{ ...sample, memoryAvailableBytes: bytes - less }]),
        ];
        for (const other of worse) expect(rank(other)).toBeGreaterThanOrEqual(rank(sample));
        for (const name of ['temperatureMilliC', 'memoryAvailableBytes', 'underVoltage'] as const) {
          const blind = { ...well, [name]: undefined };
          expect(rank(blind)).toBeGreaterThan(rank(well));
        }
      }),
      { seed: 87 },
    );
  });
});
