/** Small programs that stand where a tool of the system should, each behaving in one way. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A shell script at `FOLDER/NAME`; its path. */
export function shellProgram(folder: string, name: string, lines: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  return path;
}

/** What the firmware's locks do to the customer OTP. */
export type OtpLock = 'open' | 'write-locked' | 'unreadable';

/**
 * A `vcmailbox` with eight fuse rows in a file, after the tool's source and the firmware's
 * documented answers: the words of the request come back with codes and rows filled in, a burn sets
 * bits and clears none, locked fuses ignore burns, unreadable ones answer without data.
 */
export class FakeMailbox {
  readonly path: string;
  readonly #state: string;

  constructor(folder: string) {
    this.#state = join(folder, 'otp.state');
    this.set({ rows: [] });
    this.path = shellProgram(folder, 'vcmailbox', mailbox(this.#state));
  }

  set(to: { readonly rows: readonly number[]; readonly lock?: OtpLock }): void {
    const rows = Array.from({ length: 8 }, (_, index) => `r${index}=${to.rows[index] ?? 0}\n`);
    writeFileSync(this.#state, `lock=${to.lock ?? 'open'}\n${rows.join('')}`);
  }
}

const mailbox = (state: string): string => `. ${state}
word() { printf '0x%08x ' "$1"; }
word $((4 * ($# + 3))); word $((0x80000000)); word $1; word $2
tag=$(($1)); start=$(($4)); count=$(($5)); shift 5
if [ $tag = $((0x00030021)) ] && [ $lock != unreadable ]; then
  word $((0x80000000 + 8 + 4 * count)); word 0; word $count
  for value; do eval "word \\$r$start"; start=$((start + 1)); done
else
  [ $tag = $((0x00038021)) ] && word $((0x80000004)) || word $((0x80000000))
  word $start; word $count
  for value; do
    word $value
    [ $tag = $((0x00038021)) ] && [ $lock = open ] && eval "r$start=\\$((r$start | $value))"
    start=$((start + 1))
  done
  [ $tag = $((0x00038021)) ] && for i in 0 1 2 3 4 5 6 7; do eval "echo r$i=\\$r$i"; done >${state}.new
  [ $tag = $((0x00038021)) ] && echo lock=$lock >>${state}.new && mv ${state}.new ${state}
fi
word 0; echo`;
