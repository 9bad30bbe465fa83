/**
 * The crash simulation in short: the product survives it, and every planted bug does not. The long
 * run is `npm run simulate`.
 */
import { describe, expect, it } from 'vitest';
import { explore } from './explore.ts';
import { type Operator, PLANTED, PRODUCT } from './operator.ts';
import { SCENARIOS } from './scenarios.ts';

const SHORT = { outcomesMax: 2, deepOneIn: 12, violationsMax: 1 };
/** Where each kind of bug can show at all; the long run plays them everywhere. */
const TELLING = ['update', 'trial that fails', 'confirm', 'last attempt confirmed'];

function violationsOf(operator: Operator, names: readonly string[], seed: number): string[] {
  return SCENARIOS.filter(({ name }) => names.includes(name)).flatMap(
    (scenario) => explore(scenario, operator, { ...SHORT, seed }).violations,
  );
}

describe('the simulation', () => {
  it.each(SCENARIOS)('$name: boots what is admissible wherever the power fails', (scenario) => {
    const { crashPoints, violations } = explore(scenario, PRODUCT, { ...SHORT, seed: 1 });
    expect(violations).toEqual([]);
    expect(crashPoints).toBeGreaterThan(20);
  });

  it('plays the same again from the same seed', () => {
    const [scenario] = SCENARIOS;
    if (scenario === undefined) throw new Error('there are scenarios');
    const runs = [7, 7, 8].map((seed) => explore(scenario, PRODUCT, { ...SHORT, seed }));
    expect(runs[0]).toEqual(runs[1]);
    expect(runs[2]?.violations).toEqual([]);
  });
});

describe('a planted bug', () => {
  it.each(PLANTED)('is caught: $name', (operator) => {
    const found = violationsOf(operator, TELLING, 1);
    expect(found.length).toBeGreaterThan(0);
    // A violation says how it is played again.
    expect(found.every((line) => /seed 1, cut \d+|power on/.test(line))).toBe(true);
  });
});
