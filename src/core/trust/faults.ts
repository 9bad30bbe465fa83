/** The closed fault codes of the trust room. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type TrustFaultCode =
  | 'root.malformed'
  | 'root.invalid'
  | 'root.threshold'
  | 'root.expired'
  | 'root.step'
  | 'root.differs'
  | 'root.missing'
  | 'revocation.malformed'
  | 'revocation.invalid'
  | 'revocation.no-role'
  | 'revocation.threshold'
  | 'revocation.missing'
  | 'revocation.older'
  | 'revocation.differs'
  | 'revocation.step'
  | 'revocation.key'
  | 'revocation.manifest'
  | 'trust.development-key'
  | 'trust.duplicate-signature'
  | 'trust.unauthorised'
  | 'trust.threshold'
  | 'trust.retired-key'
  | 'trust.wrong-class'
  | 'trust.expired'
  | 'trust.guard-too-old'
  | 'trust.root-too-old'
  | 'rollback.security-version'
  | 'rollback.fast-forward'
  | 'rollback.sequence'
  | 'rollback.floors-full'
  | 'floor.malformed'
  | 'floor.mac'
  | 'floor.rolled-back'
  | 'floor.lowered'
  | 'floor.tier-missing'
  | 'floor.tier-lowered'
  | 'floor.volatile'
  | 'floor.fuses-full'
  | 'floor.fuses-taken';

export const TRUST_FAULTS: FaultTable<TrustFaultCode> = {
  'root.malformed': 'This is not a root file: make one with `edgeward root init`.',
  'root.invalid': 'Correct the roles, keys or thresholds and make the root again.',
  'root.threshold': 'Too few root keys signed this root: have the other holders sign it.',
  'root.expired': 'The root has expired: install a newer root before new bundles.',
  'root.step':
    'A root follows the one before it by one version, signed by the keys of both: give all roots in between.',
  'root.differs': 'Two roots of one version: find out which one is forged before going on.',
  'root.missing': 'Give the root file that this device has adopted, and those that follow it.',
  'revocation.malformed': 'This is not a revocation list: make one with `edgeward revoke`.',
  'revocation.invalid': 'Sort the entries and name each once: `edgeward revoke` does.',
  'revocation.no-role': 'The root names no revocation keys: add some with `edgeward root rotate`.',
  'revocation.threshold':
    'Too few current revocation keys signed the list: have the other holders sign it.',
  'revocation.missing':
    'This device has recorded a revocation list and runs no model without it: give it the newest list (`--revocations`).',
  'revocation.older':
    'This device has recorded a newer revocation list: give it that list or a later one.',
  'revocation.differs':
    'The device has recorded another list of this version: find out which one is forged.',
  'revocation.step':
    'The version is too far above the recorded one: number the lists one after the other.',
  'revocation.key': 'A key that signed is revoked: have the release signed by others.',
  'revocation.manifest': 'The release is revoked: install another one.',
  'trust.development-key':
    'Sign with release keys under a production root, or leave out `--profile production`.',
  'trust.duplicate-signature': 'One key signed twice: sign with distinct keys.',
  'trust.unauthorised':
    'The root does not let this key sign this, or not for this model and hardware class: use another key or change the root.',
  'trust.threshold': 'Too few release keys signed: have another key holder sign the bundle.',
  'trust.retired-key':
    'Only retired keys signed: they keep a confirmed release running and install nothing.',
  'trust.wrong-class': 'The bundle is for other hardware: use the one made for this class.',
  'trust.expired': 'The bundle is too old to be installed: get a newer release.',
  'trust.guard-too-old': 'The bundle needs a newer Edgeward: update the runtime first.',
  'trust.root-too-old': 'The bundle needs a newer root: install that root first.',
  'rollback.security-version':
    'The bundle is older than what this device has confirmed: install a release with a higher security version.',
  'rollback.fast-forward':
    'The security version is so far above the floor that it would shut out later releases: choose a lower one.',
  'rollback.sequence': 'A newer release is installed: install one with a higher sequence number.',
  'rollback.floors-full':
    'This device has confirmed as many models as its record can hold: enrol it anew for other models.',
  'floor.malformed': 'The rollback record is damaged: restore it from the second copy or re-enrol.',
  'floor.mac': 'The rollback record was not written by this device: treat it as tampering.',
  'floor.rolled-back':
    'The record is older than what the hardware remembers, or was edited: put back the newest state folder, or enrol the device anew.',
  'floor.lowered': 'A floor never goes down: treat a record that asks for it as tampering.',
  'floor.tier-missing':
    'What keeps the floor on this device cannot be used: repair it; no lower tier stands in for it.',
  'floor.tier-lowered':
    'This state folder was provisioned for another tier: state that one, or enrol the device anew.',
  'floor.volatile':
    'This folder forgets at every restart: a production device needs a state folder on a disk.',
  'floor.fuses-full':
    'The fuses count 256 security versions and no more: keep to releases up to that one.',
  'floor.fuses-taken':
    'Other data is in the customer OTP of this board: use a board without, or another tier.',
};

export const refuseTrust: (code: TrustFaultCode, message: string) => Refusal =
  refusing(TRUST_FAULTS);
