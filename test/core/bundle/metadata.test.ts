/** The signed metadata: what goes in comes back, and every other form has its fault. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../../src/core/base/bytes.ts';
import { attempt } from '../../../src/core/base/fault.ts';
import {
  BUNDLE_FILE_BYTES_MAX,
  BUNDLE_FILES_MAX,
  DEADLINE_MS_MAX,
  MANIFEST_BYTES_MAX,
  MODEL_PORTS_MAX,
  WASM_PAGES_MAX,
} from '../../../src/core/base/limits.ts';
import type { InputSchema, OutputSchema } from '../../../src/core/bundle/io-schema.ts';
import {
  bundleTitle,
  decodeMetadata,
  encodeMetadata,
  FILE_ROLES,
  type ModelMetadata,
  readName,
  readSemver,
} from '../../../src/core/bundle/metadata.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { CborValue } from '../../../src/core/cose/value.ts';
import { DTYPES } from '../../../src/core/numeric/tensor.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';
import { metadataOf } from './specimen.ts';

const GOOD = metadataOf({
  description: 'says "wear" or "fine"',
  installExpiryS: 1_900_000_000,
  budgets: { runDeadlineMs: 50, sessionDeadlineMs: 5000, wasmPagesMax: 1024 },
  intendedUses: ['pumps'],
  prohibitedUses: ['people'],
  safeOutput: new Map([['logits', [0, 0]]]),
  provenance: new Map([['data', 'simulated']]),
});

describe('round trips', () => {
  it('the full form and the least form', () => {
    for (const meta of [GOOD, metadataOf()]) {
      expect(accepted(decodeMetadata(encodeMetadata(meta)))).toEqual(meta);
    }
    expect(bundleTitle(GOOD, new Uint8Array(32).fill(0xab))).toBe('rotor@1.2.3 (abababababab)');
  });

  it('every metadata within the limits', () => {
    fc.assert(
      fc.property(anyMetadata(), (meta) => {
        const bytes = encodeMetadata(meta);
        expect(accepted(decodeMetadata(bytes))).toEqual(meta);
        expect(encodeMetadata(accepted(decodeMetadata(bytes)))).toEqual(bytes);
      }),
      { seed: 41, numRuns: 150 },
    );
  });

  it('every changed byte is a fault or other metadata, never a throw', () => {
    const bytes = encodeMetadata(GOOD);
    for (let at = 0; at < bytes.length; at++) {
      for (const mask of [0x01, 0x20, 0xff]) {
        const damaged = bytes.map((byte, i) => (i === at ? byte ^ mask : byte));
        const result = decodeMetadata(damaged);
        if (result.ok) expect(toHex(encodeMetadata(result.value))).toBe(toHex(damaged));
        else expect(result.fault.code).toMatch(/^(cbor|field|metadata)\./);
      }
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(codeOf(decodeMetadata(bytes.subarray(0, length)))).toBe('cbor.truncated');
    }
  });
});

type Tree = Map<string, CborValue>;

/** Decodes the good metadata, lets `change` at it, and reads it again. */
function changed(change: (meta: Tree) => void): ReturnType<typeof decodeMetadata> {
  const tree = accepted(decodeCbor(encodeMetadata(GOOD))) as Tree;
  change(tree);
  return decodeMetadata(encodeCbor(tree));
}

const at = (value: CborValue | undefined, ...path: (string | number)[]): Tree =>
  path.reduce<CborValue | undefined>(
    (v, key) => (Array.isArray(v) ? v[key as number] : (v as Tree).get(key as string)),
    value,
  ) as Tree;
const input = (m: Tree): Tree => at(m, 'io', 'inputs', 0);
const output = (m: Tree): Tree => at(m, 'io', 'outputs', 0);
const file = (m: Tree, index = 0): Tree => at(m, 'files', index);
const list = (m: Tree, ...path: (string | number)[]): CborValue[] =>
  at(m, ...path) as unknown as CborValue[];

