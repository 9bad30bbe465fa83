/** The closed fault codes of reading a guard policy. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type PolicyFaultCode =
  | 'policy.size'
  | 'policy.detection'
  | 'policy.length'
  | 'policy.values'
  | 'policy.order'
  | 'policy.shares'
  | 'policy.rank';

const CALIBRATE_AGAIN = 'Make the guard policy again with `edgeward calibrate`.';

export const POLICY_FAULTS: FaultTable<PolicyFaultCode> = {
  'policy.size': 'Calibrate with fewer rows, or a model with fewer features or classes.',
  'policy.detection': CALIBRATE_AGAIN,
  'policy.length': CALIBRATE_AGAIN,
  'policy.values': CALIBRATE_AGAIN,
  'policy.order': CALIBRATE_AGAIN,
  'policy.shares': CALIBRATE_AGAIN,
  'policy.rank': CALIBRATE_AGAIN,
};

export const refusePolicy: (code: PolicyFaultCode, message: string) => Refusal =
  refusing(POLICY_FAULTS);
