/** What the fleet is told about one frame: codes and values of what was found, never the frame. */
import { CALLER_EVENT_PERIOD_MS, CALLERS_MAX } from '../../core/base/limits.ts';
import type { MonotonicMs } from '../../core/base/time.ts';
import type { Finding } from '../../core/guard/findings.ts';
import type { Judgement } from '../../core/guard/guard.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';

/** The events of frames, in turn. A caller who is refused a thousand times a second is one event. */
export class FrameEvents {
  readonly #toldMs = new Map<string, MonotonicMs>();

  /** One event for each family of findings; none for a frame that is as it should be. */
  of(
    judged: Judgement & { readonly frame: number },
    bundleDigest: Uint8Array,
    principal: string | undefined,
    nowMs: MonotonicMs,
  ): readonly EdgeEvent[] {
    const { frame, verdict, reasons, drift = [] } = judged;
    const about = { frame, verdict, bundleDigest };
    const events: EdgeEvent[] = [];
    for (const [type, checks] of REPORTED) {
      const found = reasons.filter(({ check }) => checks.includes(check));
      if (found.length > 0) events.push({ type, ...about, findings: found.map(summary) });
    }
    if (drift.length > 0) {
      events.push({ type: 'anomaly.drift', ...about, findings: drift.map(summary) });
    }
    if (principal !== undefined) {
      const found = reasons.filter(
        ({ check, code }) => check === 'caller' && this.#isNews(`${code} ${principal}`, nowMs),
      );
      if (found.length > 0) {
        const findings = found.map(summary);
        events.push({ type: 'anomaly.caller', ...about, principal, findings });
      }
    }
    return events;
  }

  #isNews(what: string, nowMs: MonotonicMs): boolean {
    const toldMs = this.#toldMs.get(what);
    if (toldMs !== undefined && nowMs - toldMs < CALLER_EVENT_PERIOD_MS) return false;
    // Many names in turn forget who was told of; they do not fill the memory.
    if (this.#toldMs.size >= CALLERS_MAX) this.#toldMs.clear();
    this.#toldMs.set(what, nowMs);
    return true;
  }
}

function summary({ code, value, threshold, p }: Finding) {
  return {
    code,
    ...(value !== undefined && { value }),
    ...(threshold !== undefined && { threshold }),
    ...(p !== undefined && { p }),
  };
}

const REPORTED: readonly (readonly [
  'input.finding' | 'anomaly.novelty' | 'output.finding',
  readonly Finding['check'][],
])[] = [
  ['input.finding', ['contract', 'sensor', 'input']],
  ['anomaly.novelty', ['novelty', 'perturbation']],
  ['output.finding', ['output']],
];
