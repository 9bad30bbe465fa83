/** What can be wrong with golden vectors, and with a model that is held against them. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type GoldenFaultCode =
  | 'golden.size'
  | 'golden.vectors'
  | 'golden.tensor'
  | 'golden.values'
  | 'golden.tolerance'
  | 'golden.model'
  | 'golden.contract'
  | 'golden.differs';

export const GOLDEN_FAULTS: FaultTable<GoldenFaultCode> = {
  'golden.size': 'Take fewer or smaller rows as golden vectors, or pack without (--no-golden).',
  'golden.vectors': 'Pack the model again: every vector needs the same inputs and outputs.',
  'golden.tensor': 'Pack the model again: a tensor does not fill its dimensions.',
  'golden.values': 'Take rows for which the model gives finite numbers, and pack again.',
  'golden.tolerance': 'Pack the model again: the tolerance would let a broken model pass.',
  'golden.model': 'The golden vectors were made with another model: make them with this one.',
  'golden.contract': 'Take rows that keep the declared ranges and shapes, and pack again.',
  'golden.differs':
    'The model computes something else than at its maker: check memory, CPU and runtime.',
};

export const refuseGolden: (code: GoldenFaultCode, message: string) => Refusal =
  refusing(GOLDEN_FAULTS);
