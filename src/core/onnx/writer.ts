/**
 * Writes small ONNX models: the demo's, and the ones tests need. The same specification always
 * gives the same bytes. Models that came from elsewhere are never re-encoded.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { utf8 } from '../base/bytes.ts';
import { assert } from '../base/fault.ts';
import { type DType, elementCount, type Tensor } from '../numeric/tensor.ts';
import { ATTRIBUTE, ATTRIBUTE_TYPE, DATA_TYPE, GRAPH, MODEL, NODE, TENSOR } from './proto.ts';

/** One attribute, by the member of AttributeProto that holds it. */
export type OnnxAttributeSpec =
  | { readonly int: number | bigint }
  | { readonly ints: readonly (number | bigint)[] }
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly string: string }
  | { readonly tensor: Tensor }
  | { readonly graph: OnnxGraphSpec };

export interface OnnxNodeSpec {
  readonly op: string;
  readonly name?: string;
  /** An empty name leaves an optional input out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Written in the order of insertion. */
  readonly attributes?: Readonly<Record<string, OnnxAttributeSpec>>;
}

export interface OnnxPortSpec {
  readonly name: string;
  readonly dtype: DType;
  /** A text is a named dynamic dimension. */
  readonly dims: readonly (number | string)[];
}

export interface OnnxGraphSpec {
  readonly name: string;
  readonly nodes: readonly OnnxNodeSpec[];
  /** By name, in the order of insertion. */
  readonly initializers?: Readonly<Record<string, Tensor>>;
  readonly inputs: readonly OnnxPortSpec[];
  readonly outputs: readonly OnnxPortSpec[];
}

export interface OnnxModelSpec {
  /** 8 (ONNX 1.13) unless stated. */
  readonly irVersion?: number;
  /** Version of the default operator set; 17 unless stated. */
  readonly opset?: number;
  readonly producerName?: string;
  readonly producerVersion?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly graph: OnnxGraphSpec;
}

/**
 * The ONNX file of a specification, deterministic. Tensors go to `raw_data`, little-endian (the
 * byte order of every board that Node.js supports here), texts to `string_data`.
 * A tensor whose data do not fill its dimensions is a programmer error.
 */
export function encodeModel(spec: OnnxModelSpec): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(MODEL.irVersion, WireType.Varint).int64(spec.irVersion ?? 8);
  text(writer, MODEL.producerName, spec.producerName ?? 'edgeward');
  text(writer, MODEL.producerVersion, spec.producerVersion ?? '');
  message(writer, MODEL.graph, () => writeGraph(writer, spec.graph));
  message(writer, MODEL.opsetImport, () => {
    writer.tag(2, WireType.Varint).int64(spec.opset ?? 17);
  });
  for (const [key, value] of Object.entries(spec.metadata ?? {})) {
    message(writer, MODEL.metadataProps, () => {
      text(writer, 1, key);
      text(writer, 2, value);
    });
  }
  return writer.finish();
}

function writeGraph(writer: BinaryWriter, graph: OnnxGraphSpec): void {
  for (const node of graph.nodes) message(writer, GRAPH.node, () => writeNode(writer, node));
  text(writer, GRAPH.name, graph.name);
  for (const [name, tensor] of Object.entries(graph.initializers ?? {})) {
    message(writer, GRAPH.initializer, () => writeTensor(writer, tensor, name));
  }
  for (const port of graph.inputs) message(writer, GRAPH.input, () => writePort(writer, port));
  for (const port of graph.outputs) message(writer, GRAPH.output, () => writePort(writer, port));
}

function writeNode(writer: BinaryWriter, node: OnnxNodeSpec): void {
  for (const name of node.inputs) writer.tag(NODE.input, WireType.LengthDelimited).string(name);
  for (const name of node.outputs) writer.tag(NODE.output, WireType.LengthDelimited).string(name);
  text(writer, NODE.name, node.name ?? '');
  text(writer, NODE.opType, node.op);
  for (const [name, attribute] of Object.entries(node.attributes ?? {})) {
    message(writer, NODE.attribute, () => {
      text(writer, ATTRIBUTE.name, name);
      writeAttribute(writer, attribute);
    });
  }
}

function writeAttribute(writer: BinaryWriter, attribute: OnnxAttributeSpec): void {
  if ('int' in attribute) {
    writer.tag(ATTRIBUTE.int, WireType.Varint).int64(attribute.int);
    attributeType(writer, 'int');
  } else if ('ints' in attribute) {
    for (const value of attribute.ints) writer.tag(ATTRIBUTE.ints, WireType.Varint).int64(value);
    attributeType(writer, 'ints');
  } else if ('float' in attribute) {
    writer.tag(ATTRIBUTE.float, WireType.Bit32).float(attribute.float);
    attributeType(writer, 'float');
  } else if ('floats' in attribute) {
    for (const value of attribute.floats) writer.tag(ATTRIBUTE.floats, WireType.Bit32).float(value);
    attributeType(writer, 'floats');
  } else if ('string' in attribute) {
    writer.tag(ATTRIBUTE.string, WireType.LengthDelimited).bytes(utf8(attribute.string));
    attributeType(writer, 'string');
  } else if ('tensor' in attribute) {
    message(writer, ATTRIBUTE.tensor, () => writeTensor(writer, attribute.tensor, ''));
    attributeType(writer, 'tensor');
  } else {
    message(writer, ATTRIBUTE.graph, () => writeGraph(writer, attribute.graph));
    attributeType(writer, 'graph');
  }
}

function attributeType(writer: BinaryWriter, kind: keyof typeof ATTRIBUTE_TYPE): void {
  writer.tag(ATTRIBUTE.type, WireType.Varint).int32(ATTRIBUTE_TYPE[kind]);
}

function writeTensor(writer: BinaryWriter, tensor: Tensor, name: string): void {
  const { data, dims, dtype } = tensor;
  const label = `the tensor ${name} of ${dtype}[${dims.join(', ')}]`;
  assert(data.length === elementCount(dims), `${label} has ${data.length} elements`);
  for (const size of dims) writer.tag(TENSOR.dims, WireType.Varint).int64(size);
  writer.tag(TENSOR.dataType, WireType.Varint).int32(DATA_TYPE[dtype]);
  text(writer, TENSOR.name, name);
  if (ArrayBuffer.isView(data)) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    writer.tag(TENSOR.rawData, WireType.LengthDelimited).bytes(bytes);
  } else {
    for (const value of data) {
      writer.tag(TENSOR.stringData, WireType.LengthDelimited).bytes(utf8(value));
    }
  }
}

function writePort(writer: BinaryWriter, port: OnnxPortSpec): void {
  text(writer, 1, port.name);
  // ValueInfoProto.type (2) > TypeProto.tensor_type (1) > elem_type (1), shape (2) > dim (1)
  message(writer, 2, () => {
    message(writer, 1, () => {
      writer.tag(1, WireType.Varint).int32(DATA_TYPE[port.dtype]);
      message(writer, 2, () => {
        for (const size of port.dims) {
          message(writer, 1, () => {
            if (typeof size === 'number') writer.tag(1, WireType.Varint).int64(size);
            else writer.tag(2, WireType.LengthDelimited).string(size);
          });
        }
      });
    });
  });
}

function message(writer: BinaryWriter, field: number, body: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  body();
  writer.join();
}

/** Proto3 leaves empty texts out. */
function text(writer: BinaryWriter, field: number, value: string): void {
  if (value !== '') writer.tag(field, WireType.LengthDelimited).string(value);
}
