/**
 * `npm run bench`: Edgeward and its peers in the same run, ratios held against `budgets.json`.
 * Exits 1 where a budget is missed or a peer that must be there is not.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import budgets from './budgets.json' with { type: 'json' };
import { pictureOf } from './picture.ts';
import { type Report, reportOf, type Table, tableWords } from './report.ts';
import { eventTable } from './tables/event.ts';
import { inferenceTable } from './tables/inference.ts';
import { kernelsTable } from './tables/kernels.ts';
import { mahalanobisTable } from './tables/mahalanobis.ts';
import { memoryTable } from './tables/memory.ts';
import { startTable } from './tables/start.ts';
import { verifyTable } from './tables/verify.ts';
import { verifyMemoryTable } from './tables/verify-memory.ts';
import type { Bench } from './workshop.ts';

const TABLES: Readonly<Record<string, (bench: Bench) => Table | Promise<Table>>> = {
  verify: verifyTable,
  'verify-memory': verifyMemoryTable,
  start: startTable,
  inference: inferenceTable,
  memory: memoryTable,
  event: eventTable,
  mahalanobis: mahalanobisTable,
  kernels: kernelsTable,
};

const RESULTS = join(import.meta.dirname, 'results');
const HELP = `npm run bench -- [--only TABLE]... [--json FILE] [--effort N]

Measures Edgeward (dist/) beside its peers, which take turns within one run, and holds the ratios
against bench/budgets.json. Tables: ${Object.keys(TABLES).join(', ')}.

  --only TABLE   this table only; may be given more than once
  --json FILE    also write the report there
  --effort N     N times the rounds (default 1)

Exits 1 where a budget is missed. The report (JSON) and a picture (SVG) of every table go to
bench/results/, which is not committed: a result belongs to the machine that it names.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      json: { type: 'string' },
      effort: { type: 'string', default: '1' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return;
  }
  const names = values.only ?? Object.keys(TABLES);
  const unknown = names.filter((name) => TABLES[name] === undefined);
  if (unknown.length > 0) throw new Error(`no table is called ${unknown.join(', ')}`);
  const effort = Number(values.effort);
  if (!(effort > 0)) throw new Error('--effort takes a number above 0');
  const dist = join(import.meta.dirname, '../dist');
  if (!existsSync(join(dist, 'cli.cjs'))) throw new Error('there is no dist/: run `npm run build`');
  const folder = mkdtempSync(join(tmpdir(), 'edgeward-bench-'));
  try {
    const report = await measure(names, { folder, dist, budgets, effort });
    keep(report, values.json);
    conclude(report);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(names: readonly string[], bench: Bench): Promise<Report> {
  process.stderr.write(`load average at the start: ${loadavg()[0]?.toFixed(2)}\n`);
  const tables: Table[] = [];
  for (const name of names) {
    process.stderr.write(`${name} ...\n`);
    const table = await TABLES[name]?.(bench);
    if (table === undefined) continue;
    tables.push(table);
    process.stdout.write(`\n${tableWords(table)}`);
  }
  return reportOf(tables);
}

function keep(report: Report, json: string | undefined): void {
  const text = `${JSON.stringify(report, null, 2)}\n`;
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, 'report.json'), text);
  if (json !== undefined) writeFileSync(json, text);
  for (const table of report.tables) {
    writeFileSync(join(RESULTS, `${table.name}.svg`), pictureOf(table));
  }
}

function conclude({ machine, missed }: Report): void {
  const facts = Object.entries(machine).map(([name, value]) => `${name} ${value}`);
  process.stdout.write(`\nMachine: ${facts.join(', ')}\n`);
  if (missed.length === 0) {
    process.stdout.write('Every budget is met.\n');
    return;
  }
  process.stdout.write(`${missed.length} missed:\n`);
  for (const words of missed) process.stdout.write(`  ${words}\n`);
  process.exitCode = 1;
}

await main();
