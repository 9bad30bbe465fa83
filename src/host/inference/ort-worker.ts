/**
 * The worker thread that runs ONNX Runtime: one model, one session, one request at a time. The only
 * importer of onnxruntime-web, and only after the memory clamp is in place.
 */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { parentPort, receiveMessageOnPort } from 'node:worker_threads';
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-web/wasm';
import { copyBytes, equalBytes } from '../../core/base/bytes.ts';
import { assert } from '../../core/base/fault.ts';
import { TENSOR_BYTES_MAX } from '../../core/base/limits.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import {
  copyData,
  type DType,
  elementCount,
  type NamedTensors,
  type Tensor,
  type TensorData,
} from '../../core/numeric/tensor.ts';
import { clampMemory, type MemoryClamp } from './memory-clamp.ts';
import { failureOf, outOfMemory } from './ort-error.ts';
import { type EnginePort, sizeOf } from './ports.ts';
import {
  arePorts,
  type OpenRequest,
  type RunRequest,
  type WorkerFailure,
  type WorkerReply,
  type WorkerRequest,
} from './protocol.ts';
import { ASKED_BY_MESSAGE, ASKED_HERE, RunBlock } from './run-block.ts';

type Ort = typeof import('onnxruntime-web/wasm');

interface Opened {
  readonly ort: Ort;
  readonly inputs: readonly EnginePort[];
  readonly outputs: readonly EnginePort[];
  readonly session: InferenceSession;
  readonly clamp: MemoryClamp;
}

