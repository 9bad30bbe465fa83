/**
 * Golden vectors as bytes (payload role `golden`): a few inputs, what the model gave for them at
 * its maker, and how far a device may be off. One deterministic CBOR map; the elements of a tensor
 * are a little-endian byte string, texts a list.
 *
 * A signature says who made them, not that they are sane: reading checks everything that a run
 * relies on, and that the tolerance still tells models apart.
 */
import { attempt, need, type Result } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import {
  GOLDEN_BYTES_MAX,
  GOLDEN_VECTORS_MAX,
  MODEL_PORTS_MAX,
  TENSOR_ELEMENTS_MAX,
  TENSOR_NAME_CHARS_MAX,
  TENSOR_RANK_MAX,
} from '../base/limits.ts';
import { decodeCbor } from '../cose/decode.ts';
import { encodeCbor } from '../cose/encode.ts';
import { type CborMap, type CborValue, cborMap } from '../cose/value.ts';
import { dataFromNumbers } from '../numeric/from-numbers.ts';
import {
  DTYPES,
  elementCount,
  type NamedTensors,
  type Tensor,
  type TensorData,
} from '../numeric/tensor.ts';
import { refuseGolden } from './golden-faults.ts';
import { isFiniteTensor, isUseful, type Tolerance } from './golden-tolerance.ts';

export const GOLDEN_PROFILE = 'edgeward-golden/1';

export interface GoldenVector {
  readonly inputs: NamedTensors;
  /** What the model gave for them. */
  readonly outputs: NamedTensors;
}

export interface Golden {
  /** SHA-256 of the model that gave the outputs. */
  readonly modelSha256: Uint8Array;
  /** By output; every vector has exactly these outputs. */
  readonly tolerances: ReadonlyMap<string, Tolerance>;
  /** 1 to `GOLDEN_VECTORS_MAX`, all with the same inputs. */
  readonly vectors: readonly GoldenVector[];
}

/** Deterministic: equal vectors give equal bytes. What does not read back is `decodeGolden`'s to say. */
export function encodeGolden(golden: Golden): Uint8Array {
  return encodeCbor(
    cborMap(
      ['profile', GOLDEN_PROFILE],
      ['model', golden.modelSha256],
      ['tolerances', mapped(golden.tolerances, toleranceMap)],
      [
        'vectors',
        golden.vectors.map(({ inputs, outputs }) =>
          cborMap(['inputs', mapped(inputs, tensorMap)], ['outputs', mapped(outputs, tensorMap)]),
        ),
      ],
    ),
  );
}

/**
 * The tensors own their memory. Faults: `cbor.*`, `field.*`, `golden.size`, `golden.vectors`,
 * `golden.tensor`, `golden.values`, `golden.tolerance`.
 */
export function decodeGolden(bytes: Uint8Array): Result<Golden> {
  return attempt(() => {
    if (bytes.length > GOLDEN_BYTES_MAX) {
      throw refuseGolden('golden.size', `${bytes.length} bytes, at most ${GOLDEN_BYTES_MAX}`);
    }
    const map = Fields.of('golden', need(decodeCbor(bytes)));
    map.oneOf('profile', [GOLDEN_PROFILE]);
    const modelSha256 = map.bytes('model', 32).slice();
    const tolerances = readNamed(map.map('tolerances'), readTolerance);
    const vectors = readVectors(map);
    map.done();
    checkAlike(vectors, tolerances);
    for (const [name, tolerance] of tolerances) {
      const golden = vectors.map(({ outputs }) => outputs.get(name) as Tensor);
      if (isUseful(tolerance, golden)) continue;
      const { absolute, relative } = tolerance;
      throw refuseGolden('golden.tolerance', `${name}: ${absolute} and ${relative} of the value`);
    }
    return { modelSha256, tolerances, vectors };
  });
}

function mapped<T>(named: ReadonlyMap<string, T>, encode: (value: T) => CborMap): CborMap {
  return new Map([...named].map(([name, value]) => [name, encode(value)]));
}

function toleranceMap({ absolute, relative }: Tolerance): CborMap {
  return cborMap(['absolute', absolute], ['relative', relative]);
}

function tensorMap({ dtype, dims, data }: Tensor): CborMap {
  const encoded: CborValue = ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : (data as readonly string[]);
  return cborMap(['dtype', dtype], ['dims', dims], ['data', encoded]);
}

