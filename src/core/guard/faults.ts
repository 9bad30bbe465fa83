/** What the guard refuses before a frame or a setting exists for it, with the way forward. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type GuardFaultCode =
  | 'guard.tensors'
  | 'guard.tensor-name'
  | 'guard.tensor-dtype'
  | 'guard.tensor-dims'
  | 'guard.tensor-data'
  | 'guard.tensor-bytes'
  | 'guard.unreadable'
  | 'guard.safe-output'
  | 'guard.safe-output-value'
  | 'guard.safe-output-contract';

export const GUARD_FAULTS: FaultTable<GuardFaultCode> = {
  'guard.tensors': 'Give a Map or a plain object of name to { dtype, dims, data }.',
  'guard.tensor-name': 'Name every tensor with a short text, as the model does.',
  'guard.tensor-dtype': 'State the ONNX element type of the tensor, for example float32.',
  'guard.tensor-dims': 'Give the dimensions as a short list of whole numbers from 0 up.',
  'guard.tensor-data': 'Give the data in the typed array that belongs to the stated element type.',
  'guard.tensor-bytes': 'Send less data in one frame.',
  'guard.unreadable': 'Give plain values; the object threw while it was read.',
  'guard.safe-output': 'Declare every output that callers get, each by its name in the schema.',
  'guard.safe-output-value': 'Give values of the output’s element type, as many as its shape has.',
  'guard.safe-output-contract': 'Declare a safe output that keeps the output contract itself.',
};

export const refuseGuard: (code: GuardFaultCode, message: string) => Refusal =
  refusing(GUARD_FAULTS);
