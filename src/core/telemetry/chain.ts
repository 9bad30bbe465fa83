/**
 * The collector's side of the hash chain: one state per device, bounded, that tells duplicates of
 * QoS 1 from loss, replays, rollbacks and cloned keys. Only opened envelopes may be followed.
 */
import { equalBytes } from '../base/bytes.ts';
import { CHAIN_EPOCHS_MAX, CHAIN_HASHES_MAX } from '../base/limits.ts';
import type { Envelope } from './envelope.ts';

/**
 * - `first`: nothing was known of this device.
 * - `next`: the expected one.
 * - `new-epoch`: the device started again; `missing` counts what was lost since its birth.
 * - `duplicate`: seen before, byte for byte, and still remembered: what QoS 1 may do.
 * - `gap`: `missing` messages are lost, unless a signed drop notice covers them.
 * - `replay`: not newer than what is known of its epoch, and not remembered.
 * - `rollback`: an earlier epoch goes on: an old state of the device runs again.
 * - `fork`: two different messages claim one place: a cloned key.
 */
export type ChainVerdict =
  | 'first'
  | 'next'
  | 'new-epoch'
  | 'duplicate'
  | 'gap'
  | 'replay'
  | 'rollback'
  | 'fork';

/** One place in the chain. */
export interface ChainLink {
  readonly epoch: number;
  readonly sequence: number;
  readonly hash: Uint8Array;
}

export interface ChainState {
  /** The newest link of the newest epochs, oldest epoch first. */
  readonly heads: readonly ChainLink[];
  /** The newest links, oldest first. */
  readonly recent: readonly ChainLink[];
  /** The newest of each retained kind: a broker repeats them to every new subscriber. */
  readonly retained: readonly (ChainLink & { readonly type: Envelope['type'] })[];
}

export interface ChainStep {
  /** Unchanged by duplicates, replays, rollbacks and forks. */
  readonly state: ChainState;
  readonly verdict: ChainVerdict;
  /** How many messages were lost before this one. */
  readonly missing: number;
}

/** What is followed of an envelope. */
export type ChainInput = Pick<Envelope, 'type' | 'epoch' | 'sequence' | 'previous' | 'hash'>;

export const EMPTY_CHAIN: ChainState = { heads: [], recent: [], retained: [] };

/** Total: every opened envelope has exactly one verdict. */
export function followChain(state: ChainState, link: ChainInput): ChainStep {
  const newest = state.heads.at(-1);
  if (newest === undefined) return forward(state, link, 'first', 0);
  const known = [...state.recent, ...state.retained, ...state.heads].find(
    (seen) => seen.epoch === link.epoch && seen.sequence === link.sequence,
  );
  if (known !== undefined) {
    if (!equalBytes(known.hash, link.hash)) return stay(state, 'fork');
    // A retained message comes again with every subscription; an event of an earlier boot never.
    const stale = link.type === 'event' && link.epoch < newest.epoch;
    return stay(state, stale ? 'replay' : 'duplicate');
  }
  if (link.epoch > newest.epoch) return forward(state, link, 'new-epoch', link.sequence);
  if (link.epoch < newest.epoch) {
    const head = state.heads.find((candidate) => candidate.epoch === link.epoch);
    return stay(state, head !== undefined && link.sequence > head.sequence ? 'rollback' : 'replay');
  }
  if (link.sequence < newest.sequence) return stay(state, 'replay');
  const missing = link.sequence - newest.sequence - 1;
  if (missing > 0) return forward(state, link, 'gap', missing);
  return equalBytes(link.previous, newest.hash)
    ? forward(state, link, 'next', 0)
    : stay(state, 'fork');
}

function stay(state: ChainState, verdict: ChainVerdict): ChainStep {
  return { state, verdict, missing: 0 };
}

function forward(
  state: ChainState,
  link: ChainInput,
  verdict: ChainVerdict,
  missing: number,
): ChainStep {
  const { type, epoch, sequence, hash } = link;
  const place: ChainLink = { epoch, sequence, hash };
  const heads = [...state.heads.filter((head) => head.epoch !== epoch), place];
  const retained =
    type === 'event'
      ? state.retained
      : [...state.retained.filter((seen) => seen.type !== type), { ...place, type }];
  return {
    state: {
      heads: heads.slice(-CHAIN_EPOCHS_MAX),
      recent: [...state.recent, place].slice(-CHAIN_HASHES_MAX),
      retained,
    },
    verdict,
    missing,
  };
}
