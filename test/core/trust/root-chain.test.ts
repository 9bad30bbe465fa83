/** From one root to the next: what follows, what never does, and the file while signatures come in. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ROOT_CHAIN_MAX, ROOT_SIGNATURES_MAX } from '../../../src/core/base/limits.ts';
import { decodeCbor } from '../../../src/core/cose/decode.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import type { Signer } from '../../../src/core/crypto/ed25519.ts';
import {
  addRootSignature,
  decodeRoot,
  draftRoot,
  inspectRoot,
  mergeRootSignatures,
  type RootSet,
} from '../../../src/core/trust/root.ts';
import { acceptRoot, newestRoot, walkRoots } from '../../../src/core/trust/root-chain.ts';
import type { RootContent } from '../../../src/core/trust/root-codec.ts';
import { accepted, codeOf } from '../base/outcome.ts';
import { keyOf, RELEASE } from '../bundle/specimen.ts';
import { REVOCATION_KEY, ROOT, roleOf } from './trusting.ts';

const [A, B, C, D, E] = [21, 22, 23, 25, 26].map(keyOf) as [Signer, Signer, Signer, Signer, Signer];
const release = roleOf(1, RELEASE);

/** 2 of A, B, C. */
const FIRST = drafted({ version: 1, roles: { root: roleOf(2, A, B, C), release } }, A, B);
const first = accepted(decodeRoot(FIRST));
/** 2 of B, C, D: A is replaced by D. */
const secondContent = following(first, roleOf(2, B, C, D));
const SECOND = drafted(secondContent, B, C);
const second = accepted(decodeRoot(SECOND));
/** 1 of E: nobody of the second root is left. */
const thirdContent = following(second, roleOf(1, E));
const THIRD = drafted(thirdContent, B, D, E);

function drafted(change: Partial<RootContent>, ...signers: readonly Signer[]): Uint8Array {
  return accepted(draftRoot({ ...ROOT, ...change }, signers));
}

function following(current: RootSet, root: RootContent['roles']['root']): RootContent {
  const { sha256, ...content } = current;
  return {
    ...content,
    version: current.version + 1,
    roles: { ...current.roles, root },
    previous: { sha256, root: current.roles.root },
  };
}

