/**
 * The published schema of the maker's metadata and the readers of it say the same, except for what
 * only shows across members or against the model; each such rule is listed here and must be met.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/base/bytes.ts';
import { attempt, need, type Result } from '../../src/core/base/fault.ts';
import {
  type GraphPort,
  mergeIoSchema,
  readMakerMetadata,
} from '../../src/core/bundle/metadata-json.ts';
import { parseSafeOutput } from '../../src/core/guard/safe-output.ts';
import { DEFAULT_GUARD_SETTINGS, parseGuardSettings } from '../../src/core/guard/settings.ts';
import { SCAN_CODES } from '../../src/core/onnx/scan-findings.ts';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Node = { [name: string]: Json };

const project = resolve(import.meta.dirname, '../..');
const schema: Node = JSON.parse(
  readFileSync(resolve(project, 'firmware-manifests/metadata.schema.json'), 'utf8'),
);
const ajv = new Ajv2020({ strict: true, strictTypes: true });
const accepts = ajv.compile(schema);

const INPUTS: GraphPort[] = [{ name: 'image', dtype: 'float32', dims: ['batch', 3, 8, 'width'] }];
const OUTPUTS: GraphPort[] = [
  { name: 'logits', dtype: 'float32', dims: ['batch', 2] },
  { name: 'map', dtype: 'float32', dims: ['batch', 8] },
];

/** Everything that reads the file between its bytes and the device. */
function read(json: Json): Result<unknown> {
  return attempt(() => {
    const maker = need(readMakerMetadata(utf8(JSON.stringify(json))));
    need(mergeIoSchema(INPUTS, OUTPUTS, maker));
    need(parseGuardSettings(maker.guard));
    if (maker.safeOutput !== undefined) need(parseSafeOutput(maker.safeOutput));
  });
}

/** Every member, each with a value that is not its default. */
const WHOLE: Node = {
  $schema: './metadata.schema.json',
  vendor: 'example.com',
  description: 'Tells worn from healthy',
  installExpiry: '2027-12-31T12:30:00Z',
  guardVersionMin: '1.0.0-rc.1',
  rootVersionMin: 2,
  budgets: { runDeadlineMs: 50, sessionDeadlineMs: 5000, wasmPagesMax: 512 },
  intendedUses: ['tests'],
  prohibitedUses: ['anything else', 'medicine'],
  waive: ['scan.loop-depth'],
  inputs: {
    image: {
      layout: 'NCHW',
      range: [-1, 1.5],
      channelRanges: [
        [0, 1],
        [0, 1],
        [-1, 1],
      ],
      convert: { scale: 0.0078125, offset: -1 },
      dims: { batch: [1, 4], width: [8, 16] },
    },
  },
  outputs: {
    logits: { role: 'scores', labels: ['healthy', 'worn'], range: [-50, 50] },
    map: { role: 'other', probabilities: true, dims: { batch: [1, 4] } },
  },
  guard: {
    actions: {
      ...{ contract: 'withhold', sensor: 'flag', input: 'hold', novelty: 'substitute' },
      ...{ perturbation: 'withhold', drift: 'hold', caller: 'substitute' },
      ...{ output: 'withhold', inference: 'withhold' },
    },
    frozenFrames: 5,
    lastGoodMaxAgeMs: 500,
    holdMaxMs: 5000,
    holdsMax: 2,
    shadow: true,
    probabilitySumTolerance: 0.01,
    sensors: {
      ...{ stuckChannel: false, dropoutShare: 0.25, saturatedShare: 0.5, deadLines: 3 },
      ...{ replayFrames: 100, timeOrder: false },
    },
    temporal: { flipWindowFrames: 50, flipsMax: 4, changePerSMax: 12.5, confidenceMin: 0.5 },
    disclosure: { topK: 1, decimals: 2, features: true },
    callers: {
      principals: {
        press: { kind: 'query', perSecond: 2.5, burst: 5, budget: 1000 },
        'camera 1': { kind: 'sensor' },
      },
      undeclared: { perSecond: 1, burst: 2, budget: 100 },
      ...{ budgetPeriodMs: 3_600_000, alpha: 0.001, noveltyLevel: 0.0625, noveltyShare: 0.25 },
      ...{ nearShare: 0.2, flipShare: 0.125, quarantineMs: 60_000, kills: 1 },
      killWindowMs: 120_000,
    },
  },
  safeOutput: { outputs: { logits: 'worn', map: [0, 0.5, 0, 0, 0, 0, 0, 0] } },
  provenance: { data: ['recorded', 2026], any: { depth: null } },
};

const ODD: readonly Json[] = [
  ...[
    null,
    true,
    0,
    1,
    2,
    -1,
    0.5,
    65,
    601_000,
    2 ** 26 + 1,
    1e300,
    '',
    'x',
    '1.2.3',
    '2027-02-31',
  ],
  ...['flag', 'withhold', 'scores', 'features', 'NHWC', 'x'.repeat(129), 'x'.repeat(2001)],
  ...[[], [0], [0, 1], [1, 0], [0.5, 1], [0, 1, 2], ['x'], [''], [[0, 1]], [[1, 0]], [null]],
  ...[
    {},
    { x: 1 },
    { batch: [1, 2] },
    { scale: 1 },
    { outputs: {} },
    { logits: {} },
    { image: {} },
  ],
  Array<Json>(65).fill('x'),
];

