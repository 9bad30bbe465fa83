/** One guarded inference in the worker beside the same model on bare onnxruntime-web. */
import { openGuarded } from '../guarded-session.ts';
import { alternate, differenceOf, ratioOf, spreadOf } from '../measure.ts';
import { openPlain } from '../plain-session.ts';
import type { Judged, Row, Table } from '../report.ts';
import {
  type Bench,
  type BenchModel,
  modelBundle,
  modelFile,
  modelsMissing,
  noiseFrames,
  RESNET8,
  rootFile,
  roundsOf,
} from '../workshop.ts';

const PEER = 'onnxruntime-web';
const MODELS: readonly BenchModel[] = [
  RESNET8,
  { name: 'vww-mobilenetv1-025-96', input: 'input', dims: [1, 3, 96, 96] },
  { name: 'ultraface-rfb-320', input: 'input', dims: [1, 3, 240, 320] },
  {
    name: 'mnist-cnn',
    input: 'input',
    dims: [1, 1, 28, 28],
    guard: { fit: 'mnist28-fit', calibration: 'mnist28-test-x' },
  },
  { name: 'toycar-ae', input: 'input', dims: [1, 640] },
];
/** Both peers get it: a device judges frames for months, and V8 compiles what it calls in seconds. */
const WARM_MS = 2000;
const FIRST_RUNS = 60;
const BATCH_MS = 100;
const FRAMES = 32;
/** Rounds of two batches: one round spreads by a fifth on a machine that others share. */
const ROUNDS = 101;

export async function inferenceTable(bench: Bench): Promise<Table> {
  const missing = modelsMissing();
  const rows: Row[] = [];
  for (const model of MODELS) {
    if (missing !== undefined) rows.push({ what: model.name, unit: 'us', missing });
    else rows.push(...(await rowsOf(bench, model)));
  }
  return {
    name: 'inference',
    title: 'One guarded inference in the worker',
    about:
      'contract, frozen frame, inference, output contract and novelty beside the bare inference',
    rows,
  };
}

async function rowsOf(bench: Bench, model: BenchModel): Promise<Row[]> {
  const trust = { bundle: modelBundle(bench, model), root: rootFile(bench) };
  const guard = await openGuarded(bench.dist, trust, model);
  const plain = await openPlain(modelFile(model));
  const frames = noiseFrames(FRAMES, model.dims);
  try {
    let next = 0;
    const batch = async (run: (frame: Float32Array) => Promise<unknown>, runs: number) => {
      const startMs = performance.now();
      for (let i = 0; i < runs; i++) await run(frames[next++ % FRAMES] as Float32Array);
      return ((performance.now() - startMs) * 1000) / runs;
    };
    const firstUs = await batch(plain, FIRST_RUNS);
    const warmRuns = Math.ceil((WARM_MS * 1000) / firstUs);
    await batch(guard.run, warmRuns);
    const warmUs = await batch(plain, warmRuns);
    const runs = Math.max(1, Math.round((BATCH_MS * 1000) / warmUs));
    const { own, bare } = await alternate(roundsOf(bench, ROUNDS), {
      own: () => batch(guard.run, runs),
      bare: () => batch(plain, runs),
    });
    return [
      { what: model.name, unit: 'us', value: spreadOf(own), judged: judge(bench, own, bare) },
      { what: `${model.name}: bare`, unit: 'us', value: spreadOf(bare) },
    ];
  } finally {
    await guard.close();
  }
}

/** From 1 ms up the share counts, below it what the hand-over costs. */
function judge({ budgets }: Bench, own: readonly number[], bare: readonly number[]): Judged[] {
  const limits = budgets.inference;
  const share = { kind: 'ratio', peer: PEER, figure: ratioOf(own, bare) } as const;
  const more = { kind: 'more', peer: PEER, figure: differenceOf(own, bare) } as const;
  return spreadOf(bare).median >= 1000
    ? [{ ...share, budget: limits['/ onnxruntime-web, from 1 ms'] }, more]
    : [share, { ...more, budget: limits['us over onnxruntime-web, below 1 ms'] }];
}
