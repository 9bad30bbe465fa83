/**
 * Walks every message of an ONNX file before anything runs it, and reports what a maker should know
 * before signing. It reads what `readGraph` skips, and judges files that `readGraph` refuses.
 */
import type { Bytes } from '../base/bytes.ts';
import { attempt, type Result } from '../base/fault.ts';
import {
  ONNX_DEPTH_MAX,
  SCAN_FIELDS_MAX,
  SCAN_LOOP_DEPTH_MAX,
  SCAN_METADATA_BYTES_MAX,
  SCAN_NESTING_MAX,
} from '../base/limits.ts';
import { refuseOnnx } from './faults.ts';
import { refuseOtherFormat } from './graph.ts';
import { GRAPH, MODEL } from './proto.ts';
import { addInitializer, type ConstantScope, FilledTensors } from './scan-constants.ts';
import { FindingList, type ScanReport } from './scan-findings.ts';
import { NodeJudge } from './scan-node.ts';
import { type FieldShape, MESSAGES, METADATA, type MessageName } from './scan-schema.ts';
import { TensorJudge } from './scan-tensor.ts';
import { bytesOf, merged, type WireField, wireFields } from './wire.ts';

/**
 * Faults: `onnx.malformed` (no protobuf, no graph), `onnx.limit` (nesting, number of fields),
 * `onnx.other-format`. Time is linear in the size of the file.
 */
export function scanModel(model: Bytes): Result<ScanReport> {
  return attempt(() => {
    refuseOtherFormat(model);
    const walk = new Walk();
    walk.message('model', model, TOP);
    return walk.report();
  });
}

/** Where a message lies. */
interface Position {
  readonly within: Position | undefined;
  readonly name: string;
  /** In a repeated field. */
  readonly index: number | undefined;
  readonly nesting: number;
  /** Graphs around this message. */
  readonly graphs: number;
  readonly constants: ConstantScope;
}

const TOP: Position = {
  within: undefined,
  name: 'model',
  index: undefined,
  nesting: 0,
  graphs: 0,
  constants: { values: new Map(), outer: undefined },
};

/** Looks at a message beside the rules that hold for all: told of every field, and of the end. */
interface Judge {
  field(no: number, field: WireField): void;
  end?(): void;
}

class Walk {
  readonly #found = new FindingList();
  readonly #filled = new FilledTensors();
  #fields = 0;
  #metadataBytes = 0;

  message(kind: MessageName, body: Bytes, outside: Position): void {
    if (outside.nesting > SCAN_NESTING_MAX) {
      throw refuseOnnx('onnx.limit', `messages are nested deeper than ${SCAN_NESTING_MAX}`);
    }
    const at = kind === 'graph' || kind === 'function' ? this.#enterGraph(outside) : outside;
    const judge = this.#judgeOf(kind, at);
    const counts = new Map<number, number>();
    // A message that stands once is read when all pieces of it are there: together they are one.
    const pieces = new Map<number, Bytes[]>();
    for (const field of wireFields(body)) {
      this.#count();
      const shape = MESSAGES[kind][field.no];
      if (shape === undefined || !shape.wires.includes(field.type)) {
        this.#unknown(kind, shape, field, at);
        continue;
      }
      const index = counts.get(field.no) ?? 0;
      counts.set(field.no, index + 1);
      if (shape === METADATA) this.#metadataBytes += field.body.length;
      judge?.field(field.no, field);
      if (shape.message !== undefined && shape.repeated) {
        this.message(shape.message, bytesOf(field), childOf(at, shape, index));
      } else if (shape.message !== undefined) {
        const chunks = pieces.get(field.no);
        if (chunks === undefined) pieces.set(field.no, [bytesOf(field)]);
        else chunks.push(bytesOf(field));
      } else if (index === 1 && !shape.repeated) this.#repeated(shape, at);
    }
    if (kind === 'model' && !pieces.has(MODEL.graph)) {
      throw refuseOnnx('onnx.malformed', 'the file has no graph');
    }
    for (const [no, chunks] of pieces) this.#joined(kind, no, chunks, at);
    judge?.end?.();
  }

