import { readdirSync, readFileSync } from 'node:fs';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from '../../../src/core/base/bytes.ts';
import { attempt } from '../../../src/core/base/fault.ts';
import {
  MODEL_PORTS_MAX,
  ONNX_DEPTH_MAX,
  ONNX_NAME_BYTES_MAX,
  ONNX_NAMES_MAX,
  ONNX_NODES_MAX,
} from '../../../src/core/base/limits.ts';
import {
  floatAttribute,
  integerAttribute,
  type OnnxGraph,
  readGraph,
  tensorAttribute,
} from '../../../src/core/onnx/graph.ts';
import { linearHead } from '../../../src/core/onnx/linear-head.ts';
import { decodeTensor } from '../../../src/core/onnx/tensor-proto.ts';
import {
  encodeModel,
  type OnnxGraphSpec,
  type OnnxPortSpec,
} from '../../../src/core/onnx/writer.ts';
import { sharedMissing, sharedPath } from '../../shared.ts';
import { floats, GEMM_TAIL, tinyClassifier } from './tiny-classifier.ts';

const MODEL = encodeModel(tinyClassifier(GEMM_TAIL));

function graphOf(bytes: Uint8Array): OnnxGraph {
  const read = readGraph(bytes);
  if (!read.ok) throw new Error(`${read.fault.code}: ${read.fault.message}`);
  return read.value;
}

function codeOf(bytes: Uint8Array): string {
  const read = readGraph(bytes);
  return read.ok ? 'read' : read.fault.code;
}

/** A message with one length-delimited field. */
function field(no: number, body: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(no, WireType.LengthDelimited).bytes(body).finish();
}

function varint(no: number, value: number): Uint8Array {
  return new BinaryWriter().tag(no, WireType.Varint).int64(value).finish();
}

/** ModelProto { graph { ... } }, as it is appended to a model. */
function appended(...graphFields: Uint8Array[]): Uint8Array {
  return field(7, concatBytes(...graphFields));
}

function emptyGraph(over: Partial<OnnxGraphSpec>): Uint8Array {
  return encodeModel({ graph: { name: 'g', nodes: [], inputs: [], outputs: [], ...over } });
}

describe('readGraph', () => {
  it('reads the head, ports, nodes and initializers of a model', () => {
    const graph = graphOf(MODEL);
    expect(graph).toMatchObject({
      irVersion: 8,
      producerName: 'tiny',
      producerVersion: '7',
      name: 'tiny',
    });
    expect([...graph.opsets]).toEqual([['', 17]]);
    expect(graph.inputs).toEqual([{ name: 'x', dtype: 'float32', dims: ['batch', 3] }]);
    expect(graph.outputs.map(({ name }) => name)).toEqual(['scores', 'features']);
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Gemm', 'Relu', 'Gemm']);
    expect(graph.nodes[2]).toMatchObject({ inputs: ['features', 'w', 'b'], outputs: ['scores'] });
    expect([...graph.initializers.keys()]).toEqual(['w0', 'w', 'b']);
  });

  it('reads attributes on demand', () => {
    const attributes = {
      count: { int: -3 },
      slope: { float: 0.25 },
      value: { tensor: floats([2], 1, 2) },
    };
    const node = graphOf(
      emptyGraph({ nodes: [{ op: 'Any', inputs: [], outputs: [], attributes }] }),
    ).nodes[0];
    if (node === undefined) throw new Error('no node');
    expect(integerAttribute(node, 'count', 9)).toBe(-3);
    expect(integerAttribute(node, 'absent', 9)).toBe(9);
    expect(floatAttribute(node, 'slope', 1)).toBe(0.25);
    expect(tensorAttribute(node, 'value')).toMatchObject({ dims: [2], dtype: 'float32' });
    expect(tensorAttribute(node, 'absent')).toBeUndefined();
  });

  it('leaves inputs that an initializer fills out', () => {
    const port: OnnxPortSpec = { name: 'w', dtype: 'float32', dims: [1] };
    const bytes = emptyGraph({
      inputs: [port, { ...port, name: 'x' }],
      initializers: { w: floats([1], 1) },
    });
    expect(graphOf(bytes).inputs.map(({ name }) => name)).toEqual(['x']);
  });

  it('merges an appended model: outputs are added, the later text wins', () => {
    const more = appended(field(2, utf8('renamed')), field(12, field(1, utf8('hidden'))));
    const graph = graphOf(concatBytes(MODEL, more, varint(1, 9)));
    expect(graph.name).toBe('renamed');
    expect(graph.irVersion).toBe(9);
    expect(graph.outputs.at(-1)).toEqual({ name: 'hidden', dtype: undefined, dims: undefined });
    expect(graph.nodes).toHaveLength(3);
  });

  it('reads sizes that are not known as dynamic', () => {
    const dims = concatBytes(field(1, varint(1, -1)), field(1, new Uint8Array()));
    const type = field(1, concatBytes(varint(1, 1), field(2, dims)));
    const port = concatBytes(field(1, utf8('x')), field(2, type));
    expect(graphOf(appended(field(11, port))).inputs[0]?.dims).toEqual(['', '']);
  });

  it('keeps the graphs inside loops', () => {
    expect(graphOf(nested(2)).nodes[0]?.attributes.get('body')?.graphs[0]?.name).toBe('g1');
  });
});

