/** The manifest template: what its parameters give, and nothing else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../../src/core/base/bytes.ts';
import { BUNDLE_FILE_BYTES_MAX, BUNDLE_FILES_MAX } from '../../../src/core/base/limits.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { CborValue } from '../../../src/core/cose/value.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { decodeDigest, encodeDigest } from '../../../src/core/suit/digest.ts';
import {
  encodeManifest,
  parseManifest,
  type SuitManifest,
} from '../../../src/core/suit/manifest.ts';
import { accepted, codeOf } from '../base/outcome.ts';

const digestOf = (n: number): Uint8Array => sha256(Uint8Array.of(n));
const MANIFEST: SuitManifest = {
  sequenceNumber: 7,
  vendorId: new Uint8Array(16).fill(1),
  classId: new Uint8Array(16).fill(2),
  model: 'rotor',
  components: [
    { path: '#meta', sha256: digestOf(0), sizeBytes: 300 },
    { path: 'model.onnx', sha256: digestOf(1), sizeBytes: 1024 },
    { path: 'guard.cbor', sha256: digestOf(2), sizeBytes: 0 },
  ],
};
const BYTES = encodeManifest(MANIFEST);

describe('the template', () => {
  it('gives back what it was made from', () => {
    expect(accepted(parseManifest(BYTES))).toEqual(MANIFEST);
  });

  it('does so for every manifest within the limits', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/);
    const component = fc.record({
      path: name,
      sha256: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      sizeBytes: fc.nat(BUNDLE_FILE_BYTES_MAX),
    });
    const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const manifests = fc.record({
      sequenceNumber: fc.maxSafeNat(),
      vendorId: uuid,
      classId: uuid,
      model: name,
      components: fc.array(component, { minLength: 2, maxLength: BUNDLE_FILES_MAX + 1 }),
    });
    fc.assert(
      fc.property(manifests, (manifest) => {
        expect(accepted(parseManifest(encodeManifest(manifest)))).toEqual(manifest);
      }),
      { seed: 21, numRuns: 60 },
    );
  });

  it('refuses every changed byte, or reads the other parameter that it is', () => {
    let others = 0;
    for (let at = 0; at < BYTES.length; at++) {
      for (const mask of [0x01, 0x20, 0xff]) {
        const damaged = BYTES.map((byte, i) => (i === at ? byte ^ mask : byte));
        const result = parseManifest(damaged);
        if (!result.ok) {
          expect(result.fault.code).toMatch(/^(cbor|suit)\./);
          continue;
        }
        others++;
        expect(result.value).not.toEqual(MANIFEST);
        expect(toHex(encodeManifest(result.value))).toBe(toHex(damaged));
      }
    }
    // Digests, ids, names, sizes and the sequence number are parameters; the rest is fixed.
    expect(others).toBeGreaterThan(300);
    expect(others).toBeLessThan(BYTES.length * 2);
  });

  it('refuses every truncation and anything behind', () => {
    for (let length = 0; length < BYTES.length; length++) {
      expect(parseManifest(BYTES.subarray(0, length)).ok).toBe(false);
    }
    expect(codeOf(parseManifest(Uint8Array.of(...BYTES, 0)))).toBe('cbor.trailing');
  });

  it('never throws on random bytes or on random maps', () => {
    const key = fc.constantFrom(1, 2, 3, 4, 7, 9, 14, 20, 21);
    const { value } = fc.letrec<{ value: CborValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.nat(50),
        fc.uint8Array({ maxLength: 20 }),
        fc.array(tie('value'), { maxLength: 9 }),
        tie('value').map((inner) => encodeCbor(inner)),
        fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }).map((p) => new Map(p)),
      ),
    }));
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value), { maxLength: 6 }), (pairs) => {
        const code = codeOf(parseManifest(encodeCbor(new Map(pairs))));
        expect(code).toMatch(/^(cbor|suit)\./);
      }),
      { seed: 22, numRuns: 500 },
    );
  });
});

type Parts = {
  outer: Map<number, CborValue>;
  common: Map<number, CborValue>;
  shared: CborValue[];
  validate: CborValue[];
  install: CborValue[];
};

/** Takes the good manifest apart, lets `change` at the pieces and puts it together again. */
function changed(change: (parts: Parts) => void): string {
  const inner = (bytes: CborValue | undefined): CborValue =>
    accepted(decodeCbor(bytes as Uint8Array));
  const outer = inner(BYTES) as Map<number, CborValue>;
  const common = inner(outer.get(3)) as Map<number, CborValue>;
  const parts: Parts = {
    outer,
    common,
    shared: inner(common.get(4)) as CborValue[],
    validate: inner(outer.get(7)) as CborValue[],
    install: inner(outer.get(20)) as CborValue[],
  };
  outer.set(3, 'to be encoded');
  common.set(4, 'to be encoded');
  change(parts);
  if (common.get(4) === 'to be encoded') common.set(4, encodeCbor(parts.shared));
  if (outer.get(3) === 'to be encoded') outer.set(3, encodeCbor(common));
  if (outer.has(7)) outer.set(7, encodeCbor(parts.validate));
  if (outer.has(20)) outer.set(20, encodeCbor(parts.install));
  return codeOf(parseManifest(encodeCbor(outer)));
}

const parametersOf = (parts: Parts, index: number): Map<number, CborValue> =>
  parts.shared[index * 8 + 3] as Map<number, CborValue>;
const idsOf = (parts: Parts): CborValue[] => parts.common.get(2) as CborValue[];

