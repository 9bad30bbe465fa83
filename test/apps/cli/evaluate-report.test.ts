/** An evaluation in words, in JSON and as one HTML file: complete, stable, and safe to open. */
import { describe, expect, it } from 'vitest';
import { evaluationJson, evaluationText } from '../../../src/apps/cli/evaluate-report.ts';
import { evaluationHtml } from '../../../src/apps/cli/evaluate-report-html.ts';
import {
  notEvaluatedIn,
  sectionsOf,
  shareWords,
  standing,
  timeWords,
} from '../../../src/apps/cli/evaluate-report-sections.ts';
import type { Evaluation } from '../../../src/core/calibration/evaluation.ts';
import { SAMPLE } from './evaluation-sample.ts';

/** The same shape with another value in place of every text, or every number. */
function changed(value: unknown, change: (leaf: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((entry) => changed(entry, change));
  if (typeof value !== 'object' || value === null) return change(value);
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, changed(member, change)]),
  );
}

function withTexts(text: string): Evaluation {
  return changed(SAMPLE, (leaf) => (typeof leaf === 'string' ? text : leaf)) as Evaluation;
}

function withNumbers(number: number): Evaluation {
  return changed(SAMPLE, (leaf) => (typeof leaf === 'number' ? number : leaf)) as Evaluation;
}

const EMPTY: Evaluation = {
  identity: SAMPLE.identity,
  verdict: { passed: false, words: [] },
  sets: [],
  promise: { ...SAMPLE.promise, observed: [] },
  ...{ detection: [], curves: [], histograms: [], corruptions: [], attacks: [], drift: [] },
  ...{ callers: [], notEvaluated: [{ what: 'Attacks', why: 'no time' }] },
};

const CONTROLS = ['\u0007', '\u202e', '\u001b'];
const HOSTILE = `"><script>alert(1)</script><img src=x onerror='x'>&${CONTROLS.join('')}\n`;

