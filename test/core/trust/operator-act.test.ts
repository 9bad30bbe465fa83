/** Operators' orders: who may sign them, for which device and boot, once each, and nothing hostile. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../../src/core/base/bytes.ts';
import type { Result } from '../../../src/core/base/fault.ts';
import { OPERATOR_ACT_BYTES_MAX } from '../../../src/core/base/limits.ts';
import { externalAad } from '../../../src/core/cose/domain.ts';
import { encodeCbor } from '../../../src/core/cose/encode.ts';
import { sign1 } from '../../../src/core/cose/sign1.ts';
import { type CborValue, cborMap } from '../../../src/core/cose/value.ts';
import type { Signer } from '../../../src/core/crypto/ed25519.ts';
import {
  OPERATOR_VERBS,
  type OperatorAct,
  type OperatorOrder,
  type OrderContext,
  readAct,
  signOrder,
  type VerifiedOrder,
  verifyOrder,
} from '../../../src/core/trust/operator-act.ts';
import {
  OPERATOR_FAULTS,
  type OperatorFaultCode,
} from '../../../src/core/trust/operator-faults.ts';
import type { RootSet } from '../../../src/core/trust/root.ts';
import type { Role } from '../../../src/core/trust/root-codec.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';
import { keyOf, RELEASE } from '../bundle/specimen.ts';
import { listOf, REVOCATION_KEY, ROOT, roleOf, rootOf } from './trusting.ts';

const OPERATOR = keyOf(41);
const OTHER = keyOf(42);
const RETIRED = keyOf(43);
const DEVICE = new Uint8Array(32).fill(7);
const ORDER: OperatorOrder = {
  act: { verb: 'release' },
  id: 'shift-7',
  device: DEVICE,
  epoch: 4,
  counter: 12,
};
const ACTS: readonly OperatorAct[] = [
  ...(['pause', 'resume', 'force-safe', 'release', 'self-test'] as const).map((verb) => ({ verb })),
  { verb: 'acknowledge', about: 'drift.novelty' },
  { verb: 'decide-hold', hold: 3, answer: 'release' },
  { verb: 'decide-hold', hold: 3, answer: 'safe' },
];

function withOperators(operator: Role | undefined): RootSet {
  const roles = { ...ROOT.roles, revocation: roleOf(1, REVOCATION_KEY) };
  return rootOf({ roles: operator === undefined ? roles : { ...roles, operator } });
}
const OPERATED = withOperators({ ...roleOf(1, OPERATOR, OTHER), retired: roleOf(1, RETIRED) });
const CONTEXT: OrderContext = {
  ...{ root: OPERATED, device: DEVICE, epoch: 4 },
  counterOf: () => 11,
};

const signed = (change: Partial<OperatorOrder> = {}, signer: Signer = OPERATOR): Uint8Array =>
  accepted(signOrder({ ...ORDER, ...change }, signer));
const verified = (bytes: Uint8Array, change: Partial<OrderContext> = {}): Result<VerifiedOrder> =>
  verifyOrder(bytes, { ...CONTEXT, ...change });

/** Signed by an operator, whatever it says. */
function forged(members: Readonly<Record<string, CborValue | undefined>>): Uint8Array {
  const { act, ...rest } = ORDER;
  const good = { profile: 'edgeward-operator/1', ...rest, verb: act.verb, arguments: new Map() };
  const payload = encodeCbor(cborMap(...Object.entries({ ...good, ...members })));
  return sealed(payload);
}
function sealed(payload: Uint8Array, typ = 'application/edgeward-operator+cbor'): Uint8Array {
  return sign1({ payload, typ, externalAad: externalAad('command', ''), signer: OPERATOR });
}

describe('an order', () => {
  it.each(ACTS)('comes back as it was signed: $verb $answer', (act) => {
    const order = accepted(verified(signed({ act })));
    expect(order).toEqual({ ...ORDER, act, operator: OPERATOR.thumbprint });
  });

  it('knows every verb', () => {
    expect(new Set(ACTS.map(({ verb }) => verb))).toEqual(new Set(OPERATOR_VERBS));
  });

  it('is counted by key, and each counter is good once', () => {
    const counterOf = (operator: Uint8Array): number =>
      toHex(operator) === toHex(OTHER.thumbprint) ? 50 : 0;
    expect(codeOf(verified(signed({ counter: 1 }), { counterOf }))).toBe('accepted');
    expect(codeOf(verified(signed({ counter: 50 }, OTHER), { counterOf }))).toBe(
      'operator.old-counter',
    );
    expect(codeOf(verified(signed({ counter: 51 }, OTHER), { counterOf }))).toBe('accepted');
  });

  it('is not signed when it is none', () => {
    expect(codeOf(signOrder({ ...ORDER, id: 'a b' }, OPERATOR))).toBe('field.range');
    expect(codeOf(signOrder({ ...ORDER, counter: 0 }, OPERATOR))).toBe('field.range');
    expect(codeOf(signOrder({ ...ORDER, epoch: 0 }, OPERATOR))).toBe('field.range');
    expect(codeOf(signOrder({ ...ORDER, device: DEVICE.slice(1) }, OPERATOR))).toBe('field.range');
    const act = { verb: 'decide-hold', hold: 0, answer: 'safe' } as const;
    expect(codeOf(signOrder({ ...ORDER, act }, OPERATOR))).toBe('field.range');
  });
});

const revoking = listOf({ keys: [OPERATOR.thumbprint] });

