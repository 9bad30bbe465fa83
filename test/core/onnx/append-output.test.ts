/** One more output at the end of the file, and nothing else changed. */
import { describe, expect, it } from 'vitest';
import { MODEL_PORTS_MAX } from '../../../src/core/base/limits.ts';
import { appendOutput } from '../../../src/core/onnx/append-output.ts';
import { readGraph } from '../../../src/core/onnx/graph.ts';
import { encodeModel } from '../../../src/core/onnx/writer.ts';
import { accepted, faultIn } from '../base/outcome.ts';
import { GEMM_TAIL, tinyClassifier } from './tiny-classifier.ts';
import { withoutOutput } from './wire-builder.ts';

const MODEL = encodeModel(tinyClassifier(GEMM_TAIL));
const BARE = withoutOutput(MODEL, 'features');

describe('appendOutput', () => {
  it('leaves every byte there is and appends the name with six more', () => {
    const longer = accepted(appendOutput(BARE, 'features'));
    expect(longer.subarray(0, BARE.length)).toEqual(BARE);
    expect([...longer.subarray(BARE.length)]).toEqual([
      ...[0x3a, 12, 0x62, 10, 0x0a, 8],
      ...Buffer.from('features'),
    ]);
  });

  it('is read as one graph with the output at its end', () => {
    const before = accepted(readGraph(BARE));
    const after = accepted(readGraph(accepted(appendOutput(BARE, 'hidden'))));
    const { outputs: old, ...rest } = before;
    const { outputs, ...same } = after;
    expect(outputs).toEqual([...old, { name: 'hidden', dtype: undefined, dims: undefined }]);
    expect(JSON.stringify(same)).toBe(JSON.stringify(rest));
  });

  it('does nothing where it is an output already', () => {
    expect(accepted(appendOutput(MODEL, 'features'))).toBe(MODEL);
  });

  it.each(['x', 'w', 'nothing', ''])('refuses "%s", which no node makes', (name) => {
    expect(faultIn(appendOutput(MODEL, name)).code).toBe('onnx.no-tensor');
  });

  it('refuses what is no model, and an output more than a model may have', () => {
    expect(faultIn(appendOutput(new Uint8Array(3), 'x')).code).toBe('onnx.malformed');
    const names = Array.from({ length: MODEL_PORTS_MAX + 1 }, (_, i) => `y${i}`);
    const full = encodeModel({
      graph: {
        name: 'full',
        nodes: names.map((name) => ({ op: 'Identity', inputs: ['x'], outputs: [name] })),
        inputs: [{ name: 'x', dtype: 'float32', dims: [1] }],
        outputs: names.slice(1).map((name) => ({ name, dtype: 'float32', dims: [1] })),
      },
    });
    expect(faultIn(appendOutput(full, 'y0')).code).toBe('onnx.limit');
  });
});
