/** Protobuf messages written by hand: what no exporter would write. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { concatBytes, utf8 } from '../../../src/core/base/bytes.ts';
import { wireFields } from '../../../src/core/onnx/wire.ts';

/** A length-delimited field; a text is its UTF-8. */
export function field(no: number, ...body: (Uint8Array | string)[]): Uint8Array {
  const bytes = concatBytes(...body.map((part) => (typeof part === 'string' ? utf8(part) : part)));
  return new BinaryWriter().tag(no, WireType.LengthDelimited).bytes(bytes).finish();
}

export function varint(no: number, value: number | bigint): Uint8Array {
  return new BinaryWriter().tag(no, WireType.Varint).int64(value).finish();
}

/** ModelProto { graph { ... } }. */
export function graphWith(...fields: Uint8Array[]): Uint8Array {
  return field(7, ...fields);
}

/** The model without the graph output `name`; every other message keeps its own bytes. */
export function withoutOutput(model: Uint8Array, name: string): Uint8Array {
  return rewritten(model, (no, graph) =>
    no === 7
      ? rewritten(graph, (at, port) => (isOutput(at, port, name) ? undefined : port))
      : graph,
  );
}

function isOutput(no: number, port: Uint8Array, name: string): boolean {
  if (no !== 12) return false;
  return [...wireFields(port)].some((part) => {
    return part.no === 1 && new TextDecoder().decode(part.body) === name;
  });
}

function rewritten(
  message: Uint8Array,
  change: (no: number, body: Uint8Array) => Uint8Array | undefined,
): Uint8Array {
  const writer = new BinaryWriter();
  for (const { no, type, body } of wireFields(message)) {
    if (type !== WireType.LengthDelimited) {
      writer.tag(no, type).raw(body);
      continue;
    }
    const changed = change(no, body);
    if (changed !== undefined) writer.tag(no, type).bytes(changed);
  }
  return writer.finish();
}
