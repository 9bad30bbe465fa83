/** Every finding from the smallest change of a clean model, and what must not be one. */
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stuckModel } from '../../../src/apps/demo/stuck-model.ts';
import { concatBytes, utf8 } from '../../../src/core/base/bytes.ts';
import {
  ONNX_DEPTH_MAX,
  SCAN_FIELDS_MAX,
  SCAN_FINDINGS_LISTED_MAX,
  SCAN_LOOP_DEPTH_MAX,
  SCAN_METADATA_BYTES_MAX,
  SCAN_NESTING_MAX,
} from '../../../src/core/base/limits.ts';
import type { Tensor } from '../../../src/core/numeric/tensor.ts';
import { appendOutput } from '../../../src/core/onnx/append-output.ts';
import { readGraph } from '../../../src/core/onnx/graph.ts';
import { scanModel } from '../../../src/core/onnx/scan.ts';
import { SCAN_CODES, type ScanReport } from '../../../src/core/onnx/scan-findings.ts';
import {
  encodeModel,
  type OnnxGraphSpec,
  type OnnxNodeSpec,
} from '../../../src/core/onnx/writer.ts';
import { sharedMissing, sharedPath } from '../../shared.ts';
import { accepted, faultIn } from '../base/outcome.ts';
import { floats, GEMM_TAIL, tinyClassifier } from './tiny-classifier.ts';
import { field, graphWith, varint, withoutOutput } from './wire-builder.ts';

const MODEL = encodeModel(tinyClassifier(GEMM_TAIL));
const met = new Set<string>();

function scanned(...parts: Uint8Array[]): ScanReport {
  return accepted(scanModel(concatBytes(...parts)));
}

/** The codes and how many of each. */
function codes(...parts: Uint8Array[]): Record<string, number> {
  const { counts } = scanned(...parts);
  for (const code of counts.keys()) met.add(code);
  return Object.fromEntries(counts);
}

/** A graph of its own, with what is under test in it. */
function graph(over: Partial<OnnxGraphSpec>): Uint8Array {
  return encodeModel({ graph: { name: 'g', nodes: [], inputs: [], outputs: [], ...over } });
}

const node = (op: string, ...inputs: string[]): OnnxNodeSpec => ({ op, inputs, outputs: ['y'] });
const int64s = (...values: number[]): Tensor => {
  return { dtype: 'int64', dims: [values.length], data: BigInt64Array.from(values, BigInt) };
};
/** A graph with one initializer of these fields. */
const tensor = (...fields: Uint8Array[]): Uint8Array => graphWith(field(5, ...fields));
const external = (location: string): Uint8Array =>
  field(13, field(1, 'location'), field(2, location));

describe('a clean model', () => {
  it('has no finding, with and without an output appended', () => {
    expect(scanned(MODEL).findings).toEqual([]);
    const bare = withoutOutput(MODEL, 'features');
    const longer = accepted(appendOutput(accepted(appendOutput(bare, 'features')), 'hidden'));
    expect(codes(longer)).toEqual({});
    expect(codes(stuckModel())).toEqual({});
  });

  it.skipIf(sharedMissing)('is each of the shared models (needs the shared models)', () => {
    const names = readdirSync(sharedPath('models')).filter((name) => name.endsWith('.onnx'));
    expect(names.length).toBeGreaterThanOrEqual(8);
    for (const name of names) {
      const model = new Uint8Array(readFileSync(sharedPath(`models/${name}`)));
      expect(codes(model), name).toEqual({});
    }
  });
});