/** What a schema cannot see: the rule, and the words of the reader's fault. */
const BEYOND: readonly [rule: string, words: RegExp][] = [
  ['names of inputs and outputs are those of the model', /is not in the model/],
  ['bounded dimensions are those of the model', /dims\.\S+ is not known here/],
  ['a smallest value is at most its largest', /must be \[min, max\] of finite numbers/],
  ['a layout has a letter for each dimension', /needs a letter per dimension/],
  ['channel ranges need a C axis of their count', /channelRanges need a layout/],
  ['labels are as many as the last dimension', /labels for a last dimension/],
  ['one output at most has a role', /more than one output has the role/],
  ['a date is a day of its month', /installExpiry must be a date/],
  ['provenance nests twelve levels at most', /nests too deep/],
  [
    'lengths count UTF-16 units, so an emoji counts twice',
    /is longer than \d+ characters|text of 1 to \d+ characters/,
  ],
  ['usual frames are no evidence against a caller', /below noveltyLevel/],
];

const met = new Set<string>();

function expectAgreement(json: Json, what: string): void {
  const bySchema = accepts(json);
  const byReader = read(json);
  if (bySchema && !byReader.ok) {
    const beyond = BEYOND.find(([, words]) => words.test(byReader.fault.message));
    if (beyond !== undefined) {
      met.add(beyond[0]);
      return;
    }
  }
  const fault = byReader.ok ? 'accepted' : `${byReader.fault.code}: ${byReader.fault.message}`;
  const errors = bySchema ? 'accepted' : ajv.errorsText(accepts.errors);
  expect(byReader.ok, `${what}: the reader: ${fault}; the schema: ${errors}`).toBe(bySchema);
}

/** The paths of every value in a document, the document itself left out. */
function pathsIn(json: Json, at: readonly string[] = []): string[][] {
  if (json === null || typeof json !== 'object') return [];
  return Object.entries(json).flatMap(([name, value]) => {
    const path = [...at, name];
    return [path, ...pathsIn(value, path)];
  });
}

/** A copy with the value at `path` replaced; `undefined` takes it out. */
function changed(path: readonly string[], value: Json | undefined): Json {
  const copy: Json = structuredClone(WHOLE);
  let parent = copy as Node;
  for (const name of path.slice(0, -1)) parent = parent[name] as Node;
  const last = path.at(-1) as string;
  if (value !== undefined) parent[last] = value;
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return copy;
}

const PATHS = pathsIn(WHOLE);

