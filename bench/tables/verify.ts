/** Verifying a bundle, the whole process, beside the tools that verify one signed file. */
import { alternate, type Command, ratioOf, spreadOf, tried } from '../measure.ts';
import { type Peer, peersFor } from '../peers.ts';
import type { Judged, Row, Table } from '../report.ts';
import { type Bench, bigBundle, edgeward, rootFile, roundsOf, verifyAs } from '../workshop.ts';

const BARE_NODE = 'bare Node';

export async function verifyTable(bench: Bench): Promise<Table> {
  return {
    name: 'verify',
    title: 'Verify a bundle: the whole process, from the page cache',
    about:
      'edgeward verify, and the same in the modes of a boot, beside tools that verify one signed file of the same size',
    rows: [...(await rowsOf(bench, 100)), ...(await rowsOf(bench, 5))],
  };
}

async function rowsOf(bench: Bench, mb: number): Promise<Row[]> {
  const file = bigBundle(bench, mb);
  const trusted = [file, rootFile(bench)] as const;
  const own: Readonly<Record<string, Command>> = {
    edgeward: edgeward(bench, 'verify', file, '--root', rootFile(bench)),
    'edgeward, lazy': verifyAs(bench, 'lazy', '-', ...trusted),
    'edgeward, lazy, all read': verifyAs(bench, 'lazy', 'model', ...trusted),
    'edgeward, full, all read': verifyAs(bench, 'full', 'model', ...trusted),
  };
  const peers: readonly Peer[] = [
    ...peersFor(file),
    { name: BARE_NODE, command: [process.execPath, '-e', '0'] },
  ];
  const commands = new Map(Object.entries(own));
  for (const { name, command } of peers) if (command !== undefined) commands.set(name, command);
  const samples: Readonly<Record<string, readonly number[]>> = await alternate(
    roundsOf(bench, 21),
    Object.fromEntries([...commands].map(([name, command]) => [name, tried(command)])),
  );
  const ownRows = Object.keys(own).map((way): Row => {
    const times = samples[way] as readonly number[];
    const judged = peers.flatMap(({ name }) => {
      const theirs = samples[name];
      return theirs === undefined ? [] : [judge(bench, `${mb} MB, ${way}`, name, times, theirs)];
    });
    return { what: `${mb} MB: ${way}`, unit: 'ms', value: spreadOf(times), judged };
  });
  return [
    ...ownRows,
    ...peers.map(({ name, missing = '' }): Row => {
      const theirs = samples[name];
      const seen = theirs === undefined ? { missing } : { value: spreadOf(theirs) };
      return { what: `${mb} MB: ${name}`, unit: 'ms', ...seen };
    }),
  ];
}

function judge(
  { budgets }: Bench,
  what: string,
  peer: string,
  times: readonly number[],
  theirs: readonly number[],
): Judged {
  const limits: Readonly<Record<string, number>> = budgets.verify;
  const budget = limits[`${what} / ${peer}`];
  const figure = ratioOf(times, theirs);
  return { kind: 'ratio', peer, figure, ...(budget !== undefined && { budget }) };
}
