/** Why an operator's act is refused, with the way forward. A refused act changes nothing. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type OperatorFaultCode =
  | 'operator.malformed'
  | 'operator.no-role'
  | 'operator.threshold'
  | 'operator.unknown-key'
  | 'operator.retired-key'
  | 'operator.revoked-key'
  | 'operator.other-device'
  | 'operator.other-epoch'
  | 'operator.old-counter'
  | 'operator.unknown-verb'
  | 'operator.unsigned'
  | 'operator.locked'
  | 'operator.no-model'
  | 'operator.not-held'
  | 'operator.no-state';

export const OPERATOR_FAULTS: FaultTable<OperatorFaultCode> = {
  'operator.malformed': 'This is no signed act: make one with `edgeward operator sign`.',
  'operator.no-role': 'The root names no operator keys: add some with `edgeward root rotate`.',
  'operator.threshold':
    'The root wants several operators for one act, and an act carries one signature: set the threshold of the role to 1.',
  'operator.unknown-key': 'Sign with a key that the root of this device names as an operator.',
  'operator.retired-key': 'The root has retired this operator key: sign with a current one.',
  'operator.revoked-key': 'The key is revoked: sign with another operator key.',
  'operator.other-device': 'The act was signed for another device: sign one for this device.',
  'operator.other-epoch':
    'The device has started anew since, or not yet: sign with the boot number that it reports now.',
  'operator.old-counter': 'The key has signed this counter or a later one: sign with a higher one.',
  'operator.unknown-verb': 'This device does not know the act: update it, or use another verb.',
  'operator.unsigned':
    'A local caller may only restrict: have an operator sign this with `edgeward operator sign`.',
  'operator.locked': 'The device is LOCKED and takes a signed release only.',
  'operator.no-model': 'No model runs on the device: install a release and start it again.',
  'operator.not-held': 'No frame with this number waits, or not any more.',
  'operator.no-state':
    'The device has no key, no boot number or no root of its own to hold an act against: see its log.',
};

export const refuseOperator: (code: OperatorFaultCode, message: string) => Refusal =
  refusing(OPERATOR_FAULTS);