/** A graph whose only node holds a graph, `depth` times over. */
function nested(depth: number): Uint8Array {
  let graph: OnnxGraphSpec = { name: `g${depth}`, nodes: [], inputs: [], outputs: [] };
  for (let level = depth - 1; level >= 0; level--) {
    const attributes = { body: { graph } };
    const nodes = [{ op: 'Loop', inputs: [], outputs: [], attributes }];
    graph = { name: `g${level}`, nodes, inputs: [], outputs: [] };
  }
  return encodeModel({ graph });
}

describe('what readGraph refuses', () => {
  it('files that are no model', () => {
    expect(codeOf(new Uint8Array())).toBe('onnx.malformed');
    expect(codeOf(utf8('not a model'))).toBe('onnx.malformed');
    expect(codeOf(varint(1, 8))).toBe('onnx.malformed'); // no graph
    expect(codeOf(Uint8Array.of(0x3b, 0x3c))).toBe('onnx.malformed'); // graph as a group
    expect(codeOf(varint(7, 1))).toBe('onnx.malformed'); // graph as a number
    expect(codeOf(appended(field(2, Uint8Array.of(0xff))))).toBe('onnx.malformed'); // not UTF-8
    const long = new Uint8Array(20).fill(0x80);
    expect(codeOf(concatBytes(MODEL, Uint8Array.of(0x08), long, Uint8Array.of(1)))).toBe(
      'onnx.malformed',
    );
  });

  it('a name that is given twice', () => {
    const again = field(5, field(8, utf8('w')));
    expect(codeOf(concatBytes(MODEL, appended(again)))).toBe('onnx.malformed');
    const output = field(12, field(1, utf8('scores')));
    expect(codeOf(concatBytes(MODEL, appended(output)))).toBe('onnx.malformed');
  });

  it('negative sizes of tensors', () => {
    expect(codeOf(appended(field(5, varint(1, -2))))).toBe('onnx.malformed');
  });

  it('ports that are no tensors, or of a type not offered', () => {
    const sequence = field(
      12,
      concatBytes(field(1, utf8('s')), field(2, field(4, field(1, new Uint8Array())))),
    );
    expect(codeOf(concatBytes(MODEL, appended(sequence)))).toBe('onnx.unsupported');
    const bfloat = field(12, concatBytes(field(1, utf8('s')), field(2, field(1, varint(1, 16)))));
    expect(codeOf(concatBytes(MODEL, appended(bfloat)))).toBe('onnx.unsupported');
  });

  it('more than the limits', () => {
    const node = field(1, new Uint8Array());
    const nodes = new Uint8Array(node.length * (ONNX_NODES_MAX + 1));
    for (let i = 0; i < nodes.length; i += node.length) nodes.set(node, i);
    expect(codeOf(appended(nodes.subarray(node.length)))).toBe('read');
    expect(codeOf(appended(nodes))).toBe('onnx.limit');

    const names = new Uint8Array(2 * (ONNX_NAMES_MAX + 1)).map((_, i) => (i % 2 === 0 ? 0x0a : 0));
    expect(codeOf(appended(field(1, names.subarray(2))))).toBe('read');
    expect(codeOf(appended(field(1, names)))).toBe('onnx.limit');

    expect(codeOf(nested(ONNX_DEPTH_MAX))).toBe('read');
    expect(codeOf(nested(ONNX_DEPTH_MAX + 1))).toBe('onnx.limit');

    const ports = Array.from({ length: MODEL_PORTS_MAX + 1 }, (_, i): OnnxPortSpec => {
      return { name: `p${i}`, dtype: 'float32', dims: [1] };
    });
    expect(codeOf(emptyGraph({ outputs: ports.slice(1) }))).toBe('read');
    expect(codeOf(emptyGraph({ outputs: ports }))).toBe('onnx.limit');

    const name = new Uint8Array(ONNX_NAME_BYTES_MAX + 1).fill(0x61);
    expect(codeOf(appended(field(2, name.subarray(1))))).toBe('read');
    expect(codeOf(appended(field(2, name)))).toBe('onnx.limit');

    const dims = Array.from({ length: 9 }, () => 1);
    const deep: OnnxPortSpec = { name: 'x', dtype: 'float32', dims };
    expect(codeOf(emptyGraph({ inputs: [deep] }))).toBe('onnx.limit');
    const tensor = field(5, concatBytes(...dims.map((size) => varint(1, size))));
    expect(codeOf(appended(tensor))).toBe('onnx.limit');
    const opsets = Array.from({ length: 40 }, (_, i) => field(8, field(1, utf8(`d${i}`))));
    expect(codeOf(concatBytes(...opsets, MODEL))).toBe('onnx.limit');
  });
});

