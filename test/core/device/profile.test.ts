/** Board profiles: the shipped ones parse, and our reader agrees with the published JSON Schema. */
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBoardProfile } from '../../../src/core/device/profile.ts';

type Json = Record<string, unknown>;

const folder = resolve(import.meta.dirname, '../../../devices');
const files = readdirSync(folder).filter((file) => !file.includes('schema'));
const read = (file: string): Json => JSON.parse(readFileSync(resolve(folder, file), 'utf8'));
const schemaAccepts = new Ajv2020({ strict: true }).compile(read('profile.schema.json'));

const code = (json: unknown): string => {
  const parsed = parseBoardProfile(json);
  return parsed.ok ? 'accepted' : parsed.fault.code;
};

const changed = (file: string, at: readonly string[], value: unknown): Json => {
  const copy = read(file);
  let place = copy;
  for (const name of at.slice(0, -1)) place = place[name] as Json;
  const last = at.at(-1) as string;
  if (value === undefined) delete place[last];
  else place[last] = value;
  return copy;
};

const NAMES = [
  'generic-arm64',
  'generic-x64',
  'jetson-nano',
  'jetson-orin-nano',
  'raspberry-pi-4',
  'raspberry-pi-5',
  'raspberry-pi-zero-2w',
];

describe('the shipped board profiles', () => {
  it('are the seven that are promised', () => {
    expect(files).toEqual(NAMES.map((name) => `${name}.json`));
  });

  it.each(files)('%s is accepted by the reader and by the schema, under its own name', (file) => {
    const parsed = parseBoardProfile(read(file));
    if (!parsed.ok) throw new Error(parsed.fault.message);
    expect(`${parsed.value.name}.json`).toBe(file);
    expect(schemaAccepts(read(file))).toBe(true);
  });

  it.each(files)(
    '%s keeps its declared shares of memory and says what ONNX Runtime uses',
    (file) => {
      const parsed = parseBoardProfile(read(file));
      if (!parsed.ok) throw new Error(parsed.fault.message);
      const { memoryBytes, memoryAvailableWarnBytes, wasmPagesMax, notes, sources } = parsed.value;
      expect(wasmPagesMax * 65_536).toBe(memoryBytes / 4);
      expect(memoryAvailableWarnBytes).toBe(memoryBytes / 16);
      expect(notes.some((note) => note.includes('does not use'))).toBe(true);
      expect(sources.length).toBeGreaterThan(0);
    },
  );
});

describe('parseBoardProfile and the schema', () => {
  const refused: [string, readonly string[], unknown, string][] = [
    ['another format', ['profile'], 'edgeward-board/2', 'field.range'],
    ['a missing member', ['threads'], undefined, 'field.missing'],
    ['a text for a number', ['memoryBytes'], '512', 'field.type'],
    ['a fraction of a page', ['wasmPagesMax'], 1.5, 'field.type'],
    ['no pages', ['wasmPagesMax'], 0, 'field.range'],
    ['more pages than WebAssembly has', ['wasmPagesMax'], 65_537, 'field.range'],
    ['an unknown member', ['thread'], 1, 'field.unknown'],
    ['an unknown probe', ['probes', 'humidity'], 'x', 'field.unknown'],
    ['an unknown architecture', ['architecture'], 'mips', 'field.range'],
    ['a name with spaces', ['name'], 'my board', 'device.text'],
    ['an absolute probe path', ['probes', 'memory'], '/proc/meminfo', 'device.text'],
    ['a probe path that climbs', ['probes', 'memory'], 'proc/../../meminfo', 'device.text'],
    ['a probe name with a slash', ['probes', 'thermalZoneTypes'], ['a/b'], 'device.text'],
    ['a list of numbers', ['notes'], [1], 'device.text'],
    ['too many remarks', ['notes'], Array.from({ length: 17 }, () => 'x'), 'field.range'],
    ['an empty flag mask', ['probes', 'throttled', 'mask'], 0, 'field.range'],
  ];

  it.each(refused)('both refuse %s', (_, at, value, expected) => {
    const json = changed('raspberry-pi-4.json', at, value);
    expect(code(json)).toBe(expected);
    expect(schemaAccepts(json)).toBe(false);
  });

  it.each([
    ['more pages than memory', ['memoryBytes'], 64 * 1024 * 1024],
    ['a memory warning above the memory', ['memoryAvailableWarnBytes'], 2 ** 40],
    ['a warning above the hard limit', ['thermal', 'warnMilliC'], 90_000],
  ])('only the reader refuses %s, which a schema cannot compare', (_, at, value) => {
    const json = changed('raspberry-pi-4.json', at, value);
    expect(code(json)).toBe('device.contradiction');
    expect(schemaAccepts(json)).toBe(true);
  });

  it('the reader agrees with the schema on any change of any member', () => {
    const sample = read('raspberry-pi-4.json');
    const places = [...Object.keys(sample).map((name) => [name]), ...nested(sample), ['extra']];
    const values = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.integer({ min: -100_000, max: 300_000 }),
      fc.constantFrom('arm64', 'a-b', 'a/b', '../a', 'a/.b', '', 'A_1', undefined),
    );
    let refusals = 0;
    fc.assert(
      fc.property(fc.constantFrom(...places), values, (at, value) => {
        const json = changed('raspberry-pi-4.json', at, value);
        const verdict = code(json);
        if (verdict === 'device.contradiction') return;
        if (verdict !== 'accepted') refusals++;
        expect(verdict === 'accepted').toBe(schemaAccepts(json));
      }),
      { numRuns: 2_000, seed: 7 },
    );
    expect(refusals).toBeGreaterThan(500);
  });

  it('refuses what is not a map at all', () => {
    for (const json of [null, 1, 'x', [], undefined]) expect(code(json)).toBe('field.type');
  });
});

function nested(json: Json): string[][] {
  return Object.entries(json).flatMap(([outer, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.keys(value).map((inner) => [outer, inner])
      : [],
  );
}
