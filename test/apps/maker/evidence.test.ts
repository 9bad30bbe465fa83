/** What goes along as evidence is an evaluation of this very model and guard. */
import { describe, expect, it } from 'vitest';
import { evidenceVerdict } from '../../../src/apps/maker/evidence.ts';
import { toHex, utf8 } from '../../../src/core/base/bytes.ts';
import { attempt } from '../../../src/core/base/fault.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { accepted, faultIn } from '../../core/base/outcome.ts';

const MODEL = new Uint8Array(32).fill(7);
const GUARD = utf8('a policy');

function evidence(changes: Readonly<Record<string, unknown>> = {}): Uint8Array {
  const document = {
    format: 'edgeward-evaluation',
    identity: { modelSha256: toHex(MODEL), policySha256: toHex(sha256(GUARD)) },
    verdict: { passed: true, words: ['well'] },
    ...changes,
  };
  return utf8(JSON.stringify(document));
}

const verdictOf = (json: Uint8Array, model = MODEL, guard: Uint8Array | undefined = GUARD) =>
  attempt(() => evidenceVerdict(json, model, guard));

describe('evidenceVerdict', () => {
  it('reads the verdict, good or bad', () => {
    expect(accepted(verdictOf(evidence()))).toBe(true);
    expect(accepted(verdictOf(evidence({ verdict: { passed: false } })))).toBe(false);
  });

  it.each([
    ['another document', evidence({ format: 'invoice' }), /no evaluation/],
    ['no verdict', evidence({ verdict: {} }), /no evaluation/],
    ['no JSON', utf8('{"format":'), /no evaluation/],
    ['no object', utf8('null'), /no evaluation/],
    ['no text', Uint8Array.of(0xff, 0xfe), /no evaluation/],
    ['no identity', evidence({ identity: undefined }), /another model/],
  ])('refuses %s', (_, json, words) => {
    const fault = faultIn(verdictOf(json));
    expect(fault.code).toBe('maker.evidence');
    expect(fault.message).toMatch(words);
  });

  it('refuses an evaluation of another model or guard, and one where there is no guard', () => {
    expect(
      faultIn(
        verdictOf(
          evidence(),
          MODEL.map((v) => v + 1),
        ),
      ).message,
    ).toMatch(/model$/);
    expect(faultIn(verdictOf(evidence(), MODEL, utf8('other'))).message).toMatch(/guard policy$/);
    const bare = attempt(() => evidenceVerdict(evidence(), MODEL, undefined));
    expect(faultIn(bare).message).toMatch(/guard policy$/);
  });
});
