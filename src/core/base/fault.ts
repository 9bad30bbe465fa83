/**
 * A fault is an expected failure as a value: a closed code, what happened, and what to do next.
 *
 * Inside `core` and `host` every expected failure travels as a `Result`; nothing that can be caused
 * from outside throws past a room's public functions. Programmer errors use `assert`.
 */
import { FAULT_MESSAGE_CHARS_MAX } from './limits.ts';

/** One expected failure. `code` is API: it is closed per room and never reworded. */
export interface Fault<Code extends string = string> {
  /** `family.reason`, for example `cbor.truncated`. */
  readonly code: Code;
  /** What was seen, in words, with the place and the values. */
  readonly message: string;
  /** What the reader can do next, one sentence. */
  readonly next: string;
}

/** The closed list of a room's codes, each with its way forward. */
export type FaultTable<Code extends string = string> = Readonly<Record<Code, string>>;

export type Result<T, F extends Fault = Fault> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: F };

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function err<F extends Fault>(fault: F): { readonly ok: false; readonly fault: F } {
  return { ok: false, fault };
}

/** Carries a fault from the depth of one parser to its `attempt`; never leaves the room. */
export class Refusal extends Error {
  readonly fault: Fault;
  constructor(fault: Fault) {
    super(`${fault.code}: ${fault.message}`);
    this.fault = fault;
  }
}

/**
 * Binds a room's fault table to a maker of refusals, used as
 * `throw refuse('cbor.truncated', 'the text at byte 12 ends early')` inside `attempt`.
 */
export function refusing<Code extends string>(
  table: FaultTable<Code>,
): (code: Code, message: string) => Refusal {
  return (code, message) => new Refusal(faultOf(table, code, message));
}

/** Makes a fault as a value, for places that return it instead of refusing. */
export function faultOf<Code extends string>(
  table: FaultTable<Code>,
  code: Code,
  message: string,
): Fault<Code> {
  return { code, message: printable(message), next: table[code] };
}

// Everything that moves a cursor, ends a line or turns the direction of the text around it.
const UNPRINTABLE = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** A message quotes bytes that nobody signed: they must not write to a terminal or forge a log. */
function printable(message: string): string {
  const clear = message
    .slice(0, FAULT_MESSAGE_CHARS_MAX)
    .replace(UNPRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return message.length > FAULT_MESSAGE_CHARS_MAX || clear.length > FAULT_MESSAGE_CHARS_MAX
    ? `${clear.slice(0, FAULT_MESSAGE_CHARS_MAX - 1)}…`
    : clear;
}

/** Runs `body`; a `Refusal` thrown in it becomes a fault, anything else is a programmer error. */
export function attempt<T>(body: () => T): Result<T> {
  try {
    return ok(body());
  } catch (thrown) {
    if (thrown instanceof Refusal) return err(thrown.fault);
    throw thrown;
  }
}

/** `attempt` for a body that awaits. */
export async function attemptAsync<T>(body: () => Promise<T>): Promise<Result<T>> {
  try {
    return ok(await body());
  } catch (thrown) {
    if (thrown instanceof Refusal) return err(thrown.fault);
    throw thrown;
  }
}

/** The value of a result, or the same refusal passed on to the enclosing `attempt`. */
export function need<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Refusal(result.fault);
}

/** A broken assertion is a bug in Edgeward, not in its input. */
export class AssertionFailure extends Error {}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}
