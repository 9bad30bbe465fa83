/** The closed fault codes of the maker's tools. */
import { type FaultTable, type Refusal, refusing } from '../../core/base/fault.ts';

export type MakerFaultCode =
  | 'maker.input'
  | 'maker.output'
  | 'maker.labels'
  | 'maker.policy'
  | 'maker.evidence'
  | 'maker.row'
  | 'maker.csv'
  | 'maker.folder'
  | 'maker.classes'
  | 'maker.shape'
  | 'maker.image'
  | 'maker.image-kind'
  | 'maker.image-size'
  | 'maker.changed'
  | 'maker.no-features'
  | 'maker.outputs-changed'
  | 'maker.not-deterministic'
  | 'scan.findings';

export const MAKER_FAULTS: FaultTable<MakerFaultCode> = {
  'maker.input':
    'Give a .npy file, a .csv file or a folder of images for every input of the model, as NAME=PATH where it has several.',
  'maker.output':
    'Name the output with the raw class scores (--scores) and the one with the features (--features).',
  'maker.policy': 'Give the policy that `edgeward calibrate` made for this very model file.',
  'maker.evidence': 'Evaluate this very model and guard, and give what `--json` wrote.',
  'maker.row': 'Remove the row, or correct the range and conversion in the metadata.',
  'maker.labels':
    'Give labels as one axis of integers, one per fit row, for example y.astype(numpy.int32).',
  'maker.csv':
    'Correct the file at that place: numbers with a point, commas between them, a row for each frame.',
  'maker.folder':
    'Keep only .png and .jpg files in the folder, or only one folder of them for each class.',
  'maker.classes':
    'Name the folders as the labels of the model, or by class index, or all of them otherwise.',
  'maker.shape':
    'State the layout in the metadata, or give the inputs as .npy in their full shape.',
  'maker.image': 'Save the image again as PNG, or leave it out; the file cannot be read.',
  'maker.image-kind':
    'Save it as plain 8-bit PNG, grey or RGB as the model takes it, without transparency, as the device sees it.',
  'maker.image-size':
    'Crop or scale the images beforehand, exactly as the device does: nothing is scaled here.',
  'maker.changed': 'Leave the folder alone while it is read, and start again.',
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