const TEMPLATE: [what: string, change: (parts: Parts) => void][] = [
  ['another manifest version', (p) => p.outer.set(1, 2)],
  ['an invoke sequence', (p) => p.outer.set(9, encodeCbor([23, 2]))],
  ['a payload fetch sequence', (p) => p.outer.set(16, encodeCbor([]))],
  ['a severed install sequence (its digest)', (p) => p.install.splice(0, 99, -16)],
  ['dependencies', (p) => p.common.set(1, new Map([[0, new Map()]]))],
  ['a reference URI', (p) => p.outer.set(4, 'https://example.com')],
  ['an unknown text member', (p) => (p.outer as Map<unknown, CborValue>).set('x', 0)],
  ['no validate sequence', (p) => p.outer.delete(7)],
  ['no install sequence', (p) => p.outer.delete(20)],
  ['an empty validate sequence', (p) => p.validate.splice(0)],
  ['a validate sequence that skips a component', (p) => p.validate.splice(4, 4)],
  ['an install that does not match the image', (p) => p.install.splice(6, 2)],
  ['another URI', (p) => p.install.splice(3, 1, new Map([[21, 'https://example.com/x']]))],
  ['a URI as a parameter of all', (p) => parametersOf(p, 0).set(21, 'x')],
  ['another reporting policy', (p) => p.validate.splice(3, 1, 0)],
  ['a directive of its own', (p) => p.install.push(23, 2)],
  ['a write directive', (p) => p.install.splice(4, 1, 18)],
  ['components in another order than their parameters', (p) => p.shared.splice(1, 1, 1)],
  ['another class for one component', (p) => parametersOf(p, 1).set(2, new Uint8Array(16))],
  ['another model for one component', (p) => idsOf(p).splice(1, 1, [asciiOf('x'), asciiOf('y')])],
  ['a component that is not listed', (p) => idsOf(p).pop()],
  ['one component', (p) => idsOf(p).splice(1)],
  ['thirty-four components', (p) => idsOf(p).push(...Array(31).fill(idsOf(p)[0]))],
  ['a component id of three parts', (p) => (idsOf(p)[1] as CborValue[]).push(asciiOf('z'))],
  ['a path with a slash', (p) => (idsOf(p)[1] as CborValue[]).splice(1, 1, asciiOf('../x'))],
  ['an empty path', (p) => (idsOf(p)[1] as CborValue[]).splice(1, 1, asciiOf(''))],
  ['a path with NUL', (p) => (idsOf(p)[1] as CborValue[]).splice(1, 1, asciiOf('a\0b'))],
  ['a long path', (p) => (idsOf(p)[1] as CborValue[]).splice(1, 1, asciiOf('a'.repeat(65)))],
  ['a very long path', (p) => (idsOf(p)[1] as CborValue[]).splice(1, 1, asciiOf('a'.repeat(999)))],
  ['a file over the limit', (p) => parametersOf(p, 1).set(14, BUNDLE_FILE_BYTES_MAX + 1)],
];

const MALFORMED: [what: string, change: (parts: Parts) => void][] = [
  [
    'a fourth component without parameters of its own',
    (p) => idsOf(p).push(idsOf(p)[0] as CborValue),
  ],
  ['no sequence number', (p) => p.outer.delete(2)],
  ['a negative sequence number', (p) => p.outer.set(2, -1)],
  ['a sequence number of 2^60', (p) => p.outer.set(2, 2n ** 60n)],
  ['a fraction as size', (p) => parametersOf(p, 1).set(14, 1.5)],
  ['no size', (p) => parametersOf(p, 1).delete(14)],
  ['no digest', (p) => parametersOf(p, 1).delete(3)],
  ['a SHA-512 digest', (p) => parametersOf(p, 1).set(3, encodeCbor([-44, new Uint8Array(64)]))],
  ['a digest of 31 bytes', (p) => parametersOf(p, 1).set(3, encodeCbor([-16, new Uint8Array(31)]))],
  ['a digest of three parts', (p) => parametersOf(p, 1).set(3, encodeCbor([-16, digestOf(1), 0]))],
  ['a vendor id of 15 bytes', (p) => parametersOf(p, 0).set(1, new Uint8Array(15))],
  ['no common member', (p) => p.outer.delete(3)],
  ['common that is no map', (p) => p.outer.set(3, encodeCbor([]))],
  ['no shared sequence', (p) => p.common.delete(4)],
  ['a shared sequence that is a map', (p) => p.common.set(4, encodeCbor(new Map()))],
  ['parameters that are no map', (p) => p.shared.splice(3, 1, 0)],
  ['components that are no list', (p) => p.common.set(2, 0)],
  ['a component id that is text', (p) => idsOf(p).splice(1, 1, 'model.onnx')],
];

describe('what the template refuses', () => {
  it('nothing, when nothing was changed', () => {
    expect(changed(() => undefined)).toBe('accepted');
  });

  it.each(TEMPLATE)('%s', (_, change) => {
    expect(changed(change)).toBe('suit.template');
  });

  it.each(MALFORMED)('by shape: %s', (_, change) => {
    expect(changed(change)).toBe('suit.malformed');
  });
});

describe('digests', () => {
  it('are [-16, 32 bytes] and nothing else', () => {
    const digest = digestOf(9);
    expect(accepted(decodeDigest(encodeDigest(digest)))).toEqual(digest);
    for (const value of [null, [], [-16], [-16, 'x'], [-15, digest], [digest, -16], new Map()]) {
      expect(codeOf(decodeDigest(encodeCbor(value as CborValue)))).toBe('suit.malformed');
    }
  });
});

function asciiOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}