function readVectors(map: Fields): readonly GoldenVector[] {
  const list = map.list('vectors', GOLDEN_VECTORS_MAX);
  if (list.length === 0) throw refuseGolden('golden.vectors', 'there is no vector');
  return list.map((entry, index) => {
    const vector = Fields.of(`${map.at('vectors')}[${index}]`, entry);
    const read = {
      inputs: readNamed(vector.map('inputs'), readTensor),
      outputs: readNamed(vector.map('outputs'), readTensor),
    };
    vector.done();
    return read;
  });
}

function readNamed<T>(map: Fields, read: (fields: Fields) => T): ReadonlyMap<string, T> {
  const names = map.keys();
  const short = (name: unknown): name is string =>
    typeof name === 'string' && name.length <= TENSOR_NAME_CHARS_MAX;
  if (names.length > MODEL_PORTS_MAX || !names.every(short)) {
    throw refuseGolden(
      'golden.vectors',
      `${map.path} is not ${MODEL_PORTS_MAX} short names at most`,
    );
  }
  return new Map(names.map((name) => [name, read(map.map(name))]));
}

function readTolerance(map: Fields): Tolerance {
  const tolerance = { absolute: map.number('absolute', 0), relative: map.number('relative', 0, 1) };
  map.done();
  return tolerance;
}

function readTensor(map: Fields): Tensor {
  const dtype = map.oneOf('dtype', DTYPES);
  const entries = map.list('dims', TENSOR_RANK_MAX);
  const sizes = new Fields(map.at('dims'), new Map(entries.map((size, axis) => [axis, size])));
  const dims = entries.map((_, axis) => sizes.integer(axis, 0, TENSOR_ELEMENTS_MAX));
  const count = elementCount(dims);
  const data = dtype === 'string' ? readTexts(map) : readNumbers(map, dtype);
  map.done();
  if (data.length !== count) {
    const found = `${data.length} elements for [${dims.join(', ')}]`;
    throw refuseGolden('golden.tensor', `${map.path} has ${found}`);
  }
  const tensor: Tensor = { dtype, dims, data };
  const wild = dtype === 'bool' && (data as Uint8Array).some((value) => value > 1);
  if (wild || !isFiniteTensor(tensor)) {
    throw refuseGolden('golden.values', `${map.path} has a value that ${dtype} may not have here`);
  }
  return tensor;
}

function readTexts(map: Fields): readonly string[] {
  const texts = map.list('data', TENSOR_ELEMENTS_MAX);
  if (texts.every((text) => typeof text === 'string')) return texts as readonly string[];
  throw refuseGolden('golden.tensor', `${map.at('data')} holds something else than texts`);
}

/** A copy: views of the document would be unaligned. */
function readNumbers(map: Fields, dtype: Exclude<Tensor['dtype'], 'string'>): TensorData {
  const bytes = map.bytes('data');
  const { constructor: arrays, BYTES_PER_ELEMENT: width } = dataFromNumbers(
    dtype,
    [],
  ) as Uint8Array;
  if (bytes.length % width !== 0) {
    throw refuseGolden('golden.tensor', `${map.at('data')} has ${bytes.length} bytes of ${dtype}`);
  }
  return new (arrays as Uint8ArrayConstructor)(new Uint8Array(bytes).buffer);
}

/** Every vector has the inputs of the first and the outputs that have a tolerance, of one type. */
function checkAlike(
  vectors: readonly GoldenVector[],
  tolerances: ReadonlyMap<string, Tolerance>,
): void {
  const wanted = [formOf(vectors[0]?.inputs), formOf(vectors[0]?.outputs)].join('; ');
  for (const [index, { inputs, outputs }] of vectors.entries()) {
    const alike = [formOf(inputs), formOf(outputs)].join('; ') === wanted;
    const named =
      outputs.size === tolerances.size && [...outputs.keys()].every((n) => tolerances.has(n));
    if (alike && named && inputs.size > 0 && outputs.size > 0) continue;
    throw refuseGolden('golden.vectors', `vector ${index} has other inputs or outputs than stated`);
  }
}

/** Sorted, as the names of a map are in a document. */
function formOf(tensors: NamedTensors = new Map()): string {
  return JSON.stringify([...tensors].map(([name, { dtype }]) => [name, dtype]));
}
