/** The closed fault codes of the runtime room. */
import { type FaultTable, type Refusal, refusing } from '../../core/base/fault.ts';

export type RuntimeFaultCode =
  | 'runtime.policy-mismatch'
  | 'runtime.ports'
  | 'runtime.self-test'
  | 'runtime.soak'
  | 'runtime.scrub'
  | 'runtime.busy'
  | 'runtime.given-up'
  | 'runtime.not-installed'
  | 'runtime.not-releasing';

export const RUNTIME_FAULTS: FaultTable<RuntimeFaultCode> = {
  'runtime.policy-mismatch':
    'The guard policy was calibrated on another model: calibrate on this one and pack again.',
  'runtime.ports': 'The model has other inputs or outputs than its metadata: pack it again.',
  'runtime.self-test':
    'The model does not run as it should on this board: check budgets and board.',
  'runtime.soak':
    'The worker did not stay in health while it was tried: check memory and deadlines.',
  'runtime.scrub':
    'A file at rest is damaged: what runs was verified, install the release again before a restart.',
  'runtime.busy': 'Frames arrive faster than the model runs: send fewer, or wait for the answers.',
  'runtime.given-up':
    'The release was tried here and given up: install another one, or try it anew with `edgeward install`.',
  'runtime.not-releasing':
    'Read in the log of the device, or in its events, why no model output leaves it.',
  'runtime.not-installed':
    'No release is installed: `edgeward install` one, or start once with a bundle.',
};

export const refuseRuntime: (code: RuntimeFaultCode, message: string) => Refusal =
  refusing(RUNTIME_FAULTS);