const SAMPLES: [code: string, what: string, change: (m: Tree) => void][] = [
  ['metadata.malformed', 'another profile', (m) => m.set('profile', 'edgeward-model/2')],
  ['metadata.malformed', 'a guard that is no map', (m) => m.set('guard', [])],
  ['metadata.malformed', 'no guard', (m) => m.delete('guard')],
  ['metadata.malformed', 'a safe output that is no map', (m) => m.set('safeOutput', 0)],
  ['metadata.malformed', 'a provenance that is null', (m) => m.set('provenance', null)],
  ['field.missing', 'no profile', (m) => m.delete('profile')],
  ['field.missing', 'no security version', (m) => m.delete('securityVersion')],
  ['field.missing', 'a file without a digest', (m) => file(m).delete('sha256')],
  ['field.type', 'a security version that is text', (m) => m.set('securityVersion', '5')],
  ['field.type', 'a security version that is a fraction', (m) => m.set('securityVersion', 0.5)],
  ['field.type', 'a security version beyond 2^53', (m) => m.set('securityVersion', 2n ** 60n)],
  ['field.type', 'inputs that are no maps', (m) => at(m, 'io').set('inputs', [1])],
  ['field.type', 'a null description', (m) => m.set('description', null)],
  ['field.range', 'a negative security version', (m) => m.set('securityVersion', -1)],
  ['field.range', 'a root version of 0', (m) => m.set('rootVersionMin', 0)],
  ['field.range', 'an expiry before 1970', (m) => m.set('installExpiry', -1)],
  ['field.range', 'a long description', (m) => m.set('description', 'x'.repeat(2001))],
  ['field.range', 'an unknown detection', (m) => m.set('detection', 'none')],
  ['field.range', 'an unknown role', (m) => file(m).set('role', 'script')],
  ['field.range', 'an unknown dtype', (m) => input(m).set('dtype', 'complex64')],
  ['field.range', 'a file over the limit', (m) => file(m).set('size', BUNDLE_FILE_BYTES_MAX + 1)],
  ['field.range', 'a short digest', (m) => file(m).set('verity', new Uint8Array(31))],
  [
    'field.range',
    'too many files',
    (m) => m.set('files', Array(BUNDLE_FILES_MAX + 1).fill(file(m))),
  ],
  [
    'field.range',
    'too many inputs',
    (m) => at(m, 'io').set('inputs', Array(MODEL_PORTS_MAX + 1).fill(input(m))),
  ],
  ['field.range', 'nine dimensions', (m) => input(m).set('dims', Array(9).fill(1))],
  [
    'field.range',
    'a dimension whose most is below its least',
    (m) => at(input(m), 'dims', 0).set('max', 0),
  ],
  [
    'field.range',
    'a deadline of a day',
    (m) => at(m, 'budgets').set('runDeadlineMs', DEADLINE_MS_MAX + 1),
  ],
  ['field.range', 'a deadline of nothing', (m) => at(m, 'budgets').set('sessionDeadlineMs', 0)],
  [
    'field.range',
    'more WebAssembly than there is',
    (m) => at(m, 'budgets').set('wasmPagesMax', WASM_PAGES_MAX + 1),
  ],
  ['field.unknown', 'an unknown member', (m) => m.set('securtyVersion', 1)],
  [
    'field.unknown',
    'a member with a number for a name',
    (m) => (m as Map<unknown, CborValue>).set(1, 1),
  ],
  ['field.unknown', 'an unknown member of a file', (m) => file(m).set('mode', 0)],
  ['field.unknown', 'an unknown member of an input', (m) => input(m).set('labels', [])],
  ['field.unknown', 'an unknown member of an output', (m) => output(m).set('layout', 'NC')],
  [
    'field.unknown',
    'an unknown member of a dimension',
    (m) => at(input(m), 'dims', 0).set('step', 2),
  ],
  ['field.unknown', 'an unknown member of the budgets', (m) => at(m, 'budgets').set('threads', 4)],
  ['field.unknown', 'an unknown member of onnx', (m) => at(m, 'onnx').set('domain', 'x')],
  ['field.unknown', 'an unknown member of io', (m) => at(m, 'io').set('states', [])],
  [
    'field.unknown',
    'an unknown member of a conversion',
    (m) =>
      input(m).set(
        'convert',
        new Map([
          ['scale', 1],
          ['offset', 0],
          ['gamma', 2],
        ]),
      ),
  ],
  ['metadata.invalid', 'a name with a space', (m) => m.set('name', 'a b')],
  ['metadata.invalid', 'no name', (m) => m.set('name', '')],
  ['metadata.invalid', 'a version with a v', (m) => m.set('version', 'v1.2.3')],
  ['metadata.invalid', 'half a guard version', (m) => m.set('guardVersionMin', '1.2')],
  ['metadata.invalid', 'two files of one name', (m) => file(m, 1).set('path', 'model.onnx')],
  ['metadata.invalid', 'two models', (m) => file(m, 1).set('role', 'model')],
  ['metadata.invalid', 'no model', (m) => file(m).set('role', 'notice')],
  [
    'metadata.invalid',
    'a file called as the manifest',
    (m) => file(m, 1).set('path', 'manifest.suit'),
  ],
  ['metadata.invalid', 'a path that leads out', (m) => file(m).set('path', '../model.onnx')],
  ['metadata.invalid', 'the folder above as path', (m) => file(m).set('path', '..')],
  ['metadata.invalid', 'no inputs', (m) => at(m, 'io').set('inputs', [])],
  ['metadata.invalid', 'no outputs', (m) => at(m, 'io').set('outputs', [])],
  ['metadata.invalid', 'two inputs of one name', (m) => list(m, 'io', 'inputs').push(input(m))],
  [
    'metadata.invalid',
    'two outputs of scores',
    (m) => list(m, 'io', 'outputs').push(new Map([...output(m), ['name', 'other']])),
  ],
  ['metadata.invalid', 'a negative dimension', (m) => input(m).set('dims', [-1])],
  ['metadata.invalid', 'a fraction as dimension', (m) => input(m).set('dims', [1.5])],
  [
    'metadata.invalid',
    'more elements than a tensor may have',
    (m) => input(m).set('dims', [2 ** 20, 2 ** 20]),
  ],
  ['metadata.invalid', 'a layout of another length', (m) => input(m).set('layout', 'NCHW')],
  ['metadata.invalid', 'a range of one number', (m) => input(m).set('range', [1])],
  ['metadata.invalid', 'a range upside down', (m) => input(m).set('range', [1, 0])],
  ['metadata.invalid', 'a range that does not end', (m) => input(m).set('range', [0, Infinity])],
  ['metadata.invalid', 'a range of NaN', (m) => output(m).set('range', [Number.NaN, 0])],
  ['metadata.invalid', 'a range of texts', (m) => input(m).set('range', ['0', '1'])],
  [
    'metadata.invalid',
    'channel ranges without a layout',
    (m) => input(m).set('channelRanges', [[0, 1]]),
  ],
  [
    'metadata.invalid',
    'channel ranges of another count',
    (m) =>
      input(m)
        .set('layout', 'NC')
        .set('channelRanges', [[0, 1]]),
  ],
  [
    'metadata.invalid',
    'a channel range that is none',
    (m) => input(m).set('layout', 'NC').set('channelRanges', [0, 0, 0, 0]),
  ],
  ['metadata.invalid', 'labels of another count', (m) => output(m).set('labels', ['a'])],
  ['metadata.invalid', 'an empty label', (m) => output(m).set('labels', ['a', ''])],
  ['metadata.invalid', 'a long use', (m) => m.set('intendedUses', ['x'.repeat(501)])],
  ['metadata.invalid', 'a use that is no text', (m) => m.set('prohibitedUses', [1])],
];

