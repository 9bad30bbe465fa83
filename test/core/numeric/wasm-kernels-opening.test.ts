import { describe, expect, it } from 'vitest';
import type { Result } from '../../../src/core/base/fault.ts';
import {
  CLASSES_MAX,
  FEATURES_MAX,
  GUARD_POLICY_BYTES_MAX,
  KERNEL_MEMORY_BYTES_MAX,
} from '../../../src/core/base/limits.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { CALL_BYTES, openKernelMemory, roomOf } from '../../../src/core/numeric/kernel-memory.ts';
import type { Kernels } from '../../../src/core/numeric/kernels.ts';
import { checkKernels } from '../../../src/core/numeric/kernels-check.ts';
import { referenceKernels as reference } from '../../../src/core/numeric/reference.ts';
import { instantiateKernels, openWasmKernels } from '../../../src/core/numeric/wasm-kernels.ts';
import { compiledKernels } from '../../compiled-kernels.ts';

const built = await compiledKernels();
const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

function codeOf(result: Result<unknown>): string {
  return result.ok ? 'ok' : result.fault.code;
}

function messageOf(result: Result<unknown>): string {
  return result.ok ? '' : result.fault.message;
}

describe('opening', () => {
  it('takes the file that the pinned compiler makes of wasm/, every time the same', async () => {
    expect(await compiledKernels()).toEqual(built);
    expect(codeOf(openWasmKernels(built, sha256))).toBe('ok');
    expect(built.length).toBeLessThan(16_384);
  });

  it('takes no other, whatever it would do', () => {
    for (const at of [0, 100, 5000, built.length - 1]) {
      const changed = built.slice();
      changed[at] = (changed[at] as number) ^ 1;
      expect(codeOf(openWasmKernels(changed, sha256))).toBe('kernels.digest');
    }
    for (const length of [0, 8, 4000, built.length - 1]) {
      expect(codeOf(openWasmKernels(built.subarray(0, length), sha256))).toBe('kernels.digest');
    }
    expect(codeOf(openWasmKernels(Uint8Array.of(...built, 0), sha256))).toBe('kernels.digest');
  });
});

describe('a module that nobody vouched for', () => {
  it('is no module when it was cut or is something else', () => {
    for (const length of [0, 4, 9, 1000, built.length - 1]) {
      expect(codeOf(instantiateKernels(built.slice(0, length)))).toBe('kernels.module');
    }
    expect(codeOf(instantiateKernels(new Uint8Array(100)))).toBe('kernels.module');
  });

  it('gets nothing from outside', () => {
    // (module (import "env" "f" (func)))
    const type = [0x01, 0x04, 0x01, 0x60, 0x00, 0x00];
    const wanted = [0x02, 0x09, 0x01, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x66, 0x00, 0x00];
    const importing = instantiateKernels(Uint8Array.of(...HEADER, ...type, ...wanted));
    expect(messageOf(importing)).toBe('the module imports function f');
    expect(codeOf(importing)).toBe('kernels.module');
  });

  it('gets nothing from outside, also where all the rest is right', async () => {
    const importing = instantiateKernels(await compiledKernels('--importMemory', '-O0'));
    expect(messageOf(importing)).toBe('the module imports memory memory');
  });

  it('has every kernel', () => {
    expect(messageOf(instantiateKernels(Uint8Array.from(HEADER)))).toBe(
      'the module exports no memory memory',
    );
  });

  it('has no more memory than the limit, and some', async () => {
    const pages = KERNEL_MEMORY_BYTES_MAX / 65_536;
    const [more, less] = [String(pages + 1), '2'];
    const large = await compiledKernels('--initialMemory', more, '--maximumMemory', more, '-O0');
    expect(codeOf(instantiateKernels(large))).toBe('kernels.module');
    const small = await compiledKernels('--initialMemory', less, '--maximumMemory', less, '-O0');
    expect(codeOf(instantiateKernels(small))).toBe('kernels.module');
  });
});