/** Names, attributes and texts of a document; fails where it is not well formed. */
function tagsOf(html: string): { readonly name: string; readonly attributes: string }[] {
  const tags: { name: string; attributes: string }[] = [];
  const open: string[] = [];
  const body = html.replace(/<style>[^<]*<\/style>/, '');
  for (const [, closing, name = '', attributes = ''] of body.matchAll(
    /<(\/?)([a-z!][a-z0-9]*)((?:[^>"]|"[^"]*")*)>/gi,
  )) {
    if (closing === '/') expect(open.pop()).toBe(name);
    else {
      tags.push({ name, attributes });
      const alone = ['!doctype', 'meta'].includes(name) || attributes.endsWith('/');
      if (!alone) open.push(name);
    }
  }
  expect(open).toEqual([]);
  return tags;
}

const TAGS = [
  ...['!doctype', 'html', 'head', 'meta', 'title', 'body', 'main', 'section', 'div', 'h1', 'h2'],
  ...['h3', 'p', 'strong', 'span', 'ul', 'li', 'figure', 'figcaption', 'svg', 'desc', 'path', 'g'],
  ...['rect', 'circle', 'text', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'dl', 'dt', 'dd'],
];

describe('evaluationHtml', () => {
  it.each<[what: string, evaluation: Evaluation]>([
    ['the sample', SAMPLE],
    ['nothing', EMPTY],
    ['hostile texts', withTexts(HOSTILE)],
    ['empty texts', withTexts('')],
    ['NaN', withNumbers(Number.NaN)],
    ['infinities', withNumbers(Number.NEGATIVE_INFINITY)],
    ['zeros', withNumbers(0)],
    ['huge numbers', withNumbers(1e300)],
  ])('is a whole document without anything that runs or loads: %s', (_, evaluation) => {
    const html = evaluationHtml(evaluation);
    const tags = tagsOf(html);
    expect(
      [...new Set(tags.map(({ name }) => name))].filter((name) => !TAGS.includes(name)),
    ).toEqual([]);
    for (const { name, attributes } of tags) {
      expect(attributes, name).not.toMatch(/\s(on\w+|src|href|style|xlink:\w+)\s*=/i);
      // In pictures also no number that is none.
      if (name !== 'desc') expect(attributes, name).not.toMatch(/NaN|Infinity|undefined/);
    }
    expect(html).not.toMatch(/<script|<img|https?:|url\(|@import/i);
    expect(html).toContain("default-src 'none'");
    for (const control of CONTROLS) expect(html).not.toContain(control);
  });

  it('names every picture and describes it, each id once', () => {
    const html = evaluationHtml(SAMPLE);
    const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const used = [...html.matchAll(/aria-labelledby="([^"]+)"/g)].flatMap(([, list = '']) =>
      list.split(' '),
    );
    expect(used.filter((id) => !ids.includes(id))).toEqual([]);
    const pictures = html.match(/<svg /g) ?? [];
    expect(pictures).toHaveLength(9);
    expect(html.match(/<svg viewBox="0 0 360 [\d.]+" role="img" aria-labelledby=/g)).toHaveLength(
      9,
    );
    expect(html.match(/<desc id="[^"]+">[^<]{20,}<\/desc>/g)).toHaveLength(9);
  });

  it('puts verdict, promise, what was seen and what was not before all else', () => {
    const html = evaluationHtml(SAMPLE);
    const order = ['Not passed.', 'What was promised', 'What was seen', 'What is not evaluated'];
    const at = [...order, 'False alarms</h2>', 'What was evaluated'].map((words) =>
      html.indexOf(words),
    );
    expect(at.every((place) => place > 0)).toBe(true);
    expect(at.toSorted((a, b) => a - b)).toEqual(at);
    expect(evaluationHtml({ ...SAMPLE, verdict: { passed: true, words: ['Yes.'] } })).toContain(
      '<strong>Passed.</strong> Yes.',
    );
  });

  it('has the figures of every section as a table beside its picture', () => {
    const html = evaluationHtml(SAMPLE);
    for (const { title, rows } of sectionsOf(SAMPLE)) {
      expect(html).toContain(`aria-label="${title}, table"`);
      for (const [name] of rows) expect(html).toContain(`<th scope="row">${name}</th>`);
    }
  });

  it('draws as many curves as can be told apart, and says that there are more', () => {
    const [curve] = SAMPLE.curves;
    if (curve === undefined) throw new Error('the sample has no curve');
    const curves = Array.from({ length: 9 }, (_, i) => ({ ...curve, score: `score ${i}` }));
    const html = evaluationHtml({ ...SAMPLE, curves });
    expect(html).toContain('and 3 more in the table');
    expect(html).toContain('>score 5<');
    expect(html).not.toContain('>score 6<');
  });

  it('gives the same bytes for the same evaluation', () => {
    expect(evaluationHtml(structuredClone(SAMPLE))).toBe(evaluationHtml(SAMPLE));
  });
});

describe('evaluationText', () => {
  it('tells the verdict first, and has a line for every figure', () => {
    const lines = evaluationText(SAMPLE).split('\n');
    expect(lines[0]).toMatch(/^NOT PASSED: In winter/);
    for (const { rows } of sectionsOf(SAMPLE)) {
      for (const row of rows) {
        const line = lines.find((one) => row.every((cell) => one.includes(cell)));
        expect(line, row.join(' ')).toBeDefined();
      }
    }
  });

  it('keeps columns under each other and has no control characters, whatever the names', () => {
    const text = evaluationText(withTexts(HOSTILE));
    for (const control of CONTROLS) expect(text).not.toContain(control);
    expect(text.split('\n').length).toBe(evaluationText(withTexts('x')).split('\n').length);
    const table = evaluationText(SAMPLE).split('\n');
    const head = table.findIndex((line) => /^ {2}Corruption +Frames/.test(line));
    const widths = table.slice(head, head + 12).map((line) => line.length);
    expect(new Set(widths).size).toBe(1);
  });
});

describe('evaluationJson', () => {
  it('has its members in order, whatever order they were given in', () => {
    const turned = changed(SAMPLE, (leaf) => leaf) as Evaluation;
    const reversed = Object.fromEntries(Object.entries(turned).reverse());
    const json = evaluationJson(SAMPLE);
    expect(evaluationJson(reversed as unknown as Evaluation)).toBe(json);
    const { format, formatVersion, ...rest } = JSON.parse(json) as Record<string, unknown>;
    expect({ format, formatVersion }).toEqual({ format: 'edgeward-evaluation', formatVersion: 1 });
    expect(rest).toEqual(SAMPLE);
  });

  it('says null for what JSON cannot say', () => {
    const json = JSON.parse(evaluationJson(withNumbers(Number.NaN))) as Evaluation;
    expect(json.promise.budget).toBeNull();
  });
});

describe('notEvaluatedIn', () => {
  it('lists every section without figures, once', () => {
    const listed = notEvaluatedIn(EMPTY).map(({ what }) => what);
    expect(listed.toSorted()).toEqual([
      'Attacks',
      'Callers',
      'Corruptions',
      'Detection',
      'Drift',
      'False alarms',
      'Latency',
    ]);
    expect(notEvaluatedIn(SAMPLE)).toEqual(SAMPLE.notEvaluated);
    expect(sectionsOf(EMPTY)).toEqual([]);
  });
});

describe('words for figures', () => {
  it.each([
    [0, '0%'],
    [1, '100%'],
    [0.99999, '>99.9%'],
    [0.9994, '99.9%'],
    [0.00001, '<0.01%'],
    [0.0042, '0.42%'],
    [0.1, '10%'],
    [0.9731, '97.3%'],
    [Number.NaN, '–'],
  ])('%f is %s', (share, words) => {
    expect(shareWords(share)).toBe(words);
  });

  it('times have the unit that suits them', () => {
    expect([timeWords(288.4), timeWords(1250), timeWords(Number.NaN)]).toEqual([
      '288 us',
      '1.25 ms',
      '–',
    ]);
  });

  it('chance is neither breach nor proof', () => {
    const of = (alarms: number, low: number, high: number): string =>
      standing({ set: 'x', frames: 1000, confidence: 0.95, alarms, low, high }, 0.01);
    expect(of(1, 0, 0.01)).toBe('clearly within the budget');
    expect(of(9, 0.004, 0.017)).toBe('within the budget');
    expect(of(12, 0.006, 0.021)).toBe('above the budget, maybe by chance');
    expect(of(30, 0.02, 0.043)).toBe('over the budget');
  });
});
