/** Peak memory of verifying, which must not grow with the model. */
import { alternate, differenceOf, peakMb, type Spread, spreadOf } from '../measure.ts';
import type { Row, Table } from '../report.ts';
import { type Bench, bigBundle, edgeward, rootFile, roundsOf } from '../workshop.ts';

const SIZES_MB = [5, 50, 100, 200];
const BARE = 'bare Node';

export async function verifyMemoryTable(bench: Bench): Promise<Table> {
  const root = rootFile(bench);
  const peers = SIZES_MB.map((mb): [string, () => number] => {
    const [, ...args] = edgeward(bench, 'verify', bigBundle(bench, mb), '--root', root);
    return [`${mb} MB`, () => peakMb(args)];
  });
  const samples: Readonly<Record<string, readonly number[]>> = await alternate(roundsOf(bench, 7), {
    [BARE]: () => peakMb(['-e', '0']),
    ...Object.fromEntries(peers),
  });
  const of = (name: string): readonly number[] => samples[name] ?? [];
  const limits = bench.budgets['verify-memory'];
  const rows = SIZES_MB.map((mb): Row => {
    const name = `${mb} MB`;
    const figure = differenceOf(of(name), of(BARE));
    const budget = limits['MB over bare Node'];
    const judged = [{ kind: 'more', peer: BARE, figure, budget } as const];
    return { what: `verify ${name}`, unit: 'MB', value: spreadOf(of(name)), judged };
  });
  const slope = slopeOf(of('5 MB'), of('200 MB'));
  const budget = limits['MB for 100 MB more'];
  return {
    name: 'verify-memory',
    title: 'Memory of verifying a bundle',
    about: 'peak resident memory (VmHWM) of the process, by size of the model',
    rows: [
      { what: BARE, unit: 'MB', value: spreadOf(of(BARE)) },
      ...rows,
      {
        what: 'growth for 100 MB more',
        unit: 'MB',
        value: slope,
        judged: [{ kind: 'more', peer: 'a flat line', figure: slope, budget }],
      },
    ],
  };
}

function slopeOf(small: readonly number[], large: readonly number[]): Spread {
  return spreadOf(large.map((mb, round) => (mb - (small[round] as number)) / 1.95));
}
