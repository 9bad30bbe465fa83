/** Readers with one defect each: the fuzzer must find every one of them. */
import { err, ok, type Result } from '../../src/core/base/fault.ts';
import { COSE_FAULTS } from '../../src/core/cose/faults.ts';
import { noise } from './byte-changes.ts';
import { forged, type Target, trial } from './trial.ts';

/** Good but for one case of its hundred or so, which is the fuzzer's business to reach. */
function planted(
  name: string,
  judge: (input: Uint8Array) => Result<unknown>,
  check?: (value: unknown) => string | undefined,
): Target {
  return {
    name,
    share: 1,
    firstGate: /^cbor\./,
    trial(random) {
      const input = noise(64, random);
      const good = ok(input.length);
      const defective = () => (random.oneIn(50) ? judge(input) : good);
      return trial(input, defective, (value) =>
        value === input.length ? undefined : check?.(value),
      );
    },
  };
}

const next = COSE_FAULTS['cbor.size'];

export const TARGETS: readonly Target[] = [
  planted('sound', () => ok(64)),
  planted('throws', () => {
    throw new RangeError('out of range');
  }),
  planted('takes what it is told', () => ok(new Uint8Array(2 ** 27).length)),
  planted('makes much of little', () => ok(Array.from({ length: 50_000 }, () => 0))),
  planted('invents a code', () => err({ code: 'cbor.new', message: 'x', next })),
  planted('leaves the way forward out', () => err({ code: 'cbor.size', message: 'x', next: '' })),
  planted('breaks the line', () => err({ code: 'cbor.size', message: 'a\nb', next })),
  planted('accepts a forgery', () => ok('yes'), forged),
  planted('hangs', () => {
    for (;;);
  }),
];
