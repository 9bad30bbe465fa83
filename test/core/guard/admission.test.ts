import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MODEL_PORTS_MAX } from '../../../src/core/base/limits.ts';
import { admitTensors, carries } from '../../../src/core/guard/admission.ts';
import { DTYPES, type DType, type Tensor } from '../../../src/core/numeric/tensor.ts';

const codeOf = (value: unknown): string => {
  const admitted = admitTensors(value);
  return admitted.ok ? 'ok' : admitted.fault.code;
};
const xOf = (value: unknown): Tensor => {
  const admitted = admitTensors(value);
  if (!admitted.ok) throw new Error(admitted.fault.message);
  return admitted.value.get('x') as Tensor;
};
const one = (changes: object): object => ({
  x: { dtype: 'float32', dims: [2], data: Float32Array.of(1, 2), ...changes },
});

const GOOD: Record<DType, unknown> = {
  float32: Float32Array.of(1, -0),
  float64: Float64Array.of(1, 2),
  float16: Uint16Array.of(0x3c00, 0x7e00),
  int8: Int8Array.of(1, 2),
  int16: Int16Array.of(1, 2),
  int32: Int32Array.of(1, 2),
  int64: BigInt64Array.of(1n, 2n),
  uint8: Uint8Array.of(1, 2),
  uint16: Uint16Array.of(1, 2),
  uint32: Uint32Array.of(1, 2),
  uint64: BigUint64Array.of(1n, 2n),
  bool: Uint8Array.of(0, 1),
  string: ['a', 'b'],
};

function throwNothing(): never {
  throw undefined;
}

