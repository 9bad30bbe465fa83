/** What a table of the bench is, and how it is shown on a terminal and kept as JSON. */
import { cpus, release } from 'node:os';
import type { Spread } from './measure.ts';

/** A figure held against its budget: the median is judged. */
export interface Judged {
  /** `ratio`, or how much more than the peer in `unit`. */
  readonly kind: 'ratio' | 'more';
  readonly peer: string;
  readonly figure: Spread;
  /** At most; absent where there is no budget yet. */
  readonly budget?: number;
}

export interface Row {
  readonly what: string;
  readonly unit: 'ms' | 'us' | 'MB';
  /** Absent where it could not be measured; then `missing` says why. */
  readonly value?: Spread;
  readonly missing?: string;
  readonly judged?: readonly Judged[];
}

export interface Table {
  readonly name: string;
  readonly title: string;
  /** What is measured against what, in a sentence. */
  readonly about: string;
  readonly rows: readonly Row[];
}

export interface Report {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly tables: readonly Table[];
  readonly missed: readonly string[];
}

export function reportOf(tables: readonly Table[]): Report {
  const [cpu] = cpus();
  const machine = {
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: cpus().length,
    system: `${process.platform} ${process.arch} ${release()}`,
    node: process.version,
    openssl: process.versions['openssl'] ?? 'none',
  };
  return { machine, tables, missed: tables.flatMap(missedIn) };
}

export function isMissed({ figure, budget }: Judged): boolean {
  // Written so that a figure that is no number is a miss.
  return budget !== undefined && !(figure.median <= budget);
}

function missedIn({ name, rows }: Table): string[] {
  return rows.flatMap(({ what, unit, judged = [] }) =>
    judged.filter(isMissed).map((one) => `${name}: ${what}: ${judgedWords(one, unit)}`),
  );
}

/** For people: one block, columns aligned. */
export function tableWords({ title, about, rows }: Table): string {
  const lines = rows.map(({ what, unit, value, missing, judged = [] }) => {
    const shown = value === undefined ? `not measured: ${missing}` : spreadWords(value, unit);
    return { what, shown, judged: judged.map((one) => judgedWords(one, unit)) };
  });
  const width = Math.max(...lines.map(({ what }) => what.length));
  const text = lines.flatMap(({ what, shown, judged }) => [
    `  ${what.padEnd(width)}  ${shown}`,
    ...judged.map((words) => `  ${' '.repeat(width)}    ${words}`),
  ]);
  return [title, `  ${about}`, '', ...text, ''].join('\n');
}

function judgedWords(judged: Judged, unit: Row['unit']): string {
  const { kind, peer, figure, budget } = judged;
  const [sign, tail] = kind === 'ratio' ? ['', `x ${peer}`] : ['+', ` ${unit} over ${peer}`];
  const seen = `${figure.median < 0 ? '' : sign}${short(figure.median)}${tail}`;
  const spread = `${short(figure.min)} to ${short(figure.max)}`;
  if (budget === undefined) return `${seen} (${spread}), no budget`;
  const verdict = isMissed(judged) ? 'MISSED' : 'met';
  return `${seen} (${spread}), budget ${sign}${budget}: ${verdict}`;
}

function spreadWords({ median, min, max, rounds }: Spread, unit: string): string {
  return `${short(median)} ${unit} (${short(min)} to ${short(max)}, ${rounds} rounds)`;
}

/** Three significant digits, and none behind the point from 100 on. */
export function short(value: number): string {
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
}
