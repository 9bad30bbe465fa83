/** The maker's model: its graph, its ports, and a session on the maker's own machine. */
import { utf8 } from '../../core/base/bytes.ts';
import { attemptAsync, need, type Result } from '../../core/base/fault.ts';
import {
  MAKER_DEADLINE_MS,
  RESPAWN_WINDOW_MS,
  RESPAWNS_MAX,
  WASM_PAGES_MAX,
} from '../../core/base/limits.ts';
import type { IoSchema } from '../../core/bundle/io-schema.ts';
import {
  type GraphPort,
  type MakerMetadata,
  mergeIoSchema,
  readMakerMetadata,
} from '../../core/bundle/metadata-json.ts';
import { type OnnxGraph, type OnnxPort, readGraph } from '../../core/onnx/graph.ts';
import { makersModel, type RunnableModel } from '../../core/trust/runnable-model.ts';
import { type Engine, openEngine } from '../../host/inference/engine.ts';
import { systemClock } from '../../host/platform/clock.ts';

export interface MakerModel {
  readonly model: RunnableModel;
  readonly graph: OnnxGraph;
  /** To be closed by who opened it. */
  readonly engine: Engine;
  readonly io: IoSchema;
  readonly maker: MakerMetadata;
}

/** Faults: `onnx.*`, `inference.*`, `metadata.*`, `field.*`. Without metadata its defaults hold. */
export function openMakerModel(
  bytes: Uint8Array,
  metadataJson: Uint8Array = utf8('{}'),
): Promise<Result<MakerModel>> {
  return attemptAsync(async () => {
    const maker = need(readMakerMetadata(metadataJson));
    const graph = need(readGraph(bytes));
    const model = makersModel(bytes);
    const engine = need(
      await openEngine(model, {
        runDeadlineMs: MAKER_DEADLINE_MS,
        sessionDeadlineMs: MAKER_DEADLINE_MS,
        wasmPagesMax: WASM_PAGES_MAX,
        respawnsMax: RESPAWNS_MAX,
        respawnWindowMs: RESPAWN_WINDOW_MS,
        clock: systemClock,
      }),
    );
    const io = mergeIoSchema(
      portsOf(engine.inputs, graph.inputs),
      portsOf(engine.outputs, graph.outputs),
      maker,
    );
    if (!io.ok) await engine.close();
    return { model, graph, engine, io: need(io), maker };
  });
}

/** ONNX Runtime infers what the file leaves open; the file names what ONNX Runtime does not. */
function portsOf(session: Engine['inputs'], stated: readonly OnnxPort[]): readonly GraphPort[] {
  return session.map(({ name, dtype, dims }) => {
    const named = stated.find((port) => port.name === name)?.dims;
    return {
      name,
      dtype,
      dims: dims.map((dim, i) => (typeof dim === 'number' ? dim : nameOfDim(named?.[i], dim, i))),
    };
  });
}

function nameOfDim(stated: number | string | undefined, inferred: string, axis: number): string {
  if (typeof stated === 'string' && stated !== '') return stated;
  return inferred === '' ? `dim${axis}` : inferred;
}
