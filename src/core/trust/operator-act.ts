/**
 * What an operator may do to one device, and the signed form of it: a COSE_Sign1 of a key of the
 * root's `operator` role over the device, its boot number, a counter, and the act.
 *
 * replay: the counter rises with every act of a key, and the boot number with every start, so no
 * clock is needed. The device is named by the thumbprint of its own key, because names repeat from
 * group to group.
 */
import { equalBytes, toHex } from '../base/bytes.ts';
import { attempt, err, faultOf, need, type Result } from '../base/fault.ts';
import { Fields, refuseField } from '../base/fields.ts';
import { OPERATOR_ACT_BYTES_MAX } from '../base/limits.ts';
import { decodeCbor } from '../cose/decode.ts';
import { externalAad } from '../cose/domain.ts';
import { encodeCbor } from '../cose/encode.ts';
import { openSign1, sign1 } from '../cose/sign1.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import type { Signer } from '../crypto/ed25519.ts';
import { verifyTwice } from '../crypto/second-opinion.ts';
import { OPERATOR_FAULTS, refuseOperator } from './operator-faults.ts';
import { isRevokedKey, type RevocationList } from './revocation.ts';
import { keyInRole, knownKey, type RootSet } from './root.ts';

const PROFILE = 'edgeward-operator/1';
const TYP = 'application/edgeward-operator+cbor';
const AAD = externalAad('command', '');
const ID = /^[A-Za-z0-9_-]{1,64}$/;
const ABOUT_CHARS_MAX = 64;

export const OPERATOR_VERBS = [
  'pause',
  'resume',
  'force-safe',
  'release',
  'acknowledge',
  'self-test',
  'decide-hold',
] as const;
export type OperatorAct =
  | { readonly verb: 'pause' | 'resume' | 'force-safe' | 'release' | 'self-test' }
  /** `about`: what was seen, for example the type of an alarm. */
  | { readonly verb: 'acknowledge'; readonly about: string }
  /** `hold`: the number that the device gave to a frame that waits. */
  | {
      readonly verb: 'decide-hold';
      readonly hold: number;
      readonly answer: (typeof ANSWERS)[number];
    };

export interface OperatorOrder {
  readonly act: OperatorAct;
  /** Whatever the operator calls it: `[A-Za-z0-9_-]{1,64}`. */
  readonly id: string;
  /** Thumbprint of the device's key. */
  readonly device: Uint8Array;
  /** The boot number of the device. */
  readonly epoch: number;
  /** From 1; higher than of any order before it that this key signed. */
  readonly counter: number;
}

declare const verified: unique symbol;

/** Made by `verifyOrder` only. */
export interface VerifiedOrder extends OperatorOrder {
  /** Thumbprint of the key that signed. */
  readonly operator: Uint8Array;
  readonly [verified]: true;
}

/** What a device holds an order against. */
export interface OrderContext {
  readonly root: RootSet;
  readonly revocations?: RevocationList | undefined;
  readonly device: Uint8Array;
  readonly epoch: number;
  /** The highest counter that was accepted of a key; 0 for a key that never acted. */
  readonly counterOf: (operator: Uint8Array) => number;
}

/** Signs an order. Faults: `field.*` where its members are not what they must be. */
export function signOrder(order: OperatorOrder, signer: Signer): Result<Uint8Array> {
  return attempt(() => {
    const payload = encodeCbor(orderToCbor(order));
    readOrder(payload);
    return sign1({ payload, typ: TYP, externalAad: AAD, signer });
  });
}

/**
 * Faults: `cbor.*`, `cose.*`, `crypto.*` for what is no such document or not signed, `operator.*` for
 * who signed and whether it is for this device, this boot and new, `field.*` for its members.
 */
export function verifyOrder(bytes: Uint8Array, context: OrderContext): Result<VerifiedOrder> {
  return attempt(() => {
    const opened = openSign1(bytes, {
      ...{ typ: TYP, externalAad: AAD, bytesMax: OPERATOR_ACT_BYTES_MAX },
      // Rare, and it may loosen: both implementations judge the signature.
      signatureCheck: verifyTwice,
      keyOf: (kid) => operatorKey(context, kid),
    });
    const { payload, kid } = need(opened);
    return { ...checked(payload, kid, context), operator: kid } as VerifiedOrder;
  });
}

