/** The guard's own documents: its policy, and what it remembers over a restart. */
import { decodeCallers, encodeCallers } from '../../src/core/guard/caller-codec.ts';
import { stepDrift } from '../../src/core/guard/drift.ts';
import { lnWealth } from '../../src/core/guard/drift-capital.ts';
import { decodeDriftState, encodeDriftState } from '../../src/core/guard/drift-codec.ts';
import { GUARD_AT_START } from '../../src/core/guard/guard.ts';
import type { GuardPolicy } from '../../src/core/guard/policy.ts';
import { decodeGuardPolicy, encodeGuardPolicy } from '../../src/core/guard/policy-codec.ts';
import { judgedNovelty } from '../core/guard/judged.ts';
import { codes, outputsOf, pass, usualSignals, wholeGuard } from '../core/guard/whole-model.ts';
import { changeCbor } from './cbor-changes.ts';
import * as document from './documents.ts';
import * as memory from './guard-documents.ts';
import type { Random } from './random.ts';
import { changed, sameBytes, type Target, trial } from './trial.ts';

const CBOR = /^cbor\./;

const cborOf = (original: Uint8Array, random: Random): Uint8Array =>
  changed(original, () => changeCbor(original, random));

export const GUARD_TARGETS: readonly Target[] = [
  {
    name: 'guard-policy',
    share: 5,
    firstGate: CBOR,
    trial(random) {
      const original = random.pick(document.POLICIES);
      const input = cborOf(original, random);
      return trial(
        input,
        () => decodeGuardPolicy(input),
        (policy) => {
          const { classes, statistics } = policy.novelty;
          const features = statistics && new Float32Array(statistics.features);
          const judged = judgedNovelty(policy, new Float32Array(classes), features);
          if (!(judged.p > 0 && judged.p <= 1)) return `an accepted policy gives p = ${judged.p}`;
          const unseen = judgedWhole(policy);
          if (unseen !== undefined) return unseen;
          return sameBytes(input, encodeGuardPolicy(policy));
        },
      );
    },
  },
  {
    name: 'drift-state',
    share: 3,
    firstGate: CBOR,
    trial(random) {
      const input = cborOf(random.pick(memory.DRIFT_STATES), random);
      return trial(
        input,
        () => decodeDriftState(input, memory.DRIFT, memory.OWNER),
        (state) => {
          const next = stepDrift(state, memory.DRIFT, { noveltyP: 0.5, inputP: 0.5, class: 1 });
          const { novelty, input: inputs, classes } = next.state;
          const wealth = [novelty, inputs, classes.capital].map(lnWealth);
          if (!wealth.every(Number.isFinite)) return `an accepted state steps to ${wealth}`;
          return sameBytes(input, encodeDriftState(state, memory.OWNER));
        },
      );
    },
  },
  {
    name: 'callers-state',
    share: 3,
    firstGate: CBOR,
    trial(random) {
      const input = cborOf(memory.CALLERS, random);
      const read = (bytes: Uint8Array) =>
        decodeCallers(bytes, memory.OWNER, memory.CALLER_SETTINGS, memory.NOW_MS);
      return trial(
        input,
        () => read(input),
        (state) => {
          let next = state;
          for (const name of ['camera', 'someone', 'another', 'new']) {
            for (const killed of [false, true]) {
              next = memory.stepped(next, name, { noveltyP: 0.5, killed }, memory.NOW_MS);
            }
          }
          const again = read(encodeCallers(next, memory.OWNER, memory.NOW_MS));
          return again.ok ? undefined : `what it steps to is refused: ${again.fault.message}`;
        },
      );
    },
  },
];

/** Numbers that are none must be found, whatever the parts of a policy are. */
function judgedWhole(policy: GuardPolicy): string | undefined {
  const guard = wholeGuard({ policy });
  let state = GUARD_AT_START;
  for (const [inputs, scores] of FRAMES) {
    const passed = pass(guard, state, { inputs, ran: { ok: true, value: outputsOf(scores) } });
    state = passed.state;
    const found = codes(passed).some((code) => code.startsWith('novelty.'));
    if (Number.isNaN(scores[0]) && !found) return 'scores of NaN are usual to an accepted policy';
  }
  return undefined;
}

const usual = usualSignals(5);
const FRAMES = [
  [usual(), [9, 0, 0]],
  [usual(), [Number.NaN, 0, 0]],
] as const;
