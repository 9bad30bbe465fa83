/** From the start of a process to its first inference, guarded and plain. */
import { join } from 'node:path';
import { alternate, type Command, ratioOf, spreadOf, tried } from '../measure.ts';
import type { Row, Table } from '../report.ts';
import {
  type Bench,
  edgeward,
  inFolder,
  modelBundle,
  modelFile,
  modelsMissing,
  noiseFrames,
  RESNET8,
  rootFile,
  roundsOf,
  writeFrame,
} from '../workshop.ts';

const PEER = 'onnxruntime-web on main';

export async function startTable(bench: Bench): Promise<Table> {
  const missing = modelsMissing();
  const native: Row = { what: 'onnxruntime-node', unit: 'ms', missing: 'not installed' };
  const rows =
    missing === undefined
      ? [...(await rowsOf(bench)), native]
      : [{ what: 'edgeward infer', unit: 'ms', missing } as const];
  return {
    name: 'start',
    title: 'From process start to the first inference (ResNet8)',
    about: 'edgeward infer with one frame beside a script with nothing but onnxruntime-web',
    rows,
  };
}

async function rowsOf(bench: Bench): Promise<Row[]> {
  const frame = inFolder(bench, 'frame.npy');
  writeFrame(frame, RESNET8.dims, noiseFrames(1, RESNET8.dims)[0] as Float32Array);
  const bundle = modelBundle(bench, RESNET8);
  const trust = ['--root', rootFile(bench), '--input', frame];
  const plain = join(import.meta.dirname, '../programs/plain.mjs');
  const bare: Command = [process.execPath, plain, modelFile(RESNET8), '1'];
  const { edgeward: own, peer } = await alternate(roundsOf(bench, 15), {
    edgeward: tried(edgeward(bench, 'infer', bundle, ...trust)),
    peer: tried(bare),
  });
  const budget = bench.budgets.start['/ onnxruntime-web'];
  const judged = [{ kind: 'ratio', peer: PEER, figure: ratioOf(own, peer), budget } as const];
  return [
    { what: 'edgeward infer', unit: 'ms', value: spreadOf(own), judged },
    { what: PEER, unit: 'ms', value: spreadOf(peer) },
  ];
}
