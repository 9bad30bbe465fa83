/**
 * Passphrases of key files: from a file that only its owner can read, or typed at the terminal
 * without an echo. Never from the command line or the environment, which others can read.
 */
import type { ReadStream } from 'node:tty';
import { equalBytes } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import { PASSPHRASE_BYTES_MAX } from '../../core/base/limits.ts';
import type { PrivateKeyFile } from '../../core/crypto/pem.ts';
import { readSecretFile } from '../../host/store/files.ts';
import { openPrivateKey } from '../maker/keys.ts';
import { refuseCli } from './faults.ts';
import { printable } from './terminal.ts';

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const ENTER: readonly number[] = [CARRIAGE_RETURN, NEWLINE];
/** Ctrl-C and Ctrl-D. */
const GIVE_UP: readonly number[] = [0x03, 0x04];
const CTRL_U = 0x15;
const ERASE: readonly number[] = [0x08, 0x7f];

export interface PassphraseOptions {
  readonly passphraseFile?: string;
}

/**
 * The private keys, each asked for its passphrase where it needs one. Refuses with `key.encrypted`
 * where there is neither a file nor a terminal, and with `cli.passphrase`, `store.*`, `key.*`.
 */
export async function openKeys(
  paths: readonly string[],
  options: PassphraseOptions,
): Promise<readonly PrivateKeyFile[]> {
  const keys: PrivateKeyFile[] = [];
  for (const path of paths) {
    const open = openPrivateKey(path);
    if (open.ok || open.fault.code !== 'key.encrypted') keys.push(need(open));
    else {
      const passphrase = await given(options, `Passphrase of ${printable(path)}`);
      keys.push(need(passphrase === undefined ? open : openPrivateKey(path, passphrase)));
      passphrase?.fill(0);
    }
  }
  return keys;
}

/**
 * For a new key: typed twice where no file holds it. Refuses with `cli.passphrase` where the two
 * differ, `cli.option` where nobody can be asked, `store.*`.
 */
export async function newPassphrase(options: PassphraseOptions): Promise<Uint8Array> {
  const first = await given(options, 'New passphrase');
  if (first === undefined) {
    throw refuseCli('cli.option', 'without a terminal, --encrypt takes a --passphrase-file');
  }
  if (options.passphraseFile !== undefined) return first;
  const second = await ask('The same again');
  if (!equalBytes(first, second)) throw refuseCli('cli.passphrase', 'the two entries differ');
  second.fill(0);
  return first;
}

async function given(
  { passphraseFile }: PassphraseOptions,
  question: string,
): Promise<Uint8Array | undefined> {
  if (passphraseFile === undefined) return process.stdin.isTTY ? ask(question) : undefined;
  const bytes = need(readSecretFile(passphraseFile, PASSPHRASE_BYTES_MAX + 2));
  // Its first line, as OpenSSL's `file:` takes it.
  const end = bytes.indexOf(NEWLINE);
  const line = end === -1 ? bytes : bytes.subarray(0, end);
  return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
}

/** On stderr, so that the question does not end up in a pipe with the results. */
async function ask(question: string): Promise<Uint8Array> {
  const { stdin, stderr } = process;
  stdin.setRawMode(true);
  stderr.write(`${question}: `);
  try {
    return await typedLine(stdin);
  } finally {
    stdin.setRawMode(false);
    stderr.write('\n');
  }
}

/** Refuses with `cli.passphrase` on Ctrl-C, Ctrl-D and a terminal that goes away. */
function typedLine(stdin: ReadStream): Promise<Uint8Array> {
  const line: Line = { typed: new Uint8Array(PASSPHRASE_BYTES_MAX + 1), length: 0 };
  return new Promise((done, fail) => {
    const end = (): void => {
      // Paused at once: a stream that flows to nobody loses what comes.
      stdin.off('data', take).off('end', giveUp).pause();
      line.typed.fill(0);
    };
    const giveUp = (): void => {
      end();
      fail(refuseCli('cli.passphrase', 'none was entered'));
    };
    const take = (chunk: Buffer): void => {
      const stopAt = typeInto(line, chunk);
      if (stopAt < chunk.length && !GIVE_UP.includes(chunk[stopAt] as number)) {
        done(line.typed.slice(0, line.length));
        end();
        // Whoever pastes two lines answers two questions.
        if (stopAt + 1 < chunk.length) stdin.unshift(Buffer.from(chunk.subarray(stopAt + 1)));
      } else if (stopAt < chunk.length) giveUp();
      chunk.fill(0);
    };
    stdin.on('data', take).on('end', giveUp).resume();
  });
}

interface Line {
  /** One byte more than may be: what is too long must be refused, not cut. */
  readonly typed: Uint8Array;
  length: number;
}

/** Up to the byte that ends the line or gives up; gives its place, or the length of the chunk. */
function typeInto(line: Line, chunk: Uint8Array): number {
  for (const [at, byte] of chunk.entries()) {
    if (ENTER.includes(byte) || GIVE_UP.includes(byte)) return at;
    if (byte === CTRL_U) line.length = 0;
    else if (ERASE.includes(byte)) line.length = characterStart(line.typed, line.length);
    else if (line.length < line.typed.length) line.typed[line.length++] = byte;
  }
  return chunk.length;
}

/** Where the last UTF-8 character of the first `length` bytes begins. */
function characterStart(bytes: Uint8Array, length: number): number {
  let at = length - 1;
  while (at > 0 && ((bytes[at] as number) & 0xc0) === 0x80) at--;
  return Math.max(at, 0);
}
