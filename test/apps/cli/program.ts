/** Runs the `edgeward` program as a child process, as a user would. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { expect } from 'vitest';
import { PROGRAM } from '../../built.ts';

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function startEdgeward(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [PROGRAM, ...args], { env: { ...process.env, ...env } });
}

/** Runs to the end; `input` is its standard input. */
export async function edgeward(args: readonly string[], input = ''): Promise<Ran> {
  const child = startEdgeward(args);
  const ended = ending(child);
  child.stdin.end(input);
  return ended;
}

/** What a started program said and how it ended. */
export function ending(child: ChildProcessWithoutNullStreams): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) => done({ code, stdout, stderr }));
  });
}

/** The standard output of a run that must succeed. */
export async function outputOf(args: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await edgeward(args, input);
  expect(code, stderr).toBe(0);
  return stdout;
}

/** The one JSON document of a run that must succeed. */
export async function jsonOf(args: readonly string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await outputOf([...args, '--json']));
}

/** The JSON documents of a run that must succeed, one per line. */
export async function linesOf(args: readonly string[], input = ''): Promise<JudgedLine[]> {
  return judgedLines(await outputOf([...args, '--json'], input));
}

export interface JudgedLine {
  readonly row: number;
  readonly name?: string;
  readonly verdict: string;
  readonly source: string;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  readonly novelty?: { readonly score: number; readonly p: number };
  readonly input?: { readonly score: number; readonly p: number };
  readonly hold?: { readonly id: number; readonly ending: string };
  readonly reasons: readonly { code: string; value?: number; threshold?: number; p?: number }[];
  readonly mode: string;
}

export function judgedLines(stdout: string): JudgedLine[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** That a run was refused with this code: on stderr, with the way forward, and nothing on stdout. */
export function expectRefused(ran: Ran, code: string, exit: number, words: RegExp = /./): void {
  expect(ran.stderr).toContain(`edgeward: ${code}: `);
  const [said = '', next = ''] = ran.stderr.slice(ran.stderr.indexOf('edgeward: ')).split('\n');
  expect(said).toMatch(words);
  expect(next).toMatch(/^ {2}[A-Z].*\.$/);
  expect(ran.stdout).toBe('');
  expect(ran.code).toBe(exit);
}
