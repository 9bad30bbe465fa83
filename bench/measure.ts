/** Times that are compared: peers take turns within one run, so that what loads the machine loads all. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
}

/** A program and its arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** One sample of every peer a round; the peer that goes first changes from round to round. */
export type Samples<Name extends string> = Readonly<Record<Name, readonly number[]>>;

export function spreadOf(samples: readonly number[]): Spread {
  if (samples.length === 0) throw new Error('no samples');
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
  return {
    median,
    min: sorted[0] as number,
    max: sorted.at(-1) as number,
    rounds: samples.length,
  };
}

/** Of two peers that took turns: the ratio within each round. */
export function ratioOf(samples: readonly number[], peer: readonly number[]): Spread {
  return spreadOf(samples.map((sample, round) => sample / (peer[round] as number)));
}

/** `sample - peer` within each round. */
export function differenceOf(samples: readonly number[], peer: readonly number[]): Spread {
  return spreadOf(samples.map((sample, round) => sample - (peer[round] as number)));
}

export async function alternate<Name extends string>(
  rounds: number,
  peers: Readonly<Record<Name, () => number | Promise<number>>>,
): Promise<Samples<Name>> {
  const names = Object.keys(peers) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    Name,
    number[]
  >;
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length] as Name;
      samples[name].push(await peers[name]());
    }
  }
  return samples;
}

/** Milliseconds from start to end of a program that must succeed; what it says is read and left. */
export function processMs([program, ...args]: Command): number {
  const startMs = performance.now();
  const { status, error } = spawnSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ms = performance.now() - startMs;
  if (status !== 0) throw error ?? new Error(`${program} ${args.join(' ')}: exit ${status}`);
  return ms;
}

/** The same, once before anything counts: files come into the page cache, keys are right. */
export function tried(command: Command): () => number {
  processMs(command);
  return () => processMs(command);
}

/** Whether a program can be started. */
export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

const PEAK = join(import.meta.dirname, 'programs/peak.cjs');

/** Peak memory (VmHWM, MB of 10^6 bytes) of a Node.js program that must succeed. */
export function peakMb(args: readonly string[]): number {
  const folder = mkdtempSync(join(tmpdir(), 'edgeward-peak-'));
  try {
    const path = join(folder, 'peak');
    const { status, error, stderr } = spawnSync(process.execPath, ['--require', PEAK, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, EDGEWARD_BENCH_PEAK: path },
      encoding: 'utf8',
    });
    if (status !== 0) throw error ?? new Error(`${args.join(' ')}: exit ${status}: ${stderr}`);
    return Number(readFileSync(path, 'utf8')) / 1e6;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
