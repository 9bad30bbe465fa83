/**
 * Field and enumeration numbers of onnx.proto3 (ONNX 1.17, IR version 10), as far as Edgeward
 * reads or writes them.
 */
import type { DType } from '../numeric/tensor.ts';

export const MODEL: Readonly<{
  irVersion: 1;
  producerName: 2;
  producerVersion: 3;
  graph: 7;
  opsetImport: 8;
  metadataProps: 14;
}> = {
  irVersion: 1,
  producerName: 2,
  producerVersion: 3,
  graph: 7,
  opsetImport: 8,
  metadataProps: 14,
};

export const GRAPH: Readonly<{
  node: 1;
  name: 2;
  initializer: 5;
  input: 11;
  output: 12;
}> = { node: 1, name: 2, initializer: 5, input: 11, output: 12 };

export const NODE: Readonly<{
  input: 1;
  output: 2;
  name: 3;
  opType: 4;
  attribute: 5;
  domain: 7;
}> = { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 };

export const ATTRIBUTE: Readonly<{
  name: 1;
  float: 2;
  int: 3;
  string: 4;
  tensor: 5;
  graph: 6;
  floats: 7;
  ints: 8;
  graphs: 11;
  type: 20;
}> = {
  name: 1,
  float: 2,
  int: 3,
  string: 4,
  tensor: 5,
  graph: 6,
  floats: 7,
  ints: 8,
  graphs: 11,
  type: 20,
};

/** AttributeProto.AttributeType. */
export const ATTRIBUTE_TYPE: Readonly<
  Record<'float' | 'int' | 'string' | 'tensor' | 'graph' | 'floats' | 'ints', number>
> = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, floats: 6, ints: 7 };

export const TENSOR: Readonly<{
  dims: 1;
  dataType: 2;
  floatData: 4;
  int32Data: 5;
  stringData: 6;
  int64Data: 7;
  name: 8;
  rawData: 9;
  doubleData: 10;
  uint64Data: 11;
  externalData: 13;
  dataLocation: 14;
}> = {
  dims: 1,
  dataType: 2,
  floatData: 4,
  int32Data: 5,
  stringData: 6,
  int64Data: 7,
  name: 8,
  rawData: 9,
  doubleData: 10,
  uint64Data: 11,
  externalData: 13,
  dataLocation: 14,
};

/** TensorProto.DataType of each dtype; complex, bfloat16, float8 and 4-bit types are not offered. */
export const DATA_TYPE: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
};

const DTYPE_OF: ReadonlyMap<number, DType> = new Map(
  Object.entries(DATA_TYPE).map(([dtype, code]) => [code, dtype as DType]),
);

/** The dtype of a TensorProto.DataType, `undefined` for one that Edgeward does not offer. */
export function dtypeOf(dataType: number): DType | undefined {
  return DTYPE_OF.get(dataType);
}