  report(): ScanReport {
    this.#filled.judge(this.#found);
    if (this.#metadataBytes > SCAN_METADATA_BYTES_MAX) {
      const detail = `properties of ${this.#metadataBytes} bytes, over ${SCAN_METADATA_BYTES_MAX}`;
      this.#found.add('scan.metadata-size', () => TOP.name, detail);
    }
    return this.#found.report();
  }

  #joined(kind: MessageName, no: number, chunks: readonly Bytes[], at: Position): void {
    const shape = MESSAGES[kind][no];
    if (shape?.message === undefined) return;
    // The one merge that Edgeward makes itself: outputs appended to a whole graph.
    const whole = kind === 'model' && no === MODEL.graph ? chunks.filter(isMore) : chunks;
    if (whole.length > 1) this.#repeated(shape, at);
    this.message(shape.message, merged(chunks), childOf(at, shape, undefined));
  }

  #enterGraph(at: Position): Position {
    if (at.graphs > ONNX_DEPTH_MAX) {
      throw refuseOnnx('onnx.limit', `graphs are nested deeper than ${ONNX_DEPTH_MAX}`);
    }
    if (at.graphs > SCAN_LOOP_DEPTH_MAX) {
      const detail = `a graph inside ${at.graphs} others, over ${SCAN_LOOP_DEPTH_MAX}`;
      this.#found.add('scan.loop-depth', () => placeText(at), detail);
    }
    return {
      ...at,
      graphs: at.graphs + 1,
      constants: { values: new Map(), outer: at.constants },
    };
  }

  #judgeOf(kind: MessageName, at: Position): Judge | undefined {
    const place = () => placeText(at);
    if (kind === 'node') return new NodeJudge(this.#found, place, at.constants, this.#filled);
    if (kind === 'tensor') return new TensorJudge(this.#found, place);
    if (kind === 'graph') {
      return {
        field(no, field) {
          if (no === GRAPH.initializer) addInitializer(bytesOf(field), at.constants);
        },
      };
    }
    if (kind === 'sparse') this.#found.add('scan.sparse-tensor', place, 'a sparse tensor');
    if (kind === 'function') this.#found.add('scan.function', place, 'a function of the model');
    return undefined;
  }

  #unknown(
    kind: MessageName,
    shape: FieldShape | undefined,
    { no, type, body }: WireField,
    at: Position,
  ): void {
    const what = shape === undefined ? `field ${no}` : `${shape.name} of wire type ${type}`;
    const detail = `${what} with ${body.length} bytes is not of this message (${kind})`;
    this.#found.add('scan.unknown-field', () => placeText(at), detail);
  }

  #repeated(shape: FieldShape, at: Position): void {
    const detail = `${shape.name} stands there more than once`;
    this.#found.add('scan.merged-message', () => placeText(at), detail);
  }

  #count(): void {
    this.#fields++;
    if (this.#fields <= SCAN_FIELDS_MAX) return;
    throw refuseOnnx('onnx.limit', `the model has more than ${SCAN_FIELDS_MAX} fields`);
  }
}

/** Whether a graph holds anything beside outputs that only have a name. */
function isMore(graph: Bytes): boolean {
  for (const field of wireFields(graph)) {
    if (field.no !== GRAPH.output) return true;
    for (const { no } of wireFields(bytesOf(field))) if (no !== PORT_NAME) return true;
  }
  return false;
}

const PORT_NAME = 1;

function childOf(at: Position, { name }: FieldShape, index: number | undefined): Position {
  return { ...at, within: at, name, index, nesting: at.nesting + 1 };
}

function placeText(at: Position): string {
  const own = at.index === undefined ? at.name : `${at.name}[${at.index}]`;
  return at.within === undefined || at.within === TOP ? own : `${placeText(at.within)}.${own}`;
}
