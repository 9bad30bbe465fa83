/** The closed fault codes of the maker's tools. */
import { type FaultTable, type Refusal, refusing } from '../../core/base/fault.ts';

export type MakerFaultCode =
  | 'maker.input'
  | 'maker.output'
  | 'maker.labels'
  | 'maker.row'
  | 'maker.no-features'
  | 'maker.outputs-changed'
  | 'maker.not-deterministic'
  | 'scan.findings';

export const MAKER_FAULTS: FaultTable<MakerFaultCode> = {
  'maker.input':
    'Give one array for every input of the model, as NAME=FILE.npy where it has several.',
  'maker.output':
    'Name the output with the raw class scores (--scores) and the one with the features (--features).',
  'maker.row': 'Remove the row, or correct the range and conversion in the metadata.',
  'maker.labels':
    'Give labels as one axis of integers, one per fit row, for example y.astype(numpy.int32).',
  'maker.no-features':
    'Name another output (--scores), or guard the model without features (`pack --contract-only`).',
  'maker.outputs-changed':
    'Keep the model as it is: with the features as an output it computes other values.',
  'maker.not-deterministic':
    'The model gives other outputs for the same input: no golden vector can hold it (--no-golden).',
  'scan.findings':
    'Remove what was found from the model, or name it in the metadata if you answer for it (waive).',
};

export const refuseMaker: (code: MakerFaultCode, message: string) => Refusal =
  refusing(MAKER_FAULTS);