describe('operators and domains', () => {
  it('names a foreign domain once for each node, and an operator that is not standard', () => {
    const foreign = field(1, field(4, 'Gelu'), field(7, 'com.example'));
    expect(codes(graphWith(foreign, foreign))).toEqual({ 'scan.custom-domain': 2 });
    expect(codes(graph({ nodes: [node('ImageDecoder')] }))).toEqual({ 'scan.unknown-operator': 1 });
    const [found] = scanned(graphWith(field(1), field(1, field(4, 'R\nm')))).findings.slice(1);
    expect(found).toEqual({
      code: 'scan.unknown-operator',
      severity: 'medium',
      place: 'graph.node[1]',
      detail: 'the operator "R\\nm" is not known',
    });
  });

  it('takes the standard domains by all their names', () => {
    const relu = field(1, field(4, 'Relu'), field(7, 'ai.onnx'));
    const scaler = field(1, field(4, 'Scaler'), field(7, 'ai.onnx.ml'));
    const wrong = field(1, field(4, 'Relu'), field(7, 'ai.onnx.ml'));
    expect(codes(graphWith(relu, scaler))).toEqual({});
    expect(codes(graphWith(wrong))).toEqual({ 'scan.unknown-operator': 1 });
  });

  it('names functions of the model, and judges the nodes in them', () => {
    const body = field(7, field(4, 'Exec'));
    expect(codes(MODEL, field(25, field(1, 'f'), body))).toEqual({
      'scan.function': 1,
      'scan.unknown-operator': 1,
    });
  });

  it('judges the nodes in loops, and says where they are', () => {
    const inner: OnnxGraphSpec = { name: 'b', nodes: [node('Exec')], inputs: [], outputs: [] };
    const loop = { ...node('Loop'), attributes: { trips: { int: 1 }, body: { graph: inner } } };
    expect(scanned(graph({ nodes: [node('Relu'), loop] })).findings[0]?.place).toBe(
      'graph.node[1].attribute[1].g.node[0]',
    );
  });
});

describe('control flow', () => {
  const nested = (depth: number): Uint8Array => {
    let inner: OnnxGraphSpec = { name: 'g', nodes: [], inputs: [], outputs: [] };
    for (let level = 0; level < depth; level++) {
      const attributes = { body: { graph: inner } };
      inner = { name: 'g', nodes: [{ ...node('Loop'), attributes }], inputs: [], outputs: [] };
    }
    return encodeModel({ graph: inner });
  };

  it('passes up to a depth, is found beyond it, and refused where nothing would read it', () => {
    expect(codes(nested(SCAN_LOOP_DEPTH_MAX))).toEqual({});
    expect(codes(nested(SCAN_LOOP_DEPTH_MAX + 1))).toEqual({ 'scan.loop-depth': 1 });
    expect(codes(nested(ONNX_DEPTH_MAX))).toEqual({
      'scan.loop-depth': ONNX_DEPTH_MAX - SCAN_LOOP_DEPTH_MAX,
    });
    expect(faultIn(scanModel(nested(ONNX_DEPTH_MAX + 1))).code).toBe('onnx.limit');
  });
});

