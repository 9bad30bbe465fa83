/** The COSE working group's examples: verified as stated on import, refused by the device's profile. */
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { concatBytes, toHex, utf8 } from '../../src/core/base/bytes.ts';
import { decodeCbor } from '../../src/core/cose/decode.ts';
import { encodeCbor } from '../../src/core/cose/encode.ts';
import { type ForeignKey, openForeignSign1 } from '../../src/core/cose/foreign-sign1.ts';
import { openSign1, toBeSigned } from '../../src/core/cose/sign1.ts';
import type { CborTag, CborValue } from '../../src/core/cose/value.ts';
import { signerFromSeed } from '../../src/core/crypto/ed25519.ts';
import { accepted, codeOf, faultIn } from '../core/base/outcome.ts';
import { sharedPath } from '../shared.ts';
import { describeVectors, expectRan, hex, vectorJson } from './outside-vectors.ts';

type Key = { crv: string; kid: string; x?: string; y?: string; x_hex?: string; d_hex?: string };
interface Example {
  readonly fail?: true;
  readonly input: {
    readonly plaintext: string;
    readonly sign0?: { readonly key: Key; readonly external?: string };
    readonly sign?: { readonly signers: readonly { readonly key: Key }[] };
  };
  readonly intermediates: { readonly ToBeSign_hex?: string };
  readonly output: { readonly cbor: string };
}

/** What the import reader says, and what a device says: nothing in here is in its profile. */
const EXAMPLES: readonly [path: string, imported: string, onDevice: string][] = [
  ['sign1-tests/sign-pass-01', 'accepted', 'cose.header'],
  ['sign1-tests/sign-pass-02', 'accepted', 'cose.header'],
  ['sign1-tests/sign-pass-03', 'accepted', 'cose.not-sign1'],
  ['sign1-tests/sign-fail-01', 'cbor.tag', 'cbor.tag'],
  ['sign1-tests/sign-fail-02', 'crypto.bad-signature', 'cose.header'],
  ['sign1-tests/sign-fail-03', 'cose.algorithm', 'cose.header'],
  ['sign1-tests/sign-fail-04', 'cose.algorithm', 'cose.header'],
  ['sign1-tests/sign-fail-06', 'crypto.bad-signature', 'cose.header'],
  ['sign1-tests/sign-fail-07', 'crypto.bad-signature', 'cose.header'],
  ['eddsa-examples/eddsa-sig-01', 'accepted', 'cose.header'],
  // Valid, and not for us: more signers than one have one code, Ed448 has another.
  ['eddsa-examples/eddsa-01', 'cose.not-sign1', 'cbor.tag'],
  ['eddsa-examples/eddsa-02', 'cose.curve', 'cbor.tag'],
  ['eddsa-examples/eddsa-sig-02', 'cose.curve', 'cose.header'],
];

const exampleAt = (path: string): Example => vectorJson<Example>(`cose/${path}.json`);

describeVectors('COSE working group examples', () => {
  it.each(EXAMPLES)('%s: %s', (path, imported, onDevice) => {
    const example = exampleAt(path);
    const block = hex(example.output.cbor);
    const rules = { externalAad: hex(example.input.sign0?.external ?? ''), bytesMax: 1000 };
    const key = keyOf(example);
    const result = openForeignSign1(block, {
      ...rules,
      keyOf: (kid) => (kid !== undefined && toHex(kid) === toHex(key.kid) ? key : undefined),
    });
    expect(codeOf(result)).toBe(imported);
    if (example.fail) expect(imported).not.toBe('accepted');
    if (imported === 'accepted') {
      expect(accepted(result).payload).toEqual(utf8(example.input.plaintext));
    } else faultIn(result);
    const strict = openSign1(block, { ...rules, keyOf: () => key.publicKey });
    expect(codeOf(strict)).toBe(onDevice);
  });

  it.each([
    ['sign1-tests', 9, 6],
    ['eddsa-examples', 4, 0],
  ])('%s: all %i files ran, %i of them stated to fail', (folder, files, failing) => {
    const ran = EXAMPLES.map(([path]) => path).filter((path) => path.startsWith(`${folder}/`));
    const published = readdirSync(sharedPath(`vectors/cose/${folder}`));
    expect(published.map((name) => `${folder}/${name}`).sort()).toEqual(
      ran.map((path) => `${path}.json`).sort(),
    );
    expect(ran.filter((path) => exampleAt(path).fail === true)).toHaveLength(failing);
    expectRan(`COSE ${folder}`, published.length, files);
  });

  it('eddsa-sig-01: its seed signs the same bytes to the same signature here', () => {
    const { input, intermediates, output } = exampleAt('eddsa-examples/eddsa-sig-01');
    const block = accepted(decodeCbor(hex(output.cbor), { tags: [18] })) as CborTag;
    const [header, , , signature] = block.value as CborValue[];
    const none = new Uint8Array(0);
    const signed = toBeSigned(header as Uint8Array, none, utf8(input.plaintext));
    expect(toHex(signed)).toBe(intermediates.ToBeSign_hex?.toLowerCase());
    const seed = hex(input.sign0?.key.d_hex ?? '');
    expect(signerFromSeed(seed).sign(signed)).toEqual(signature);
    // And we write the example's block byte for byte.
    expect(toHex(encodeCbor(block))).toBe(output.cbor.toLowerCase());
  });
});

function keyOf({ input }: Example): ForeignKey & { kid: Uint8Array } {
  const key = input.sign0?.key ?? input.sign?.signers[0]?.key;
  if (key === undefined) throw new Error('an example without a key');
  const kid = utf8(key.kid);
  if (key.crv === 'P-256') {
    const [x, y] = [key.x, key.y].map((part) => Buffer.from(part ?? '', 'base64url'));
    const publicKey = concatBytes(Uint8Array.of(4), x as Uint8Array, y as Uint8Array);
    return { kid, curve: 'P-256', publicKey };
  }
  return { kid, curve: 'Ed25519', publicKey: hex(key.x_hex ?? '') };
}