/**
 * The act of a local caller, copied once. Faults: `field.*`, `operator.unknown-verb`,
 * `operator.malformed` for an object that throws while it is read.
 */
export function readAct(value: unknown): Result<OperatorAct> {
  try {
    return attempt(() => {
      const fields = Fields.of('act', value);
      const act = actOf(fields.text('verb'), fields);
      fields.done();
      return act;
    });
  } catch {
    return err(faultOf(OPERATOR_FAULTS, 'operator.malformed', 'the act threw while it was read'));
  }
}

function operatorKey({ root, revocations }: OrderContext, kid: Uint8Array): Uint8Array {
  const role = root.roles.operator;
  if (role === undefined) {
    throw refuseOperator('operator.no-role', `root version ${root.version} has no operator keys`);
  }
  const key = knownKey(root, 'operator', kid);
  if (key === undefined) {
    throw refuseOperator('operator.unknown-key', `${toHex(kid)} is no operator of this root`);
  }
  if (keyInRole(root, 'operator', kid) === undefined) {
    throw refuseOperator('operator.retired-key', `${toHex(kid)} is retired`);
  }
  if (revocations !== undefined && isRevokedKey(revocations, kid)) {
    throw refuseOperator('operator.revoked-key', `${toHex(kid)} is revoked`);
  }
  // One of several who must agree is not all of them.
  if (role.threshold > 1) {
    throw refuseOperator('operator.threshold', `the root wants ${role.threshold} operators`);
  }
  return key.publicKey;
}

function checked(payload: Uint8Array, kid: Uint8Array, context: OrderContext): OperatorOrder {
  const order = readOrder(payload);
  if (!equalBytes(order.device, context.device)) {
    throw refuseOperator('operator.other-device', `it is for the device ${toHex(order.device)}`);
  }
  if (order.epoch !== context.epoch) {
    throw refuseOperator(
      'operator.other-epoch',
      `it is for boot ${order.epoch}, this is boot ${context.epoch}`,
    );
  }
  const counted = context.counterOf(kid);
  // What is no number is refused too: NaN is neither above nor below anything.
  if (!(order.counter > counted)) {
    throw refuseOperator(
      'operator.old-counter',
      `the counter is ${order.counter}, ${counted} was used`,
    );
  }
  return order;
}

function orderToCbor({ act, id, device, epoch, counter }: OperatorOrder): CborMap {
  const { verb, ...rest } = act;
  return cborMap(
    ['profile', PROFILE],
    ['device', device],
    ['epoch', epoch],
    ['counter', counter],
    ['id', id],
    ['verb', verb],
    ['arguments', cborMap(...Object.entries(rest))],
  );
}

function readOrder(payload: Uint8Array): OperatorOrder {
  const map = need(decodeCbor(payload, { bytesMax: OPERATOR_ACT_BYTES_MAX }));
  if (!(map instanceof Map)) throw refuseOperator('operator.malformed', 'the payload is no map');
  const fields = new Fields('', map);
  const profile = fields.text('profile');
  if (profile !== PROFILE) {
    throw refuseOperator('operator.malformed', `the profile is ${profile}`);
  }
  const id = fields.text('id');
  if (!ID.test(id))
    throw refuseField('field.range', 'id must be of A-Z, a-z, 0-9, _ and -, 1 to 64');
  const args = fields.map('arguments');
  const order = {
    device: fields.bytes('device', 32).slice(),
    epoch: fields.integer('epoch', 1),
    counter: fields.integer('counter', 1),
    id,
    act: actOf(fields.text('verb'), args),
  };
  args.done();
  fields.done();
  return order;
}

const ANSWERS = ['release', 'safe'] as const;

function actOf(verb: string, fields: Fields): OperatorAct {
  switch (verb) {
    case 'pause':
    case 'resume':
    case 'force-safe':
    case 'release':
    case 'self-test':
      return { verb };
    case 'acknowledge':
      return { verb, about: fields.text('about', ABOUT_CHARS_MAX) };
    case 'decide-hold':
      return {
        verb,
        hold: fields.integer('hold', 1),
        answer: fields.oneOf('answer', ANSWERS),
      };
    default:
      throw refuseOperator('operator.unknown-verb', `the verb is ${verb}`);
  }
}
