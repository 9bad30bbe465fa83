/** The list of operators against the ONNX Runtime that ships. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as ort from 'onnxruntime-web/wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { concatBytes } from '../../../src/core/base/bytes.ts';
import { STANDARD_OPERATORS } from '../../../src/core/onnx/scan-operators.ts';
import { field, graphWith, varint } from './wire-builder.ts';

beforeAll(() => {
  const wasm = createRequire(import.meta.url).resolve(
    'onnxruntime-web/ort-wasm-simd-threaded.wasm',
  );
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = readFileSync(wasm).buffer;
  ort.env.logLevel = 'fatal';
});

/** What ONNX Runtime says of a node that has nothing but its operator. */
async function answer(op: string, domain: string, opset: number): Promise<string> {
  const node = field(1, field(2, 'y'), field(4, op), field(7, domain));
  const output = field(12, field(1, 'y'), field(2, field(1, varint(1, 1))));
  const imports = ['', 'ai.onnx.ml'].map((name) => {
    return field(8, field(1, name), varint(2, name === '' ? opset : 5));
  });
  const model = concatBytes(varint(1, 10), graphWith(node, field(2, 'g'), output), ...imports);
  try {
    await (await ort.InferenceSession.create(model)).release();
    return 'loaded';
  } catch (thrown) {
    return String(thrown);
  }
}

async function isKnown(op: string, domain: string): Promise<boolean> {
  // Deprecated operators are in older sets only.
  for (const opset of [26, 9]) {
    if (!/No Op registered/.test(await answer(op, domain, opset))) return true;
  }
  return false;
}

describe('the standard operators', () => {
  it('are known to ONNX Runtime, every one, and others are not', async () => {
    const unknown: string[] = [];
    let asked = 0;
    for (const [domain, ops] of STANDARD_OPERATORS) {
      for (const op of ops) {
        asked++;
        if (!(await isKnown(op, domain))) unknown.push(op);
      }
    }
    expect(unknown).toEqual([]);
    expect(asked).toBeGreaterThan(200);
    expect(await isKnown('Relux', '')).toBe(false);
  });
});
