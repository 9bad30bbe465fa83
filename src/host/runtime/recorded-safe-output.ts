/** The safe output of the model confirmed last, which stands when none may run. */
import { attempt, need } from '../../core/base/fault.ts';
import { Fields } from '../../core/base/fields.ts';
import { readIoSchema } from '../../core/bundle/io-schema-codec.ts';
import { parseSafeOutput, safeOutputTensors } from '../../core/guard/safe-output.ts';
import { DEFAULT_GUARD_SETTINGS } from '../../core/guard/settings.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import type { FloorRecord } from '../../core/trust/floor.ts';

/** `undefined` where none was recorded: that means `withhold`. */
export function recordedSafeOutput(record: FloorRecord): NamedTensors | undefined {
  const { safeOutput, safeOutputIo } = record;
  if (safeOutput === undefined || safeOutputIo === undefined) return undefined;
  const tensors = attempt(() => {
    const io = readIoSchema(Fields.of('safeOutputIo', safeOutputIo));
    const { probabilitySumTolerance } = DEFAULT_GUARD_SETTINGS;
    return need(safeOutputTensors(need(parseSafeOutput(safeOutput)), io, probabilitySumTolerance));
  });
  return tensors.ok ? tensors.value : undefined;
}
