/** Frames that arrive as `.npy` files in a folder. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { FRAME_SETTLE_MS, NPY_FILE_BYTES_MAX } from '../../core/base/limits.ts';
import type { InputSchema } from '../../core/bundle/io-schema.ts';
import { decodeNpy } from '../../core/numeric/npy.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { type Frames, framesOf } from '../maker/frames.ts';
import { refuseCli } from './faults.ts';
import type { NamedFrame } from './line-feed.ts';
import { note } from './terminal.ts';

const POLL_MS = 200;
/** `frame9` before `frame10`. */
const byName = new Intl.Collator('en', { numeric: true }).compare;

interface Waiting {
  readonly name: string;
  /** Changes when the file is written anew. */
  readonly stamp: string;
  readonly ageMs: number;
}

/**
 * Every `.npy` file, row by row: those that are there in order of name, then each that comes or is
 * written anew, whatever it is called. Files stay where they are; a restart judges them again. A
 * file that cannot be read while it is younger than a second is taken for half written and looked
 * at again. Ends when stopped, or with `once` when no file is left; a folder that is not there is
 * waited for, and refused with `cli.input` where `once` is given.
 */
export async function* folderFrames(
  folder: string,
  ports: readonly InputSchema[],
  once: boolean,
  signal: AbortSignal,
): AsyncGenerator<NamedFrame> {
  let taken = new Map<string, string>();
  let missing = false;
  while (!signal.aborted) {
    const listed = attempt(() => waitingFiles(folder));
    if (!listed.ok && once) need(listed);
    if (!listed.ok && !missing) note(`${listed.fault.message}; waiting for it`);
    missing = !listed.ok;
    const files = listed.ok ? listed.value : [];
    // What is gone is forgotten, so that the memory is bounded by the folder.
    taken = new Map(
      files.filter((f) => taken.get(f.name) === f.stamp).map((f) => [f.name, f.stamp]),
    );
    let judged = false;
    for (const file of files.filter(({ name }) => !taken.has(name))) {
      if (signal.aborted) return;
      const frames = readFrames(join(folder, file.name), ports);
      if (!frames.ok && file.ageMs < FRAME_SETTLE_MS && !once) continue;
      taken.set(file.name, file.stamp);
      judged = true;
      yield* rowsOf(file.name, frames);
    }
    if (judged) continue;
    if (once) return;
    await pause(signal);
  }
}

function readFrames(path: string, ports: readonly InputSchema[]): Result<Frames> {
  return attempt(() => {
    const [port] = ports;
    if (port === undefined || ports.length > 1) {
      throw refuseCli('cli.input', 'a folder of frames needs a model with one input');
    }
    const tensor = need(decodeNpy(need(readFileBounded(path, NPY_FILE_BYTES_MAX))));
    return framesOf(new Map([[port.name, tensor]]), ports);
  });
}

function* rowsOf(name: string, frames: Result<Frames>): Generator<NamedFrame> {
  if (!frames.ok) {
    yield { name, frame: frames };
    return;
  }
  const { count } = frames.value;
  for (let row = 0; row < count; row++) {
    const rowName = count === 1 ? name : `${name}[${row}]`;
    yield { name: rowName, frame: attempt(() => frames.value.frame(row)) };
  }
}

/** Refuses with `cli.input` where the folder cannot be read. */
function waitingFiles(folder: string): readonly Waiting[] {
  const nowMs = Date.now();
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.npy'));
    return names.sort(byName).flatMap((name) => {
      const stats = statSync(join(folder, name), { throwIfNoEntry: false });
      if (stats === undefined) return [];
      const stamp = `${stats.ino} ${stats.size} ${stats.mtimeMs}`;
      return [{ name, stamp, ageMs: nowMs - stats.mtimeMs }];
    });
  } catch (thrown) {
    throw refuseCli('cli.input', `the folder ${folder} cannot be read: ${String(thrown)}`);
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  try {
    await sleep(POLL_MS, undefined, { signal });
  } catch (thrown) {
    // Stopping is not a failure.
    if (!signal.aborted) throw thrown;
  }
}