describe('admitTensors', () => {
  it.each(DTYPES)('copies %s data in the class that carries it, and no other', (dtype) => {
    const data = GOOD[dtype];
    const tensor = xOf(one({ dtype, data }));
    expect(tensor).toEqual({ dtype, dims: [2], data });
    expect(tensor.data).not.toBe(data);
    for (const other of DTYPES) {
      const fits = carries(other, data);
      if (other !== 'bool') expect(codeOf(one({ dtype: other, data })) === 'ok').toBe(fits);
    }
  });

  it('takes a Map and a plain object alike, and a member called __proto__ as a name', () => {
    const { x } = one({}) as { x: Tensor };
    expect(admitTensors(new Map([['x', x]]))).toEqual(admitTensors({ x }));
    const odd = Object.defineProperty({}, '__proto__', { value: x, enumerable: true });
    const admitted = admitTensors(odd);
    expect(admitted.ok && [...admitted.value.keys()]).toEqual(['__proto__']);
  });

  it('gives the copy memory of its own', () => {
    const shared = new Float32Array(new SharedArrayBuffer(16), 4, 2);
    const tensor = xOf(one({ data: shared }));
    shared[0] = 7;
    expect(tensor.data).toEqual(Float32Array.of(0, 0));
    expect((tensor.data as Float32Array).buffer.byteLength).toBe(8);
  });

  it('reads every member once', () => {
    const reads: string[] = [];
    const count = (target: object): object =>
      new Proxy(target, {
        get(from, key) {
          reads.push(String(key));
          const value: unknown = Reflect.get(from, key);
          return Array.isArray(value) ? count(value) : value;
        },
      });
    const admitted = admitTensors({
      x: count({ dtype: 'float32', dims: [1, 2], data: GOOD.float32 }),
    });
    expect(admitted.ok).toBe(true);
    expect(reads.sort()).toEqual(['0', '1', 'data', 'dims', 'dtype', 'length']);
  });

  it('uses what a getter said the first time', () => {
    let asked = 0;
    const turning = {
      dtype: 'float32',
      dims: [2],
      get data() {
        return asked++ === 0 ? Float32Array.of(1, 2) : Float32Array.of(Number.NaN);
      },
    };
    expect(xOf({ x: turning }).data).toEqual(Float32Array.of(1, 2));
    expect(asked).toBe(1);
  });

  const no = (): never => {
    throw new Error('no');
  };
  const revoked = (): object => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  };
  // Makers, because a test's own title is made by looking at its arguments.
  it.each<[string, () => unknown]>([
    ['an ownKeys trap', () => new Proxy({}, { ownKeys: no })],
    ['a getter', () => ({ x: Object.defineProperty({}, 'dims', { get: no }) })],
    ['a member that throws', () => ({ x: new Proxy({}, { get: no }) })],
    ['a throw of nothing', () => new Proxy({}, { ownKeys: throwNothing })],
    ['a revoked proxy', () => ({ x: revoked() })],
    ['a proxied Map', () => new Proxy(new Map(), {})],
    ['an object that calls itself a Map', () => Object.create(Map.prototype) as object],
    ['a length that throws', () => one({ dims: new Proxy([], { get: no }) })],
  ])('refuses %s without passing the throw on', (_, make) => {
    expect(codeOf(make())).toBe('guard.unreadable');
  });

  it.each<[string, () => unknown]>([
    ['a fake', () => ({ [Symbol.toStringTag]: 'Float32Array', length: 2, byteLength: 8 })],
    ['a proxied typed array', () => new Proxy(new Float32Array(2), {})],
    ['a DataView', () => new DataView(new ArrayBuffer(8))],
    ['a list', () => [1, 2]],
    ['nothing', () => undefined],
  ])('refuses %s as data', (_, make) => {
    expect(codeOf(one({ data: make() }))).toBe('guard.tensor-data');
  });

  it('does not believe a subclass about its own length', () => {
    class Liar extends Float32Array {
      override get length(): number {
        return 2 ** 40;
      }
      override *[Symbol.iterator](): ArrayIterator<number> {
        yield* [9, 9];
      }
    }
    const tensor = xOf(one({ data: new Liar([1, 2]) }));
    expect(Object.getPrototypeOf(tensor.data)).toBe(Float32Array.prototype);
    expect(tensor.data).toEqual(Float32Array.of(1, 2));
  });

  it.each<[string, unknown]>([
    ['negative', [-1]],
    ['NaN', [Number.NaN]],
    ['infinite', [Infinity]],
    ['broken', [1.5]],
    ['beyond whole doubles', [2 ** 60]],
    ['of a text', ['2']],
    ['of a bigint', [2n]],
    ['of an object with valueOf', [{ valueOf: () => 2 }]],
    ['sparse', new Array(3)],
    ['of nine axes', new Array(9).fill(1)],
    ['a huge sparse list', new Array(2 ** 32 - 1)],
    ['a typed array', Int32Array.of(2)],
    ['missing', undefined],
  ])('refuses dimensions that are %s', (_, dims) => {
    expect(codeOf(one({ dims }))).toBe('guard.tensor-dims');
  });

  it('makes dimension -0 an ordinary 0', () => {
    expect(Object.is(xOf(one({ dims: [-0] })).dims[0], 0)).toBe(true);
  });

  it('leaves the sizes to the contract: dimensions may say more than the data', () => {
    expect(codeOf(one({ dims: [2 ** 40] }))).toBe('ok');
  });

  it('bounds texts by their length before it copies them', () => {
    expect(codeOf(one({ dtype: 'string', data: new Array(2 ** 31) }))).toBe('guard.tensor-bytes');
    expect(codeOf(one({ dtype: 'string', data: new Array(2) }))).toBe('guard.tensor-data');
    expect(codeOf(one({ dtype: 'string', data: ['a', 1] }))).toBe('guard.tensor-data');
    for (const length of [Number.NaN, -1]) {
      const odd = new Proxy([], { get: () => length });
      expect(codeOf(one({ dtype: 'string', data: odd }))).toBe('guard.tensor-bytes');
    }
    expect(admitTensors(one({ dtype: 'string', data: ['ab'] }), 12).ok).toBe(true);
    expect(admitTensors(one({ dtype: 'string', data: ['abc'] }), 12).ok).toBe(false);
  });

  it('bounds all tensors of a frame together', () => {
    const { x } = one({}) as { x: object };
    expect(admitTensors({ x, y: x }, 16).ok).toBe(true);
    expect(admitTensors({ x, y: x }, 15)).toMatchObject({
      ok: false,
      fault: { code: 'guard.tensor-bytes' },
    });
  });

  it('bounds the number of tensors', () => {
    const { x } = one({}) as { x: object };
    const many = Array.from({ length: MODEL_PORTS_MAX + 1 }, (_, i) => [`x${i}`, x] as const);
    expect(codeOf(new Map(many))).toBe('guard.tensors');
    expect(codeOf(new Map(many.slice(1)))).toBe('ok');
  });

  it('refuses names that are no names', () => {
    const { x } = one({}) as { x: object };
    expect(codeOf(new Map([[1, x]]))).toBe('guard.tensor-name');
    expect(codeOf({ ['x'.repeat(129)]: x })).toBe('guard.tensor-name');
  });

  it('refuses a bool that is neither 0 nor 1', () => {
    expect(codeOf(one({ dtype: 'bool', data: Uint8Array.of(0, 2) }))).toBe('guard.tensor-data');
  });

  it('escapes and cuts names in its words', () => {
    const admitted = admitTensors({ ['\n\u001b[2J'.padEnd(100, 'z')]: 1 });
    const message = admitted.ok ? '' : admitted.fault.message;
    expect(message).toContain('\\n\\u001b');
    expect(message.length).toBeLessThan(160);
  });

  it('never throws, whatever comes', () => {
    const anything = fc.anything({ withMap: true, withTypedArray: true, withSparseArray: true });
    const tensorLike = fc.record({
      dtype: fc.oneof(fc.constantFrom(...DTYPES), anything),
      dims: fc.oneof(fc.array(fc.nat({ max: 3 }), { maxLength: 9 }), anything),
      data: fc.oneof(fc.constantFrom(...Object.values(GOOD)), anything),
    });
    const frame = fc.oneof(anything, fc.dictionary(fc.string(), fc.oneof(tensorLike, anything)));
    fc.assert(
      fc.property(frame, (value) => {
        expect(codeOf(value)).toMatch(/^(ok|guard\.(tensor|unreadable))/);
      }),
      { numRuns: 500 },
    );
  });
});
