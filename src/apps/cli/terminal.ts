/** What people see: colours only on a terminal, faults with their way forward, a progress line. */
import type { Fault } from '../../core/base/fault.ts';
import { exitCodeOf } from './exit-codes.ts';

type Style = 'red' | 'green' | 'yellow' | 'bold' | 'dim';

const CODES: Readonly<Record<Style, readonly [on: number, off: number]>> = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  bold: [1, 22],
  dim: [2, 22],
};
const PROGRESS_PERIOD_MS = 100;
const BAR_CHARS = 24;

/** The text with a style, where `stream` is a terminal and NO_COLOR is not set. */
export function styled(
  style: Style,
  text: string,
  stream: { readonly isTTY?: boolean } = process.stdout,
): string {
  if (stream.isTTY !== true || process.env['NO_COLOR']) return text;
  const [on, off] = CODES[style];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}

// Everything that moves a cursor, ends a line or turns the direction of the text around it.
const UNPRINTABLE = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Text that nobody vouches for (unsigned metadata, names of files), with no power over a terminal. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Beside the results: warnings and what is going on. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** One JSON document a line; what JSON cannot say (NaN, infinities) becomes null. */
export function sayJson(value: unknown): void {
  // The same escapes in JSON: it parses to the same value.
  say(printable(JSON.stringify(value)));
}

/** Tells the fault on stderr and sets the exit code of its family. */
export function fail(fault: Fault): void {
  note(`${styled('red', 'edgeward:', process.stderr)} ${fault.code}: ${fault.message}`);
  note(`  ${fault.next}`);
  process.exitCode = exitCodeOf(fault);
}

export interface Progress {
  advance(count?: number): void;
  done(): void;
}

/** A bar on stderr where that is a terminal; nothing otherwise. */
export function progress(label: string, total: number): Progress {
  if (process.stderr.isTTY !== true) return { advance: () => {}, done: () => {} };
  let count = 0;
  let shownMs = 0;
  const show = (): void => {
    const share = total === 0 ? 1 : Math.min(1, count / total);
    const filled = Math.round(share * BAR_CHARS);
    const bar = `${'#'.repeat(filled)}${'.'.repeat(BAR_CHARS - filled)}`;
    process.stderr.write(`\r${label} [${bar}] ${Math.round(share * 100)}%`);
  };
  return {
    advance(step = 1) {
      count += step;
      const nowMs = performance.now();
      if (nowMs - shownMs < PROGRESS_PERIOD_MS) return;
      shownMs = nowMs;
      show();
    },
    done() {
      process.stderr.write('\r\u001b[K');
    },
  };
}