describe('the self-check', () => {
  const wrong: [string, Partial<Kernels>][] = [
    ['scan', { scan: () => ({ finite: true, min: 0, max: 1 }) }],
    ['scan', { scan: (values) => ({ ...reference.scan(values), finite: true }) }],
    ['nearestSquared', { nearestSquared: (...args) => reference.nearestSquared(...args) + 1e-6 }],
    ['nearestSquared', { nearestSquared: () => NaN }],
    ['gen', { gen: (logits, gamma) => -reference.gen(logits, gamma) }],
    ['kthNearestSquared', { kthNearestSquared: (b, x) => reference.kthNearestSquared(b, x, 1) }],
    ['softmaxEnergy', { softmaxEnergy: (logits) => reference.softmaxEnergy(logits, none) }],
    ['histogram', { histogram: (_v, _l, _h, counts) => void counts.fill(13) }],
  ];
  const none = new Float64Array(0);

  it('lets the reference pass', () => {
    expect(codeOf(checkKernels(reference))).toBe('ok');
  });

  it.each(wrong)('finds a wrong %s (%#)', (kernel, changed) => {
    const checked = checkKernels({ ...reference, ...changed });
    expect(codeOf(checked)).toBe('kernels.self-check');
    expect(messageOf(checked)).toMatch(new RegExp(`^${kernel} gives `));
  });

  it('finds a kernel that traps', () => {
    const trapping: Kernels = {
      ...reference,
      gen() {
        throw new RangeError('unreachable');
      },
    };
    expect(messageOf(checkKernels(trapping))).toBe('gen: RangeError: unreachable');
  });
});

describe('the memory', () => {
  const kernels = ((): Kernels => {
    const opened = openWasmKernels(built, sha256);
    if (!opened.ok) throw new Error(opened.fault.message);
    return opened.value;
  })();

  it('holds every policy and every row that a policy may ask for', () => {
    expect(KERNEL_MEMORY_BYTES_MAX).toBeGreaterThanOrEqual(2 * GUARD_POLICY_BYTES_MAX);
    expect(CALL_BYTES).toBeGreaterThanOrEqual(8 * Math.max(FEATURES_MAX, CLASSES_MAX));
  });

  it('keeps apart what is alike: one array in two places, one bank in two widths', () => {
    const both = Float64Array.of(1, 2, 3, 4, 5, 6);
    const x = Float64Array.of(1, -1, 2);
    const wanted = reference.nearestSquared(both, both, x);
    expect(kernels.nearestSquared(both, both, x)).toBe(wanted);
    expect(kernels.nearestSquared(both, both.slice(), x)).toBe(wanted);
    const bank = Float32Array.from(both);
    for (const width of [1, 2, 3, 2, 1]) {
      const point = new Float32Array(width);
      const want = reference.kthNearestSquared(bank, point, 1);
      expect(kernels.kthNearestSquared(bank, point, 1)).toBe(want);
    }
  });

  it('keeps sets of centres apart that share a whitener', () => {
    const whitener = Float64Array.of(1, 0, 1);
    const sets = [1, 2, 3, 4].map((at) => Float64Array.of(at, 0));
    for (const _ of [1, 2]) {
      sets.forEach((centres, i) => {
        expect(kernels.nearestSquared(whitener, centres, Float64Array.of(0, 0))).toBe((i + 1) ** 2);
      });
    }
  });

  it('starts anew where constants no longer fit beside each other', () => {
    // Four of them are more than the limit.
    const banks = [3, 5, 7, 9].map((value) => new Float32Array(5_000_000).fill(value));
    for (const _ of [1, 2]) {
      banks.forEach((bank, i) => {
        const point = new Float32Array(2000);
        expect(kernels.kthNearestSquared(bank, point, 2)).toBe((3 + 2 * i) ** 2 * 2000);
      });
    }
  });

  it('leaves to the reference what can never fit', () => {
    const bank = new Float32Array(KERNEL_MEMORY_BYTES_MAX / 4).fill(2);
    expect(kernels.kthNearestSquared(bank, new Float32Array(4096), 3)).toBe(4 * 4096);
  });

  it('leaves to the reference what the machine has no memory for', () => {
    const stingy = { buffer: new ArrayBuffer(4 * 65_536), grow: refuseToGrow };
    const opened = openKernelMemory(stingy, 1024);
    expect(codeOf(opened)).toBe('ok');
    if (!opened.ok) return;
    expect(opened.value.makeRoom(1024)).toBe(true);
    expect(opened.value.makeRoom(2 * 65_536)).toBe(false);
    expect(opened.value.makeRoom(KERNEL_MEMORY_BYTES_MAX)).toBe(false);
    expect(codeOf(openKernelMemory({ ...stingy, buffer: new ArrayBuffer(64) }, 0))).toBe(
      'kernels.module',
    );
    for (const heapStart of [-1, NaN, undefined, 2 ** 40]) {
      expect(codeOf(openKernelMemory(stingy, heapStart))).toBe('kernels.module');
    }
    expect(roomOf(65)).toBe(128);
  });
});

function refuseToGrow(): number {
  throw new RangeError('no memory');
}
