/** One case of the fuzzer: an input, the reader it is given to, and what is wrong with the answer. */

import { equalBytes } from '../../src/core/base/bytes.ts';
import type { Fault, Result } from '../../src/core/base/fault.ts';
import { FIELD_FAULTS } from '../../src/core/base/fields.ts';
import { FAULT_MESSAGE_CHARS_MAX } from '../../src/core/base/limits.ts';
import { BUNDLE_FAULTS } from '../../src/core/bundle/faults.ts';
import { GOLDEN_FAULTS } from '../../src/core/bundle/golden-faults.ts';
import { CALIBRATION_FAULTS } from '../../src/core/calibration/faults.ts';
import { COSE_FAULTS } from '../../src/core/cose/faults.ts';
import { CRYPTO_FAULTS } from '../../src/core/crypto/faults.ts';
import { DEVICE_FAULTS } from '../../src/core/device/faults.ts';
import { CALLER_FAULTS } from '../../src/core/guard/caller-codec.ts';
import { DRIFT_FAULTS } from '../../src/core/guard/drift-codec.ts';
import { GUARD_FAULTS } from '../../src/core/guard/faults.ts';
import { POLICY_FAULTS } from '../../src/core/guard/policy-faults.ts';
import { NUMERIC_FAULTS } from '../../src/core/numeric/faults.ts';
import { ONNX_FAULTS } from '../../src/core/onnx/faults.ts';
import { SUIT_FAULTS } from '../../src/core/suit/faults.ts';
import { TELEMETRY_FAULTS } from '../../src/core/telemetry/faults.ts';
import { TRUST_FAULTS } from '../../src/core/trust/faults.ts';
import { OPERATOR_FAULTS } from '../../src/core/trust/operator-faults.ts';
import type { Random } from './random.ts';

/** A reader under test. `share` is how many of all cases it gets, against the other targets. */
export interface Target {
  readonly name: string;
  readonly share: number;
  /** Codes of the first gate: whoever is refused by another one, or not at all, was behind it. */
  readonly firstGate: RegExp;
  trial(random: Random): Trial;
}

export interface Trial {
  readonly input: Uint8Array;
  run(): Outcome;
}

export interface Outcome {
  /** The code of the fault, or `accepted`. */
  readonly code: string;
  /** What must not be so. */
  readonly wrong?: string;
}

/** `check` judges an accepted value and says what is wrong with it. */
export function trial<T>(
  input: Uint8Array,
  judge: () => Result<T>,
  check?: (value: T) => string | undefined,
): Trial {
  return {
    input,
    run() {
      const result = judge();
      const code = result.ok ? 'accepted' : result.fault.code;
      const wrong = result.ok
        ? (tooLarge(result.value, input.length) ?? check?.(result.value))
        : wrongFault(result.fault);
      return wrong === undefined ? { code } : { code, wrong };
    },
  };
}

/** For inputs that nobody may accept: they were changed and not signed again. */
export const forged = (): string => 'accepted, although nobody signed it';

/** For readers of formats in which one value has one encoding. */
export function sameBytes(input: Uint8Array, again: Uint8Array): string | undefined {
  return equalBytes(input, again) ? undefined : 'accepted in another form than it is written in';
}

/** Tries anew while the change changed nothing: only damage is judged. */
export function changed(original: Uint8Array, change: () => Uint8Array): Uint8Array {
  for (;;) {
    const input = change();
    if (!equalBytes(input, original)) return input;
  }
}

const NEXT: ReadonlyMap<string, string> = new Map(
  [
    BUNDLE_FAULTS,
    CALIBRATION_FAULTS,
    CALLER_FAULTS,
    COSE_FAULTS,
    CRYPTO_FAULTS,
    DEVICE_FAULTS,
    DRIFT_FAULTS,
    FIELD_FAULTS,
    GOLDEN_FAULTS,
    GUARD_FAULTS,
    NUMERIC_FAULTS,
    ONNX_FAULTS,
    OPERATOR_FAULTS,
    POLICY_FAULTS,
    SUIT_FAULTS,
    TELEMETRY_FAULTS,
    TRUST_FAULTS,
  ].flatMap((table) => Object.entries(table)),
);

function wrongFault({ code, message, next }: Fault): string | undefined {
  if (NEXT.get(code) !== next || next === undefined) return `the unknown fault ${code}`;
  const plain = message.length > 0 && message.length <= FAULT_MESSAGE_CHARS_MAX;
  // What moves a cursor or ends a line has no place in a message.
  return plain && !/\p{Cc}/u.test(message) ? undefined : `the message of ${code} is not one line`;
}

const VALUES_AND_MORE = 4_096;

/** Nothing small may become large by being read: every value takes at least a byte on the wire. */
function tooLarge(value: unknown, inputBytes: number): string | undefined {
  const limit = 2 * inputBytes + VALUES_AND_MORE;
  const open: unknown[] = [value];
  let count = 0;
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next === 'string') count += next.length;
    else if (ArrayBuffer.isView(next)) continue;
    else if (next instanceof Map) for (const entry of next) open.push(...entry);
    else if (typeof next === 'object' && next !== null) {
      for (const member of Object.values(next)) open.push(member);
    }
    count++;
    if (count > limit) return `more than ${limit} values from ${inputBytes} bytes`;
  }
  return undefined;
}
