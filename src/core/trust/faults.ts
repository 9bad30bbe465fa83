/** The closed fault codes of the trust room. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type TrustFaultCode =
  | 'root.malformed'
  | 'root.invalid'
  | 'root.threshold'
  | 'root.expired'
  | 'trust.development-key'
  | 'trust.duplicate-signature'
  | 'trust.unauthorised'
  | 'trust.threshold'
  | 'trust.wrong-class'
  | 'trust.expired'
  | 'trust.guard-too-old'
  | 'trust.root-too-old'
  | 'rollback.security-version'
  | 'rollback.sequence'
  | 'rollback.floors-full'
  | 'floor.malformed'
  | 'floor.mac';

export const TRUST_FAULTS: FaultTable<TrustFaultCode> = {
  'root.malformed': 'This is not a root file: make one with `edgeward root init`.',
  'root.invalid': 'Correct the roles, keys or thresholds and make the root again.',
  'root.threshold': 'Too few root keys signed this root: have the other holders sign it.',
  'root.expired': 'The root has expired: install a newer root before new bundles.',
  'trust.development-key':
    'Sign with release keys under a production root, or leave out `--profile production`.',
  'trust.duplicate-signature': 'One key signed twice: sign with distinct keys.',
  'trust.unauthorised':
    'The signer may not release this model for this hardware class: use another key or change the root.',
  'trust.threshold': 'Too few release keys signed: have another key holder sign the bundle.',
  'trust.wrong-class': 'The bundle is for other hardware: use the one made for this class.',
  'trust.expired': 'The bundle is too old to be installed: get a newer release.',
  'trust.guard-too-old': 'The bundle needs a newer Edgeward: update the runtime first.',
  'trust.root-too-old': 'The bundle needs a newer root: install that root first.',
  'rollback.security-version':
    'The bundle is older than what this device has confirmed: install a release with a higher security version.',
  'rollback.sequence': 'A newer release is installed: install one with a higher sequence number.',
  'rollback.floors-full':
    'This device has confirmed as many models as its record can hold: enrol it anew for other models.',
  'floor.malformed': 'The rollback record is damaged: restore it from the second copy or re-enrol.',
  'floor.mac': 'The rollback record was not written by this device: treat it as tampering.',
};

export const refuseTrust: (code: TrustFaultCode, message: string) => Refusal =
  refusing(TRUST_FAULTS);
