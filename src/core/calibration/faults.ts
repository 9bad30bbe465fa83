/** The closed fault codes of calibration. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type CalibrationFaultCode =
  | 'calibration.budget'
  | 'calibration.shares'
  | 'calibration.shape'
  | 'calibration.values'
  | 'calibration.labels'
  | 'calibration.classes'
  | 'calibration.fit-rows'
  | 'calibration.rows'
  | 'calibration.same-rows'
  | 'calibration.constant'
  | 'calibration.stopped'
  | 'calibration.head'
  | 'calibration.logits'
  | 'calibration.size';

export const CALIBRATION_FAULTS: FaultTable<CalibrationFaultCode> = {
  'calibration.budget':
    'Give false alarms from 0.000001 to 0.5 and a confidence from 0.5 to 0.999999999.',
  'calibration.shares':
    'Give each check that is calibrated a part of the budget above 0, together 1, and no other.',
  'calibration.shape': 'Give rows of one length, as the model puts them out, and as many of each.',
  'calibration.values': 'Remove the inputs on which the model gives such outputs, or repair it.',
  'calibration.labels': 'Give one label per fit row, each the index of a class.',
  'calibration.classes': 'Add fit rows of the classes that have none, at least one of each.',
  'calibration.fit-rows': 'Add fit rows until there are as many as named.',
  'calibration.rows': 'Record more calibration rows, or allow more false alarms.',
  'calibration.same-rows':
    'Calibrate on rows that the model and the fit set have not seen, and on each of them once.',
  'calibration.constant': 'Give recordings that vary as the device will see them.',
  'calibration.stopped':
    'Turn off the check that stops usual frames, or record calibration rows that it lets pass.',
  'calibration.head':
    'Name the input of the last linear layer as features and its raw output as scores.',
  'calibration.logits':
    'Leave ViM out: it needs raw class scores that are positive for usual frames.',
  'calibration.size': 'Use fewer calibration rows, or a model with fewer features or classes.',
};

export const refuseCalibration: (code: CalibrationFaultCode, message: string) => Refusal =
  refusing(CALIBRATION_FAULTS);
