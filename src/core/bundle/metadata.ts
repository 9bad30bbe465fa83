/**
 * The model metadata (`#meta`): deterministic CBOR inside the signed envelope that says what the
 * model is, what goes in and out, and what to do when it must not run. Guard settings and the safe
 * output stay opaque maps here; the guard room parses them.
 */
import { toHex } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { Fields } from '../base/fields.ts';
import {
  BATCH_MAX,
  BUNDLE_FILE_BYTES_MAX,
  BUNDLE_FILES_MAX,
  DEADLINE_MS_MAX,
  MANIFEST_BYTES_MAX,
  WASM_PAGES_MAX,
} from '../base/limits.ts';
import { decodeCbor } from '../cose/decode.ts';
import { encodeCbor } from '../cose/encode.ts';
import { type CborMap, type CborValue, cborMap } from '../cose/value.ts';
import { refuseBundle } from './faults.ts';
import type { IoSchema } from './io-schema.ts';
import { ioSchemaToCbor, readIoSchema } from './io-schema-codec.ts';

export const METADATA_PROFILE = 'edgeward-model/1';
export const FILE_ROLES: readonly FileRole[] = [
  'model',
  'model-data',
  'guard',
  'golden',
  'aibom',
  'notice',
];
const TEXTS_MAX = 64;

export type FileRole = 'model' | 'model-data' | 'guard' | 'golden' | 'aibom' | 'notice';

/** Whether the guard has features (`full`), logits only (`reduced`), or no statistics at all. */
export type Detection = 'full' | 'reduced' | 'contract-only';

export interface BundleFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: Uint8Array;
  /** fs-verity digest: SHA-256, 4,096-byte blocks, no salt. */
  readonly verity: Uint8Array;
  readonly role: FileRole;
}

export interface Budgets {
  readonly runDeadlineMs?: number;
  readonly sessionDeadlineMs?: number;
  /** WebAssembly pages of 64 KiB that the model may take. */
  readonly wasmPagesMax?: number;
}

export interface ModelMetadata {
  readonly name: string;
  /** Semantic version, for people; `securityVersion` is what rollback protection compares. */
  readonly version: string;
  readonly securityVersion: number;
  readonly vendor: string;
  readonly hardwareClass: string;
  readonly description?: string;
  /** Seconds since 1970; after it the bundle is not installed any more, a confirmed one runs on. */
  readonly installExpiryS?: number;
  /** Oldest Edgeward that may run it: semantic version. */
  readonly guardVersionMin: string;
  readonly rootVersionMin: number;
  readonly onnx: { readonly ir: number; readonly opset: number };
  readonly io: IoSchema;
  readonly files: readonly BundleFile[];
  readonly budgets: Budgets;
  readonly detection: Detection;
  readonly intendedUses: readonly string[];
  readonly prohibitedUses: readonly string[];
  /** Findings of the scan that the maker signed for, by code; absent where there was none. */
  readonly waived?: readonly string[];
  /** Opaque here: parsed by the guard room. */
  readonly guard: CborMap;
  /** Opaque here; absent means that nothing is given out: `withhold`. */
  readonly safeOutput?: CborMap;
  /** Where model and data came from, as the maker states it. */
  readonly provenance?: CborMap;
}

export function encodeMetadata(meta: ModelMetadata): Uint8Array {
  return encodeCbor(
    cborMap(
      ['profile', METADATA_PROFILE],
      ['name', meta.name],
      ['version', meta.version],
      ['securityVersion', meta.securityVersion],
      ['vendor', meta.vendor],
      ['class', meta.hardwareClass],
      ['description', meta.description],
      ['installExpiry', meta.installExpiryS],
      ['guardVersionMin', meta.guardVersionMin],
      ['rootVersionMin', meta.rootVersionMin],
      ['onnx', cborMap(['ir', meta.onnx.ir], ['opset', meta.onnx.opset])],
      ['io', ioSchemaToCbor(meta.io)],
      ['files', meta.files.map(fileToCbor)],
      ['budgets', budgetsToCbor(meta.budgets)],
      ['detection', meta.detection],
      ['intendedUses', meta.intendedUses],
      ['prohibitedUses', meta.prohibitedUses],
      ['waived', meta.waived],
      ['guard', meta.guard],
      ['safeOutput', meta.safeOutput],
      ['provenance', meta.provenance],
    ),
  );
}

/** Faults: `cbor.*`, `field.*`, `metadata.malformed`, `metadata.invalid`. */
export function decodeMetadata(bytes: Uint8Array): Result<ModelMetadata> {
  return attempt(() => {
    const map = need(decodeCbor(bytes, { bytesMax: MANIFEST_BYTES_MAX }));
    if (!(map instanceof Map)) throw refuseBundle('metadata.malformed', 'the metadata is no map');
    const fields = new Fields('', map);
    const profile = fields.text('profile');
    if (profile !== METADATA_PROFILE) {
      throw refuseBundle('metadata.malformed', `the profile is ${profile}`);
    }
    const description = fields.optional('description', (n) => fields.text(n, 2000));
    const installExpiryS = fields.optional('installExpiry', (n) => fields.integer(n));
    const waived = fields.optional('waived', (n) =>
      readWaived(fields.at(n), fields.list(n, TEXTS_MAX)),
    );
    const safeOutput = fields.optional('safeOutput', (n) => opaqueMap(fields, n));
    const provenance = fields.optional('provenance', (n) => opaqueMap(fields, n));
    const meta: ModelMetadata = {
      name: readName(fields.text('name')),
      version: readSemver(fields.text('version')),
      securityVersion: fields.integer('securityVersion'),
      vendor: fields.text('vendor'),
      hardwareClass: readName(fields.text('class')),
      ...(description === undefined ? {} : { description }),
      ...(installExpiryS === undefined ? {} : { installExpiryS }),
      guardVersionMin: readSemver(fields.text('guardVersionMin')),
      rootVersionMin: fields.integer('rootVersionMin', 1),
      onnx: readOnnx(fields.map('onnx')),
      io: readIoSchema(fields.map('io')),
      files: readFiles(fields),
      budgets: readBudgets(fields.map('budgets')),
      detection: fields.oneOf('detection', ['full', 'reduced', 'contract-only']),
      intendedUses: readTexts(fields, 'intendedUses'),
      prohibitedUses: readTexts(fields, 'prohibitedUses'),
      ...(waived === undefined ? {} : { waived }),
      guard: opaqueMap(fields, 'guard'),
      ...(safeOutput === undefined ? {} : { safeOutput }),
      ...(provenance === undefined ? {} : { provenance }),
    };
    fields.done();
    return meta;
  });
}

