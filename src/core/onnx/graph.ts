/**
 * Reads the graph of an ONNX file without re-encoding it: ports, nodes, initializers and the
 * graphs inside them. A file that carries several ModelProtos in a row is one merged model, as
 * protobuf defines it; that is how an output is appended.
 */
import { type Bytes, equalBytes, utf8 } from '../base/bytes.ts';
import { attempt, type Result } from '../base/fault.ts';
import {
  MODEL_PORTS_MAX,
  ONNX_DEPTH_MAX,
  ONNX_NAMES_MAX,
  ONNX_NODES_MAX,
  TENSOR_RANK_MAX,
} from '../base/limits.ts';
import type { DType } from '../numeric/tensor.ts';
import { refuseOnnx } from './faults.ts';
import { ATTRIBUTE, dtypeOf, GRAPH, MODEL, NODE } from './proto.ts';
import { type OnnxTensor, readTensorHead } from './tensor-proto.ts';
import { bytesOf, floatOf, integerOf, merged, textOf, type WireField, wireFields } from './wire.ts';

const ORT_FORMAT_MARK = utf8('ORTM');

export interface OnnxPort {
  readonly name: string;
  /** `undefined` where the file states no type, as for appended outputs. */
  readonly dtype: DType | undefined;
  /** A text is a dynamic dimension, `''` one without a name; `undefined` where none are stated. */
  readonly dims: readonly (number | string)[] | undefined;
}

export interface OnnxAttribute {
  readonly name: string;
  /** The AttributeProto, a view into the model; read with `integerAttribute` and its like. */
  readonly body: Bytes;
  /** Bodies of Loop, If and Scan. */
  readonly graphs: readonly OnnxGraphBody[];
}

export interface OnnxNode {
  readonly op: string;
  readonly name: string;
  /** `''` is the standard domain `ai.onnx`. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

export interface OnnxGraphBody {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  /** What a caller feeds: the stated inputs without those that an initializer fills. */
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
}