describe('the next root', () => {
  it('stands with the thresholds of both, whoever holds keys in both', () => {
    expect(accepted(acceptRoot(first, SECOND))).toEqual(second);
    expect(accepted(acceptRoot(second, THIRD)).version).toBe(3);
    expect(accepted(acceptRoot(first, drafted(secondContent, A, B, D))).sha256).toEqual(
      second.sha256,
    );
  });

  it('is counted for either side by the keys of that side', () => {
    const judge = (...signers: Signer[]) =>
      codeOf(acceptRoot(first, drafted(secondContent, ...signers)));
    // A counts for the old side only, D for the new one only, B and C for both.
    const all = [A, B, C, D];
    for (let bits = 0; bits < 16; bits++) {
      const signers = all.filter((_, i) => (bits >> i) & 1);
      const old = signers.filter((s) => s !== D).length;
      const own = signers.filter((s) => s !== A).length;
      const wanted = old >= 2 && own >= 2 ? 'accepted' : 'root.threshold';
      expect(judge(...signers), `${bits}`).toBe(wanted);
    }
  });

  it('comes one version at a time, and is never an older one again', () => {
    expect(codeOf(acceptRoot(first, THIRD))).toBe('root.step');
    expect(codeOf(acceptRoot(second, SECOND))).toBe('root.step');
    expect(codeOf(acceptRoot(second, FIRST))).toBe('root.step');
    const far = { ...secondContent, version: Number.MAX_SAFE_INTEGER };
    expect(codeOf(acceptRoot(first, drafted(far, B, C)))).toBe('root.step');
  });

  it('follows the very root it was made for', () => {
    const { previous: _, ...alone } = secondContent;
    expect(codeOf(acceptRoot(first, drafted(alone, B, C)))).toBe('root.step');
    const twin = accepted(decodeRoot(drafted({ ...first, issuedS: 7 }, A, B)));
    expect(codeOf(acceptRoot(twin, SECOND))).toBe('root.step');
  });

  it('cannot claim other keys for the root before than that root has', () => {
    const claimed = { sha256: first.sha256, root: roleOf(1, E) };
    const forged = drafted({ ...thirdContent, version: 2, previous: claimed }, E);
    expect(codeOf(decodeRoot(forged))).toBe('accepted');
    expect(codeOf(acceptRoot(first, forged))).toBe('root.threshold');
    // One signature of the old keys, where the old root wants two.
    const fewer = {
      ...following(first, roleOf(1, D)),
      previous: { sha256: first.sha256, root: roleOf(1, A, B, C) },
    };
    expect(codeOf(decodeRoot(drafted(fewer, A, D)))).toBe('accepted');
    expect(codeOf(acceptRoot(first, drafted(fewer, A, D)))).toBe('root.threshold');
  });

  it('stays what it is: production or development, and able to revoke', () => {
    const dev = { ...secondContent, production: false };
    expect(codeOf(acceptRoot(first, drafted(dev, B, C)))).toBe('root.step');
    const revoking = { ...first.roles, revocation: roleOf(1, REVOCATION_KEY) };
    const able = accepted(decodeRoot(drafted({ ...first, roles: revoking }, A, B)));
    const kept = following(able, roleOf(2, B, C, D));
    expect(codeOf(acceptRoot(able, drafted(kept, B, C)))).toBe('accepted');
    const dropped = { ...kept, roles: second.roles };
    expect(codeOf(acceptRoot(able, drafted(dropped, B, C)))).toBe('root.step');
  });

  it('is refused after any change of a byte', () => {
    for (let at = 0; at < SECOND.length; at++) {
      const damaged = SECOND.map((byte, i) => (i === at ? byte ^ 1 : byte));
      expect(codeOf(acceptRoot(first, damaged)), `byte ${at}`).not.toBe('accepted');
    }
  });
});

describe('a device that is behind', () => {
  it('walks every step, and skips what it is past', () => {
    expect(accepted(walkRoots(first, [FIRST, SECOND, THIRD])).version).toBe(3);
    expect(accepted(walkRoots(second, [FIRST, SECOND, THIRD])).version).toBe(3);
    expect(accepted(walkRoots(first, []))).toBe(first);
    expect(codeOf(walkRoots(first, [THIRD]))).toBe('root.step');
    expect(codeOf(walkRoots(first, [THIRD, SECOND]))).toBe('root.step');
    expect(codeOf(walkRoots(first, Array(ROOT_CHAIN_MAX + 1).fill(FIRST)))).toBe('root.malformed');
  });

  it('tells a fork', () => {
    const other = drafted({ ...secondContent, issuedS: 9 }, B, C);
    expect(codeOf(walkRoots(first, [SECOND, other]))).toBe('root.differs');
  });

  it('starts from the file that its image or its record pins', () => {
    expect(accepted(newestRoot(first.sha256, [FIRST, SECOND, THIRD])).version).toBe(3);
    expect(accepted(newestRoot(second.sha256, [FIRST, SECOND])).version).toBe(2);
    expect(codeOf(newestRoot(second.sha256, [FIRST]))).toBe('root.missing');
    expect(codeOf(newestRoot(first.sha256, []))).toBe('root.missing');
    // Signed by its own keys only: nothing pins it, nothing leads to it.
    const stranger = drafted({ version: 9, roles: { root: roleOf(1, E), release } }, E);
    expect(codeOf(newestRoot(first.sha256, [FIRST, stranger]))).toBe('root.step');
    const half = drafted(secondContent, B);
    expect(codeOf(newestRoot(second.sha256, [half]))).toBe('root.threshold');
  });

  it('arrives wherever the chain leads, from every root of it', () => {
    let current = first;
    const files = [FIRST];
    for (let i = 0; i < 12; i++) {
      const content = following(current, roleOf(1 + (i % 2), keyOf(30 + i), keyOf(31 + i), B, C));
      const bytes = drafted(content, B, C);
      files.push(bytes);
      current = accepted(acceptRoot(current, bytes));
    }
    fc.assert(
      fc.property(fc.nat(12), fc.nat(12), (from, to) => {
        const pinned = accepted(decodeRoot(files[from] as Uint8Array));
        const reached = accepted(newestRoot(pinned.sha256, files.slice(0, Math.max(from, to) + 1)));
        expect(reached.version).toBe(Math.max(from, to) + 1);
      }),
      { seed: 91, numRuns: 20 },
    );
  });
});

