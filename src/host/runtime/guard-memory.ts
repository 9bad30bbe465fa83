/**
 * What the guard knows over a restart: evidence of drift, bound to the policy it was gathered
 * against, and what is known of callers, bound to the model. All else begins anew with each boot.
 */
import type { Fault, Result } from '../../core/base/fault.ts';
import type { Clock } from '../../core/base/time.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import { decodeCallers, encodeCallers } from '../../core/guard/caller-codec.ts';
import { decodeDriftState, encodeDriftState } from '../../core/guard/drift-codec.ts';
import { GUARD_AT_START, type GuardState } from '../../core/guard/guard.ts';
import { modelOf, payloadOf } from '../../core/trust/verify.ts';
import { openSealedState, type Parts, type SealedState } from '../store/sealed-state.ts';
import type { LoadedModel } from './loaded-model.ts';

export interface MemoryParts {
  readonly stateFolder: string;
  readonly macKey: Uint8Array;
  /** Of this boot, counted before; without one nothing is kept. */
  readonly epoch: Result<number>;
  readonly clock: Clock;
  readonly log: (line: string) => void;
}

type Judging = Pick<LoadedModel, 'bundle' | 'policy' | 'settings'>;

/** To be opened right after the boot was counted, by whoever holds the folder's lock. */
export class GuardMemory {
  readonly #sealed: SealedState;
  readonly #clock: Clock;
  readonly #log: (line: string) => void;
  /** At the first boot there is nothing to miss. */
  readonly #first: boolean;

  constructor({ stateFolder, macKey, epoch, clock, log }: MemoryParts) {
    this.#clock = clock;
    this.#log = log;
    this.#sealed = openSealedState(stateFolder, macKey, epoch, clock.monotonicMs());
    this.#first = this.#sealed.origin === 'missing' && epoch.ok && epoch.value === 1;
  }

  /** What the boot before left for this model; the log says what is missing or refused. */
  recall(model: Judging | undefined): GuardState {
    const { parts, note } = this.#sealed;
    if (note !== undefined && !this.#first) this.#log(note);
    if (model === undefined) return GUARD_AT_START;
    const { bundle, policy, settings } = model;
    const take = <T>(name: string, decode: (bytes: Uint8Array) => Result<T>): T | undefined => {
      const bytes = parts.get(name);
      const decoded = bytes && decode(bytes);
      if (decoded?.ok === false) this.#say(`${name}: the guard begins anew`, decoded.fault);
      return decoded?.ok === true ? decoded.value : undefined;
    };
    const digest = sha256Of(bundle);
    const bets = policy?.drift;
    const drift = bets && take('drift', (bytes) => decodeDriftState(bytes, bets, digest));
    const callers = take('callers', (bytes) =>
      decodeCallers(bytes, modelOf(bundle).sha256, settings.callers, this.#clock.monotonicMs()),
    );
    return { ...GUARD_AT_START, ...(drift && { drift }), ...(callers && { callers }) };
  }

  /** Writes at most once in `SEALED_STATE_PERIOD_MS`, and what has changed only. */
  keep(model: Judging, state: GuardState): void {
    const nowMs = this.#clock.monotonicMs();
    this.#told(this.#sealed.keep(() => this.#partsOf(model, state), nowMs));
  }

  /** At shutdown. */
  keepNow(model: Judging, state: GuardState): void {
    this.#told(this.#sealed.keepNow(this.#partsOf(model, state)));
  }

  #partsOf({ bundle, policy }: Judging, { drift, callers }: GuardState): Parts {
    const nowMs = this.#clock.monotonicMs();
    const parts = new Map([['callers', encodeCallers(callers, modelOf(bundle).sha256, nowMs)]]);
    if (policy?.drift !== undefined) parts.set('drift', encodeDriftState(drift, sha256Of(bundle)));
    return parts;
  }

  #told(kept: Result<boolean>): void {
    if (!kept.ok) this.#say('what the guard has seen is not kept', kept.fault);
  }

  #say(what: string, { code, message }: Fault): void {
    this.#log(`${what}: ${code}: ${message}`);
  }
}

/** Of the guard policy, which holds the calibration set that evidence is gathered against. */
function sha256Of(bundle: LoadedModel['bundle']): Uint8Array {
  return sha256(payloadOf(bundle, 'guard') ?? new Uint8Array(0));
}