describe('tensors', () => {
  it('external data and their path', () => {
    const one = varint(2, 1);
    expect(codes(tensor(one, varint(1, 4), varint(14, 1), external('weights/a.bin')))).toEqual({
      'scan.external-data': 1,
    });
    // Entries without the mark: a reader may go by either.
    expect(codes(tensor(one, external('a.bin')))).toEqual({ 'scan.external-data': 1 });
    const bad = ['', '/etc/passwd', '../x', 'a/../../x', 'a\\..\\x', 'C:\\x', 'file:x', './x'];
    for (const path of [...bad, 'a//b', 'a\u0000b', '*/_ORT_MEM_ADDR_/*']) {
      expect(codes(tensor(one, external(path))), path).toEqual({
        'scan.external-data': 1,
        'scan.external-path': 1,
      });
    }
    expect(codes(tensor(one, varint(14, 1)))).toMatchObject({ 'scan.external-path': 1 });
  });

  it.each<[what: string, fields: Uint8Array[]]>([
    ['raw data that are short', [varint(1, 2), varint(2, 1), field(9, new Uint8Array(7))]],
    ['raw data that are long', [varint(1, 2), varint(2, 1), field(9, new Uint8Array(9))]],
    ['no data at all', [varint(1, 2), varint(2, 1)]],
    ['typed data that are short', [varint(1, 2), varint(2, 7), varint(7, 3)]],
    ['half a packed float', [varint(1, 1), varint(2, 1), field(4, new Uint8Array(6))]],
    ['both kinds of data', [varint(2, 1), field(9, new Uint8Array(4)), field(4, utf8('0000'))]],
    ['texts that are missing', [varint(1, 2), varint(2, 8), field(6, 'a')]],
    ['a type that is none', [varint(2, 99)]],
    ['a size below zero', [varint(1, -4), varint(2, 1)]],
    ['4-bit values that are short', [varint(1, 3), varint(2, 22), field(9, new Uint8Array(1))]],
  ])('%s', (_, fields) => {
    expect(codes(tensor(...fields))).toEqual({ 'scan.tensor-data': 1 });
  });

  it.each<[what: string, fields: Uint8Array[]]>([
    ['raw data', [varint(1, 2), varint(2, 1), field(9, new Uint8Array(8))]],
    ['a scalar', [varint(2, 7), varint(7, 3)]],
    ['nothing of nothing', [varint(1, 0), varint(2, 1)]],
    [
      'packed dimensions and varints',
      [field(1, utf8('\u0002\u0003')), varint(2, 7), field(7, 'abcdef')],
    ],
    ['packed floats', [varint(1, 2), varint(2, 1), field(4, new Uint8Array(8))]],
    ['packed doubles', [varint(1, 2), varint(2, 11), field(10, new Uint8Array(16))]],
    ['pairs of a complex type', [varint(1, 1), varint(2, 14), field(4, new Uint8Array(8))]],
    ['texts', [varint(1, 2), varint(2, 8), field(6, 'a'), field(6, '')]],
    ['packed 4-bit values', [varint(1, 3), varint(2, 22), field(9, new Uint8Array(2))]],
    ['the same in the typed field', [varint(1, 3), varint(2, 22), field(5, 'ab')]],
  ])('%s that fill their dimensions', (_, fields) => {
    expect(codes(tensor(...fields))).toEqual({});
  });

  it('a size that no tensor may have, in the file or made when it is loaded', () => {
    const large = [varint(1, 2 ** 20), varint(1, 2 ** 20), varint(2, 1)];
    expect(codes(tensor(...large, external('a')))).toMatchObject({ 'scan.tensor-size': 1 });
    const made = (shape: Tensor, over: Partial<OnnxNodeSpec> = {}): Uint8Array => {
      const nodes = [{ ...node('ConstantOfShape', 'shape'), ...over }];
      return graph({ nodes, initializers: { shape } });
    };
    expect(codes(made(int64s(2 ** 13, 2 ** 13)))).toEqual({});
    expect(codes(made(int64s(2 ** 13, 2 ** 13 + 1)))).toEqual({ 'scan.tensor-size': 1 });
    expect(codes(made(int64s(2 ** 62, 2 ** 62)))).toEqual({ 'scan.tensor-size': 1 });
    const doubles = {
      value: { tensor: { dtype: 'float64', dims: [1], data: new Float64Array(1) } },
    };
    const wide = made(int64s(2 ** 13, 2 ** 13), { attributes: doubles } as Partial<OnnxNodeSpec>);
    expect(codes(wide)).toEqual({ 'scan.tensor-size': 1 });
    const expand = graph({
      nodes: [node('Expand', 'x', 'shape')],
      initializers: { shape: int64s(-1, 1, 2 ** 27), x: floats([1], 1) },
    });
    expect(codes(expand)).toEqual({ 'scan.tensor-size': 1 });
  });

  it('a shape from a Constant node, given later or outside of the loop that uses it', () => {
    const huge = int64s(2 ** 20, 2 ** 20);
    const constant: OnnxNodeSpec = {
      ...{ op: 'Constant', inputs: [], outputs: ['shape'] },
      attributes: { value: { tensor: huge } },
    };
    const fill = node('ConstantOfShape', 'shape');
    expect(codes(graph({ nodes: [fill, constant] }))).toEqual({ 'scan.tensor-size': 1 });
    const ints = { ...constant, attributes: { value_ints: { ints: [2 ** 40] } } };
    expect(codes(graph({ nodes: [ints, fill] }))).toEqual({ 'scan.tensor-size': 1 });
    const int = { ...constant, attributes: { value_int: { int: 2 ** 40 } } };
    expect(codes(graph({ nodes: [int, fill] }))).toEqual({ 'scan.tensor-size': 1 });
    const body: OnnxGraphSpec = { name: 'b', nodes: [fill], inputs: [], outputs: [] };
    const loop = { ...node('Loop'), attributes: { body: { graph: body } } };
    const outside = graph({ nodes: [loop], initializers: { shape: huge } });
    expect(codes(outside)).toEqual({ 'scan.tensor-size': 1 });
  });

  it('sparse ones, in the graph and in attributes', () => {
    const values = field(1, varint(2, 1), field(9, new Uint8Array(4)));
    expect(codes(graphWith(field(15, values)))).toEqual({ 'scan.sparse-tensor': 1 });
    const attribute = field(5, field(1, 'sparse_value'), field(22, values));
    expect(codes(graphWith(field(1, field(4, 'Constant'), attribute)))).toEqual({
      'scan.sparse-tensor': 1,
    });
  });
});

