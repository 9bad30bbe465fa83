/**
 * What drift has seen so far as bytes, so that a restart forgets nothing. The evidence is one
 * against a certain calibration set: under another policy it says nothing and is refused.
 */
import { equalBytes } from '../base/bytes.ts';
import {
  attempt,
  type FaultTable,
  need,
  type Refusal,
  type Result,
  refusing,
} from '../base/fault.ts';
import { Fields, refuseField } from '../base/fields.ts';
import { DRIFT_STATE_BYTES_MAX } from '../base/limits.ts';
import { decodeCbor } from '../cose/decode.ts';
import { encodeCbor } from '../cose/encode.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { DRIFT_AT_START, type DriftState } from './drift.ts';
import type { Capital } from './drift-capital.ts';
import { type ClassState, MEMORY } from './drift-classes.ts';
import { type DriftPolicy, readNumbers } from './drift-policy.ts';

export type DriftFaultCode = 'drift.other-policy';

export const DRIFT_FAULTS: FaultTable<DriftFaultCode> = {
  'drift.other-policy': 'Begin anew: the evidence was gathered against another calibration set.',
};

const refuseDrift: (code: DriftFaultCode, message: string) => Refusal = refusing(DRIFT_FAULTS);

const PROFILE = 'edgeward-drift/1';
/** Far beyond what the money can come to, both ways. */
const LN_MAX = 100;
/** Every step of it can still be counted. */
const FRAMES_MAX: number = 2 ** 52;
const SUM_TOLERANCE = 1e-9;

/** @param policySha256 of the guard policy's bytes, which name their model and hold the bank */
export function encodeDriftState(state: DriftState, policySha256: Uint8Array): Uint8Array {
  const { novelty, input, classes } = state;
  return encodeCbor(
    cborMap(
      ['profile', PROFILE],
      ['policy', policySha256],
      ['novelty', capitalMap(novelty)],
      ['input', capitalMap(input)],
      ['classes', cborMap(['capital', capitalMap(classes.capital)], ['recent', classes.recent])],
    ),
  );
}

/**
 * Total on hostile bytes: whatever is accepted can be stepped on and encoded again. Faults:
 * `drift.other-policy`, `cbor.*`, `field.*`; after any of them the caller begins with
 * `DRIFT_AT_START` and says so.
 */
export function decodeDriftState(
  bytes: Uint8Array,
  policy: DriftPolicy,
  policySha256: Uint8Array,
): Result<DriftState> {
  return attempt(() => {
    const map = Fields.of('drift', need(decodeCbor(bytes, { bytesMax: DRIFT_STATE_BYTES_MAX })));
    map.oneOf('profile', [PROFILE]);
    if (!equalBytes(map.bytes('policy', 32), policySha256)) {
      throw refuseDrift('drift.other-policy', 'the state is of another guard policy');
    }
    const state = {
      novelty: readCapital(map.map('novelty'), DRIFT_AT_START.novelty),
      input: readCapital(map.map('input'), DRIFT_AT_START.input),
      classes: readClasses(map.map('classes'), policy.frequencies?.shares.length ?? 0),
    };
    map.done();
    return state;
  });
}

function capitalMap({ frames, lnStaked, stakes }: Capital): CborMap {
  return cborMap(['frames', frames], ['ln-staked', lnStaked], ['stakes', stakes]);
}

function readCapital(map: Fields, { stakes: start }: Capital): Capital {
  const frames = map.integer('frames', 0, FRAMES_MAX);
  const lnStaked = map.number('ln-staked', -LN_MAX, LN_MAX);
  const stakes = readNumbers(map, 'stakes', start.length, 0, 1);
  map.done();
  if (!(Math.abs(sumOf(stakes) - 1) <= SUM_TOLERANCE)) {
    throw refuseField('field.range', `${map.at('stakes')} adds up to ${sumOf(stakes)}`);
  }
  return { frames, lnStaked, stakes };
}

function readClasses(map: Fields, groups: number): ClassState {
  const capital = readCapital(map.map('capital'), DRIFT_AT_START.classes.capital);
  // Before the first answer there is none to remember.
  const recent = readNumbers(map, 'recent', capital.frames === 0 ? 0 : groups, 0, MEMORY);
  map.done();
  const total = sumOf(recent);
  const begun = capital.frames > 0;
  if (total > MEMORY * (1 + SUM_TOLERANCE) || begun !== total > 0) {
    throw refuseField('field.range', `${map.at('recent')} adds up to ${total}`);
  }
  return { capital, recent };
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
