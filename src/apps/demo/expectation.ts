/** What must happen in the demo, code by code and count by count; it is seeded, so nothing varies. */
import type { Occurrence, Played } from './scenario.ts';

/** The floor for the fault that the model never saw, whatever is expected exactly. */
const UNSEEN_FLAGGED_MIN = 9;

const EXPECTED: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'integrity.installed': { ok: 3 },
  'integrity.boot-verified': { ok: 5 },
  'integrity.install-refused': { 'rollback.sequence': 1 },
  'integrity.boot-refused': { 'bundle.file-digest': 4 },
  normal: { release: 20 },
  'unseen-fault': { 'flag novelty.out-of-distribution': 10 },
  'frozen-sensor': { release: 2, 'substitute sensor.frozen': 3 },
  'not-a-number': { 'substitute contract.not-finite': 1 },
  'out-of-range': { 'substitute contract.range': 1 },
  'hung-model': { 'substitute inference.failed-deadline': 1 },
  repaired: { release: 1 },
  'one-slot-tampered': { release: 1 },
  tampered: { 'substitute mode.withholding': 1 },
  'message moved': { 'crypto.bad-signature': 1 },
  'message replayed': { replay: 1 },
};

export interface Comparison {
  /** How often each outcome was seen, by what happened. */
  readonly seen: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** In words; empty when everything is as expected. */
  readonly differences: readonly string[];
}

export function compare(played: Pick<Played, 'occurrences' | 'messages'>): Comparison {
  const seen = counted(played.occurrences);
  const differences: string[] = [];
  for (const what of new Set([...Object.keys(EXPECTED), ...Object.keys(seen)])) {
    const [expected, found] = [EXPECTED[what] ?? {}, seen[what] ?? {}];
    for (const outcome of new Set([...Object.keys(expected), ...Object.keys(found)])) {
      const [want, got] = [expected[outcome] ?? 0, found[outcome] ?? 0];
      if (want !== got) differences.push(`${what}: ${outcome} ${got} times, expected ${want}`);
    }
  }
  const flagged = seen['unseen-fault']?.['flag novelty.out-of-distribution'] ?? 0;
  if (flagged < UNSEEN_FLAGGED_MIN) differences.push(`only ${flagged} of 10 unseen were flagged`);
  const unexpected = played.messages.filter(({ outcome }) => outcome === 'caught').length - 2;
  if (unexpected !== 0) differences.push(`${unexpected} more messages were caught than planted`);
  for (const kind of ['birth', 'event', 'health'] as const) {
    const verified = played.messages.some(
      ({ outcome, envelope }) => outcome === 'verified' && envelope?.type === kind,
    );
    if (!verified) differences.push(`the subscriber verified no ${kind}`);
  }
  return { seen, differences };
}

function counted(occurrences: readonly Occurrence[]): Record<string, Record<string, number>> {
  const seen: Record<string, Record<string, number>> = {};
  for (const { what, outcome } of occurrences) {
    const outcomes = seen[what] ?? {};
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    seen[what] = outcomes;
  }
  return seen;
}
