/** Callers of a guarded model whose intentions are known: who of them is found, and after how much. */
import {
  augmentedQueries,
  type CallerWatch,
  cameraQueries,
  type Queries,
  queriesToFinding,
  SCENE_FRAMES,
  searchingQueries,
  watchCaller,
  windowQueries,
} from '../../core/calibration/caller-trial.ts';
import type { CallerRow } from '../../core/calibration/evaluation.ts';
import { medianOf } from '../../core/calibration/evaluation-figures.ts';
import type { ScoredRow } from '../../core/calibration/scored-rows.ts';
import { seededNumbers, shuffled } from '../../core/calibration/seeded-numbers.ts';
import type { Trial } from './evaluation-trials.ts';

/** Queries in which a caller has to be found; natural ones are given more. */
const MADE_QUERIES_MAX = 400;
const NATURAL_QUERIES_MAX = 2_000;
const SENSOR_FRAMES = 1_500;
const AUGMENTED_SEEDS = 50;
/** As a share of the range. */
const AUGMENTING_STEP = 26 / 255;
const SEARCHING_STEP = 51 / 255;

/** Callers after the model, `runs` of each; twice as many harmless ones, and a declared sensor. */
export async function callerTrials(
  trial: Trial,
  unusual: ReadonlyMap<string, readonly ScoredRow[]>,
  runs: number,
): Promise<readonly CallerRow[]> {
  return [
    ...[...unusual].map(([set, rows]) => copying(trial, set, rows, runs)),
    ...(await hostile(trial, runs)),
    harmless(trial, 2 * runs),
    ...(await sensor(trial)),
  ];
}

/** Knockoff nets (Orekondy et al. 2019): natural frames of other kinds, in random orders. */
function copying(trial: Trial, set: string, rows: readonly ScoredRow[], runs: number): CallerRow {
  const count = Math.min(NATURAL_QUERIES_MAX, rows.length);
  const found = Array.from({ length: runs }, (_, run) => {
    const order = shuffled(rows.length, seededNumbers(trial.seed + 3_000 + run));
    const asked = Array.from(order.subarray(0, count), (at) => rows[at] as ScoredRow);
    return queriesToFinding(watchOf(trial), asked);
  });
  return callerRow(`copies with ${set}`, true, count, found);
}

function harmless(trial: Trial, runs: number): CallerRow {
  const { usual, seed } = trial;
  const found = Array.from({ length: runs }, (_, run) => {
    const next = seededNumbers(seed + 4_000 + run);
    const pick = (): ScoredRow => usual[Math.floor(next() * usual.length)] as ScoredRow;
    return queriesToFinding(watchOf(trial), Array.from({ length: NATURAL_QUERIES_MAX }, pick));
  });
  return callerRow('asks about usual frames', false, NATURAL_QUERIES_MAX, found);
}

async function hostile(trial: Trial, runs: number): Promise<readonly CallerRow[]> {
  const { range } = trial.plain;
  const width = range.max - range.min;
  const kinds: readonly (readonly [string, (next: () => number) => Queries])[] = [
    [
      `copies with frames made from ${AUGMENTED_SEEDS}`,
      (next) => {
        const seeds = Array.from({ length: AUGMENTED_SEEDS }, () => anyFrame(trial, next));
        return augmentedQueries(seeds, AUGMENTING_STEP * width, range, next);
      },
    ],
    [
      'searches at random',
      (next) => searchingQueries(() => anyFrame(trial, next), SEARCHING_STEP * width, range, next),
    ],
  ];
  const rows: CallerRow[] = [];
  for (const [caller, queries] of kinds) {
    const found: (number | undefined)[] = [];
    for (let run = 0; run < runs; run++) {
      const asked = queries(seededNumbers(trial.seed + 5_000 + run));
      found.push(await askLive(trial, caller, watchOf(trial), asked, MADE_QUERIES_MAX));
    }
    rows.push(callerRow(caller, true, MADE_QUERIES_MAX, found));
  }
  return rows;
}

/** Nothing moves in a row of a table, so that there is no such sensor to play. */
async function sensor(trial: Trial): Promise<readonly CallerRow[]> {
  const { layout } = trial.bench;
  if (layout === undefined || layout.kind === 'table') return [];
  const next = seededNumbers(trial.seed + 6_000);
  const scenes = () => anyFrame(trial, next);
  const frames =
    layout.kind === 'image'
      ? cameraQueries(scenes, layout, trial.plain.range, next)
      : windowQueries(scenes, layout);
  const watch = watchOf(trial, 'sensor');
  const found = await askLive(trial, 'declared sensor', watch, frames, SENSOR_FRAMES);
  const caller = `declared sensor, ${SCENE_FRAMES} frames of each scene`;
  return [callerRow(caller, false, SENSOR_FRAMES, [found])];
}

function watchOf({ bench }: Trial, kind?: 'sensor'): CallerWatch {
  return watchCaller(bench.policy, bench.settings, kind);
}

function anyFrame({ plain, frames }: Trial, next: () => number): Float32Array {
  return plain.values(Math.floor(next() * frames.count));
}

async function askLive(
  { bench, plain, onProgress }: Trial,
  stage: string,
  watch: CallerWatch,
  queries: Queries,
  queriesMax: number,
): Promise<number | undefined> {
  let asked = queries.next();
  for (let count = 1; count <= queriesMax && asked.done !== true; count++) {
    const row = await bench.score(plain.frame(asked.value.slice()), 'at-risk');
    onProgress?.(stage, count, queriesMax);
    if (watch(row)) return count;
    asked = queries.next(row);
  }
  return undefined;
}

function callerRow(
  caller: string,
  isHostile: boolean,
  queries: number,
  found: readonly (number | undefined)[],
): CallerRow {
  const counts = found.filter((count) => count !== undefined);
  const medianQueries = medianOf(counts);
  return {
    ...{ caller, hostile: isHostile, runs: found.length, queries, flagged: counts.length },
    ...(medianQueries !== undefined && { medianQueries }),
  };
}
