import { describe, expect, it } from 'vitest';
import { failureOf } from '../../../src/host/inference/ort-error.ts';

const ort = (code: number, message: string) =>
  new Error(`failed to call OrtRun(). ERROR_CODE: ${code}, ERROR_MESSAGE: ${message}`);

describe('failureOf', () => {
  it('tells what ONNX Runtime says by phase, in one line', () => {
    const failure = failureOf('run', ort(2, 'Got invalid dimensions\n index: 2\n'), false);
    expect(failure).toStrictEqual({
      code: 'inference.run',
      message: 'Got invalid dimensions index: 2',
      fatal: false,
    });
    expect(failureOf('open', ort(7, 'x'), false).code).toBe('inference.model');
    expect(failureOf('open', ort(9, 'x'), false).code).toBe('inference.unsupported');
    const type = new Error('unsupported data type: 16');
    expect(failureOf('open', type, false).code).toBe('inference.unsupported');
  });

  it('ends the worker when memory ran out, even where no error says so', () => {
    const wanted = { code: 'inference.memory', fatal: true };
    expect(failureOf('run', ort(6, 'std::bad_alloc'), false)).toMatchObject(wanted);
    expect(failureOf('run', new RangeError('offset is out of bounds'), true)).toMatchObject(wanted);
    const model = new Error("Can't create a session. failed to allocate a buffer of size 9.");
    expect(failureOf('open', model, false)).toMatchObject(wanted);
  });

  it('ends the worker after a trap or anything else that is not ONNX Runtime speaking', () => {
    const wanted = { code: 'inference.crashed', fatal: true };
    expect(
      failureOf('run', new RangeError('Maximum call stack size exceeded'), false),
    ).toMatchObject(wanted);
    expect(failureOf('run', 4_711, false)).toMatchObject({ ...wanted, message: 'number: 4711' });
  });
});
