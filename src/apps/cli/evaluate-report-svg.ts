/** Pieces of the pictures in a report: text that cannot break out, and bars on one scale. */
import { printable } from './terminal.ts';

/** In units of the picture, which is drawn one to one on a phone. */
export const PICTURE_WIDTH = 360;
export const MARGIN = 12;
const ROW = 44;
const BAR = 14;
const LEGEND_ROW = 18;
/** As many characters as fit beside nothing else. */
const LINE_CHARS = 46;

/** Safe as text and as an attribute, whatever a file was called. */
export function escaped(text: string): string {
  return printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

export interface Picture {
  /** Unique in the page; letters, digits and dashes. */
  readonly id: string;
  readonly title: string;
  /** What a person who sees the picture reads from it. */
  readonly description: string;
  readonly height: number;
  readonly body: readonly string[];
}

export function pictureSvg({ id, title, description, height, body }: Picture): string {
  return [
    `<svg viewBox="0 0 ${PICTURE_WIDTH} ${height}" role="img" aria-labelledby="${id}-t ${id}-d">`,
    `<title id="${id}-t">${escaped(title)}</title>`,
    `<desc id="${id}-d">${escaped(description)}</desc>`,
    ...body,
    '</svg>',
  ].join('');
}

export type Anchor = 'start' | 'middle' | 'end';

export function label(x: number, y: number, words: string, more: Label = {}): string {
  const { anchor = 'start', kind = 'label', chars = LINE_CHARS } = more;
  const cut = [...words].length > chars ? `${[...words].slice(0, chars - 1).join('')}…` : words;
  return `<text x="${px(x)}" y="${px(y)}" class="${kind}" text-anchor="${anchor}">${escaped(cut)}</text>`;
}

export interface Label {
  readonly anchor?: Anchor;
  readonly kind?: 'label' | 'value' | 'tick';
  readonly chars?: number;
}

/** A path of straight lines through the points, with the style of `kind`. */
export function line(points: readonly (readonly [number, number])[], kind: string): string {
  const path = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${px(x)} ${px(y)}`).join('');
  return `<path d="${path}" class="${kind}"/>`;
}

/** One straight line. */
export function stroke(x1: number, y1: number, x2: number, y2: number, kind: string): string {
  const ends: readonly (readonly [number, number])[] = [
    [x1, y1],
    [x2, y2],
  ];
  return line(ends, kind);
}

export interface Named {
  readonly name: string;
  /** The class of its line: `s0`, `s1`, ... or `usual`. */
  readonly kind: string;
}

/** A line and a name for each, from `top` down. */
export function legend(names: readonly Named[], top: number): readonly string[] {
  return names.flatMap(({ name, kind }, index) => {
    const y = top + index * LEGEND_ROW;
    return [
      stroke(MARGIN, y, MARGIN + 22, y, `series ${kind}`),
      label(MARGIN + 30, y + 4, name, { chars: LINE_CHARS - 6 }),
    ];
  });
}

export function legendHeight(names: readonly Named[]): number {
  return names.length * LEGEND_ROW;
}

/** A name to the left, cut where it would meet the words to the right. */
export function heading(y: number, name: string, words: string): readonly string[] {
  return [
    label(MARGIN, y, name, { chars: Math.max(8, LINE_CHARS - [...words].length - 2) }),
    label(PICTURE_WIDTH - MARGIN, y, words, { anchor: 'end', kind: 'value' }),
  ];
}

export interface Bar {
  readonly name: string;
  /** From the left, one after the other. */
  readonly parts: readonly { readonly amount: number; readonly kind: string }[];
  /** How far it may reach beyond its end, as a thin line. */
  readonly whisker?: number;
  /** To the right of the name. */
  readonly words: string;
}

/** A row for each bar, its name above it, all on the scale from 0 to `full`. */
export function bars(rows: readonly Bar[], full: number, top: number): readonly string[] {
  const width = PICTURE_WIDTH - 2 * MARGIN;
  const scale = full > 0 ? width / full : 0;
  return rows.flatMap(({ name, parts, whisker, words }, index) => {
    const y = top + index * ROW;
    let x = MARGIN;
    const drawn = parts.map(({ amount, kind }) => {
      const length = Number.isFinite(amount) ? Math.max(0, amount) * scale : 0;
      const bar = rectangle(x, y + 8, length, BAR, kind);
      x += length;
      return bar;
    });
    const end = MARGIN + (whisker ?? 0) * scale;
    return [
      ...heading(y, name, words),
      rectangle(MARGIN, y + 8, width, BAR, 'track'),
      ...drawn,
      ...(whisker === undefined ? [] : [stroke(x, y + 15, end, y + 15, 'whisker')]),
    ];
  });
}

export function barsHeight(rows: readonly Bar[]): number {
  return rows.length * ROW;
}

export function rectangle(
  x: number,
  y: number,
  width: number,
  height: number,
  kind: string,
): string {
  const size = `width="${px(width)}" height="${px(height)}"`;
  return `<rect x="${px(x)}" y="${px(y)}" ${size} class="${kind}"/>`;
}

/** A place in a picture; what was no number is drawn at the edge, and its words say so. */
export function px(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toFixed(1))) : '0';
}
