/**
 * The customer OTP of a Raspberry Pi as a count that only rises: eight rows of 32 fuses, read and
 * burnt through the firmware's mailbox by `vcmailbox`. Bit 0 of row 0 is step 1.
 *
 * The count is the highest burnt fuse: a burn that was cut off may leave gaps below it, which the
 * next burn fills, and it never burns above what was asked for.
 */
import { fromUtf8 } from '../../core/base/bytes.ts';
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { runTool } from './child-tool.ts';
import { refusePlatform } from './faults.ts';

export const FUSES_MAX = 256;
const ROWS = 8;
const ROW_BITS = 32;

/** Tags of the mailbox property interface of the firmware. */
const GET_CUSTOMER_OTP = 0x0003_0021;
const SET_CUSTOMER_OTP = 0x0003_8021;
const RESPONSE = 0x8000_0000;

export interface OtpOptions {
  /** `/usr/bin/vcmailbox` by default. */
  readonly vcmailbox?: string | undefined;
  readonly deadlineMs?: number | undefined;
}

export interface Fuses {
  /** 0 to 256: the highest fuse that is burnt. */
  readonly count: number;
  /** No fuse below the highest is whole. */
  readonly gapless: boolean;
}

/** Faults: `platform.tool-*`, `platform.otp-reply` (no such board, or reading is locked). */
export function readFuses(options: OtpOptions): Result<Fuses> {
  return attempt(() => {
    const rows = readRows(options);
    const count = highest(rows);
    return { count, gapless: rows.every((row, index) => row === rowOf(count, index)) };
  });
}

/**
 * Burns every fuse up to `count` (1 to 256). It cannot be undone. Faults: as of `readFuses`, and
 * `platform.otp-reply` where the fuses are as before: the OTP is locked.
 */
export function burnFuses(options: OtpOptions, count: number): Result<true> {
  return attempt(() => {
    const before = readRows(options);
    const wanted = before.map((row, index) => (row | rowOf(count, index)) >>> 0);
    const first = wanted.findIndex((row, index) => row !== before[index]);
    if (first === -1) return true;
    const last = wanted.findLastIndex((row, index) => row !== before[index]);
    const rows = wanted.slice(first, last + 1);
    const bytes = 8 + 4 * rows.length;
    call(options, [SET_CUSTOMER_OTP, bytes, bytes, first, rows.length, ...rows]);
    // What the firmware answers to this differs between versions; what it gives out does not.
    if (readRows(options).every((row, index) => row === wanted[index])) return true;
    throw refusePlatform('platform.otp-reply', 'the fuses were not burnt: the OTP may be locked');
  });
}

function readRows(options: OtpOptions): number[] {
  const bytes = 8 + 4 * ROWS;
  const request = [GET_CUSTOMER_OTP, bytes, bytes, 0, ROWS, ...new Array<number>(ROWS).fill(0)];
  const reply = call(options, request);
  // Length and code of the whole, then tag, size, size of the answer, first row and rows.
  const head = [4 * (request.length + 3), RESPONSE, GET_CUSTOMER_OTP, bytes, RESPONSE + bytes];
  if (reply.length !== request.length + 3 || head.some((word, i) => reply[i] !== word)) {
    const seen = reply.slice(0, head.length).map((word) => word.toString(16));
    throw refusePlatform('platform.otp-reply', `the answer begins with ${seen.join(' ')}`);
  }
  return reply.slice(7, 7 + ROWS);
}

/** The words of the answer: it has the request's length, two words before it and one behind. */
function call(options: OtpOptions, words: readonly number[]): number[] {
  const { vcmailbox = '/usr/bin/vcmailbox', deadlineMs } = options;
  const args = words.map((word) => `0x${word.toString(16).padStart(8, '0')}`);
  const reply = need(runTool({ path: vcmailbox, args, deadlineMs }));
  const text = fromUtf8(reply.output)?.trim() ?? '';
  if (!reply.succeeded) {
    throw refusePlatform('platform.otp-reply', `vcmailbox failed: ${text} ${reply.complaint}`);
  }
  if (!/^0x[0-9a-f]{8}( 0x[0-9a-f]{8})*$/.test(text)) {
    throw refusePlatform('platform.tool-output', `vcmailbox said: ${text.slice(0, 80)}`);
  }
  return text.split(' ').map((word) => Number.parseInt(word, 16));
}

function highest(rows: readonly number[]): number {
  const index = rows.findLastIndex((row) => row !== 0);
  return index === -1 ? 0 : index * ROW_BITS + ROW_BITS - Math.clz32(rows[index] ?? 0);
}

/** Row `index` where the lowest `count` fuses of all are burnt. */
function rowOf(count: number, index: number): number {
  const bits = Math.min(Math.max(count - index * ROW_BITS, 0), ROW_BITS);
  return bits === 0 ? 0 : 0xffff_ffff >>> (ROW_BITS - bits);
}