describe('what is refused', () => {
  it('nothing, when nothing was changed', () => {
    expect(accepted(changed(() => undefined))).toEqual(GOOD);
  });

  it.each(SAMPLES)('%s: %s', (code, _, change) => {
    expect(faultIn(changed(change)).code).toBe(code);
  });

  it('what is no map, or too large', () => {
    expect(codeOf(decodeMetadata(encodeCbor([])))).toBe('metadata.malformed');
    expect(codeOf(decodeMetadata(new Uint8Array(MANIFEST_BYTES_MAX + 1)))).toBe('cbor.size');
  });

  it('an unknown member with the nearest name', () => {
    const fault = faultIn(changed((m) => m.set('securtyVersion', 1)));
    expect(fault.message).toContain('did you mean securityVersion?');
  });
});

describe('names and versions', () => {
  const name = (text: string): string => codeOf(attempt(() => readName(text)));
  const semver = (text: string): string => codeOf(attempt(() => readSemver(text)));

  it('names are flat and never a folder', () => {
    for (const good of ['a', '...', '.a', 'a..b', '-rf', 'A_b-1.0', 'x'.repeat(64)]) {
      expect(name(good), good).toBe('accepted');
    }
    for (const bad of ['', '.', '..', 'a/b', 'a\\b', 'a\n', 'ä', 'x'.repeat(65), '\0']) {
      expect(name(bad), JSON.stringify(bad)).toBe('metadata.invalid');
    }
  });

  it('versions have three numbers and perhaps a pre-release', () => {
    for (const good of ['0.0.0', '1.2.3', '999999.0.0', '1.0.0-rc.1']) {
      expect(semver(good), good).toBe('accepted');
    }
    for (const bad of [
      '1',
      '1.2',
      '1.2.3.4',
      'v1.2.3',
      '1.2.3-',
      '1.2.3\n',
      '1.2.1234567',
      '1.2.x',
      '١.٢.٣',
    ]) {
      expect(semver(bad), JSON.stringify(bad)).toBe('metadata.invalid');
    }
  });
});

