/**
 * The SUIT manifest of a model bundle (draft-ietf-suit-manifest-37), as a closed template: the
 * verifier reads the few parameters, REGENERATES the whole manifest from them and compares bytes.
 * No command is ever interpreted, so no command can surprise.
 *
 * Every component names its vendor, class, digest and size; `install` fetches its URI (a path in
 * the archive, or `#meta` for the integrated metadata) and matches the image; `validate` matches it
 * again at boot.
 */
import { equalBytes, utf8 } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { BUNDLE_FILE_BYTES_MAX, BUNDLE_FILES_MAX, MANIFEST_BYTES_MAX } from '../base/limits.ts';
import { decodeCbor } from '../cose/decode.ts';
import { encodeCbor } from '../cose/encode.ts';
import { type CborValue, cborMap } from '../cose/value.ts';
import { decodeDigest, encodeDigest } from './digest.ts';
import { refuseSuit } from './faults.ts';

const MANIFEST_VERSION = 1;
const SUIT = {
  version: 1,
  sequence: 2,
  common: 3,
  validate: 7,
  install: 20,
  components: 2,
  shared: 4,
} as const;
const PARAMETER = { vendor: 1, class: 2, digest: 3, size: 14, uri: 21 } as const;
const CONDITION = { vendor: 1, class: 2, imageMatch: 3 } as const;
const DIRECTIVE = { setComponentIndex: 12, overrideParameters: 20, fetch: 21 } as const;
/** Report a failure, whatever the outcome (reporting policy bits, section 8.4.7). */
const REPORT_ALL = 15;
const REPORT_FAILURE = 2;
const UUID_BYTES = 16;

export interface SuitComponent {
  /** `model.onnx`, or `#meta` for the metadata inside the envelope. */
  readonly path: string;
  readonly sha256: Uint8Array;
  readonly sizeBytes: number;
}

export interface SuitManifest {
  readonly sequenceNumber: number;
  /** UUIDs, 16 bytes each. */
  readonly vendorId: Uint8Array;
  readonly classId: Uint8Array;
  /** First element of every component id. */
  readonly model: string;
  readonly components: readonly SuitComponent[];
}

export function encodeManifest(manifest: SuitManifest): Uint8Array {
  const { components } = manifest;
  const ids = components.map((component) => [utf8(manifest.model), utf8(component.path)]);
  const shared = components.flatMap((component, index) => [
    DIRECTIVE.setComponentIndex,
    index,
    DIRECTIVE.overrideParameters,
    cborMap(
      [PARAMETER.vendor, manifest.vendorId],
      [PARAMETER.class, manifest.classId],
      [PARAMETER.digest, encodeDigest(component.sha256)],
      [PARAMETER.size, component.sizeBytes],
    ),
    CONDITION.vendor,
    REPORT_ALL,
    CONDITION.class,
    REPORT_ALL,
  ]);
  const validate = components.flatMap((_, index) => [
    DIRECTIVE.setComponentIndex,
    index,
    CONDITION.imageMatch,
    REPORT_ALL,
  ]);
  const install = components.flatMap((component, index) => [
    DIRECTIVE.setComponentIndex,
    index,
    DIRECTIVE.overrideParameters,
    cborMap([PARAMETER.uri, component.path]),
    DIRECTIVE.fetch,
    REPORT_FAILURE,
    CONDITION.imageMatch,
    REPORT_ALL,
  ]);
  const common = cborMap([SUIT.components, ids], [SUIT.shared, encodeCbor(shared)]);
  return encodeCbor(
    cborMap(
      [SUIT.version, MANIFEST_VERSION],
      [SUIT.sequence, manifest.sequenceNumber],
      [SUIT.common, encodeCbor(common)],
      [SUIT.validate, encodeCbor(validate)],
      [SUIT.install, encodeCbor(install)],
    ),
  );
}

/** Faults: `cbor.*`, `suit.malformed`, `suit.template`. */
export function parseManifest(bytes: Uint8Array): Result<SuitManifest> {
  return attempt(() => {
    const outer = mapOf(need(decodeCbor(bytes, { bytesMax: MANIFEST_BYTES_MAX })));
    const common = mapOf(need(decodeCbor(bstr(outer.get(SUIT.common)))));
    const ids = listOf(common.get(SUIT.components));
    if (ids.length < 2 || ids.length > BUNDLE_FILES_MAX + 1) {
      throw refuseSuit('suit.template', `${ids.length} components`);
    }
    const shared = listOf(need(decodeCbor(bstr(common.get(SUIT.shared)))));
    const parameters = ids.map((_, index) => mapOf(shared[index * 8 + 3]));
    const first = parameters[0] as ReadonlyMap<unknown, CborValue>;
    const manifest: SuitManifest = {
      sequenceNumber: whole(outer.get(SUIT.sequence)),
      vendorId: uuid(first.get(PARAMETER.vendor)),
      classId: uuid(first.get(PARAMETER.class)),
      model: idOf(ids[0]).model,
      components: ids.map((id, index) => componentOf(idOf(id).path, parameters[index])),
    };
    // The closed template: whatever differs from what we would have written is refused.
    if (!equalBytes(encodeManifest(manifest), bytes)) {
      throw refuseSuit('suit.template', 'the manifest is not the one its parameters give');
    }
    return manifest;
  });
}

function componentOf(
  path: string,
  parameters: ReadonlyMap<unknown, CborValue> | undefined,
): SuitComponent {
  const sizeBytes = whole(parameters?.get(PARAMETER.size));
  if (sizeBytes > BUNDLE_FILE_BYTES_MAX) {
    throw refuseSuit('suit.template', `${path} has ${sizeBytes} bytes`);
  }
  const sha256 = need(decodeDigest(bstr(parameters?.get(PARAMETER.digest))));
  return { path, sha256, sizeBytes };
}

function idOf(value: CborValue | undefined): { model: string; path: string } {
  const [model, path, ...rest] = listOf(value);
  if (rest.length > 0) throw refuseSuit('suit.template', 'a component id has two parts');
  return { model: asciiName(bstr(model)), path: asciiName(bstr(path)) };
}

function asciiName(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes.subarray(0, 65));
  if (!/^#?[A-Za-z0-9._-]{1,64}$/.test(text)) {
    throw refuseSuit('suit.template', 'a component id holds other than [A-Za-z0-9._-]{1,64}');
  }
  return text;
}

/** What a member must be; `suit.malformed` otherwise. */
export function mapOf(value: CborValue | undefined): ReadonlyMap<unknown, CborValue> {
  if (value instanceof Map) return value;
  throw refuseSuit('suit.malformed', 'a map is missing in the manifest');
}

/** As `mapOf`. */
export function listOf(value: CborValue | undefined): readonly CborValue[] {
  if (Array.isArray(value)) return value;
  throw refuseSuit('suit.malformed', 'a list is missing in the manifest');
}

/** As `mapOf`. */
export function bstr(value: CborValue | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw refuseSuit('suit.malformed', 'a byte string is missing');
}

/** As `mapOf`. */
export function whole(value: CborValue | undefined): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw refuseSuit('suit.malformed', 'a whole number is missing in the manifest');
}

function uuid(value: CborValue | undefined): Uint8Array {
  const bytes = bstr(value);
  if (bytes.length !== UUID_BYTES) throw refuseSuit('suit.malformed', 'an id has not 16 bytes');
  return bytes;
}
