/**
 * The crash simulation in short: the product survives it, and every planted bug does not. The long
 * run is `npm run simulate`.
 */
import { describe, expect, it } from 'vitest';
import { explore } from './explore.ts';
import { PLANTED, PRODUCT } from './operator.ts';
import { SCENARIOS } from './scenarios.ts';

const SHORT = { outcomesMax: 2, deepOneIn: 40, violationsMax: 1 };
/** A scenario in which each bug shows soon; the bug itself is in every step of all of them. */
const SHOWS_IN: Readonly<Record<string, string>> = {
  'floor raised before confirm': 'trial that fails',
  'floor raised before copy': 'confirm',
  'rename without fsync': 'confirm',
  'slot files without fsync': 'confirm',
  'folders without fsync': 'trial that fails',
  'hard link instead of copy': 'confirm',
  'attempt not spent before trial boot': 'trial that fails',
};

describe('the simulation', () => {
  it.each(SCENARIOS)('$name: boots what is admissible wherever the power fails', (scenario) => {
    const { crashPoints, violations } = explore(scenario, PRODUCT, { ...SHORT, seed: 1 });
    expect(violations).toEqual([]);
    expect(crashPoints).toBeGreaterThanOrEqual(15);
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
    const scenario = SCENARIOS.find(({ name }) => name === SHOWS_IN[operator.name]);
    if (scenario === undefined) throw new Error(`nobody says where ${operator.name} shows`);
    const { violations } = explore(scenario, operator, { ...SHORT, deepOneIn: 8, seed: 1 });
    // It says how it is played again.
    expect(violations[0]).toMatch(/seed 1, cut \d+|power on/);
  });
});
