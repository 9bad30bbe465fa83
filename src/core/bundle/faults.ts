/** The closed fault codes of the bundle room. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type BundleFaultCode =
  | 'bundle.header'
  | 'bundle.padding'
  | 'bundle.truncated'
  | 'bundle.trailing'
  | 'bundle.too-large'
  | 'bundle.file-digest'
  | 'bundle.mismatch'
  | 'metadata.malformed'
  | 'metadata.invalid'
  | 'metadata.json';

export const BUNDLE_FAULTS: FaultTable<BundleFaultCode> = {
  'bundle.header':
    'The archive is not laid out as a bundle, or it was repacked: use the file that `edgeward pack` wrote, unchanged.',
  'bundle.padding': 'Bytes outside the files are not zero: get the bundle from its maker again.',
  'bundle.truncated': 'The bundle ends early: fetch it again and compare its size.',
  'bundle.trailing': 'Bytes follow the end of the bundle: fetch it again.',
  'bundle.too-large': 'The bundle is over a limit that protects the device: make it smaller.',
  'bundle.file-digest':
    'A file is not the one that was signed: get the bundle from its maker again.',
  'bundle.mismatch': 'Metadata and manifest disagree: pack the model again with `edgeward pack`.',
  'metadata.malformed': 'The metadata is not a map of the known form: pack the model again.',
  'metadata.invalid': 'Correct the named member of the metadata and pack again.',
  'metadata.json': 'Give a JSON object as `firmware-manifests/metadata.schema.json` describes it.',
};

export const refuseBundle: (code: BundleFaultCode, message: string) => Refusal =
  refusing(BUNDLE_FAULTS);
