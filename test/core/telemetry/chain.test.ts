import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHAIN_EPOCHS_MAX, CHAIN_HASHES_MAX } from '../../../src/core/base/limits.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import {
  type ChainInput,
  type ChainState,
  EMPTY_CHAIN,
  followChain,
} from '../../../src/core/telemetry/chain.ts';
import { NO_PREVIOUS } from '../../../src/core/telemetry/envelope.ts';

/** An honest chain: a birth and `length - 1` events; another salt is another machine. */
function chainOf(epoch: number, length: number, salt: number = 0): ChainInput[] {
  const links: ChainInput[] = [];
  let previous = NO_PREVIOUS;
  for (let sequence = 0; sequence < length; sequence++) {
    const hash = sha256(new Uint8Array([epoch, sequence >> 8, sequence & 255, salt, ...previous]));
    links.push({ type: sequence === 0 ? 'birth' : 'event', epoch, sequence, previous, hash });
    previous = hash;
  }
  return links;
}

/** Every verdict on the way, and where it ends. */
function follow(
  links: readonly ChainInput[],
  from: ChainState = EMPTY_CHAIN,
): { verdicts: string[]; state: ChainState } {
  const verdicts: string[] = [];
  let state = from;
  for (const link of links) {
    const step = followChain(state, link);
    verdicts.push(step.missing > 0 ? `${step.verdict} ${step.missing}` : step.verdict);
    state = step.state;
  }
  return { verdicts, state };
}

const at = (links: readonly ChainInput[], index: number): ChainInput => links[index] as ChainInput;

describe('chain', () => {
  it('follows an honest device through its boots', () => {
    expect(follow([...chainOf(1, 3), ...chainOf(2, 2), ...chainOf(9, 1)]).verdicts).toEqual([
      'first',
      'next',
      'next',
      'new-epoch',
      'next',
      'new-epoch',
    ]);
  });

  it('takes a repetition of QoS 1 for what it is and goes on', () => {
    const links = chainOf(1, 4);
    const seen = [
      at(links, 0),
      at(links, 1),
      at(links, 2),
      at(links, 1),
      at(links, 2),
      at(links, 3),
    ];
    expect(follow(seen).verdicts).toEqual([
      'first',
      'next',
      'next',
      'duplicate',
      'duplicate',
      'next',
    ]);
  });

  it('counts what is lost, inside an epoch and at its start', () => {
    const links = chainOf(1, 10);
    const next = chainOf(2, 10);
    expect(
      follow([at(links, 0), at(links, 4), at(links, 5), at(next, 3), at(next, 4)]).verdicts,
    ).toEqual(['first', 'gap 3', 'next', 'new-epoch 3', 'next']);
  });

  it('catches a replay: of what was skipped, of what is forgotten, of an earlier epoch', () => {
    const links = chainOf(1, 5);
    expect(follow([at(links, 0), at(links, 3), at(links, 2)]).verdicts).toEqual([
      'first',
      'gap 2',
      'replay',
    ]);
    const long = chainOf(1, CHAIN_HASHES_MAX + 10);
    expect(followChain(follow(long).state, at(long, 2)).verdict).toBe('replay');
    const { state } = follow([...chainOf(1, 5), ...chainOf(3, CHAIN_HASHES_MAX + 1)]);
    expect(followChain(state, at(links, 2)).verdict).toBe('replay');
    expect(followChain(state, at(chainOf(2, 5), 2)).verdict).toBe('replay');
  });

  it('catches an earlier epoch that goes on', () => {
    const { state } = follow([...chainOf(1, 5), ...chainOf(2, 2)]);
    expect(followChain(state, at(chainOf(1, 6), 5)).verdict).toBe('rollback');
  });

  it('catches a clone: another message in a place, or another past', () => {
    const { state } = follow(chainOf(1, 5));
    const clone = chainOf(1, 7, 1);
    expect(followChain(state, at(clone, 4)).verdict).toBe('fork');
    expect(followChain(state, at(clone, 5)).verdict).toBe('fork');
    expect(follow([at(clone, 4), at(chainOf(1, 6), 5)], state).verdicts).toEqual(['fork', 'next']);
  });

  it('knows retained messages again long after, for a broker repeats them', () => {
    const links = chainOf(1, CHAIN_HASHES_MAX + 50);
    const { state } = follow(links);
    expect(followChain(state, at(links, 0)).verdict).toBe('duplicate');
  });

  it('only moves forward and stays bounded, whatever comes', () => {
    const machines = [chainOf(1, 6), chainOf(2, 6), chainOf(2, 6, 1), chainOf(5, 6)].flat();
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...machines), { maxLength: 60 }), (links) => {
        let state = EMPTY_CHAIN;
        for (const link of links) {
          const before = state.heads.at(-1);
          const step = followChain(state, link);
          const moved = ['first', 'next', 'gap', 'new-epoch'].includes(step.verdict);
          expect(step.state === state).toBe(!moved);
          if (moved && before !== undefined) {
            const later = link.epoch === before.epoch && link.sequence > before.sequence;
            expect(later || link.epoch > before.epoch).toBe(true);
          }
          if (moved) expect(followChain(step.state, link).verdict).toBe('duplicate');
          state = step.state;
        }
      }),
    );
    const { state } = follow(Array.from({ length: 50 }, (_, epoch) => chainOf(epoch, 20)).flat());
    expect(state.heads.length).toBe(CHAIN_EPOCHS_MAX);
    expect(state.recent.length).toBe(CHAIN_HASHES_MAX);
    expect(state.retained.length).toBe(1);
  });
});