describe('what is hidden in the file', () => {
  it('fields that are not of the format, or of another type', () => {
    expect(codes(MODEL, field(99, 'payload'))).toEqual({ 'scan.unknown-field': 1 });
    expect(codes(MODEL, field(1, 'a text for a version'))).toEqual({ 'scan.unknown-field': 1 });
    const [found] = scanned(graphWith(field(1, field(4, 'Relu'), field(31, 'abc')))).findings;
    expect(found).toMatchObject({ place: 'graph.node[0]', severity: 'low' });
    expect(found?.detail).toBe('field 31 with 3 bytes is not of this message (node)');
  });

  it('parts in pieces, except outputs that are appended', () => {
    expect(codes(MODEL, varint(1, 9))).toEqual({ 'scan.merged-message': 1 });
    const name = field(12, field(1, 'hidden'));
    expect(codes(MODEL, graphWith(name, name))).toEqual({});
    for (const more of [field(1, field(4, 'Relu')), field(2, 'renamed')]) {
      expect(codes(MODEL, graphWith(more))).toHaveProperty(['scan.merged-message']);
    }
    const typed = field(12, field(1, 'hidden'), field(2, field(1, varint(1, 1))));
    expect(codes(MODEL, graphWith(typed))).toEqual({ 'scan.merged-message': 1 });
    const value = [varint(1, 2), varint(2, 7), varint(7, 1)];
    const pieces = field(5, field(5, ...value), field(5, varint(7, 1)));
    // Together they are a whole tensor, and that is what is judged.
    expect(codes(graphWith(field(1, field(4, 'Constant'), pieces)))).toEqual({
      'scan.merged-message': 1,
    });
  });

  it('properties beyond what descriptions need, wherever they stand', () => {
    const large = 'x'.repeat(SCAN_METADATA_BYTES_MAX);
    expect(codes(MODEL, field(14, field(1, 'k'), field(2, 'v')))).toEqual({});
    expect(codes(MODEL, field(14, field(2, large)))).toEqual({ 'scan.metadata-size': 1 });
    const inNode = field(1, field(4, 'Relu'), field(9, field(2, large)));
    expect(codes(graphWith(inNode))).toEqual({ 'scan.metadata-size': 1 });
  });
});

describe('a report', () => {
  it('counts everything and lists some of each', () => {
    const many = Array.from({ length: 100 }, () => field(1, field(4, 'Exec')));
    const { findings, counts } = scanned(graphWith(...many, field(98), field(98)));
    expect(counts.get('scan.unknown-operator')).toBe(100);
    expect(findings).toHaveLength(SCAN_FINDINGS_LISTED_MAX + 2);
  });

  it('has every code somewhere in these tests', () => {
    expect([...met].sort()).toEqual([...SCAN_CODES].sort());
  });
});

describe('what is refused', () => {
  it('files that are no model', () => {
    for (const bytes of [new Uint8Array(), utf8('no model'), varint(1, 8)]) {
      expect(faultIn(scanModel(bytes)).code).toBe('onnx.malformed');
    }
  });

  it('bytes that ONNX Runtime would not read as ONNX, in the scan and in the reader', () => {
    const { graph: body } = tinyClassifier(GEMM_TAIL);
    const both = encodeModel({ producerName: 'ORTM', graph: body });
    expect(new TextDecoder().decode(both.subarray(4, 8))).toBe('ORTM');
    expect(faultIn(scanModel(both)).code).toBe('onnx.other-format');
    expect(faultIn(readGraph(both)).code).toBe('onnx.other-format');
  });

  it('messages nested deeper than any model, and more fields than one has', () => {
    let type = field(1, varint(1, 1));
    for (let i = 0; i < SCAN_NESTING_MAX; i++) type = field(4, field(1, type));
    const deep = graphWith(field(13, field(2, type)));
    expect(faultIn(scanModel(deep)).code).toBe('onnx.limit');
    // Two bytes a field, and nothing in it to look at.
    const many = new Uint8Array(2 * (SCAN_FIELDS_MAX + 1)).fill(0);
    for (let i = 0; i < many.length; i += 2) many[i] = 0x08;
    const { code, message } = faultIn(scanModel(field(7, field(5, many))));
    expect([code, message]).toEqual(['onnx.limit', expect.stringContaining('fields')]);
  });

  it('arbitrary bytes and changed models, without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        scanModel(bytes);
        scanModel(concatBytes(MODEL, bytes));
        scanModel(graphWith(bytes));
      }),
      { seed: 31, numRuns: 500 },
    );
    for (let at = 0; at < MODEL.length; at++) {
      for (const value of [0, 0x80, 0xff]) {
        const changed = Uint8Array.from(MODEL);
        changed[at] = value;
        scanModel(changed);
      }
    }
  });
});
