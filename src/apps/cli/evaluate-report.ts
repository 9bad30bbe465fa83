/** An evaluation for a terminal and as JSON; for people who decide there is `evaluationHtml`. */
import type { Evaluation } from '../../core/calibration/evaluation.ts';
import {
  countWords,
  notEvaluatedIn,
  promiseWords,
  type Section,
  sectionsOf,
  seenWords,
} from './evaluate-report-sections.ts';
import { printable } from './terminal.ts';

/** The lines of the report, without control characters: names in it come from files. */
export function evaluationText(evaluation: Evaluation): string {
  const { identity, verdict, sets, promise } = evaluation;
  const [first = '', ...others] = verdict.words;
  const missing = notEvaluatedIn(evaluation).map(({ what, why }) => `${what}: ${why}`);
  const lines = [
    `${verdict.passed ? 'PASSED' : 'NOT PASSED'}: ${first}`,
    ...indented(others),
    '',
    `model   ${identity.model}, ${identity.detection} detection, sha256 ${identity.modelSha256}`,
    `guard   sha256 ${identity.policySha256}`,
    ...(identity.bundleSha256 === undefined ? [] : [`bundle  sha256 ${identity.bundleSha256}`]),
    '',
    'Promised',
    ...indented([promiseWords(evaluation), promise.statement]),
    '',
    'Seen',
    ...indented(seenWords(evaluation)),
    '',
    'Not evaluated',
    ...indented(missing.length === 0 ? ['nothing is listed'] : missing),
    '',
    ...sectionsOf(evaluation).flatMap(sectionLines),
    'Sets',
    ...sets.flatMap(({ name, kind, frames, sha256, description }) =>
      indented([`${name}: ${countWords(frames)} ${kind} frames, ${description}`, `  ${sha256}`]),
    ),
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

/**
 * The evaluation itself as JSON, the members of every object in the order of their names, so that
 * the same evaluation gives the same bytes. What JSON cannot say (NaN, infinities) becomes null.
 */
export function evaluationJson(evaluation: Evaluation): string {
  const document = { format: 'edgeward-evaluation', formatVersion: 1, ...evaluation };
  return `${JSON.stringify(sorted(document), undefined, 2)}\n`;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  // Not by assignment: a member may be called __proto__.
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}

function indented(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line}`);
}

/** Names to the left, figures to the right of their columns. */
function sectionLines({ title, about, head, rows }: Section): readonly string[] {
  const table = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_, column) =>
    table.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0),
  );
  const lines = table.map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column] as number;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `  ${cells.join('  ')}`.trimEnd();
  });
  return [title, `  ${about}`, '', ...lines, ''];
}
