/**
 * The maker's side of the metadata: a JSON object with ranges, layouts, labels, safe output,
 * budgets and uses, merged with what the ONNX graph says of its inputs and outputs. Unknown keys
 * are refused with the nearest known name. Schema: `firmware-manifests/metadata.schema.json`.
 */
import { fromUtf8 } from '../base/bytes.ts';
import { attempt, type Result } from '../base/fault.ts';
import { Fields, nearestName } from '../base/fields.ts';
import { CBOR_DEPTH_MAX, METADATA_JSON_BYTES_MAX } from '../base/limits.ts';
import type { CborMap, CborValue } from '../cose/value.ts';
import type { DType } from '../numeric/tensor.ts';
import { SCAN_CODES, type ScanCode } from '../onnx/scan-findings.ts';
import { refuseBundle } from './faults.ts';
import type { Dim, IoSchema, OutputRole } from './io-schema.ts';
import { checkIoSchema, readInput, readOutput, readRange } from './io-schema-codec.ts';
import { BATCH_DEFAULT_MAX, type Budgets, readBudgets, readSemver, readTexts } from './metadata.ts';

const DEFAULT_VENDOR = 'vendor.invalid';

/** One input or output as the ONNX graph declares it. */
export interface GraphPort {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly (number | string)[];
}

/** What the maker states; the defaults are those of an empty file. */
export interface MakerMetadata {
  readonly vendor: string;
  readonly description?: string;
  readonly installExpiryS?: number;
  readonly guardVersionMin: string;
  readonly rootVersionMin: number;
  readonly budgets: Budgets;
  readonly intendedUses: readonly string[];
  readonly prohibitedUses: readonly string[];
  /** Findings of the scan that the maker knows and answers for. */
  readonly waive: readonly ScanCode[];
  readonly guard: CborMap;
  readonly safeOutput?: CborMap;
  readonly provenance?: CborMap;
  /** Per input and output name. */
  readonly inputs: Stated;
  readonly outputs: Stated;
}

type Stated = ReadonlyMap<string, unknown>;

/** Faults: `metadata.json`, `field.*`, `metadata.invalid`. An empty object is valid. */
export function readMakerMetadata(json: Uint8Array): Result<MakerMetadata> {
  return attempt(() => {
    if (json.length > METADATA_JSON_BYTES_MAX) {
      throw refuseBundle('metadata.json', `over ${METADATA_JSON_BYTES_MAX} bytes`);
    }
    return readMaker(Fields.of('', parseJson(json)));
  });
}

function readMaker(fields: Fields): MakerMetadata {
  fields.raw('$schema');
  const description = fields.optional('description', (n) => fields.text(n, 2000));
  const expiry = fields.optional('installExpiry', (n) => fields.text(n));
  const safeOutput = fields.optional('safeOutput', (n) => mapFromJson(fields, n));
  const provenance = fields.optional('provenance', (n) => mapFromJson(fields, n));
  const maker: MakerMetadata = {
    vendor: fields.optional('vendor', (n) => fields.text(n)) ?? DEFAULT_VENDOR,
    ...(description === undefined ? {} : { description }),
    ...(expiry === undefined ? {} : { installExpiryS: secondsOf(expiry) }),
    guardVersionMin: readSemver(
      fields.optional('guardVersionMin', (n) => fields.text(n)) ?? '0.1.0',
    ),
    rootVersionMin: fields.optional('rootVersionMin', (n) => fields.integer(n, 1)) ?? 1,
    budgets: fields.optional('budgets', (n) => readBudgets(fields.map(n))) ?? {},
    intendedUses: fields.optional('intendedUses', (n) => readTexts(fields, String(n))) ?? [],
    prohibitedUses: fields.optional('prohibitedUses', (n) => readTexts(fields, String(n))) ?? [],
    waive:
      fields.optional('waive', (n) => readWaive(fields.at(n), fields.list(n, SCAN_CODES.length))) ??
      [],
    guard: fields.optional('guard', (n) => mapFromJson(fields, n)) ?? new Map(),
    ...(safeOutput === undefined ? {} : { safeOutput }),
    ...(provenance === undefined ? {} : { provenance }),
    inputs: fields.optional('inputs', (n) => ports(fields.map(n))) ?? new Map(),
    outputs: fields.optional('outputs', (n) => ports(fields.map(n))) ?? new Map(),
  };
  fields.done();
  return maker;
}