/** A failure on its way out of this thread. */
class Failed extends Error {
  readonly failure: WorkerFailure;
  constructor(failure: WorkerFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

assert(parentPort !== null, 'ort-worker.ts runs only as a worker thread');
const port = parentPort;
let opened: Opened | undefined;

port.on('message', (request: OpenRequest) => {
  void answer(request).then((answered) => {
    post(answered);
    void serve(new RunBlock(request.block));
  });
});

/** From here on the thread sleeps in the block, and its event loop does not turn any more. */
async function serve(block: RunBlock): Promise<never> {
  for (;;) {
    const asked = block.waitUntilAsked();
    if (asked === ASKED_HERE) await serveHere(block);
    const posted = asked === ASKED_BY_MESSAGE ? receiveMessageOnPort(port) : undefined;
    if (posted !== undefined) post(await answer(posted.message as WorkerRequest));
  }
}

async function serveHere(block: RunBlock): Promise<void> {
  const { inputs: ports = [], outputs = [] } = opened ?? {};
  // Views are enough: ONNX Runtime copies its inputs.
  const inputs = block.take(ports, 'views');
  assert(inputs !== undefined, 'a run before there were inputs');
  const answered = await answer({ kind: 'run', id: block.id, inputs });
  const { reply } = answered;
  if (reply.kind === 'ran' && block.put(reply.id, reply.outputs, outputs)) block.answer();
  else post(answered);
}

interface Answered {
  readonly reply: WorkerReply;
  readonly buffers: ArrayBuffer[];
}

function post({ reply, buffers }: Answered): void {
  port.postMessage(reply, buffers);
}

async function answer(request: WorkerRequest): Promise<Answered> {
  const { id } = request;
  try {
    if (request.kind === 'run') {
      const outputs = await run(request);
      return { reply: { kind: 'ran', id, outputs }, buffers: buffersOf(outputs) };
    }
    opened = await open(request);
    const { inputs, outputs } = opened;
    return { reply: { kind: 'opened', id, inputs, outputs }, buffers: [] };
  } catch (thrown) {
    const failure =
      thrown instanceof Failed ? thrown.failure : failureOf(request.kind, thrown, false);
    return { reply: { kind: 'failed', id, ...failure }, buffers: [] };
  }
}

async function open(request: OpenRequest): Promise<Opened> {
  const model = verifiedCopy(request);
  const clamp = clampMemory(request.wasmPagesMax);
  // Functions are validated when they are first called: of 14 MB a model calls few. Set before this
  // thread started, the flag would make its start slower.
  setFlagsFromString('--wasm-lazy-validation');
  const ort = await import('onnxruntime-web/wasm');
  ort.env.logLevel = 'fatal';
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  const wasm = wasmBinary();
  ort.env.wasm.wasmBinary = wasm;
  try {
    const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
    delete ort.env.wasm.wasmBinary;
    discard(wasm);
    if (clamp.refusals() > 0) throw new Failed(outOfMemory('while the session was made'));
    if (!clamp.holds()) {
      const message = 'ONNX Runtime took its memory around the clamp';
      throw new Failed({ code: 'inference.clamp', message, fatal: true });
    }
    const inputs = portsOf(session.inputMetadata);
    const outputs = portsOf(session.outputMetadata);
    return { ort, session, clamp, inputs, outputs };
  } catch (thrown) {
    if (thrown instanceof Failed) throw thrown;
    throw new Failed(failureOf('open', thrown, clamp.refusals() > 0));
  }
}

/**
 * The model in memory that no other thread can reach, checked against its digest.
 *
 * Time of check, time of use: bytes in a SharedArrayBuffer can be written by any thread that holds
 * it, such as the worker before this one, which the model itself may have taken over. So the engine
 * cannot vouch for them by hashing them there: they are copied here first, and what is hashed is
 * the copy that the session is made from. Every generation does so, the first one too. Bytes that
 * came in an ArrayBuffer are already a copy of our own.
 */
function verifiedCopy(request: OpenRequest): Uint8Array {
  const { model } = request;
  const own = model.buffer instanceof ArrayBuffer ? model : copyBytes(model);
  if (equalBytes(sha256(own), request.sha256)) return own;
  const message = 'the model bytes are no longer those that were verified';
  throw new Failed({ code: 'inference.model-changed', message, fatal: true });
}

/** ONNX Runtime's wasm file: beside this file when it is built, else from the package. */
function wasmBinary(): ArrayBuffer {
  const name = 'ort-wasm-simd-threaded.wasm';
  const url = import.meta.url.endsWith('.ts')
    ? import.meta.resolve(`onnxruntime-web/${name}`)
    : new URL(`./${name}`, import.meta.url);
  const file = readFileSync(new URL(url));
  // The whole buffer where that is the file: a view would be copied once more (14 MB).
  return file.byteLength === file.buffer.byteLength ? file.buffer : copyBytes(file).buffer;
}

/**
 * Gives 14 MB back at once: V8 has its own copy, and a thread that rests collects no garbage. Node.js
 * 20 cannot, and collects it later.
 */
function discard(buffer: ArrayBuffer & { transfer?: (sizeBytes: number) => unknown }): void {
  buffer.transfer?.(0);
}

function portsOf(metadata: readonly InferenceSession.ValueMetadata[]): readonly EnginePort[] {
  const ports = metadata.map((value) => ({
    name: value.name,
    dtype: value.isTensor ? value.type : 'not a tensor',
    // A dimension without a size or a name comes as -1.
    dims: value.isTensor ? value.shape.map((d) => (typeof d === 'number' && d < 0 ? '' : d)) : [],
  }));
  if (arePorts(ports)) return ports;
  const message = `inputs or outputs that are not supported: ${JSON.stringify(ports)}`;
  throw new Failed({ code: 'inference.unsupported', message, fatal: false });
}

async function run(request: RunRequest): Promise<NamedTensors> {
  assert(opened !== undefined, 'a run before the session');
  const { ort, session, clamp } = opened;
  // No prototype, so that an input may bear any name.
  const feeds: Record<string, OrtTensor> = Object.create(null);
  for (const [name, { dtype, data, dims }] of request.inputs) {
    feeds[name] = new ort.Tensor(dtype as 'float32', data as Float32Array, dims);
  }
  const refusals = clamp.refusals();
  try {
    // Never with fetch tensors: onnxruntime-web 1.30 leaves preallocated CPU outputs at zero.
    const results = await session.run(feeds);
    if (clamp.refusals() > refusals) throw new Failed(outOfMemory('while the model ran'));
    return new Map(session.outputNames.map((name) => [name, snapshot(name, results)]));
  } catch (thrown) {
    if (thrown instanceof Failed) throw thrown;
    throw new Failed(failureOf('run', thrown, clamp.refusals() > refusals));
  }
}

/** An output in memory of its own, which can be handed over whole. */
function snapshot(name: string, results: InferenceSession.OnnxValueMapType): Tensor {
  const result = Object.hasOwn(results, name) ? results[name] : undefined;
  assert(result !== undefined, `the output ${name} is missing`);
  const dims = [...result.dims];
  const dtype = result.type as DType;
  const data = plainData(dtype, result.data as TensorData);
  if (elementCount(dims) === undefined || sizeOf(data) > TENSOR_BYTES_MAX) {
    const message = `the output ${name} has the dimensions [${dims.join(', ')}]`;
    throw new Failed({ code: 'inference.output-limit', message, fatal: false });
  }
  return { dtype, dims, data: isWhole(data) ? data : copyData(dtype, data) };
}

/** Newer hosts give float16 as a Float16Array; the tensors of Edgeward have the bit patterns. */
function plainData(dtype: DType, data: TensorData): TensorData {
  if (dtype !== 'float16' || !ArrayBuffer.isView(data)) return data;
  return new Uint16Array(data.buffer, data.byteOffset, data.length);
}

/** ONNX Runtime's memory is a SharedArrayBuffer; outputs under judgement must never live in it. */
function isWhole(data: TensorData): boolean {
  if (!ArrayBuffer.isView(data)) return true;
  return data.buffer instanceof ArrayBuffer && data.buffer.byteLength === data.byteLength;
}

function buffersOf(tensors: NamedTensors): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [];
  for (const { data } of tensors.values()) {
    if (ArrayBuffer.isView(data)) buffers.push(data.buffer as ArrayBuffer);
  }
  return buffers;
}
