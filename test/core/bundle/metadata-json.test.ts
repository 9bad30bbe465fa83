/** The maker's JSON: read strictly, joined with the graph, and never a surprise. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from '../../../src/core/base/bytes.ts';
import { METADATA_JSON_BYTES_MAX } from '../../../src/core/base/limits.ts';
import { BUNDLE_FAULTS } from '../../../src/core/bundle/faults.ts';
import { BATCH_DEFAULT_MAX } from '../../../src/core/bundle/metadata.ts';
import {
  type GraphPort,
  mergeIoSchema,
  readMakerMetadata,
} from '../../../src/core/bundle/metadata-json.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';

const read = (json: unknown) => readMakerMetadata(utf8(JSON.stringify(json)));

describe('reading', () => {
  it('an empty object gives the defaults', () => {
    expect(accepted(read({}))).toEqual({
      vendor: 'vendor.invalid',
      guardVersionMin: '0.1.0',
      rootVersionMin: 1,
      budgets: {},
      intendedUses: [],
      prohibitedUses: [],
      waive: [],
      guard: new Map(),
      inputs: new Map(),
      outputs: new Map(),
    });
  });

  it('every member arrives', () => {
    const maker = accepted(
      read({
        $schema: './metadata.schema.json',
        vendor: 'example.com',
        description: 'd',
        installExpiry: '2027-12-31',
        guardVersionMin: '1.0.0',
        rootVersionMin: 3,
        budgets: { runDeadlineMs: 9 },
        intendedUses: ['a'],
        prohibitedUses: ['b'],
        guard: { frozenFrames: 3, nested: { list: [1, 2.5, null, true, 'x'] } },
        safeOutput: { logits: [0, 1] },
        provenance: { data: 'd' },
        inputs: { x: { range: [0, 1] } },
        outputs: { y: { role: 'scores' } },
      }),
    );
    expect(maker.installExpiryS).toBe(Date.UTC(2027, 11, 31) / 1000);
    expect(maker.guard.get('nested')).toEqual(new Map([['list', [1, 2.5, null, true, 'x']]]));
    expect(maker.safeOutput).toEqual(new Map([['logits', [0, 1]]]));
    expect(maker.budgets).toEqual({ runDeadlineMs: 9 });
    expect([...maker.inputs.keys(), ...maker.outputs.keys()]).toEqual(['x', 'y']);
  });

  it.each([
    ['2027-12-31', Date.UTC(2027, 11, 31)],
    ['2028-02-29', Date.UTC(2028, 1, 29)],
    ['2027-12-31T12:30:00Z', Date.UTC(2027, 11, 31, 12, 30)],
    ['1970-01-01', 0],
  ])('the date %s', (text, ms) => {
    expect(accepted(read({ installExpiry: text })).installExpiryS).toBe(ms / 1000);
  });

  it.each([
    '2027-02-31', // Read as 3 March by the platform.
    '2027-13-01',
    '2027-02-29',
    '2027-12-31T24:00:00Z',
    '2027-12-31T12:00',
    '31.12.2027',
    '1969-12-31',
    'tomorrow',
    '',
    '+012027-01-01',
  ])('no date: %s', (text) => {
    expect(codeOf(read({ installExpiry: text }))).toBe('metadata.invalid');
  });

  const deep = (levels: number): unknown =>
    Array.from({ length: levels }).reduce<unknown>((inner) => ({ a: inner }), 1);
  const samples: [code: string, what: string, json: unknown][] = [
    ['field.type', 'a list', []],
    ['field.type', 'a text', 'x'],
    ['field.type', 'null', null],
    ['field.type', 'a vendor that is null', { vendor: null }],
    ['field.type', 'a vendor that is a number', { vendor: 1 }],
    ['field.type', 'budgets that are a list', { budgets: [] }],
    ['field.type', 'inputs that are a list', { inputs: [] }],
    ['field.range', 'a long description', { description: 'x'.repeat(2001) }],
    ['field.range', 'a root version of 0', { rootVersionMin: 0 }],
    ['field.range', 'too many uses', { intendedUses: Array(65).fill('x') }],
    ['field.unknown', 'an unknown member', { prohibitdUses: [] }],
    ['field.unknown', 'an unknown budget', { budgets: { runDeadline: 1 } }],
    ['field.unknown', '__proto__', JSON.parse('{"__proto__": {}}')],
    ['field.unknown', 'a member of the signed form', { securityVersion: 9 }],
    ['metadata.invalid', 'a version that is none', { guardVersionMin: '1' }],
    ['metadata.invalid', 'guard settings that are a list', { guard: [] }],
    ['metadata.invalid', 'guard settings that nest deeply', { guard: deep(14) }],
    ['metadata.invalid', 'a safe output that is a text', { safeOutput: 'withhold' }],
    ['metadata.invalid', 'a use that is no text', { intendedUses: [1] }],
  ];

  it.each(samples)('%s: %s', (code, _, json) => {
    expect(faultIn(read(json)).code).toBe(code);
  });

  it('unknown keys are refused with the nearest known name', () => {
    expect(faultIn(read({ prohibitdUses: [] })).message).toContain('did you mean prohibitedUses?');
    const budget = faultIn(read({ budgets: { runDeadline: 1 } }));
    expect(budget.message).toContain('did you mean runDeadlineMs?');
  });

  it.each([
    ['text that is no JSON', utf8('{')],
    ['nothing', utf8('')],
    ['a byte order mark', utf8('\ufeff{}')],
    ['bytes that are no UTF-8', new Uint8Array([0x7b, 0xff, 0x7d])],
    ['more bytes than the limit', new Uint8Array(METADATA_JSON_BYTES_MAX + 1).fill(0x20)],
    ['a hundred thousand lists that do not end', utf8('['.repeat(100_000))],
  ])('metadata.json: %s', (_, bytes) => {
    expect(faultIn(readMakerMetadata(bytes)).code).toBe('metadata.json');
  });

  it('a hundred thousand nested objects and numbers beyond doubles', () => {
    const nested = utf8(`{"guard":${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}}`);
    expect(codeOf(readMakerMetadata(nested))).toBe('metadata.invalid');
    expect(codeOf(readMakerMetadata(utf8('{"guard":{"a":1e400}}')))).toBe('metadata.invalid');
  });

  it('never throws on JSON of any shape, or on any bytes', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 4 }),
        fc.uint8Array({ maxLength: 60 }),
        (json, noise) => {
          for (const member of ['guard', 'inputs', 'budgets', 'installExpiry', 'vendor']) {
            codeOf(read({ [member]: json }));
          }
          expect(codeOf(readMakerMetadata(concatBytes(utf8('{"'), noise)))).toBe('metadata.json');
        },
      ),
      { seed: 42, numRuns: 200 },
    );
  });
});

const INPUT: GraphPort = { name: 'x', dtype: 'float32', dims: ['N', 3, 8, 8] };
const OUTPUT: GraphPort = { name: 'logits', dtype: 'float32', dims: ['N', 2] };
const FEATURES: GraphPort = { name: 'features', dtype: 'float32', dims: ['N', 16] };
const merge = (inputs: object, outputs: object = {}, graph = [OUTPUT]) =>
  mergeIoSchema([INPUT], graph, accepted(read({ inputs, outputs })));

describe('joining with the graph', () => {
  it('takes names, dtypes and dimensions from the graph, the rest from the maker', () => {
    const ranges = {
      layout: 'NCHW',
      channelRanges: [
        [0, 1],
        [0, 1],
        [0, 1],
      ],
    };
    const io = accepted(
      merge({ x: { ...ranges, dims: { N: [1, 8] } } }, { logits: { labels: ['a', 'b'] } }, [
        OUTPUT,
        FEATURES,
      ]),
    );
    expect(io.inputs[0]).toMatchObject({
      name: 'x',
      dtype: 'float32',
      dims: [{ name: 'N', min: 1, max: 8 }, 3, 8, 8],
      layout: 'NCHW',
    });
    expect(io.outputs.map((output) => output.role)).toEqual(['scores', 'features']);
    expect(io.outputs[0]?.labels).toEqual(['a', 'b']);
  });

  it('bounds a dynamic dimension that nobody bounded', () => {
    const io = accepted(merge({}));
    expect(io.inputs[0]?.dims[0]).toEqual({ name: 'N', min: 1, max: BATCH_DEFAULT_MAX });
  });

  it('guesses a role from the two known names of rank 2 only', () => {
    const image: GraphPort = { ...OUTPUT, dims: ['N', 2, 4] };
    expect(accepted(merge({}, {}, [image])).outputs[0]?.role).toBe('other');
    expect(accepted(merge({}, { logits: { role: 'other' } })).outputs[0]?.role).toBe('other');
  });

  const samples: [code: string, what: string, inputs: object, outputs?: object][] = [
    ['metadata.invalid', 'an input that the model has not', { y: {} }],
    ['metadata.invalid', 'an output that the model has not', {}, { scores: {} }],
    ['metadata.invalid', 'a dtype of its own', { x: { dtype: 'uint8' } }],
    ['metadata.invalid', 'a name of its own', { x: { name: 'z' } }],
    ['metadata.invalid', 'a bound upside down', { x: { dims: { N: [8, 1] } } }],
    ['metadata.invalid', 'labels of another count', {}, { logits: { labels: ['a'] } }],
    ['metadata.invalid', 'channel ranges without a layout', { x: { channelRanges: [[0, 1]] } }],
    ['field.unknown', 'an unknown member', { x: { rnage: [0, 1] } }],
    ['field.unknown', 'a bound of a dimension that is not there', { x: { dims: { B: [1, 2] } } }],
    ['field.type', 'a bound that is a fraction', { x: { dims: { N: [1.5, 2] } } }],
    ['field.type', 'dimensions as a list', { x: { dims: [1, 3, 8, 8] } }],
    ['field.type', 'a port that is a number', { x: 1 }],
    ['field.range', 'a negative bound', { x: { dims: { N: [-1, 2] } } }],
    ['field.range', 'a bound of three numbers', { x: { dims: { N: [1, 2, 3] } } }],
    ['field.range', 'an unknown role', {}, { logits: { role: 'labels' } }],
  ];

  it.each(samples)('%s: %s', (code, _, inputs, outputs) => {
    expect(faultIn(merge(inputs, outputs)).code).toBe(code);
  });

  it('refuses a graph whose own dimensions are out of range', () => {
    for (const dims of [[-1, 3], [2 ** 30], Array(9).fill(1), ['n'.repeat(129)]]) {
      const graph: GraphPort = { ...OUTPUT, dims: dims as (number | string)[] };
      expect(merge({}, {}, [graph]).ok).toBe(false);
    }
    expect(merge({}, {}, []).ok).toBe(false);
  });
});

describe('the faults of this room', () => {
  it('end in what to do next', () => {
    for (const next of Object.values(BUNDLE_FAULTS)) expect(next).toMatch(/^[A-Z].*\.$/);
  });
});