/** Joins graph and maker; a name the graph does not have is refused. Faults as above. */
export function mergeIoSchema(
  inputs: readonly GraphPort[],
  outputs: readonly GraphPort[],
  maker: MakerMetadata,
): Result<IoSchema> {
  return attempt(() => {
    refuseStrangers('inputs', inputs, maker.inputs);
    refuseStrangers('outputs', outputs, maker.outputs);
    const io: IoSchema = {
      inputs: inputs.map((port) => readInput(merged('inputs', port, maker.inputs))),
      outputs: outputs.map((port) => readOutput(merged('outputs', port, maker.outputs))),
    };
    checkIoSchema(io);
    return io;
  });
}

/** The graph's name, dtype and dimensions with the maker's members, read by the one reader. */
function merged(kind: string, port: GraphPort, stated: Stated): Fields {
  const path = `${kind}.${port.name}`;
  const maker = Fields.of(path, stated.has(port.name) ? stated.get(port.name) : {});
  const members = new Map(maker.keys().map((key) => [key, maker.raw(String(key))]));
  for (const name of ['name', 'dtype']) {
    if (members.has(name)) {
      throw refuseBundle('metadata.invalid', `${path}.${name} comes from the model: leave it out`);
    }
  }
  members.set('name', port.name).set('dtype', port.dtype).set('dims', mergeDims(port, maker));
  if (kind === 'outputs' && !members.has('role')) members.set('role', roleByName(port));
  return new Fields(path, members);
}

/** The two names that exporters and this project's tools use; everything else must be stated. */
function roleByName(port: GraphPort): OutputRole {
  if (port.dims.length !== 2) return 'other';
  if (port.name === 'logits') return 'scores';
  return port.name === 'features' ? 'features' : 'other';
}

function mergeDims(port: GraphPort, fields: Fields): readonly Dim[] {
  const bounds = fields.optional('dims', (n) => fields.map(n));
  const dims = port.dims.map((dim): Dim => {
    if (typeof dim === 'number') return dim;
    const range = bounds?.optional(dim, (n) => readRange(bounds.at(n), bounds.list(n, 2)));
    return { name: dim, min: range?.min ?? 1, max: range?.max ?? BATCH_DEFAULT_MAX };
  });
  bounds?.done();
  return dims;
}

function refuseStrangers(kind: string, graph: readonly GraphPort[], stated: Stated): void {
  const names = graph.map((port) => port.name);
  for (const name of stated.keys()) {
    if (!names.includes(name)) {
      throw refuseBundle(
        'metadata.invalid',
        `${kind}.${name} is not in the model; it has ${names.join(', ')}`,
      );
    }
  }
}

function readWaive(path: string, list: readonly unknown[]): readonly ScanCode[] {
  return list.map((entry, index) => {
    const code = SCAN_CODES.find((known) => known === entry);
    if (code !== undefined) return code;
    const near = typeof entry === 'string' ? nearestName(entry, SCAN_CODES) : undefined;
    const hint = near === undefined ? '' : `; did you mean ${near}?`;
    throw refuseBundle('metadata.invalid', `${path}[${index}] is no finding of a scan${hint}`);
  });
}

function ports(fields: Fields): Stated {
  return new Map(fields.keys().map((name) => [String(name), fields.raw(String(name))]));
}

function parseJson(bytes: Uint8Array): unknown {
  const text = fromUtf8(bytes);
  if (text === undefined) throw refuseBundle('metadata.json', 'the file is not UTF-8');
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw refuseBundle('metadata.json', String(thrown));
  }
}

function secondsOf(text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}(T[0-9:.]+Z)?$/.test(text) ? Date.parse(text) : Number.NaN;
  // Some days that do not exist, such as 02-31, are read as days of the next month.
  if (!(ms >= 0) || new Date(ms).toISOString().slice(0, 10) !== text.slice(0, 10)) {
    throw refuseBundle('metadata.invalid', 'installExpiry must be a date such as 2027-12-31');
  }
  return Math.floor(ms / 1000);
}

function mapFromJson(fields: Fields, name: string | number): CborMap {
  const value = fromJson(fields.raw(name), fields.at(name), 0);
  if (value instanceof Map) return value;
  throw refuseBundle('metadata.invalid', `${fields.at(name)} must be an object`);
}

function fromJson(value: unknown, path: string, depth: number): CborValue {
  if (depth > CBOR_DEPTH_MAX - 4) throw refuseBundle('metadata.invalid', `${path} nests too deep`);
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return value.map((entry) => fromJson(entry, `${path}[]`, depth + 1));
  if (typeof value === 'object') {
    const entries = Object.entries(value as Record<string, unknown>);
    return new Map(
      entries.map(([key, entry]) => [key, fromJson(entry, `${path}.${key}`, depth + 1)]),
    );
  }
  throw refuseBundle('metadata.invalid', `${path} cannot be stored`);
}
