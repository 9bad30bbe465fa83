/**
 * Gives a model one more output without touching a byte of it: a ModelProto with nothing but
 * `graph { output { name } }` is appended, and protobuf merges the two.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type Bytes, concatBytes } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { refuseOnnx } from './faults.ts';
import { readGraph } from './graph.ts';
import { GRAPH, MODEL } from './proto.ts';

const PORT_NAME = 1;

/**
 * The model with the value `name` among its outputs; the same bytes where it is one already. An
 * output carries the name of its value and states no type, which ONNX Runtime infers. Faults:
 * `onnx.no-tensor` where no node of the main graph makes it, and those of `readGraph`.
 */
export function appendOutput(model: Bytes, name: string): Result<Bytes> {
  return attempt(() => {
    const graph = need(readGraph(model));
    if (graph.outputs.some((output) => output.name === name)) return model;
    if (name === '' || !graph.nodes.some(({ outputs }) => outputs.includes(name))) {
      throw refuseOnnx('onnx.no-tensor', `no node of the main graph makes "${name}"`);
    }
    const longer = concatBytes(model, modelOfOutput(name));
    // One output more can be one too many.
    need(readGraph(longer));
    return longer;
  });
}

function modelOfOutput(name: string): Bytes {
  const { LengthDelimited } = WireType;
  const writer = new BinaryWriter();
  writer.tag(MODEL.graph, LengthDelimited).fork();
  writer.tag(GRAPH.output, LengthDelimited).fork();
  writer.tag(PORT_NAME, LengthDelimited).string(name);
  return writer.join().join().finish();
}
