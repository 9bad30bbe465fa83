/** What can be wrong with a tensor or an `.npy` file that came from outside, and with the kernels. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type NumericFaultCode =
  | 'npy.magic'
  | 'npy.version'
  | 'npy.header'
  | 'npy.dtype'
  | 'npy.order'
  | 'npy.limit'
  | 'npy.truncated'
  | 'npy.trailing'
  | 'npy.bool'
  | 'tensor.string'
  | 'tensor.lossy'
  | 'tensor.scale'
  | 'kernels.digest'
  | 'kernels.module'
  | 'kernels.self-check';

export const NUMERIC_FAULTS: FaultTable<NumericFaultCode> = {
  'npy.magic': 'Give a file written by numpy.save, not an .npz archive or raw data.',
  'npy.version': 'Save the array again with a current numpy; format versions 1.0 to 3.0 are read.',
  'npy.header': 'Save the array again with numpy.save; its header is not the one numpy writes.',
  'npy.dtype': 'Convert with .astype(...) to a little-endian number or bool type and save again.',
  'npy.order': 'Save numpy.ascontiguousarray(x); only C order is read.',
  'npy.limit': 'Split the array into smaller files.',
  'npy.truncated': 'Copy the file again; its end is missing.',
  'npy.trailing': 'Save one array in one file; bytes follow the data.',
  'npy.bool': 'Save the array again as bool; every element must be 0 or 1.',
  'tensor.string': 'Give a tensor of numbers; text is not converted.',
  'tensor.lossy': 'Convert the data themselves, for example with .astype(numpy.float32).',
  'tensor.scale': 'Give a finite scale and offset, and apply them only to a float tensor.',
  'kernels.digest': 'Install the package again; until then the slower kernels do the same work.',
  'kernels.module':
    'Use a Node.js and a processor with WebAssembly SIMD; it works without, slower.',
  'kernels.self-check':
    'Do not trust this processor or Node.js build; the WebAssembly kernels are left unused.',
};

export const refuseNumeric: (code: NumericFaultCode, message: string) => Refusal =
  refusing(NUMERIC_FAULTS);
