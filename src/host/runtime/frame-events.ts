/** What the fleet is told about one frame: codes and values of what was found, never the frame. */
import type { Finding } from '../../core/guard/findings.ts';
import type { Judgement } from '../../core/guard/guard.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';

/** One event for each family of findings; none for a frame that is as it should be. */
export function frameEvents(
  { frame, verdict, reasons }: Judgement & { readonly frame: number },
  bundleDigest: Uint8Array,
): readonly EdgeEvent[] {
  return REPORTED.flatMap(([type, checks]) => {
    const found = reasons.filter(({ check }) => checks.includes(check));
    if (found.length === 0) return [];
    const findings = found.map(({ code, value, threshold, p }) => ({
      code,
      ...(value !== undefined && { value }),
      ...(threshold !== undefined && { threshold }),
      ...(p !== undefined && { p }),
    }));
    return [{ type, frame, verdict, bundleDigest, findings }];
  });
}

const REPORTED: readonly (readonly [
  'input.finding' | 'anomaly.novelty' | 'output.finding',
  readonly Finding['check'][],
])[] = [
  ['input.finding', ['contract', 'sensor']],
  ['anomaly.novelty', ['novelty']],
  ['output.finding', ['output']],
];
