/**
 * Holds the published CDDL against our readers: on every changed document both must say the same. What
 * CDDL cannot say is listed here: each such rule must be met, and stands for a refusal by a reader.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect } from 'vitest';
import { need, type Result } from '../../src/core/base/fault.ts';
import { decodeCbor } from '../../src/core/cose/decode.ts';
import { encodeCbor } from '../../src/core/cose/encode.ts';
import type { CborValue } from '../../src/core/cose/value.ts';
import type { Signer } from '../../src/core/crypto/ed25519.ts';
import { mismatch } from './cddl.ts';
import { closed, damaged, type Node, oddValues } from './cddl-damage.ts';
import { type Grammar, parseCddl } from './cddl-grammar.ts';

const project = resolve(import.meta.dirname, '../..');
export const grammar: Grammar = parseCddl(
  readFileSync(resolve(project, 'firmware-manifests/edgeward.cddl'), 'utf8'),
);
/** What CDDL cannot say: the rule, and the faults of the readers that hold it. */
export const BEYOND: readonly [rule: string, faults: RegExp][] = [
  [
    'a text is as long as its UTF-16 units',
    /longer than \d+ characters|no short text|than short|text of 1 to \d+ characters/,
  ],
  ['a document has so many bytes and items', /^cbor\.(size|items):/],
  ['names of ports are unique', /need at least one, unique names/],
  ['one output at most has a role', /more than one output has the role/],
  ['a layout has a letter for each dimension', /needs a letter per dimension/],
  ['channel ranges need a C axis of their count', /channelRanges need a layout/],
  ['labels are as many as the last dimension', /labels for a last dimension/],
  ['a smallest value is at most its largest', /must be \[min, max\]|max is \d+, outside/],
  ['a tensor has a bounded number of elements', /has too many elements/],
  ['files have unique names, one model, one guard at most', /files need unique names/],
  ['a safe output keeps the output contract', /^guard\.safe-output/],
  ['arrays of doubles fit their counts', /^policy\.length:/],
  ['scores and statistics are finite and possible', /^policy\.values:/],
  ['scores ascend', /^policy\.order:/],
  ['k is one of the rows of its bank', /knn\.k is \d+, outside/],
  ['the shares of the checks add up to 1', /^policy\.shares:/],
  ['a list has an entry for each class or statistic', /entries, not \d|(sorted|counts) has more/],
  ['there are no more directions than features', /components is \d+, outside/],
  ['a scene is no smaller than what is near', /scene-distance is \S+, outside/],
  ['usual frames are no evidence against a caller', /below noveltyLevel/],
  ['rank and threshold follow from the promise', /^policy\.rank:|checks\.rank is \d+, outside/],
  ['golden vectors are alike, with a tolerance for each output', /^golden\.vectors:/],
  ['golden data fill their dimensions', /^golden\.tensor:/],
  ['golden values are finite, bools 0 or 1', /^golden\.values:/],
  ['a tolerance tells models apart', /^golden\.tolerance:/],
  ['a threshold is at most the number of keys', /^root\.invalid: \S+ wants \d/],
  ['what is confirmed wants no more than what is new', /^root\.invalid: \S+ wants more/],
  ['no key stands twice', /is listed twice/],
  ['what is revoked ascends', /^revocation\.invalid:/],
  ['a threshold of revocation keys signed', /^revocation\.threshold:/],
  ['a list is recorded with its digest', /recorded in half/],
  ['a key is a usable point', /not a usable Ed25519 point/],
  ['a production root has no development key', /lists a development key/],
  ['a threshold of root keys signed', /^root\.threshold:/],
  ['no key signs twice', /^trust\.duplicate-signature:/],
  ['a signer is known', /^(cose|operator)\.unknown-key:/],
  ['an order is for this device and boot', /^operator\.other-(device|epoch):/],
  ['an order is new', /^operator\.old-counter:/],
  ['a signature verifies', /^crypto\.(bad-signature|weak-point):/],
  ['the digest is that of the manifest', /^suit\.digest:/],
  [
    'a manifest is the one its parameters give',
    /^suit\.template:|^suit\.malformed: a (map|list) is missing/,
  ],
  ['the device is the one of the topic', /^telemetry\.device:/],
  ['the type is the one of the topic', /^telemetry\.type:/],
  ['a chain starts with a birth, and nothing else does', /^telemetry\.chain-start:/],
  ['a UEID is of the random type', /no UEID of the random type/],
];

export const met: Set<string> = new Set();
export const counts: Record<'changes' | 'accepted' | 'refused' | 'beyond', number> = {
  changes: 0,
  accepted: 0,
  refused: 0,
  beyond: 0,
};

/** The CDDL looks at `bytes`, the reader at what `read` makes of them. */
export function expectAgreement(
  rule: string,
  bytes: Uint8Array,
  read: (bytes: Uint8Array) => Result<unknown>,
  what: string,
): void {
  counts.changes++;
  const miss = mismatch(grammar, rule, bytes);
  const result = read(bytes);
  if (miss === undefined && !result.ok) {
    const fault = `${result.fault.code}: ${result.fault.message}`;
    const beyond = BEYOND.find(([, faults]) => faults.test(fault));
    if (beyond === undefined)
      throw new Error(`${rule}, ${what}: only the reader refuses: ${fault}`);
    met.add(beyond[0]);
    counts.beyond++;
    return;
  }
  if (miss !== undefined && result.ok) throw new Error(`${rule}, ${what}: only CDDL: ${miss}`);
  counts[result.ok ? 'accepted' : 'refused']++;
}

/** Every change of a document, against the CDDL of `rule` and against its reader. */
export function expectAgreementOnDamage(
  rule: string,
  document: Node,
  read: (bytes: Uint8Array) => Result<unknown>,
  seal: (node: Node) => Node = (node) => node,
): void {
  const whole = encodeCbor(closed(document));
  expect(mismatch(grammar, rule, whole)).toBeUndefined();
  expect(read(whole)).toMatchObject({ ok: true });
  for (const { what, node } of damaged(document, oddValues(grammar, rule))) {
    expectAgreement(rule, encodeCbor(closed(seal(node))), read, what);
  }
}

export const plain = (bytes: Uint8Array): CborValue => need(decodeCbor(bytes, { tags: [18, 107] }));

export function signing(
  signer: Signer,
  aad: Uint8Array,
  detached?: Uint8Array,
): (header: Uint8Array, payload: CborValue) => Uint8Array {
  return (header: Uint8Array, payload: CborValue): Uint8Array =>
    signer.sign(encodeCbor(['Signature1', header, aad, detached ?? payload]));
}