/** `[A-Za-z0-9._-]{1,64}`, not `.` and not `..`. Fault: `metadata.invalid`. */
export function readName(name: string): string {
  // Names become file names: the two that mean a folder would lead out of the one they belong in.
  if (/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/.test(name)) return name;
  throw refuseBundle('metadata.invalid', `the name "${name}" is not [A-Za-z0-9._-]{1,64}`);
}

/** `MAJOR.MINOR.PATCH` with an optional pre-release. Fault: `metadata.invalid`. */
export function readSemver(version: string): string {
  if (/^\d{1,6}\.\d{1,6}\.\d{1,6}(-[0-9A-Za-z.-]{1,64})?$/.test(version)) return version;
  throw refuseBundle('metadata.invalid', `"${version}" is not a semantic version`);
}

export function readBudgets(fields: Fields): Budgets {
  const runDeadlineMs = fields.optional('runDeadlineMs', (n) =>
    fields.integer(n, 1, DEADLINE_MS_MAX),
  );
  const sessionDeadlineMs = fields.optional('sessionDeadlineMs', (n) =>
    fields.integer(n, 1, DEADLINE_MS_MAX),
  );
  const wasmPagesMax = fields.optional('wasmPagesMax', (n) => fields.integer(n, 1, WASM_PAGES_MAX));
  fields.done();
  return {
    ...(runDeadlineMs === undefined ? {} : { runDeadlineMs }),
    ...(sessionDeadlineMs === undefined ? {} : { sessionDeadlineMs }),
    ...(wasmPagesMax === undefined ? {} : { wasmPagesMax }),
  };
}

export function readTexts(fields: Fields, name: string): readonly string[] {
  return fields.list(name, TEXTS_MAX).map((entry, index) => {
    if (typeof entry === 'string' && entry.length <= 500) return entry;
    throw refuseBundle('metadata.invalid', `${fields.at(name)}[${index}] is no short text`);
  });
}

/** By form, not from the list: an older device need not know the findings of a newer scan. */
function readWaived(path: string, list: readonly unknown[]): readonly string[] {
  return list.map((entry, index) => {
    if (typeof entry === 'string' && /^scan\.[a-z-]{1,40}$/.test(entry)) return entry;
    throw refuseBundle('metadata.invalid', `${path}[${index}] is no code of a finding`);
  });
}

function fileToCbor(file: BundleFile): CborMap {
  return cborMap(
    ['path', file.path],
    ['size', file.sizeBytes],
    ['sha256', file.sha256],
    ['verity', file.verity],
    ['role', file.role],
  );
}

function budgetsToCbor(budgets: Budgets): CborMap {
  return cborMap(
    ['runDeadlineMs', budgets.runDeadlineMs],
    ['sessionDeadlineMs', budgets.sessionDeadlineMs],
    ['wasmPagesMax', budgets.wasmPagesMax],
  );
}

function readOnnx(fields: Fields): { ir: number; opset: number } {
  const onnx = { ir: fields.integer('ir', 1, 1000), opset: fields.integer('opset', 1, 1000) };
  fields.done();
  return onnx;
}

function readFiles(fields: Fields): readonly BundleFile[] {
  const files = fields.list('files', BUNDLE_FILES_MAX).map((entry, index) => {
    const file = Fields.of(`files[${index}]`, entry);
    const read: BundleFile = {
      path: readName(file.text('path')),
      sizeBytes: file.integer('size', 0, BUNDLE_FILE_BYTES_MAX),
      sha256: file.bytes('sha256', 32),
      verity: file.bytes('verity', 32),
      role: file.oneOf('role', FILE_ROLES),
    };
    file.done();
    return read;
  });
  const paths = new Set(files.map((file) => file.path));
  const count = (role: FileRole): number => files.filter((file) => file.role === role).length;
  const roles = count('model') === 1 && count('guard') <= 1 && count('golden') <= 1;
  if (paths.size !== files.length || paths.has('manifest.suit') || !roles) {
    throw refuseBundle(
      'metadata.invalid',
      'files need unique names, exactly one model, at most one guard policy and one golden file',
    );
  }
  return files;
}

function opaqueMap(fields: Fields, name: string | number): CborMap {
  const value = fields.raw(name);
  if (value instanceof Map) return value as ReadonlyMap<string | number, CborValue>;
  throw refuseBundle('metadata.malformed', `${fields.at(name)} must be a map`);
}

/** `name@version (manifest digest)`: how a bundle is called in logs. */
export function bundleTitle(meta: ModelMetadata, manifestSha256: Uint8Array): string {
  return `${meta.name}@${meta.version} (${toHex(manifestSha256).slice(0, 12)})`;
}

/** The largest batch a dynamic first dimension may take when nobody states a bound. */
export const BATCH_DEFAULT_MAX: number = Math.min(64, BATCH_MAX);
