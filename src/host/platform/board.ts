/** Finds the profile of a board by its name in the package, or by the path of a file. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { attempt, attemptAsync, need, type Result } from '../../core/base/fault.ts';
import { type BoardProfile, parseBoardProfile } from '../../core/device/profile.ts';
import { readSmallText } from './bounded-read.ts';
import { refusePlatform } from './faults.ts';

const PROFILE_BYTES_MAX = 64 * 1024;

/**
 * The profile called `nameOrPath`. A word such as `raspberry-pi-5` is looked up among the
 * package's boards; anything with a slash or a dot is the path of a file.
 * Faults: `platform.*`, and those of `parseBoardProfile`.
 */
export function loadBoardProfile(
  nameOrPath: string,
  folder: string = packagedDevices(),
): Promise<Result<BoardProfile>> {
  return attemptAsync(async () => {
    const byName = /^[a-z0-9-]+$/.test(nameOrPath);
    const names = await boardNames(folder);
    if (byName && !names.includes(nameOrPath)) {
      const message = `no board is called ${nameOrPath}; there are ${names.join(', ')}`;
      throw refusePlatform('platform.profile-missing', message);
    }
    const path = byName ? join(folder, `${nameOrPath}.json`) : nameOrPath;
    if (!existsSync(path)) {
      throw refusePlatform('platform.profile-missing', `there is no file ${path}`);
    }
    const text = await readSmallText(path, PROFILE_BYTES_MAX);
    return need(parseBoardProfile(need(decode(path, text))));
  });
}

/** The boards that the package knows, sorted. */
export async function boardNames(folder: string = packagedDevices()): Promise<string[]> {
  const files = await readdir(folder);
  return files
    .map((file) => /^([a-z0-9-]+)\.json$/.exec(file)?.[1])
    .filter((name) => name !== undefined)
    .sort();
}

/** Beside the bundled program in `dist/`, or at the root of the source tree. */
function packagedDevices(): string {
  const beside = resolve(import.meta.dirname, 'devices');
  return existsSync(beside) ? beside : resolve(import.meta.dirname, '../../../devices');
}

function decode(path: string, text: string | undefined): Result<unknown> {
  return attempt(() => {
    if (text === undefined) {
      throw refusePlatform('platform.profile-json', `${path} is not a file of at most 64 KiB`);
    }
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw refusePlatform('platform.profile-json', `${path} is not JSON: ${reason}`);
    }
  });
}

/** The name of the generic profile for this machine's architecture. */
export function thisBoard(): string {
  return process.arch === 'arm64' ? 'generic-arm64' : 'generic-x64';
}
