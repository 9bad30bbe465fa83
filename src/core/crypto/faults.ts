/** The closed fault codes of the crypto room. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type CryptoFaultCode =
  | 'crypto.self-test'
  | 'crypto.bad-signature'
  | 'crypto.weak-point'
  | 'crypto.disagreement'
  | 'crypto.signature-file'
  | 'crypto.no-ml-dsa'
  | 'key.malformed'
  | 'key.algorithm'
  | 'key.encrypted'
  | 'key.passphrase'
  | 'key.passphrase-length';

export const CRYPTO_FAULTS: FaultTable<CryptoFaultCode> = {
  'crypto.self-test':
    'The cryptography of this process gives wrong answers: reinstall the runtime, and replace the board if it happens again.',
  'crypto.bad-signature':
    'The bytes are not what was signed, or another key signed them: get the file again from its maker.',
  'crypto.weak-point':
    'The key or signature uses a small-order point that no honest signer produces: refuse the sender.',
  'crypto.disagreement':
    'Two implementations judge this signature differently: treat it as an attack and report the file.',
  'crypto.no-ml-dsa':
    'Run Edgeward on Node.js 24.7 or newer, or under a root without ML-DSA-65 keys.',
  'crypto.signature-file':
    'Give the signature as the bytes that the signer makes (64 for Ed25519), or their base64.',
  'key.malformed': 'Make the key again with `edgeward keygen`, or give the right file.',
  'key.algorithm':
    'Edgeward signs with Ed25519, and with ML-DSA-65 beside it: make a key with `edgeward keygen`.',
  'key.encrypted': 'Give the file with its passphrase (--passphrase-file), or run at a terminal.',
  'key.passphrase': 'Give the passphrase of this very key, or restore the file from its backup.',
  'key.passphrase-length': 'Choose a passphrase of 8 to 1,024 bytes, for example six random words.',
};

export const refuseCrypto: (code: CryptoFaultCode, message: string) => Refusal =
  refusing(CRYPTO_FAULTS);