function anyMetadata(): fc.Arbitrary<ModelMetadata> {
  const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
  const dim = fc.oneof(
    fc.nat(8),
    fc.record({ name, min: fc.nat(4), max: fc.integer({ min: 4, max: 64 }) }),
  );
  const dims = fc.array(dim, { maxLength: 4 });
  const range = fc
    .tuple(fc.float({ noNaN: true, noDefaultInfinity: true }), fc.nat(100))
    .map(([min, width]) => ({ min: min + 0, max: min + width }));
  const dtype = fc.constantFrom(...DTYPES);
  const inputs: fc.Arbitrary<InputSchema> = fc.record(
    { name, dtype, dims, range, convert: fc.record({ scale: fc.nat(9), offset: fc.nat(9) }) },
    { requiredKeys: ['name', 'dtype', 'dims'] },
  );
  const outputs: fc.Arbitrary<OutputSchema> = fc.record(
    { name, dtype, dims, role: fc.constant('other' as const), range, probabilities: fc.boolean() },
    { requiredKeys: ['name', 'dtype', 'dims', 'role'] },
  );
  const opaque = fc.dictionary(fc.string({ maxLength: 8 }), fc.nat(), { maxKeys: 4 });
  const map = opaque.map((object) => new Map(Object.entries(object).sort()));
  const distinct = { maxLength: 4, minLength: 1, selector: (p: { name: string }) => p.name };
  return fc
    .record({
      name,
      description: fc.string({ maxLength: 50 }),
      securityVersion: fc.maxSafeNat(),
      installExpiryS: fc.maxSafeNat(),
      detection: fc.constantFrom('full' as const, 'reduced' as const, 'contract-only' as const),
      io: fc.record({
        inputs: fc.uniqueArray(inputs, distinct),
        outputs: fc.uniqueArray(outputs, distinct),
      }),
      extraRole: fc.constantFrom(...FILE_ROLES.filter((role) => role !== 'model')),
      guard: map,
    })
    .map(({ extraRole, ...meta }) => {
      const base = metadataOf(meta);
      const [model, second] = base.files;
      if (model === undefined || second === undefined) throw new Error('two files');
      const sorted = new Map([...meta.guard].sort(byEncoding));
      return { ...base, guard: sorted, files: [model, { ...second, role: extraRole }] };
    });
}

function byEncoding([a]: [string, unknown], [b]: [string, unknown]): number {
  return Buffer.compare(encodeCbor(a), encodeCbor(b));
}
