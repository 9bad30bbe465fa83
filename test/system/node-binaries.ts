/** Other versions of Node.js, fetched once from the npm registry into the ignored folder `.cache/`. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import pins from './node-versions.json' with { type: 'json' };

const run = promisify(execFile);
const CACHE = resolve(import.meta.dirname, '../../.cache');

/** Version to architecture to the integrity of its npm package. */
const PINS: Readonly<Record<string, Readonly<Record<string, string>>>> = pins;

export const NODE_VERSIONS: readonly string[] = Object.keys(PINS);

/** It is not to be had here and now: offline, or another system. */
export class NodeUnavailable extends Error {}

/** The program of that version for this machine; rejects with `NodeUnavailable` where it has none. */
export async function nodeBinary(version: string): Promise<string> {
  if (version === process.versions.node) return process.execPath;
  const integrity = process.platform === 'linux' ? PINS[version]?.[process.arch] : undefined;
  if (integrity === undefined) {
    const seen = `no Node ${version} is pinned for ${process.platform} on ${process.arch}`;
    throw new NodeUnavailable(seen);
  }
  const name = `node-linux-${process.arch}`;
  const kept = join(CACHE, `${name}-${version}`);
  const binary = join(kept, 'package/bin/node');
  if (existsSync(binary)) return binary;
  // Nobody who types `npm test` for the first time asked for 450 MB.
  if (process.env['CI'] !== 'true' && process.env['EDGEWARD_NODE_MATRIX'] !== '1') {
    const seen = `${name}@${version} is not in .cache/; EDGEWARD_NODE_MATRIX=1 fetches it`;
    throw new NodeUnavailable(seen);
  }
  await fetchNode(name, version, integrity, kept);
  return binary;
}

/** The folder appears whole or not at all. */
async function fetchNode(
  name: string,
  version: string,
  integrity: string,
  kept: string,
): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'fetching-'));
  try {
    const target = ['--loglevel=error', '--pack-destination', folder];
    await run('npm', ['pack', `${name}@${version}`, ...target]).catch((thrown) => {
      throw new NodeUnavailable(`${name}@${version} is not in .cache/: ${String(thrown)}`);
    });
    const archive = join(folder, `${name}-${version}.tgz`);
    const found = createHash('sha512').update(readFileSync(archive)).digest('base64');
    if (`sha512-${found}` !== integrity) {
      throw new Error(`${name}@${version} is not the package that is pinned: sha512-${found}`);
    }
    await run('tar', ['-xzf', archive, '-C', folder, 'package/bin/node', 'package/LICENSE']);
    rmSync(archive);
    // Another run may have been faster.
    if (!existsSync(kept)) renameSync(folder, kept);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