describe('a root on its way from holder to holder', () => {
  it('says who signed and what is missing, and is trusted by nobody', () => {
    const half = drafted(secondContent, A);
    expect(accepted(inspectRoot(half))).toMatchObject({
      signers: [A.thumbprint],
      missing: { own: 2, previous: 1 },
      sha256: second.sha256,
    });
    expect(codeOf(decodeRoot(half))).toBe('root.threshold');
    expect(codeOf(acceptRoot(first, half))).toBe('root.threshold');
    expect(accepted(inspectRoot(drafted(secondContent))).missing).toEqual({ own: 2, previous: 2 });
  });

  it('is the same file in the end, whoever signs first and however copies are merged', () => {
    const whole = drafted(secondContent, A, B, D);
    for (const order of [
      [A, B, D],
      [D, A, B],
      [B, D, A],
    ]) {
      const signed = order.reduce(
        (bytes, signer) => accepted(addRootSignature(bytes, signer)),
        drafted(secondContent),
      );
      expect(signed).toEqual(whole);
    }
    const [one, two] = [drafted(secondContent, A, B), drafted(secondContent, B, D)];
    expect(accepted(mergeRootSignatures(one, two))).toEqual(whole);
    expect(accepted(mergeRootSignatures(two, one))).toEqual(whole);
    expect(accepted(mergeRootSignatures(whole, whole))).toEqual(whole);
    expect(codeOf(mergeRootSignatures(one, FIRST))).toBe('root.differs');
  });

  it('takes signatures of its own and the earlier root keys only, each once', () => {
    const half = drafted(secondContent, A);
    expect(codeOf(addRootSignature(half, E))).toBe('trust.unauthorised');
    expect(codeOf(addRootSignature(half, RELEASE))).toBe('trust.unauthorised');
    expect(codeOf(addRootSignature(half, A))).toBe('trust.duplicate-signature');
    const liar: Signer = { ...B, sign: (message) => C.sign(message) };
    expect(codeOf(addRootSignature(half, liar))).toBe('crypto.bad-signature');
  });

  it('has room for both thresholds and no more', () => {
    const old = Array.from({ length: 8 }, (_, i) => keyOf(40 + i));
    const own = Array.from({ length: 9 }, (_, i) => keyOf(50 + i));
    const before = accepted(
      decodeRoot(drafted({ roles: { root: roleOf(8, ...old), release } }, ...old)),
    );
    const next = following(before, roleOf(8, ...own));
    const bytes = drafted(next, ...old, ...own.slice(0, 8));
    expect(accepted(acceptRoot(before, bytes)).version).toBe(before.version + 1);
    const [, blocks] = accepted(decodeCbor(bytes)) as [Uint8Array, Uint8Array[]];
    expect(blocks).toHaveLength(ROOT_SIGNATURES_MAX);
    expect(codeOf(addRootSignature(bytes, own[8] as Signer))).toBe('root.malformed');
    expect(codeOf(inspectRoot(encodeCbor([...blocks])))).toBe('root.malformed');
  });
});
