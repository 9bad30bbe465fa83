/**
 * `npm run simulate [-- --seed N --points N --json]`: power cuts on a simulated disk, after every
 * operation of every scenario. A violation names the seed that plays it again.
 */
import { parseArgs } from 'node:util';
import { runSimulation } from './run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    points: { type: 'string', default: '100000' },
    json: { type: 'boolean', default: false },
  },
});
const seed = wholeNumber('seed', values.seed);
const points = wholeNumber('points', values.points);
const start = performance.now();
const report = await runSimulation({ seed, points }, (crashPoints, violations) => {
  if (!values.json) console.log(`${crashPoints} crash points, ${violations} violations`);
});
const seconds = Math.round((performance.now() - start) / 1000);
if (values.json) console.log(JSON.stringify({ ...report, seconds }, undefined, 2));
else {
  for (const { scenario, crashPoints, violations } of report.scenarios) {
    console.log(`${scenario.padEnd(28)} ${String(crashPoints).padStart(8)} ${violations.length}`);
  }
  for (const violation of report.violations) console.log(`VIOLATION ${violation}`);
  const { scenarios, crashPoints, violations, rounds } = report;
  console.log(
    `${scenarios.length} scenarios, ${crashPoints} crash points, ${violations.length} violations ` +
      `(seeds ${seed} to ${seed + rounds - 1}, ${seconds} s)`,
  );
  if (violations.length > 0) {
    console.log(`again: npm run simulate -- --seed ${seed + rounds - 1} --points 1`);
  }
}
process.exitCode = report.violations.length > 0 || report.crashPoints === 0 ? 1 : 0;

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`--${name} must be a whole number`);
  process.exit(2);
}
