/**
 * The bet on which classes the model answers, against how often they came in the calibration set.
 *
 * It bets that the next answer comes as the recent ones did: a class pays `recent share /
 * calibration share`, divided by no less than this can pay on average under ANY class frequencies
 * the calibration counts allow. So it is fair for a finite calibration set, whatever the recent
 * answers were; with confidence `1 - delta` over that set. Allowed are frequencies that add up to 1 and
 * keep Chernoff's bound for each class, `n kl(m / n, pi) <= ln(2 G / delta)` (Hoeffding 1963, theorem
 * 1; G groups). The recent share is a Dirichlet prediction with fading memory (Krichevsky
 * & Trofimov 1981): a plug-in bet in the sense of Dawid's prequential principle.
 */
import { CLASS_GROUPS_MAX } from '../base/limits.ts';
import { type Capital, capitalAtStart, stepCapital } from './drift-capital.ts';

/** What the calibration counts say about each group of classes. */
export interface ClassFrequencies {
  /** As many as the model has classes, one group each up to `CLASS_GROUPS_MAX`. */
  readonly classes: number;
  /** Smoothed shares: none is 0, they add up to 1. */
  readonly shares: readonly number[];
  /** Each true share is at least this, */
  readonly low: readonly number[];
  /** and at most this. */
  readonly high: readonly number[];
}

export interface ClassState {
  readonly capital: Capital;
  /** Answers of each group, each fading by `1 / MEMORY` a frame; empty before the first. */
  readonly recent: readonly number[];
}

/** None, half or all of a stake. */
const BETS: readonly number[] = [0, 0.5, 1];
/** Recent answers that count. */
export const MEMORY = 200;
/** So many answers as in the calibration set stand before the first one. */
const PRIOR = 10;

export const CLASSES_AT_START: ClassState = { capital: capitalAtStart(BETS.length), recent: [] };

/**
 * @param counts answers per class on the calibration set, at least one in all
 * @param delta 0 to 1, excluded
 */
export function classFrequencies(counts: readonly number[], delta: number): ClassFrequencies {
  const groups = Math.min(counts.length, CLASS_GROUPS_MAX);
  const grouped = Array<number>(groups).fill(0);
  counts.forEach((count, at) => {
    grouped[groupOf(at, counts.length, groups)] =
      count + (grouped[groupOf(at, counts.length, groups)] as number);
  });
  const n = grouped.reduce((sum, count) => sum + count, 0);
  const reach = Math.log((2 * groups) / delta) / n;
  return {
    classes: counts.length,
    shares: grouped.map((count) => (count + 0.5) / (n + groups / 2)),
    low: grouped.map((count) => furthest(count / n, 0, reach)),
    high: grouped.map((count) => furthest(count / n, 1, reach)),
  };
}

/** `answer` is a class of the model: 0 to `classes - 1`. */
export function stepClasses(
  { capital, recent }: ClassState,
  frequencies: ClassFrequencies,
  answer: number,
): ClassState {
  const { classes, shares } = frequencies;
  const before = recent.length === 0 ? shares.map(() => 0) : recent;
  const total = before.reduce((sum, count) => sum + count, 0);
  const pays = shares.map(
    (share, g) => ((before[g] as number) + PRIOR * share) / (total + PRIOR) / share,
  );
  const group = groupOf(answer, classes, shares.length);
  const fair = (pays[group] as number) / mostOnAverage(frequencies, pays);
  return {
    capital: stepCapital(
      capital,
      BETS.map((bet) => 1 + bet * (fair - 1)),
    ),
    recent: before.map((count, g) => count * (1 - 1 / MEMORY) + (g === group ? 1 : 0)),
  };
}

/** The group whose recent share is furthest from its calibration share, in words. */
export function strangestGroup({ recent }: ClassState, frequencies: ClassFrequencies): string {
  const { classes, shares } = frequencies;
  const total = recent.reduce((sum, count) => sum + count, 0);
  const off = shares.map((share, g) => Math.abs((recent[g] as number) / total - share));
  const g = off.indexOf(Math.max(...off));
  const first = Math.ceil((g * classes) / shares.length);
  const last = Math.ceil(((g + 1) * classes) / shares.length) - 1;
  const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
  const name = first === last ? `class ${first} makes` : `classes ${first} to ${last} make`;
  const now = percent((recent[g] as number) / total);
  return `${name} up ${now} of the recent answers, ${percent(shares[g] as number)} in calibration`;
}

/** Neighbours share a group where there are more classes than groups. */
function groupOf(answer: number, classes: number, groups: number): number {
  return Math.floor((answer * groups) / classes);
}

/**
 * No average of `pays` is larger under frequencies within their bounds that add up to 1: it is 1 and
 * what each class pays beyond 1, counted at its upper bound, or short of it, at its lower one.
 */
function mostOnAverage({ low, high }: ClassFrequencies, pays: readonly number[]): number {
  let most = 1;
  for (let g = 0; g < pays.length; g++) {
    const beyond = (pays[g] as number) - 1;
    most += beyond * ((beyond > 0 ? high[g] : low[g]) as number);
  }
  return most;
}

const BISECTIONS = 60;

/** The frequency furthest from `share` towards `end` whose divergence is within reach, or beyond. */
function furthest(share: number, end: 0 | 1, reach: number): number {
  let within = share;
  let beyond: number = end;
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (within + beyond) / 2;
    if (divergence(share, middle) <= reach) within = middle;
    else beyond = middle;
  }
  return beyond;
}

/** `kl(p, q)` of two coins; `q` in (0, 1). */
function divergence(p: number, q: number): number {
  const part = (a: number, b: number): number => (a === 0 ? 0 : a * Math.log(a / b));
  return part(p, q) + part(1 - p, 1 - q);
}
