/**
 * Readers for maps that were just decoded (CBOR or JSON): every field is taken by name and type,
 * and a field that nobody asked for is refused with the nearest known name.
 */
import { type FaultTable, faultOf, Refusal } from './fault.ts';

export const FIELD_FAULTS: FaultTable<FieldFaultCode> = {
  'field.missing': 'Add the named member and try again.',
  'field.type': 'Give the named member the stated type.',
  'field.range': 'Bring the named member into the stated range.',
  'field.unknown': 'Remove the member, or correct its name to the nearest known one.',
};

export type FieldFaultCode = 'field.missing' | 'field.type' | 'field.range' | 'field.unknown';

export function refuseField(code: FieldFaultCode, message: string): Refusal {
  return new Refusal(faultOf(FIELD_FAULTS, code, message));
}

/** A map seen through its place in the document, so that every fault names the full path. */
export class Fields {
  readonly path: string;
  readonly #entries: ReadonlyMap<unknown, unknown>;
  readonly #taken = new Set<unknown>();

  constructor(path: string, entries: ReadonlyMap<unknown, unknown>) {
    this.path = path;
    this.#entries = entries;
  }

  /** Accepts a `Map` or a plain object; refuses everything else. */
  static of(path: string, value: unknown): Fields {
    if (value instanceof Map) return new Fields(path, value);
    if (isPlainObject(value)) return new Fields(path, new Map(Object.entries(value)));
    throw refuseField('field.type', `${path === '' ? 'the document' : path} must be a map`);
  }

  has(name: string | number): boolean {
    return this.#entries.has(name);
  }

  keys(): unknown[] {
    return [...this.#entries.keys()];
  }

  /** The raw member, or `undefined`; marks the name as known. */
  raw(name: string | number): unknown {
    this.#taken.add(name);
    return this.#entries.get(name);
  }

  #need(name: string | number): unknown {
    const value = this.raw(name);
    if (value === undefined) throw refuseField('field.missing', `${this.at(name)} is missing`);
    return value;
  }

  at(name: string | number): string {
    return this.path === '' ? String(name) : `${this.path}.${name}`;
  }

  text(name: string | number, charsMax: number = 256): string {
    const value = this.#need(name);
    if (typeof value !== 'string')
      throw refuseField('field.type', `${this.at(name)} must be a text`);
    if (value.length > charsMax) {
      throw refuseField('field.range', `${this.at(name)} is longer than ${charsMax} characters`);
    }
    return value;
  }

  oneOf<T extends string>(name: string | number, choices: readonly T[]): T {
    const value = this.text(name);
    if ((choices as readonly string[]).includes(value)) return value as T;
    throw refuseField('field.range', `${this.at(name)} must be one of ${choices.join(', ')}`);
  }

  boolean(name: string | number): boolean {
    const value = this.#need(name);
    if (typeof value !== 'boolean') {
      throw refuseField('field.type', `${this.at(name)} must be true or false`);
    }
    return value;
  }

  /** A finite number in [min, max]. */
  number(name: string | number, min: number = -Infinity, max: number = Infinity): number {
    const value = this.#need(name);
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw refuseField('field.type', `${this.at(name)} must be a finite number`);
    }
    if (value < min || value > max) {
      throw refuseField('field.range', `${this.at(name)} is ${value}, outside [${min}, ${max}]`);
    }
    return value;
  }

  /** A whole number in [min, max], within the safe range of doubles. */
  integer(name: string | number, min: number = 0, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.number(name, min, max);
    if (!Number.isSafeInteger(value)) {
      throw refuseField('field.type', `${this.at(name)} must be a whole number`);
    }
    return value;
  }

  /** A byte string, of exactly `length` bytes where one is given. */
  bytes(name: string | number, length?: number): Uint8Array {
    const value = this.#need(name);
    if (!(value instanceof Uint8Array)) {
      throw refuseField('field.type', `${this.at(name)} must be a byte string`);
    }
    if (length !== undefined && value.length !== length) {
      throw refuseField('field.range', `${this.at(name)} must have ${length} bytes`);
    }
    return value;
  }

  list(name: string | number, countMax: number): readonly unknown[] {
    const value = this.#need(name);
    if (!Array.isArray(value)) throw refuseField('field.type', `${this.at(name)} must be a list`);
    if (value.length > countMax) {
      throw refuseField('field.range', `${this.at(name)} has more than ${countMax} entries`);
    }
    return value;
  }

  map(name: string | number): Fields {
    return Fields.of(this.at(name), this.#need(name));
  }

  /** Runs `read` when the member is present. */
  optional<T>(name: string | number, read: (name: string | number) => T): T | undefined {
    this.#taken.add(name);
    return this.#entries.get(name) === undefined ? undefined : read(name);
  }

  /** To be called last: refuses every member that no reader asked for. */
  done(): void {
    for (const name of this.#entries.keys()) {
      if (this.#taken.has(name)) continue;
      const near = nearestName(String(name), [...this.#taken].map(String));
      const hint = near === undefined ? '' : `; did you mean ${near}?`;
      throw refuseField('field.unknown', `${this.at(String(name))} is not known here${hint}`);
    }
  }
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array)
  );
}

/** The known name with the smallest edit distance, when at most half of it differs. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of known) {
    const distance = editDistance(name.slice(0, 64).toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best !== undefined && bestDistance <= best.length / 2 ? best : undefined;
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, substitute));
    }
    row = next;
  }
  return row[b.length] as number;
}