describe('firmware-manifests/metadata.schema.json', () => {
  it('accepts nothing stated, everything stated, and the demo', () => {
    const demo: Json = JSON.parse(
      readFileSync(resolve(project, 'src/apps/demo/rotor.json'), 'utf8'),
    );
    for (const sample of [{}, WHOLE, demo]) {
      expect(accepts(sample), ajv.errorsText(accepts.errors)).toBe(true);
    }
    expect(read(WHOLE)).toMatchObject({ ok: true });
  });

  it('agrees with the readers on every member left out, and on one too many', () => {
    for (const path of PATHS) {
      expectAgreement(changed(path, undefined), `without ${path.join('.')}`);
      const more = [...path.slice(0, -1), 'unheardOf'];
      expectAgreement(changed(more, 1), `with ${more.join('.')}`);
    }
  });

  it('agrees with the readers on odd values at every place', () => {
    for (const path of PATHS) {
      for (const value of ODD) {
        expectAgreement(changed(path, value), `${path.join('.')} = ${JSON.stringify(value)}`);
      }
    }
    for (const value of ODD) expectAgreement(value, JSON.stringify(value));
  });

  it('agrees with the readers at the ends of every range', () => {
    for (const [path, ends] of bounds(schema)) {
      for (const end of ends) {
        for (const value of [end - 1, end, end + 1, end + 0.5]) {
          expectAgreement(changed(path, value), `${path.join('.')} = ${value}`);
        }
      }
    }
  });

  it('agrees with the readers on long texts and lists', () => {
    const x = (count: number): string => 'x'.repeat(count);
    const many = (count: number): Json =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`output${i}`, []]));
    const principals = (count: number): Json =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i}`, { kind: 'sensor' }]));
    const samples: [path: string, (count: number) => Json, limit: number][] = [
      ['vendor', x, 256],
      ['description', x, 2000],
      ['intendedUses', (n) => Array<Json>(n).fill('x'), 64],
      ['intendedUses.0', x, 500],
      ['waive', (n) => Array<Json>(n).fill('scan.function'), SCAN_CODES.length],
      ['outputs.logits.labels.0', x, 128],
      ['safeOutput.outputs.map', (n) => Array<Json>(n).fill(0), 65_536],
      ['safeOutput.outputs', many, 32],
      ['safeOutput.outputs', (n) => ({ [x(n)]: [0] }), 128],
      ['inputs.image.layout', x, 8],
      ['guard.callers.principals', principals, 32],
      ['guard.callers.principals', (n) => ({ [x(n)]: { kind: 'query' } }), 128],
    ];
    for (const [path, make, limit] of samples) {
      expectAgreement(changed(path.split('.'), make(limit)), `${path}, ${limit}`);
      const over = changed(path.split('.'), make(limit + 1));
      expectAgreement(over, `${path}, ${limit + 1}`);
      expect(accepts(over), path).toBe(false);
    }
    expectAgreement(changed(['vendor'], '\u{1f980}'.repeat(200)), 'two hundred crabs');
    for (const name of ['', '\u{1f980}'.repeat(65), '\ud83e', 'a\ud83eb', 'a\nb', '__proto__']) {
      const principal = JSON.parse(`{ ${JSON.stringify(name)}: { "kind": "query" } }`);
      expectAgreement(changed(['guard', 'callers', 'principals'], principal), name);
    }
  });

  it.each([
    ...['2027-12-31', '1970-01-01', '2027-12-31T23:59Z', '2027-12-31T00:00:00.5Z', '9999-12-31'],
    ...['1969-12-31', '2027-12-31T24:00:00Z', '2027-13-01', '2027-12-32', '2027-12-31T12:00'],
    ...[
      '2027-12-31T1:00Z',
      '2027-12-31T12:60Z',
      '2027-1-1',
      '31.12.2027',
      '20271231',
      ' 2027-12-31',
    ],
    ...['2027-02-30', '2028-02-29', '2027-12-31T12:00:00+01:00', '0000-01-01'],
  ])('agrees with the readers on the date %s', (date) => {
    expectAgreement(changed(['installExpiry'], date), date);
  });

  it('agrees with the readers on two changes at once', () => {
    const change = fc.tuple(fc.constantFrom(...PATHS), fc.constantFrom(...ODD, fc.jsonValue()));
    fc.assert(
      fc.property(change, fc.jsonValue({ maxDepth: 3 }), ([path, odd], json) => {
        expectAgreement(changed(path, json as Json), path.join('.'));
        if (typeof odd !== 'object') expectAgreement(changed(path, odd as Json), path.join('.'));
      }),
      { seed: 42, numRuns: 2000 },
    );
  });

  it('every rule beyond the schema was met, and stands for a refusal', () => {
    const deep = Array.from({ length: 14 }).reduce<Json>((inner) => ({ a: inner }), 1);
    expectAgreement(changed(['provenance'], deep), 'deep');
    expectAgreement(changed(['inputs', 'image', 'dims', 'hight'], [1, 2]), 'hight');
    expect([...met].sort()).toEqual(BEYOND.map(([rule]) => rule).sort());
  });

  it('states the defaults that the readers use', () => {
    const { principals: _, ...callers } = DEFAULT_GUARD_SETTINGS.callers;
    const stated = defaultsOf((schema['properties'] as Node)['guard'] as Node);
    expect(stated).toEqual({ ...DEFAULT_GUARD_SETTINGS, callers });
  });

  it('offers the findings that a scan can have', () => {
    const { items } = (schema['properties'] as Node)['waive'] as { items: Node };
    expect(items['enum']).toEqual(SCAN_CODES);
  });

  it('describes every member for the maker', () => {
    const undescribed = [...membersOf(schema)].filter(([, member]) => {
      return member['description'] === undefined && member['$ref'] !== '#/$defs/dims';
    });
    expect(undescribed.map(([name]) => name)).toEqual(['scale', 'offset']);
  });
});

/** What a member refers to, or itself. */
function meant(member: Node): Node {
  const ref = typeof member['$ref'] === 'string' ? member['$ref'].split('/').at(-1) : undefined;
  return ref === undefined ? member : ((schema['$defs'] as Node)[ref] as Node);
}

/** The defaults of a member of the schema, and of the members that it has. */
function defaultsOf(member: Node): unknown {
  const below = meant(member);
  if (below['properties'] === undefined) return member['default'];
  const members = Object.entries(below['properties'] as Node);
  const found = members.map(([name, one]) => [name, defaultsOf(one as Node)] as const);
  // Of members by name, such as principals, there is none.
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

/** The members of every object in the schema, by name. */
function* membersOf(node: Node): Generator<[name: string, member: Node]> {
  for (const [name, value] of Object.entries(node)) {
    if (typeof value !== 'object' || value === null) continue;
    if (name === 'properties') yield* Object.entries(value) as [string, Node][];
    yield* membersOf(value as Node);
  }
}

/** The least and greatest numbers that the schema states for members of `WHOLE`. */
function bounds(node: Node): [path: string[], ends: number[]][] {
  const members = new Map(membersOf(node));
  return PATHS.flatMap((path) => {
    const stated = meant(members.get(path.at(-1) as string) ?? {});
    const ends = [stated['minimum'], stated['maximum']].filter((end) => typeof end === 'number');
    return ends.length === 0 ? [] : [[path, ends] as [string[], number[]]];
  });
}