/** Everything the room can be asked about hostile bytes; only faults may come back. */
function examine(bytes: Uint8Array): boolean {
  const graph = readGraph(bytes);
  if (!graph.ok) return graph.fault.code.startsWith('onnx.');
  for (const tensor of graph.value.initializers.values()) decodeTensor(tensor);
  for (const node of graph.value.nodes) attempt(() => tensorAttribute(node, 'value'));
  const head = linearHead(graph.value, graph.value.outputs[0]?.name ?? '');
  return head.ok || head.fault.code.startsWith('onnx.');
}

describe('damage', () => {
  it('every flipped bit and every truncation gives a value or a fault', () => {
    for (let bit = 0; bit < 8 * MODEL.length; bit++) {
      const damaged = MODEL.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(examine(damaged), `bit ${bit}`).toBe(true);
    }
    for (let length = 0; length < MODEL.length; length++) {
      expect(examine(MODEL.slice(0, length)), `${length} bytes`).toBe(true);
    }
  });

  it('random bytes, alone and inside a graph', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(30), (bytes, no) => {
        return examine(bytes) && examine(concatBytes(MODEL, appended(field(no + 1, bytes))));
      }),
      { numRuns: 2_000, seed: 20_260_101 },
    );
  });
});

describe.skipIf(sharedMissing)('real models (needs the shared models)', () => {
  const names = sharedMissing ? [] : readdirSync(sharedPath('models'));
  it.each(names.filter((name) => name.endsWith('.onnx')))('%s is read', (name) => {
    const graph = graphOf(readFileSync(sharedPath(`models/${name}`)));
    expect(graph.inputs.map((port) => port.name)).toEqual(['input']);
    expect(graph.inputs[0]?.dtype).toBe('float32');
    expect(graph.outputs).toHaveLength(2);
    for (const tensor of graph.initializers.values()) expect(decodeTensor(tensor).ok).toBe(true);
  });
});
