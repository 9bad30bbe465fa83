/** What the guard remembers over a restart, and orders of operators, for the fuzzer. */
import { need } from '../../src/core/base/fault.ts';
import type { MonotonicMs } from '../../src/core/base/time.ts';
import { externalAad } from '../../src/core/cose/domain.ts';
import { openSign1, sign1 } from '../../src/core/cose/sign1.ts';
import { encodeCallers } from '../../src/core/guard/caller-codec.ts';
import { type CallerFrame, judgeCaller } from '../../src/core/guard/caller-judge.ts';
import { planCaller } from '../../src/core/guard/caller-plan.ts';
import {
  type CallerSettings,
  DEFAULT_CALLER_SETTINGS,
} from '../../src/core/guard/caller-settings.ts';
import { type CallersState, NO_CALLERS } from '../../src/core/guard/caller-state.ts';
import { DRIFT_AT_START, type DriftState, stepDrift } from '../../src/core/guard/drift.ts';
import { encodeDriftState } from '../../src/core/guard/drift-codec.ts';
import { type DriftPolicy, driftPolicy } from '../../src/core/guard/drift-policy.ts';
import {
  type OperatorOrder,
  type OrderContext,
  signOrder,
} from '../../src/core/trust/operator-act.ts';
import { keyOf } from '../core/bundle/specimen.ts';
import { ROOT, roleOf, rootOf } from '../core/trust/trusting.ts';

/** Of the policy, and of the model. */
export const OWNER: Uint8Array = new Uint8Array(32).fill(9);
export const NOW_MS: MonotonicMs = 1_000_000 as MonotonicMs;

export const DRIFT: DriftPolicy = driftPolicy({
  ...{ alpha: 0.01, delta: 0.01, bankRows: 60 },
  classCounts: [20, 30, 10],
});
export const DRIFT_STATES: readonly Uint8Array[] = [0, 1, 30].map((frames) => {
  let state: DriftState = DRIFT_AT_START;
  for (let i = 0; i < frames; i++) {
    state = stepDrift(state, DRIFT, { noveltyP: 0.02, inputP: 0.5, class: i % 3 }).state;
  }
  return encodeDriftState(state, OWNER);
});

export const CALLER_SETTINGS: CallerSettings = {
  ...DEFAULT_CALLER_SETTINGS,
  principals: new Map([['camera', { kind: 'sensor', perSecond: 9, burst: 9, budget: 0 }]]),
};
const FRAMES: readonly (readonly [string, CallerFrame])[] = [
  ['camera', { noveltyP: 0.5 }],
  ['someone', { noveltyP: 0.01, label: 1 }],
  ['someone', { killed: true }],
  ['another', { killed: true }],
  ['another', { killed: true }],
];
export const CALLERS: Uint8Array = encodeCallers(
  FRAMES.reduce(
    (state: CallersState, [name, frame]) => stepped(state, name, frame, 900_000 as MonotonicMs),
    NO_CALLERS,
  ),
  OWNER,
  NOW_MS,
);

/** A caller asks, and is judged. */
export function stepped(
  state: CallersState,
  name: string,
  frame: CallerFrame,
  nowMs: MonotonicMs,
): CallersState {
  const asked = planCaller(state, CALLER_SETTINGS, name, nowMs).state;
  return judgeCaller(asked, { settings: CALLER_SETTINGS }, name, frame, nowMs).state;
}

const OPERATOR = keyOf(41);
const TYP = 'application/edgeward-operator+cbor';
const AAD = externalAad('command', '');

export const ORDER_CONTEXT: OrderContext = {
  root: rootOf({ roles: { ...ROOT.roles, operator: roleOf(1, OPERATOR) } }),
  ...{ device: OWNER, epoch: 4 },
  counterOf: () => 11,
};
const [id, device, epoch, counter] = ['shift-7', OWNER, 4, 12] as const;
export const ORDERS: readonly Uint8Array[] = [
  signedOrder({ id, device, epoch, counter, act: { verb: 'release' } }),
  signedOrder({ id, device, epoch, counter, act: { verb: 'acknowledge', about: 'drift' } }),
  signedOrder({
    ...{ id, device, epoch, counter },
    act: { verb: 'decide-hold', hold: 3, answer: 'release' },
  }),
];
export const ORDER_PAYLOADS: readonly Uint8Array[] = ORDERS.map(
  (order) =>
    need(openSign1(order, { typ: TYP, externalAad: AAD, keyOf: () => OPERATOR.publicKey })).payload,
);

export function signedOrder(order: OperatorOrder): Uint8Array {
  return need(signOrder(order, OPERATOR));
}

/** Signed by an operator, whatever it says. */
export function signedPayload(payload: Uint8Array): Uint8Array {
  return sign1({ payload, typ: TYP, externalAad: AAD, signer: OPERATOR });
}
