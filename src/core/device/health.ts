/** Judges one sample of a board against its profile: pure, so that every case is a table row. */
import type { BoardProfile } from './profile.ts';

/** What a probe could not read is `undefined`; nothing is guessed. */
export interface HealthSample {
  readonly temperatureMilliC?: number | undefined;
  readonly memoryAvailableBytes?: number | undefined;
  readonly underVoltage?: boolean | undefined;
  readonly throttled?: boolean | undefined;
  /** Counts up since the board started. */
  readonly overCurrentEvents?: number | undefined;
}

/** From best to worst. `unknown`: the profile promises a probe that gave nothing. */
export const HEALTH_LEVELS = ['good', 'unknown', 'degraded', 'critical'] as const;
export type HealthLevel = (typeof HEALTH_LEVELS)[number];

export type HealthCode =
  | 'health.temperature-high'
  | 'health.temperature-critical'
  | 'health.temperature-unknown'
  | 'health.memory-low'
  | 'health.memory-unknown'
  | 'health.under-voltage'
  | 'health.under-voltage-unknown'
  | 'health.throttled'
  | 'health.over-current';

export interface HealthFinding {
  readonly code: HealthCode;
  readonly level: Exclude<HealthLevel, 'good'>;
  /** The value that was judged and the limit it met, in the unit of the sample's member. */
  readonly value?: number;
  readonly limit?: number;
}

export interface HealthAssessment {
  /** The worst level of the findings; `good` without any. */
  readonly level: HealthLevel;
  readonly findings: readonly HealthFinding[];
}

/**
 * Compares `sample` with the limits of `profile`. With `previous`, an over-current count that rose
 * since then is a finding; a count that fell means that the board restarted and is not.
 *
 * A missing temperature, memory or under-voltage reading is a finding where the profile has the
 * limit or the probe. `throttled` and the over-current count are extra evidence that not every
 * kernel offers: their absence is not a finding.
 */
export function assessHealth(
  profile: BoardProfile,
  sample: HealthSample,
  previous: HealthSample = {},
): HealthAssessment {
  const findings = [
    judgeTemperature(profile, sample.temperatureMilliC),
    judgeMemory(profile, sample.memoryAvailableBytes),
    judgeSupply(profile, sample.underVoltage),
    sample.throttled === true ? finding('health.throttled', 'degraded') : undefined,
    judgeOverCurrent(sample.overCurrentEvents, previous.overCurrentEvents),
  ].filter((found) => found !== undefined);
  return { level: worst(findings), findings };
}

function judgeTemperature(
  { thermal }: BoardProfile,
  milliC: number | undefined,
): HealthFinding | undefined {
  if (thermal === undefined) return undefined;
  if (milliC === undefined) return finding('health.temperature-unknown', 'unknown');
  if (milliC >= thermal.criticalMilliC) {
    return finding('health.temperature-critical', 'critical', milliC, thermal.criticalMilliC);
  }
  if (milliC < thermal.warnMilliC) return undefined;
  return finding('health.temperature-high', 'degraded', milliC, thermal.warnMilliC);
}

function judgeMemory(
  { memoryAvailableWarnBytes }: BoardProfile,
  bytes: number | undefined,
): HealthFinding | undefined {
  if (bytes === undefined) return finding('health.memory-unknown', 'unknown');
  if (bytes >= memoryAvailableWarnBytes) return undefined;
  return finding('health.memory-low', 'degraded', bytes, memoryAvailableWarnBytes);
}

function judgeSupply(
  { probes }: BoardProfile,
  underVoltage: boolean | undefined,
): HealthFinding | undefined {
  if (underVoltage === true) return finding('health.under-voltage', 'degraded');
  if (underVoltage === false || probes.underVoltage === undefined) return undefined;
  return finding('health.under-voltage-unknown', 'unknown');
}

function judgeOverCurrent(
  events: number | undefined,
  before: number | undefined,
): HealthFinding | undefined {
  if (events === undefined || before === undefined || events <= before) return undefined;
  return finding('health.over-current', 'degraded', events, before);
}

function finding(
  code: HealthCode,
  level: HealthFinding['level'],
  value?: number,
  limit?: number,
): HealthFinding {
  if (value === undefined || limit === undefined) return { code, level };
  return { code, level, value, limit };
}

function worst(findings: readonly HealthFinding[]): HealthLevel {
  const ranks = findings.map(({ level }) => HEALTH_LEVELS.indexOf(level));
  return HEALTH_LEVELS[Math.max(0, ...ranks)] ?? 'critical';
}
