/** `node big-bundle.ts OUT MB KEY`: a signed bundle around one model with an initializer that large. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { openPrivateKey } from '../../src/apps/maker/keys.ts';
import { need } from '../../src/core/base/fault.ts';
import { packBundle } from '../../src/core/bundle/pack.ts';
import { encodeModel } from '../../src/core/onnx/writer.ts';

const [out = '', mb = '', key = ''] = process.argv.slice(2);
const dims = [Number(mb) * 250_000];
const weights = new Float32Array(dims[0] as number);
fill(new Uint32Array(weights.buffer));

const x = { name: 'x', dtype: 'float32', dims: [1] } as const;
const y = { name: 'y', dtype: 'float32', dims } as const;
const model = encodeModel({
  graph: {
    name: 'large',
    nodes: [{ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
    initializers: { w: { dtype: 'float32', dims, data: weights } },
    inputs: [x],
    outputs: [y],
  },
});
const chunks = need(
  packBundle({
    metadata: {
      name: 'large',
      version: '1.0.0',
      securityVersion: 1,
      vendor: 'example.com',
      hardwareClass: 'any',
      guardVersionMin: '0.1.0',
      rootVersionMin: 1,
      onnx: { ir: 8, opset: 17 },
      io: { inputs: [x], outputs: [{ ...y, role: 'other' }] },
      budgets: {},
      detection: 'contract-only',
      intendedUses: [],
      prohibitedUses: [],
      guard: new Map(),
    },
    files: [{ path: 'model.onnx', role: 'model', bytes: model }],
    sequenceNumber: 1,
    signers: [need(openPrivateKey(key)).signer],
  }),
);
const fd = openSync(out, 'w');
for (const chunk of chunks) {
  for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
}
closeSync(fd);

/** Words that do not compress: a peer that packs its payload must read as many bytes as the others. */
function fill(words: Uint32Array): void {
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
}
