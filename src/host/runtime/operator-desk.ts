/**
 * Where signed orders of operators are held against what the device trusts, counted, and then done.
 * The counter is durable before anything loosens; an order that is refused leaves it as it was.
 */
import { copyBytes, fromHex, toHex } from '../../core/base/bytes.ts';
import { attempt, faultOf, need, ok, type Result } from '../../core/base/fault.ts';
import { OPERATOR_ACT_BYTES_MAX } from '../../core/base/limits.ts';
import type { Clock, MonotonicMs } from '../../core/base/time.ts';
import { stepMode } from '../../core/guard/mode.ts';
import type { FloorStore } from '../../core/trust/floor-store.ts';
import { type VerifiedOrder, verifyOrder } from '../../core/trust/operator-act.ts';
import { OPERATOR_FAULTS, refuseOperator } from '../../core/trust/operator-faults.ts';
import { checkRecorded } from '../../core/trust/revocation.ts';
import { keyInRole, type RootSet } from '../../core/trust/root.ts';
import type { Trust } from '../../core/update/slot-set.ts';
import { NO_OPERATORS, type OperatorRecord, openOperatorRecord } from '../store/operator-record.ts';
import type { RecordPair } from '../store/record-pair.ts';
import {
  actFault,
  causeOf,
  type Operated,
  type OperatorAnswer,
  onlyRestricts,
  operateLocally,
  perform,
  refused,
} from './operator.ts';

export interface DeskParts {
  readonly session: Operated;
  readonly clock: Clock;
  readonly stateFolder: string;
  readonly macKey: Uint8Array;
  /** Thumbprint of the device's key. */
  readonly device: Uint8Array;
  readonly epoch: Result<number>;
  readonly floors: Result<FloorStore>;
  /** `undefined` where no root was even read. */
  readonly trust: Result<Pick<Trust, 'root' | 'revocations'>> | undefined;
  readonly log: (line: string) => void;
}

export class OperatorDesk {
  readonly #parts: DeskParts;
  readonly #pair: RecordPair<OperatorRecord>;
  #record: OperatorRecord = NO_OPERATORS;

  constructor(parts: DeskParts) {
    this.#parts = parts;
    this.#pair = openOperatorRecord(parts.stateFolder, parts.macKey);
  }

  /** What an operator left stands after a restart; to be called once the session has begun. */
  restore(): void {
    const { session, trust, log } = this.#parts;
    const read = this.#pair.read();
    if (read.ok) this.#record = read.value?.record ?? NO_OPERATORS;
    else {
      log(`what operators left is not known: ${read.fault.code}: ${read.fault.message}`);
      // In doubt, less; but only where there is somebody to release the device again.
      const operators = trust?.ok ? trust.value.root.roles.operator : undefined;
      this.#record = { ...NO_OPERATORS, forced: operators !== undefined };
    }
    if (this.#record.forced) session.move('operator-force-safe');
    if (this.#record.paused) session.move('operator-pause');
  }

  /** A signed order as bytes, or the act of a local caller, who may only restrict. Never rejects. */
  operate(value: unknown): Promise<OperatorAnswer> {
    const { session, clock } = this.#parts;
    if (!(value instanceof Uint8Array)) return operateLocally(session, value, clock);
    const nowMs = clock.monotonicMs();
    const order = this.#accept(value, nowMs);
    if (order.ok) return perform(session, order.value.act, nowMs, order.value);
    session.onEvent({ type: 'operator.refused', fault: order.fault.code });
    return Promise.resolve(refused(session, order.fault));
  }

  /** The order, verified and counted. */
  #accept(value: Uint8Array, nowMs: MonotonicMs): Result<VerifiedOrder> {
    return attempt(() => {
      if (value.length > OPERATOR_ACT_BYTES_MAX) {
        throw refuseOperator('operator.malformed', `an act of ${value.length} bytes`);
      }
      const { root, revocations, epoch } = need(this.#trusted());
      const order = need(
        verifyOrder(copyBytes(value), {
          ...{ root, revocations, epoch, device: this.#parts.device },
          counterOf: (operator) => this.#record.counters.get(toHex(operator)) ?? 0,
        }),
      );
      const fault = actFault(this.#parts.session, order.act, true, nowMs);
      if (fault !== undefined) need({ ok: false, fault });
      need(this.#count(order, root));
      return order;
    });
  }

  #trusted() {
    const { trust, floors, epoch } = this.#parts;
    return attempt(() => {
      const store = need(usable(floors));
      const { root, revocations } = need(usable(trust));
      // A list that somebody took away may have revoked the very key that signs.
      if (revocations === undefined) need(checkRecorded(undefined, need(store.read()).record));
      return { root, revocations, epoch: need(usable(epoch)) };
    });
  }

  #count({ act, operator, counter }: VerifiedOrder, root: RootSet): Result<true> {
    const { session, log } = this.#parts;
    const cause = causeOf(act);
    const { standing, before } = cause ? stepMode(session.state(), cause) : session.state();
    // A key that is in the root no more can sign nothing, and needs no place.
    const counters = [...this.#record.counters].filter(([kid]) => isCurrent(root, kid));
    const record: OperatorRecord = {
      generation: this.#record.generation + 1,
      forced: before === 'FORCED',
      paused: standing === 'PAUSED',
      counters: new Map([...counters, [toHex(operator), counter]]),
    };
    const written = this.#pair.write(record);
    if (!written.ok && !onlyRestricts(act)) return written;
    // On a disk that cannot be written the device restricts all the same, for as long as it runs.
    if (!written.ok) log(`the act of an operator is not recorded: ${written.fault.message}`);
    this.#record = record;
    return ok(true);
  }
}

function isCurrent(root: RootSet, thumbprint: string): boolean {
  const kid = fromHex(thumbprint);
  return kid !== undefined && keyInRole(root, 'operator', kid) !== undefined;
}

/** What keeps the device from judging orders is told as such. */
function usable<T>(part: Result<T> | undefined): Result<T> {
  if (part?.ok) return part;
  const { code, message } = part?.fault ?? { code: 'root', message: 'none was read' };
  return { ok: false, fault: faultOf(OPERATOR_FAULTS, 'operator.no-state', `${code}: ${message}`) };
}
