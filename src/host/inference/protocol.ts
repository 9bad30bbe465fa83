/**
 * What the engine and its worker say to each other; every message carries an id. A worker runs
 * the model, so its replies are parsed like any other bytes from outside.
 */
import { MODEL_PORTS_MAX, TENSOR_NAME_CHARS_MAX, TENSOR_RANK_MAX } from '../../core/base/limits.ts';
import { DTYPES, type DType, type NamedTensors } from '../../core/numeric/tensor.ts';
import type { InferenceFaultCode } from './faults.ts';
import { areOutputs, type EnginePort } from './ports.ts';

export type WorkerRequest = OpenRequest | RunRequest;

/** First and once: makes the session. Runs come in the block or, where they do not fit, posted. */
export interface OpenRequest {
  readonly kind: 'open';
  readonly id: number;
  /** Of a `RunBlock`. */
  readonly block: SharedArrayBuffer;
  readonly model: Uint8Array;
  readonly sha256: Uint8Array;
  readonly wasmPagesMax: number;
}

export interface RunRequest {
  readonly kind: 'run';
  readonly id: number;
  readonly inputs: NamedTensors;
}

export type WorkerReply =
  | {
      readonly kind: 'opened';
      readonly id: number;
      readonly inputs: readonly EnginePort[];
      readonly outputs: readonly EnginePort[];
    }
  | { readonly kind: 'ran'; readonly id: number; readonly outputs: NamedTensors }
  | ({ readonly kind: 'failed'; readonly id: number } & WorkerFailure);

/** `fatal`: the worker's memory can no longer be trusted and it must be replaced. */
export interface WorkerFailure {
  readonly code: WorkerFaultCode;
  readonly message: string;
  readonly fatal: boolean;
}

export type WorkerFaultCode = Extract<
  InferenceFaultCode,
  | 'inference.model'
  | 'inference.model-changed'
  | 'inference.unsupported'
  | 'inference.memory'
  | 'inference.clamp'
  | 'inference.output-limit'
  | 'inference.run'
  | 'inference.crashed'
>;

const WORKER_FAULT_CODES: readonly WorkerFaultCode[] = [
  'inference.model',
  'inference.model-changed',
  'inference.unsupported',
  'inference.memory',
  'inference.clamp',
  'inference.output-limit',
  'inference.run',
  'inference.crashed',
];

/** The reply in a message, or `undefined` where it is none; `outputs` are the session's ports. */
export function readReply(raw: unknown, outputs: readonly EnginePort[]): WorkerReply | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined;
  const reply = raw as Readonly<Record<string, unknown>>;
  if (!Number.isSafeInteger(reply['id'])) return undefined;
  const id = reply['id'] as number;
  switch (reply['kind']) {
    case 'opened':
      if (!arePorts(reply['inputs']) || !arePorts(reply['outputs'])) return undefined;
      return { kind: 'opened', id, inputs: reply['inputs'], outputs: reply['outputs'] };
    case 'ran':
      if (!areOutputs(reply['outputs'], outputs)) return undefined;
      return { kind: 'ran', id, outputs: reply['outputs'] };
    case 'failed': {
      const code = WORKER_FAULT_CODES.find((known) => known === reply['code']);
      const message = reply['message'];
      if (code === undefined || typeof message !== 'string') return undefined;
      return { kind: 'failed', id, code, message, fatal: reply['fatal'] !== false };
    }
    default:
      return undefined;
  }
}

/** Whether a session's ports are within the limits and of types that Edgeward has. */
export function arePorts(value: unknown): value is readonly EnginePort[] {
  return Array.isArray(value) && value.length <= MODEL_PORTS_MAX && value.every(isPort);
}

function isPort(value: Partial<EnginePort> | null | undefined): boolean {
  const { name, dtype, dims } = value ?? {};
  return (
    typeof name === 'string' &&
    name.length <= TENSOR_NAME_CHARS_MAX &&
    DTYPES.includes(dtype as DType) &&
    Array.isArray(dims) &&
    dims.length <= TENSOR_RANK_MAX &&
    dims.every((size) =>
      typeof size === 'string'
        ? size.length <= TENSOR_NAME_CHARS_MAX
        : Number.isSafeInteger(size) && size >= 0,
    )
  );
}
