/** What can go wrong between a verified model and its outputs. */
import {
  type Fault,
  type FaultTable,
  faultOf,
  type Refusal,
  refusing,
} from '../../core/base/fault.ts';

export type InferenceFaultCode =
  | 'inference.model'
  | 'inference.model-changed'
  | 'inference.unsupported'
  | 'inference.memory'
  | 'inference.clamp'
  | 'inference.input-missing'
  | 'inference.input-unknown'
  | 'inference.input-dtype'
  | 'inference.input-shape'
  | 'inference.input-value'
  | 'inference.input-limit'
  | 'inference.output-limit'
  | 'inference.run'
  | 'inference.deadline'
  | 'inference.session-deadline'
  | 'inference.crashed'
  | 'inference.reply'
  | 'inference.respawn-budget'
  | 'inference.busy'
  | 'inference.closed'
  | 'inference.kernels-file';

export const INFERENCE_FAULTS: FaultTable<InferenceFaultCode> = {
  'inference.model': 'Export the model again as ONNX and check it with onnx.checker.',
  'inference.model-changed': 'Restart from the verified bundle; the model in memory was altered.',
  'inference.unsupported':
    'Export the model with operators and tensor types that ONNX Runtime has.',
  'inference.memory': 'Raise the memory of the board profile, or use a smaller model or batch.',
  'inference.clamp': 'Install the onnxruntime-web release this package was built with.',
  'inference.input-missing': 'Give a tensor for every input of the model.',
  'inference.input-unknown': 'Remove the tensor, or correct its name to an input of the model.',
  'inference.input-dtype': 'Convert the tensor to the type that the model states.',
  'inference.input-shape': 'Reshape the tensor to the dimensions that the model states.',
  'inference.input-value': 'Give well-formed text without U+0000, and 0 or 1 for bool.',
  'inference.input-limit': 'Run fewer rows at a time.',
  'inference.output-limit': 'Run fewer rows at a time, or export the model with smaller outputs.',
  'inference.run': 'Check the model with the same input in ONNX Runtime; it refused to compute.',
  'inference.deadline': 'Raise the run deadline, or use a faster model; the worker was replaced.',
  'inference.session-deadline': 'Raise the session deadline, or use a smaller model.',
  'inference.crashed': 'Report the model and input; the worker died and is replaced.',
  'inference.reply': 'Treat the model as hostile; the worker answered outside its protocol.',
  'inference.respawn-budget': 'Wait until the window frees, and find out why workers keep dying.',
  'inference.busy': 'Send fewer frames, or wait for the answers.',
  'inference.closed': 'Open the engine again.',
  'inference.kernels-file': 'Install the package again; a file that belongs to it cannot be read.',
};

export const refuseInference: (code: InferenceFaultCode, message: string) => Refusal =
  refusing(INFERENCE_FAULTS);

export function inferenceFault(code: InferenceFaultCode, message: string): Fault {
  return faultOf(INFERENCE_FAULTS, code, message);
}
