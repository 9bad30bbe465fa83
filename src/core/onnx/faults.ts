/** What can be wrong with an ONNX file, and what its reader can do about it. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type OnnxFaultCode =
  | 'onnx.malformed'
  | 'onnx.other-format'
  | 'onnx.limit'
  | 'onnx.unsupported'
  | 'onnx.external-data'
  | 'onnx.no-output'
  | 'onnx.no-tensor'
  | 'onnx.no-linear-head';

export const ONNX_FAULTS: FaultTable<OnnxFaultCode> = {
  'onnx.malformed': 'Export the model again; the file is damaged or is not ONNX.',
  'onnx.other-format':
    'Give the ONNX file, and one that does not carry the mark of another format at byte 4.',
  'onnx.limit': 'Simplify or split the model until it is within the stated limit.',
  'onnx.unsupported': 'Export the model with plain tensors of a type that Edgeward offers.',
  'onnx.external-data': 'Save the model as one file, with its tensors inside.',
  'onnx.no-output': 'Name one of the outputs that the graph has.',
  'onnx.no-tensor': 'Name a value that a node of the main graph makes.',
  'onnx.no-linear-head':
    'Name the output of the last linear layer, or let calibration fit it by least squares.',
};

export const refuseOnnx: (code: OnnxFaultCode, message: string) => Refusal = refusing(ONNX_FAULTS);
