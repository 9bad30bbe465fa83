/** Memory of a whole guard process that stands idle, beside onnxruntime-web alone. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { alternate, differenceOf, spreadOf } from '../measure.ts';
import type { Row, Table } from '../report.ts';
import {
  type Bench,
  modelBundle,
  modelFile,
  modelsMissing,
  RESNET8,
  rootFile,
  roundsOf,
} from '../workshop.ts';

const FRAMES = '100';
const PEER = 'onnxruntime-web on main';

export async function memoryTable(bench: Bench): Promise<Table> {
  const missing = modelsMissing();
  return {
    name: 'memory',
    title: 'Memory of the whole guard process (ResNet8)',
    about: `resident memory, idle after ${FRAMES} frames`,
    rows:
      missing === undefined
        ? await rowsOf(bench)
        : [{ what: 'guarded session', unit: 'MB', missing }],
  };
}

async function rowsOf(bench: Bench): Promise<Row[]> {
  const guarded = [bench.dist, modelBundle(bench, RESNET8), rootFile(bench), FRAMES];
  const { own, peer } = await alternate(roundsOf(bench, 7), {
    own: () => residentMb('guarded.mjs', guarded),
    peer: () => residentMb('plain.mjs', [modelFile(RESNET8), FRAMES]),
  });
  const budget = bench.budgets.memory['MB over onnxruntime-web'];
  const judged = [{ kind: 'more', peer: PEER, figure: differenceOf(own, peer), budget } as const];
  return [
    { what: 'guarded session', unit: 'MB', value: spreadOf(own), judged },
    { what: PEER, unit: 'MB', value: spreadOf(peer) },
  ];
}

/** What a program says about its own resident memory, in MB of 10^6 bytes. */
function residentMb(program: string, args: readonly string[]): number {
  const path = join(import.meta.dirname, '../programs', program);
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
  return Number(stdout) / 1e6;
}
