/** The closed fault codes of the SUIT room. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type SuitFaultCode = 'suit.malformed' | 'suit.digest' | 'suit.template' | 'suit.signatures';

export const SUIT_FAULTS: FaultTable<SuitFaultCode> = {
  'suit.malformed': 'This is not a bundle manifest: pack the model with `edgeward pack`.',
  'suit.digest':
    'The manifest is not the one that was signed: get the bundle from its maker again.',
  'suit.template':
    'The manifest holds commands outside the closed template: pack it with `edgeward pack`.',
  'suit.signatures': 'The manifest needs between one and eight signature blocks: sign it again.',
};

export const refuseSuit: (code: SuitFaultCode, message: string) => Refusal = refusing(SUIT_FAULTS);
