/**
 * An evaluation as one HTML file for a person who must decide: the verdict in a sentence, what was
 * promised, what was seen and what nobody looked at; then a section for each kind of evidence, with
 * pictures and the same figures as a table. Nothing is loaded from anywhere and nothing runs.
 */
import type { Evaluation } from '../../core/calibration/evaluation.ts';
import {
  alarmPicture,
  attackPicture,
  corruptionPicture,
  driftPicture,
  latencyPicture,
} from './evaluate-report-bars.ts';
import { histogramPicture, rocPicture } from './evaluate-report-curves.ts';
import {
  countWords,
  notEvaluatedIn,
  promiseWords,
  type Section,
  type SectionName,
  sectionsOf,
  seenWords,
} from './evaluate-report-sections.ts';
import { REPORT_STYLE } from './evaluate-report-style.ts';
import { escaped } from './evaluate-report-svg.ts';

/** Even a text that got past the escaping could load and run nothing. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** A table with more columns gets the whole width. */
const BESIDE_COLUMNS_MAX = 5;

/** The whole file, UTF-8. The same evaluation gives the same bytes. */
export function evaluationHtml(evaluation: Evaluation): string {
  const title = escaped(`Evaluation of ${evaluation.identity.model}`);
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${title}</title>`,
    `<style>${REPORT_STYLE}</style>`,
    '</head>',
    '<body>',
    '<main>',
    `<h1>${title}</h1>`,
    verdict(evaluation),
    summary(evaluation),
    ...sectionsOf(evaluation).map((section) => sectionHtml(section, evaluation)),
    origin(evaluation),
    '</main>',
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

function verdict({ verdict: { passed, words } }: Evaluation): string {
  const [first = '', ...others] = words;
  return [
    `<div class="verdict ${passed ? 'passed' : 'failed'}">`,
    `<p><strong>${passed ? 'Passed' : 'Not passed'}.</strong> ${escaped(first)}</p>`,
    others.length === 0 ? '' : list(others),
    '</div>',
  ].join('');
}

function summary(evaluation: Evaluation): string {
  const missing = notEvaluatedIn(evaluation).map(({ what, why }) => `${what}: ${why}`);
  const cards: readonly [string, readonly string[]][] = [
    ['What was promised', [promiseWords(evaluation), evaluation.promise.statement]],
    ['What was seen', seenWords(evaluation)],
    ['What is not evaluated', missing.length === 0 ? ['Nothing is listed.'] : missing],
  ];
  const body = cards.map(([name, lines]) => {
    return `<section class="card"><h3>${name}</h3>${list(lines)}</section>`;
  });
  return `<div class="cards">${body.join('')}</div>`;
}

function sectionHtml(section: Section, evaluation: Evaluation): string {
  const id = section.title.toLowerCase().replaceAll(' ', '-');
  const pictures = PICTURES[section.title](evaluation, id);
  return [
    `<section aria-labelledby="${id}">`,
    `<h2 id="${id}">${section.title}</h2>`,
    `<p class="soft">${escaped(section.about)}</p>`,
    ...(section.head.length <= BESIDE_COLUMNS_MAX
      ? [pictureRow([...pictures, table(section)])]
      : [pictureRow(pictures), table(section)]),
    '</section>',
  ].join('\n');
}

/** The pictures of each section; the table beside them has the same figures. */
const PICTURES: Readonly<
  Record<SectionName, (evaluation: Evaluation, id: string) => readonly string[]>
> = {
  'False alarms': ({ promise }, id) => [
    figure('Alarm rate and its interval, against the budget', alarmPicture(promise, `${id}-rate`)),
  ],
  Detection: detectionPictures,
  Corruptions: ({ corruptions }, id) => [
    figure('Detected at the threshold', corruptionPicture(corruptions, `${id}-sweep`)),
  ],
  Attacks: ({ attacks }, id) => [
    figure('Of all attacked frames', attackPicture(attacks, `${id}-sweep`), [
      ['good', 'model fooled, detected'],
      ['bad', 'model fooled, passed unseen'],
    ]),
  ],
  Drift: ({ drift }, id) => [
    figure('Median frames until the alarm (streams with one)', driftPicture(drift, `${id}-delays`)),
  ],
  Callers: () => [],
  Latency: ({ latency }, id) =>
    latency === undefined
      ? []
      : [figure('Time for one frame', latencyPicture(latency, `${id}-times`))],
};

/** The curves of each set and its scores, in the same colours. */
function detectionPictures({ curves, histograms }: Evaluation, id: string): readonly string[] {
  const sets = [...new Set([...curves, ...histograms].map(({ set }) => set))];
  return sets.flatMap((set, at) => {
    const own = curves.filter((curve) => curve.set === set);
    const scores = histograms.filter((histogram) => histogram.set === set);
    return [
      ...(own.length === 0
        ? []
        : [
            figure(
              `${set}: detected against false alarms`,
              rocPicture(set, own, `${id}-roc-${at}`),
            ),
          ]),
      ...scores.map((histogram, index) => {
        const series = own.findIndex(({ score }) => score === histogram.score);
        const picture = histogramPicture(histogram, `${id}-${at}-${index}`, Math.max(0, series));
        return figure(`${set}: scores by ${histogram.score}`, picture);
      }),
    ];
  });
}

function pictureRow(cells: readonly string[]): string {
  return cells.length === 0 ? '' : `<div class="pictures">${cells.join('')}</div>`;
}

function figure(
  caption: string,
  svg: string,
  keys: readonly (readonly [kind: string, words: string])[] = [],
): string {
  const legend = keys.map(
    ([kind, words]) => `<span class="key ${kind}-key"></span>${escaped(words)}&ensp;`,
  );
  const below = legend.length === 0 ? '' : `<p class="soft">${legend.join('')}</p>`;
  return `<figure><figcaption>${escaped(caption)}</figcaption>${svg}${below}</figure>`;
}

/** It scrolls by itself where it is too wide, by keyboard too. */
function table({ title, head, rows }: Section): string {
  const names = head.map((name) => `<th scope="col">${escaped(name)}</th>`);
  const lines = rows.map(([name = '', ...cells]) => {
    const figures = cells.map((cell) => `<td>${escaped(cell)}</td>`);
    return `<tr><th scope="row">${escaped(name)}</th>${figures.join('')}</tr>`;
  });
  return [
    `<div class="scroll" role="region" tabindex="0" aria-label="${title}, table">`,
    `<table><thead><tr>${names.join('')}</tr></thead><tbody>${lines.join('')}</tbody></table>`,
    '</div>',
  ].join('');
}

/** What exactly was evaluated, on what. */
function origin({ identity, sets }: Evaluation): string {
  const { model, modelSha256, policySha256, bundleSha256, detection, version, evaluatedAt } =
    identity;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['Model', `${model}, ${detection} detection`],
    ['Model file', modelSha256],
    ['Guard policy', policySha256],
    ['Bundle manifest', bundleSha256],
    ['Evaluated by', `Edgeward ${version}`],
    ['Evaluated at', evaluatedAt],
    ...sets.map(({ name, kind, frames, description, sha256 }) => {
      const size = `${countWords(frames)} ${kind} frames`;
      return [`Set ${name}`, `${size}; ${description}; ${sha256}`] as const;
    }),
  ];
  const lines = facts.flatMap(([name, value]) =>
    value === undefined ? [] : [`<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`],
  );
  return [
    '<section aria-labelledby="origin">',
    '<h2 id="origin">What was evaluated</h2>',
    '<p class="soft">Digests are SHA-256; of a folder, of what sha256sum prints for its files.</p>',
    `<dl>${lines.join('')}</dl>`,
    '</section>',
  ].join('\n');
}

function list(lines: readonly string[]): string {
  return `<ul>${lines.map((line) => `<li>${escaped(line)}</li>`).join('')}</ul>`;
}