/** The codes that a session gives are produced where the session is tested. */
type OfAnOrder = Exclude<
  OperatorFaultCode,
  | ('operator.unsigned' | 'operator.locked' | 'operator.no-model')
  | ('operator.not-held' | 'operator.no-state')
>;
const REFUSED: Record<OfAnOrder, () => Result<unknown>> = {
  'operator.malformed': () => verified(sealed(encodeCbor(['an', 'order']))),
  'operator.no-role': () => verified(signed(), { root: withOperators(undefined) }),
  'operator.threshold': () =>
    verified(signed(), { root: withOperators(roleOf(2, OPERATOR, OTHER)) }),
  'operator.unknown-key': () => verified(signed({}, keyOf(44))),
  'operator.retired-key': () => verified(signed({}, RETIRED)),
  'operator.revoked-key': () => verified(signed(), { revocations: revoking }),
  'operator.other-device': () => verified(signed({ device: new Uint8Array(32) })),
  'operator.other-epoch': () => verified(signed({ epoch: 5 })),
  'operator.old-counter': () => verified(signed({ counter: 11 })),
  'operator.unknown-verb': () => verified(forged({ verb: 'format-disk' })),
};

describe('an order is refused', () => {
  it.each(Object.entries(REFUSED))('with %s', (code, refuse) => {
    expect(faultIn(refuse())).toMatchObject({
      ...{ code, next: OPERATOR_FAULTS[code as OperatorFaultCode] },
    });
  });

  it('from the boot before as from the boot after', () => {
    expect(codeOf(verified(signed({ epoch: 3 })))).toBe('operator.other-epoch');
  });

  it('where the counter that is known is no number', () => {
    const counterOf = (): number => Number.NaN;
    expect(codeOf(verified(signed(), { counterOf }))).toBe('operator.old-counter');
  });

  it('from keys of other roles', () => {
    for (const signer of [RELEASE, REVOCATION_KEY]) {
      expect(codeOf(verified(signed({}, signer)))).toBe('operator.unknown-key');
    }
  });

  it('when a key signed it for something else', () => {
    const payload = encodeCbor(cborMap(['profile', 'edgeward-operator/1']));
    expect(codeOf(verified(sealed(payload, 'application/edgeward-root+cbor')))).toBe('cose.type');
    const aad = externalAad('telemetry', '');
    const typ = 'application/edgeward-operator+cbor';
    const other = sign1({ payload, typ, externalAad: aad, signer: OPERATOR });
    expect(codeOf(verified(other))).toBe('crypto.bad-signature');
  });

  it.each([
    ['another profile', { profile: 'edgeward-operator/2' }, 'operator.malformed'],
    ['a member too many', { until: 5 }, 'field.unknown'],
    ['an argument too many', { arguments: cborMap(['force', true]) }, 'field.unknown'],
    ['no arguments', { arguments: undefined }, 'field.missing'],
    [
      'a hold without an answer',
      { verb: 'decide-hold', arguments: cborMap(['hold', 1]) },
      'field.missing',
    ],
    [
      'another answer',
      { verb: 'decide-hold', arguments: cborMap(['hold', 1], ['answer', 'maybe']) },
      'field.range',
    ],
    ['nothing to acknowledge', { verb: 'acknowledge' }, 'field.missing'],
    [
      'a long story',
      { verb: 'acknowledge', arguments: cborMap(['about', 'x'.repeat(65)]) },
      'field.range',
    ],
    ['an id that is none', { id: '../x' }, 'field.range'],
    ['a counter of -1', { counter: -1 }, 'field.range'],
    ['half a counter', { counter: 12.5 }, 'field.type'],
  ])('with %s', (_, members, code) => {
    expect(codeOf(verified(forged(members)))).toBe(code);
  });

  it('longer than an order may be', () => {
    const long = sealed(new Uint8Array(OPERATOR_ACT_BYTES_MAX));
    expect(codeOf(verified(long))).toBe('cbor.size');
  });
});

describe('damaged orders', () => {
  it('are faults, whichever bit is flipped and wherever they end', () => {
    const good = signed();
    for (let at = 0; at < good.length; at++) {
      const flipped = good.slice();
      flipped[at] = (good[at] as number) ^ (1 << (at % 8));
      expect(codeOf(verified(flipped))).toMatch(/^(cbor|cose|crypto|operator)\./);
      expect(codeOf(verified(good.subarray(0, at)))).toMatch(/^(cbor|cose)\./);
    }
  });

  it('are faults, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(codeOf(verified(bytes))).not.toBe('accepted');
      }),
    );
  });
});

describe('the act of a local caller', () => {
  it.each(ACTS)('is copied: $verb $answer', (act) => {
    const read = accepted(readAct(act));
    expect(read).toEqual(act);
    expect(read).not.toBe(act);
  });

  it('is refused when it is none, and never throws', () => {
    const ownKeys = (): never => {
      throw new Error('do not touch');
    };
    const hostile = new Proxy({}, { ownKeys });
    expect(codeOf(readAct(hostile))).toBe('operator.malformed');
    expect(codeOf(readAct({ verb: 'reboot' }))).toBe('operator.unknown-verb');
    expect(codeOf(readAct({ verb: 'pause', forMs: 5 }))).toBe('field.unknown');
    fc.assert(
      fc.property(fc.anything({ withMap: true }), (value) => {
        expect(codeOf(readAct(value))).toMatch(/^(field|operator)\./);
      }),
    );
  });
});
