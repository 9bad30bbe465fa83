/** One SVG of a table: a bar for every row, as long as its median, with a whisker from min to max. */
import { isMissed, type Row, short, type Table } from './report.ts';

const WIDTH = 860;
const LABEL = 250;
const BARS = 360;
const ROW = 30;
const TOP = 64;

export function pictureOf({ title, about, rows }: Table): string {
  const drawn = rows.filter(({ value }) => value !== undefined);
  // Rows of one unit share one scale.
  const longest = new Map<string, number>();
  for (const { unit, value } of drawn) {
    longest.set(unit, Math.max(longest.get(unit) ?? 0, value?.max ?? 0));
  }
  const height = TOP + rows.length * ROW + 12;
  const body = rows.map((row, index) => {
    return rowPicture(row, TOP + index * ROW, BARS / (longest.get(row.unit) || 1));
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}"`,
    ` font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    text(12, 24, title, 'font-size="16" font-weight="bold"'),
    text(12, 44, about, 'fill="#555"'),
    ...body,
    '</svg>\n',
  ].join('');
}

function rowPicture(row: Row, y: number, scale: number): string {
  const { what, unit, value, missing, judged = [] } = row;
  const label = text(LABEL - 8, y + 18, what, 'text-anchor="end"');
  if (value === undefined) return label + text(LABEL, y + 18, `${missing}`, 'fill="#999"');
  const missed = judged.some(isMissed);
  const held = judged.some(({ budget }) => budget !== undefined);
  const fill = missed ? '#c0392b' : held ? '#2e8b57' : '#8fa3b0';
  const at = (amount: number): number => LABEL + Math.max(0, amount) * scale;
  const end = at(value.max);
  const [main] = judged;
  const ratio =
    main === undefined
      ? ''
      : main.kind === 'ratio'
        ? `  ${short(main.figure.median)}x ${main.peer}`
        : `  +${short(main.figure.median)} over ${main.peer}`;
  return [
    label,
    `<rect x="${LABEL}" y="${y + 5}" width="${(at(value.median) - LABEL).toFixed(1)}"`,
    ` height="${ROW - 12}" fill="${fill}"/>`,
    `<path d="M${at(value.min).toFixed(1)} ${y + 14}H${end.toFixed(1)}" stroke="#222"/>`,
    text(end + 6, y + 18, `${short(value.median)} ${unit}${ratio}`, ''),
  ].join('');
}

function text(x: number, y: number, words: string, attributes: string): string {
  const safe = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${safe}</text>`;
}
