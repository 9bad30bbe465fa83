/**
 * `node test/fuzz/main.ts [--cases N] [--seed S] [--target NAME [--case I]]`: the long run, and the
 * replay of one case. Exits with 1 when anything was found.
 */
import { parseArgs } from 'node:util';
import { toHex } from '../../src/core/base/bytes.ts';
import { Random, seedOf } from './random.ts';
import { type FuzzReport, runFuzz } from './run.ts';
import { TARGETS } from './targets.ts';

const PROGRESS_MS = 5_000;
const CASES = 2_000_000;

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: String(CASES) },
    seed: { type: 'string', default: '1' },
    target: { type: 'string' },
    case: { type: 'string' },
  },
});
const [cases, seed] = [wholeOf('cases', values.cases), wholeOf('seed', values.seed)];
const { target } = values;
if (target !== undefined && !TARGETS.some(({ name }) => name === target)) {
  fail(`no target ${target}; there are ${TARGETS.map(({ name }) => name).join(', ')}`);
}
const index = values.case === undefined ? undefined : wholeOf('case', values.case);
if (index !== undefined) {
  if (target === undefined) fail('--case needs --target');
  const played = TARGETS.find(({ name }) => name === target);
  const { input } = played?.trial(new Random(seedOf(seed, target, index))) ?? {};
  console.log(`input, ${input?.length} bytes: ${toHex(input ?? new Uint8Array(0))}`);
}

const start = performance.now();
let told = start;
const report = await runFuzz({
  cases,
  seed,
  targets: TARGETS,
  targetsModule: new URL('./targets.ts', import.meta.url).href,
  ...(target === undefined ? {} : { only: target }),
  ...(index === undefined ? {} : { index }),
  onProgress(done, name) {
    if (performance.now() - told < PROGRESS_MS) return;
    told = performance.now();
    const seconds = Math.round((told - start) / 1000);
    console.log(`${done} of ${cases} cases, ${seconds} s, in ${name}`);
  },
});
print(report);
process.exitCode = report.problems.length > 0 || report.cases === 0 ? 1 : 0;

function print({ cases: played, targets, problems, hangs }: FuzzReport): void {
  for (const { name, codes, slowestMs, slowestCase, largestBytes, ...one } of targets) {
    const accepted = codes['accepted'] ?? 0;
    const share = (count: number): string => `${((100 * count) / one.cases).toFixed(1)} %`;
    const families = new Map<string, number>();
    for (const [code, count] of Object.entries(codes)) {
      const family = code.split('.')[0] ?? code;
      families.set(family, (families.get(family) ?? 0) + count);
    }
    console.log(
      `${name}: ${one.cases} cases, ${share(one.behindFirstGate)} behind the first gate, ` +
        `${accepted} accepted, ${Object.keys(codes).length} answers ` +
        `(${[...families].map(([family, count]) => `${family} ${share(count)}`).join(', ')}), ` +
        `slowest ${slowestMs.toFixed(1)} ms (case ${slowestCase}), ` +
        `at most ${Math.ceil(largestBytes / 1024)} KiB asked for`,
    );
  }
  for (const { target: name, index: at, wrong } of problems) {
    console.log(`FOUND --seed ${seed} --target ${name} --case ${at}: ${wrong}`);
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(
    `${played} cases, ${problems.length - hangs} crashes, ${hangs} hangs, seed ${seed}, ${seconds} s`,
  );
}

function wholeOf(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) fail(`--${name} ${text} is no whole number`);
  return value;
}

function fail(reason: string): never {
  console.error(reason);
  process.exit(2);
}