export interface OnnxGraph extends OnnxGraphBody {
  readonly irVersion: number;
  /** Version by domain; `''` is the standard domain. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly producerName: string;
  readonly producerVersion: string;
}

/**
 * Faults: `onnx.malformed` (not a model, or a name given twice), `onnx.limit` (nodes, names, ports,
 * depth), `onnx.unsupported` (an input or output that is no tensor, or of a foreign type),
 * `onnx.other-format`.
 */
export function readGraph(model: Bytes): Result<OnnxGraph> {
  return attempt(() => {
    refuseOtherFormat(model);
    let irVersion = 0;
    let producerName = '';
    let producerVersion = '';
    const opsets = new Map<string, number>();
    const graphs: Bytes[] = [];
    for (const field of wireFields(model)) {
      if (field.no === MODEL.irVersion) irVersion = integerOf(field);
      else if (field.no === MODEL.producerName) producerName = textOf(field);
      else if (field.no === MODEL.producerVersion) producerVersion = textOf(field);
      else if (field.no === MODEL.opsetImport) readOpset(bytesOf(field), opsets);
      else if (field.no === MODEL.graph) graphs.push(bytesOf(field));
    }
    if (graphs.length === 0) throw refuseOnnx('onnx.malformed', 'the file has no graph');
    const body = readGraphBody(graphs, { nodes: 0, names: 0 }, 0);
    return { irVersion, opsets, producerName, producerVersion, ...body };
  });
}

/**
 * ONNX Runtime takes bytes with this mark for its own format, whatever else they are: a file that is
 * both would be read here as one model and run as another.
 */
export function refuseOtherFormat(model: Bytes): void {
  if (!equalBytes(model.subarray(4, 8), ORT_FORMAT_MARK)) return;
  throw refuseOnnx('onnx.other-format', 'ONNX Runtime would not read these bytes as ONNX');
}

/** The value of an `int` attribute. May refuse; meant to run inside an `attempt`. */
export function integerAttribute(node: OnnxNode, name: string, fallback: number): number {
  return attributeField(node, name, ATTRIBUTE.int, integerOf) ?? fallback;
}

/** The value of a `float` attribute. May refuse; meant to run inside an `attempt`. */
export function floatAttribute(node: OnnxNode, name: string, fallback: number): number {
  return attributeField(node, name, ATTRIBUTE.float, floatOf) ?? fallback;
}

/** The tensor of a `tensor` attribute. May refuse; meant to run inside an `attempt`. */
export function tensorAttribute(node: OnnxNode, name: string): OnnxTensor | undefined {
  const attribute = node.attributes.get(name);
  if (attribute === undefined) return undefined;
  const fields = [...wireFields(attribute.body)].filter(({ no }) => no === ATTRIBUTE.tensor);
  return fields.length === 0 ? undefined : readTensorHead(merged(fields.map(bytesOf)));
}

function attributeField<T>(
  node: OnnxNode,
  name: string,
  fieldNo: number,
  read: (field: WireField) => T,
): T | undefined {
  let value: T | undefined;
  for (const field of wireFields(node.attributes.get(name)?.body ?? new Uint8Array(0))) {
    if (field.no === fieldNo) value = read(field);
  }
  return value;
}

/** What has been counted so far in all graphs of the model. */
interface Tally {
  nodes: number;
  names: number;
}

/** A port whose type is not judged yet: it may belong to an initializer. */
interface StatedPort extends OnnxPort {
  /** TypeProto holds something else than a tensor, or a tensor of a type not offered. */
  readonly foreign: boolean;
}

function readGraphBody(chunks: readonly Bytes[], tally: Tally, depth: number): OnnxGraphBody {
  if (depth > ONNX_DEPTH_MAX) {
    throw refuseOnnx('onnx.limit', `graphs are nested deeper than ${ONNX_DEPTH_MAX}`);
  }
  let name = '';
  const nodes: OnnxNode[] = [];
  const initializers = new Map<string, OnnxTensor>();
  const inputs = new Map<string, StatedPort>();
  const outputs = new Map<string, StatedPort>();
  for (const chunk of chunks) {
    for (const field of wireFields(chunk)) {
      if (field.no === GRAPH.name) name = textOf(field);
      else if (field.no === GRAPH.node) nodes.push(readNode(bytesOf(field), tally, depth));
      else if (field.no === GRAPH.initializer) {
        addOnce(initializers, readTensorHead(bytesOf(field)), 'initializer', tally);
      } else if (field.no === GRAPH.input) {
        addOnce(inputs, readPort(bytesOf(field)), 'input', tally);
      } else if (field.no === GRAPH.output) {
        addOnce(outputs, readPort(bytesOf(field)), 'output', tally);
      }
    }
  }
  for (const filled of initializers.keys()) inputs.delete(filled);
  if (inputs.size > MODEL_PORTS_MAX || outputs.size > MODEL_PORTS_MAX) {
    const counts = `${inputs.size} inputs and ${outputs.size} outputs`;
    throw refuseOnnx('onnx.limit', `the graph ${name} has ${counts}, over ${MODEL_PORTS_MAX}`);
  }
  return {
    name,
    nodes,
    initializers,
    inputs: [...inputs.values()].map((port) => plainPort(port, depth)),
    outputs: [...outputs.values()].map((port) => plainPort(port, depth)),
  };
}

function readNode(message: Bytes, tally: Tally, depth: number): OnnxNode {
  tally.nodes++;
  if (tally.nodes > ONNX_NODES_MAX) {
    throw refuseOnnx('onnx.limit', `the model has more than ${ONNX_NODES_MAX} nodes`);
  }
  let op = '';
  let name = '';
  let domain = '';
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, OnnxAttribute>();
  for (const field of wireFields(message)) {
    if (field.no === NODE.opType) op = textOf(field);
    else if (field.no === NODE.name) name = textOf(field);
    else if (field.no === NODE.domain) domain = domainOf(textOf(field));
    else if (field.no === NODE.input) inputs.push(counted(textOf(field), tally));
    else if (field.no === NODE.output) outputs.push(counted(textOf(field), tally));
    else if (field.no === NODE.attribute) {
      addOnce(attributes, readAttribute(bytesOf(field), tally, depth), 'attribute', tally);
    }
  }
  return { op, name, domain, inputs, outputs, attributes };
}

function readAttribute(body: Bytes, tally: Tally, depth: number): OnnxAttribute {
  let name = '';
  const single: Bytes[] = [];
  const graphs: OnnxGraphBody[] = [];
  for (const field of wireFields(body)) {
    if (field.no === ATTRIBUTE.name) name = textOf(field);
    else if (field.no === ATTRIBUTE.graph) single.push(bytesOf(field));
    else if (field.no === ATTRIBUTE.graphs) {
      counted('', tally);
      graphs.push(readGraphBody([bytesOf(field)], tally, depth + 1));
    }
  }
  if (single.length > 0) graphs.unshift(readGraphBody(single, tally, depth + 1));
  return { name, body, graphs };
}

function readPort(message: Bytes): StatedPort {
  let name = '';
  const types: Bytes[] = [];
  for (const field of wireFields(message)) {
    if (field.no === 1) name = textOf(field);
    else if (field.no === 2) types.push(bytesOf(field));
  }
  // ValueInfoProto.type (2) > TypeProto.tensor_type (1) > elem_type (1), shape (2) > dim (1)
  const tensors: Bytes[] = [];
  let foreign = false;
  for (const field of wireFields(merged(types))) {
    if (field.no === 1) tensors.push(bytesOf(field));
    // Of TypeProto only denotation (6) may stand beside tensor_type; the others are other kinds.
    else if (field.no !== 6) foreign = true;
  }
  let dataType = 0;
  const shapes: Bytes[] = [];
  for (const field of wireFields(merged(tensors))) {
    if (field.no === 1) dataType = integerOf(field);
    else if (field.no === 2) shapes.push(bytesOf(field));
  }
  const dtype = dtypeOf(dataType);
  foreign ||= dataType !== 0 && dtype === undefined;
  return { name, dtype, dims: shapes.length === 0 ? undefined : readDims(shapes), foreign };
}

function readDims(shapes: readonly Bytes[]): (number | string)[] {
  const dims: (number | string)[] = [];
  for (const field of wireFields(merged(shapes))) {
    if (field.no !== 1) continue;
    let size: number | string = '';
    for (const part of wireFields(bytesOf(field))) {
      if (part.no === 1) size = integerOf(part);
      else if (part.no === 2) size = textOf(part);
    }
    // Some exporters write -1 where a size is not known.
    dims.push(typeof size === 'number' && size < 0 ? '' : size);
    if (dims.length > TENSOR_RANK_MAX) {
      throw refuseOnnx('onnx.limit', `a port has more than ${TENSOR_RANK_MAX} dimensions`);
    }
  }
  return dims;
}

function readOpset(message: Bytes, opsets: Map<string, number>): void {
  let domain = '';
  let version = 0;
  for (const field of wireFields(message)) {
    if (field.no === 1) domain = domainOf(textOf(field));
    else if (field.no === 2) version = integerOf(field);
  }
  opsets.set(domain, version);
  if (opsets.size > MODEL_PORTS_MAX) {
    throw refuseOnnx('onnx.limit', `the model imports more than ${MODEL_PORTS_MAX} operator sets`);
  }
}

function domainOf(text: string): string {
  return text === 'ai.onnx' ? '' : text;
}

function counted<T>(item: T, tally: Tally): T {
  tally.names++;
  if (tally.names <= ONNX_NAMES_MAX) return item;
  throw refuseOnnx('onnx.limit', `the model has more than ${ONNX_NAMES_MAX} names`);
}

// Two tensors of one name: a reader that takes the first and a runtime that takes the last would
// judge and run different models.
function addOnce<T extends { readonly name: string }>(
  into: Map<string, T>,
  item: T,
  kind: string,
  tally: Tally,
): void {
  if (into.has(item.name)) {
    throw refuseOnnx('onnx.malformed', `the ${kind} ${item.name} is there twice`);
  }
  into.set(item.name, counted(item, tally));
}

function plainPort({ name, dtype, dims, foreign }: StatedPort, depth: number): OnnxPort {
  // Bodies of loops may carry sequences; what a caller feeds or reads must be tensors.
  if (foreign && depth === 0) {
    throw refuseOnnx('onnx.unsupported', `${name} is not a tensor of a type that Edgeward offers`);
  }
  return { name, dtype, dims };
}
