/**
 * The messages of onnx.proto3 (ONNX 1.20, IR version 13) with every field a model for one device
 * uses. Left out on purpose, so that a scan reports them: placement on several devices
 * (ModelProto.configuration, NodeProto.device_configurations) and opaque types.
 */
import { WireType } from '@bufbuild/protobuf/wire';

export type MessageName =
  | 'model'
  | 'opset'
  | 'entry'
  | 'training'
  | 'function'
  | 'graph'
  | 'annotation'
  | 'node'
  | 'attribute'
  | 'tensor'
  | 'segment'
  | 'sparse'
  | 'port'
  | 'type'
  | 'tensorType'
  | 'elementType'
  | 'mapType'
  | 'shape'
  | 'dim';

export interface FieldShape {
  readonly name: string;
  readonly wires: readonly WireType[];
  readonly repeated: boolean;
  readonly message?: MessageName;
}

type Shapes = Readonly<Record<number, FieldShape>>;

const { Varint, Bit32, Bit64, LengthDelimited } = WireType;

const int = (name: string): FieldShape => ({ name, wires: [Varint], repeated: false });
const ints = (name: string): FieldShape => packed(name, Varint);
const bytes = (name: string): FieldShape => ({ name, wires: [LengthDelimited], repeated: false });
const list = (name: string): FieldShape => ({ ...bytes(name), repeated: true });
const one = (name: string, message: MessageName): FieldShape => ({ ...bytes(name), message });
const many = (name: string, message: MessageName): FieldShape => ({ ...list(name), message });

function packed(name: string, wire: WireType): FieldShape {
  return { name, wires: [wire, LengthDelimited], repeated: true };
}

/** Properties, wherever they stand. */
export const METADATA: FieldShape = many('metadata_props', 'entry');

export const MESSAGES: Readonly<Record<MessageName, Shapes>> = {
  model: {
    1: int('ir_version'),
    2: bytes('producer_name'),
    3: bytes('producer_version'),
    4: bytes('domain'),
    5: int('model_version'),
    6: bytes('doc_string'),
    7: one('graph', 'graph'),
    8: many('opset_import', 'opset'),
    14: METADATA,
    20: many('training_info', 'training'),
    25: many('functions', 'function'),
  },
  opset: { 1: bytes('domain'), 2: int('version') },
  entry: { 1: bytes('key'), 2: bytes('value') },
  training: {
    1: one('initialization', 'graph'),
    2: one('algorithm', 'graph'),
    3: many('initialization_binding', 'entry'),
    4: many('update_binding', 'entry'),
  },
  function: {
    1: bytes('name'),
    4: list('input'),
    5: list('output'),
    6: list('attribute'),
    7: many('node', 'node'),
    8: bytes('doc_string'),
    9: many('opset_import', 'opset'),
    10: bytes('domain'),
    11: many('attribute_proto', 'attribute'),
    12: many('value_info', 'port'),
    13: bytes('overload'),
    14: METADATA,
  },
  graph: {
    1: many('node', 'node'),
    2: bytes('name'),
    5: many('initializer', 'tensor'),
    10: bytes('doc_string'),
    11: many('input', 'port'),
    12: many('output', 'port'),
    13: many('value_info', 'port'),
    14: many('quantization_annotation', 'annotation'),
    15: many('sparse_initializer', 'sparse'),
    16: METADATA,
  },
  annotation: { 1: bytes('tensor_name'), 2: many('quant_parameter_tensor_names', 'entry') },
  node: {
    1: list('input'),
    2: list('output'),
    3: bytes('name'),
    4: bytes('op_type'),
    5: many('attribute', 'attribute'),
    6: bytes('doc_string'),
    7: bytes('domain'),
    8: bytes('overload'),
    9: METADATA,
  },
  attribute: {
    1: bytes('name'),
    2: { name: 'f', wires: [Bit32], repeated: false },
    3: int('i'),
    4: bytes('s'),
    5: one('t', 'tensor'),
    6: one('g', 'graph'),
    7: packed('floats', Bit32),
    8: ints('ints'),
    9: list('strings'),
    10: many('tensors', 'tensor'),
    11: many('graphs', 'graph'),
    13: bytes('doc_string'),
    14: one('tp', 'type'),
    15: many('type_protos', 'type'),
    20: int('type'),
    21: bytes('ref_attr_name'),
    22: one('sparse_tensor', 'sparse'),
    23: many('sparse_tensors', 'sparse'),
  },
  tensor: {
    1: ints('dims'),
    2: int('data_type'),
    3: one('segment', 'segment'),
    4: packed('float_data', Bit32),
    5: ints('int32_data'),
    6: list('string_data'),
    7: ints('int64_data'),
    8: bytes('name'),
    9: bytes('raw_data'),
    10: packed('double_data', Bit64),
    11: ints('uint64_data'),
    12: bytes('doc_string'),
    13: many('external_data', 'entry'),
    14: int('data_location'),
    16: METADATA,
  },
  segment: { 1: int('begin'), 2: int('end') },
  sparse: { 1: one('values', 'tensor'), 2: one('indices', 'tensor'), 3: ints('dims') },
  port: { 1: bytes('name'), 2: one('type', 'type'), 3: bytes('doc_string'), 4: METADATA },
  type: {
    1: one('tensor_type', 'tensorType'),
    4: one('sequence_type', 'elementType'),
    5: one('map_type', 'mapType'),
    6: bytes('denotation'),
    8: one('sparse_tensor_type', 'tensorType'),
    9: one('optional_type', 'elementType'),
  },
  tensorType: { 1: int('elem_type'), 2: one('shape', 'shape') },
  elementType: { 1: one('elem_type', 'type') },
  mapType: { 1: int('key_type'), 2: one('value_type', 'type') },
  shape: { 1: many('dim', 'dim') },
  dim: { 1: int('dim_value'), 2: bytes('dim_param'), 3: bytes('denotation') },
};
