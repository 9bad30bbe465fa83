/** What people see: colours only on a terminal, faults with their way forward, a progress line. */
import { fstatSync, writeSync } from 'node:fs';
import type { Fault } from '../../core/base/fault.ts';
import { EXIT_READER_GONE, exitCodeOf } from './exit-codes.ts';

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

export type Channel = 'stdout' | 'stderr';
const DESCRIPTORS: Readonly<Record<Channel, number>> = { stdout: 1, stderr: 2 };
const FULL_PIPE_PAUSE_MS = 1;

/** The text with a style, where the channel is a terminal and NO_COLOR is not set. */
export function styled(style: Style, text: string, channel: Channel = 'stdout'): string {
  if (process.env['NO_COLOR'] || !isTerminal(channel)) return text;
  const [on, off] = CODES[style];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}

/** Node's streams are asked last: to make one costs a start several milliseconds. */
function isTerminal(channel: Channel): boolean {
  try {
    return fstatSync(DESCRIPTORS[channel]).isCharacterDevice() && process[channel].isTTY === true;
  } catch {
    return false; // a closed descriptor
  }
}

/**
 * Writes all of it before it returns. Without a reader of the results there is nothing left to do;
 * a device goes on guarding when nobody reads its log.
 */
function write(channel: Channel, text: string): void {
  for (let bytes = Buffer.from(text); bytes.length > 0; ) {
    try {
      bytes = bytes.subarray(writeSync(DESCRIPTORS[channel], bytes));
    } catch (thrown) {
      const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
      if (code === 'EAGAIN')
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_PAUSE_MS);
      else if (channel === 'stderr') return;
      else if (code === 'EPIPE') process.exit(EXIT_READER_GONE);
      else throw thrown;
    }
  }
}

// Everything that moves a cursor, ends a line or turns the direction of the text around it.
const UNPRINTABLE = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Text that nobody vouches for (unsigned metadata, names of files), with no power over a terminal. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function say(line: string): void {
  write('stdout', `${line}\n`);
}

/** Beside the results: warnings and what is going on. */
export function note(line: string): void {
  write('stderr', `${line}\n`);
}

/** Where development keys are accepted it is said, each time. */
export function noteDevelopment(): void {
  note(styled('yellow', 'signed with DEVELOPMENT keys: not for production', 'stderr'));
}

/** One JSON document a line; what JSON cannot say (NaN, infinities) becomes null. */
export function sayJson(value: unknown): void {
  // The same escapes in JSON: it parses to the same value.
  say(printable(JSON.stringify(value)));
}

/** Tells the fault on stderr and sets the exit code of its family. */
export function fail(fault: Fault): void {
  note(`${styled('red', 'edgeward:', 'stderr')} ${fault.code}: ${fault.message}`);
  note(`  ${fault.next}`);
  process.exitCode = exitCodeOf(fault);
}

export interface Progress {
  advance(count?: number): void;
  done(): void;
}

/**
 * A bar on stderr where that is a terminal; nothing otherwise, and nothing for what ends at once.
 * The clock is `Date`, since the first look at `performance` costs a start a millisecond.
 */
export function progress(label: string, total: number): Progress {
  let count = 0;
  let shownMs = Date.now();
  let shown = false;
  const show = (): void => {
    const share = total === 0 ? 1 : Math.min(1, count / total);
    const filled = Math.round(share * BAR_CHARS);
    const bar = `${'#'.repeat(filled)}${'.'.repeat(BAR_CHARS - filled)}`;
    write('stderr', `\r${label} [${bar}] ${Math.round(share * 100)}%`);
    shown = true;
  };
  return {
    advance(step = 1) {
      count += step;
      const nowMs = Date.now();
      if (nowMs - shownMs < PROGRESS_PERIOD_MS) return;
      shownMs = nowMs;
      if (isTerminal('stderr')) show();
    },
    done() {
      if (shown) write('stderr', '\r\u001b[K');
    },
  };
}
