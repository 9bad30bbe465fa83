/** Golden vectors through the program: packed by default, from rows, or left out. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../../src/apps/cli/exit-codes.ts';
import { encodeModel } from '../../../src/core/onnx/writer.ts';
import { floats, TOY_INPUTS, toyRows } from '../maker/toy.ts';
import { edgeward, expectRefused, jsonOf, linesOf, outputOf } from './program.ts';
import { openToyBench, type ToyBench } from './toy-bench.ts';

let bench: ToyBench;

beforeAll(async () => {
  bench = await openToyBench();
});

afterAll(() => bench.remove());

const pack = (out: string, ...more: string[]): string[] =>
  bench.pack(out, '--contract-only', ...more);

describe('edgeward pack', () => {
  it('makes golden vectors of seeded noise, and the same bundle every time', async () => {
    const [said, made] = await Promise.all([
      edgeward(pack('noise.bundle')),
      jsonOf(pack('again.bundle')),
    ]);
    expect(said.code).toBe(0);
    expect(said.stdout).toContain('golden vectors: 8 of seeded noise');
    expect(made['goldenVectors']).toBe(8);
    const [one, two] = ['noise.bundle', 'again.bundle'].map((name) => readFileSync(bench.at(name)));
    expect(one?.equals(two as Buffer)).toBe(true);
  });

  it('takes the first rows of --golden, and none with --no-golden', async () => {
    bench.npy('three.npy', toyRows(9, 3).x);
    const [rows, none, words] = await Promise.all([
      jsonOf(pack('rows.bundle', '--golden', bench.at('three.npy'))),
      jsonOf(pack('none.bundle', '--no-golden')),
      edgeward(pack('words.bundle', '--golden', `x=${bench.at('three.npy')}`)),
    ]);
    expect(rows['goldenVectors']).toBe(3);
    expect(none['goldenVectors']).toBe(0);
    expect(words.stdout).toContain('golden vectors: 3 recorded');
    const listed = await outputOf(['inspect', bench.at('rows.bundle')]);
    expect(listed).toContain('golden.cbor');
    expect(await outputOf(['inspect', bench.at('none.bundle')])).not.toContain('golden.cbor');
  });

  it('refuses rows that a device would refuse, and a model that rolls dice', async () => {
    bench.npy('wild.npy', floats([1, TOY_INPUTS], Array(TOY_INPUTS).fill(99) as number[]));
    const port = (name: string) => ({ name, dtype: 'float32', dims: [1, 4] }) as const;
    const nodes = [{ op: 'RandomNormalLike', inputs: ['x'], outputs: ['y'] }];
    const graph = { name: 'dice', nodes, inputs: [port('x')], outputs: [port('y')] };
    bench.write('dice.onnx', encodeModel({ graph }));
    bench.write('bare.json', '{}');
    const dice = ['--model', bench.at('dice.onnx'), '--metadata', bench.at('bare.json')];
    const [wild, random, left] = await Promise.all([
      edgeward(pack('no.bundle', '--golden', bench.at('wild.npy'))),
      edgeward(pack('no.bundle', ...dice)),
      edgeward(pack('dice.bundle', ...dice, '--no-golden')),
    ]);
    expectRefused(wild, 'golden.contract', EXIT_CODES['golden'] as number, /contract\.range/);
    expectRefused(
      random,
      'maker.not-deterministic',
      EXIT_CODES['maker'] as number,
      /output y differs/,
    );
    expect(random.stderr).toContain('(--no-golden)');
    expect(left.code).toBe(0);
  });

  it('never writes over the rows', async () => {
    bench.npy('kept.npy', toyRows(9, 3).x);
    const ran = await edgeward([...pack('kept.npy', '--golden', bench.at('kept.npy'))]);
    expectRefused(ran, 'cli.option', EXIT_CODES['cli'] as number, /would overwrite/);
  });
});

describe('a bundle with golden vectors', () => {
  it('is verified and judged as any other', async () => {
    await outputOf(pack('golden.bundle'));
    await outputOf(bench.trusting('verify', 'golden.bundle'));
    const lines = await linesOf(
      bench.trusting('infer', 'golden.bundle', '--input', bench.at('usual.npy')),
    );
    expect(lines).toHaveLength(40);
    expect(new Set(lines.map(({ verdict }) => verdict))).toEqual(new Set(['release']));
  });
});
