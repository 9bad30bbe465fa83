/** What ONNX Runtime throws, as a closed failure. */
import type { WorkerFailure } from './protocol.ts';

/** OrtErrorCode of the C API: the operator or type has no implementation in this build. */
const ORT_NOT_IMPLEMENTED = '9';

/**
 * `refused`: memory was asked for beyond the clamp during this call. That is fatal whatever came of
 * it: onnxruntime-web does not look whether its `malloc` for an input gave a null pointer, and
 * would have written the input over the start of ONNX Runtime's own memory.
 */
export function failureOf(phase: 'open' | 'run', thrown: unknown, refused: boolean): WorkerFailure {
  const text = (thrown instanceof Error ? thrown.message : String(thrown)).replace(/\s+/g, ' ');
  if (refused || /bad_alloc|failed to allocate/.test(text)) return outOfMemory(text);
  const known = /ERROR_CODE: (\d+), ERROR_MESSAGE: (.*)/.exec(text);
  if (known !== null) {
    const message = (known[2] ?? '').trim();
    if (known[1] === ORT_NOT_IMPLEMENTED) {
      return { code: 'inference.unsupported', message, fatal: false };
    }
    const code = phase === 'open' ? 'inference.model' : 'inference.run';
    return { code, message, fatal: false };
  }
  if (/^unsupported data type/.test(text)) {
    return { code: 'inference.unsupported', message: text, fatal: false };
  }
  // A trap, an abort or a broken invariant: nothing is known about the state that is left.
  const kind = thrown instanceof Error ? thrown.name : typeof thrown;
  return { code: 'inference.crashed', message: `${kind}: ${text}`, fatal: true };
}

export function outOfMemory(text: string): WorkerFailure {
  const message = `more WebAssembly memory was asked for than allowed: ${text}`;
  return { code: 'inference.memory', message, fatal: true };
}
