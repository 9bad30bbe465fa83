/** calibrate and infer through the program: promises, refusals with their numbers, verdicts. */
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES, EXIT_READER_GONE } from '../../../src/apps/cli/exit-codes.ts';
import { need } from '../../../src/core/base/fault.ts';
import { decodeGuardPolicy } from '../../../src/core/guard/policy-codec.ts';
import { floats, toyModel, toyRows } from '../maker/toy.ts';
import {
  edgeward,
  ending,
  expectRefused,
  jsonOf,
  linesOf,
  outputOf,
  type Ran,
  startEdgeward,
} from './program.ts';
import { METADATA, openToyBench, type ToyBench } from './toy-bench.ts';

const exit = (family: string): number => EXIT_CODES[family] as number;
let bench: ToyBench;

beforeAll(async () => {
  bench = await openToyBench();
});

afterAll(() => bench.remove());

describe('edgeward calibrate', () => {
  it('writes the policy, and gives the promise in figures and in words', async () => {
    const made = await jsonOf(bench.calibrate('--out', bench.at('json.cbor')));
    expect(made).toMatchObject({ detection: 'full', rowsHalfA: 100, rowsHalfB: 100 });
    expect(made).toMatchObject({ falseAlarms: 0.05, confidence: 0.95 });
    expect(made['statement']).toMatch(/^At most 5% of the frames/);
    const policy = need(decodeGuardPolicy(new Uint8Array(readFileSync(bench.at('json.cbor')))));
    expect(policy.checks.rank).toBe(made['rank']);
    expect(policy.outputs).toEqual({ scores: 'logits', features: 'features' });
    const said = await edgeward(bench.calibrate('--out', bench.at('said.cbor')));
    expect(said.stdout).toContain(String(made['statement']));
    expect(said.stdout).toMatch(/full detection, 3 classes/);
    expect(said.stderr).toBe('');
  });

  it('works without labels, by what the model answers', async () => {
    const args = bench.calibrate('--out', bench.at('own.cbor'));
    args.splice(args.indexOf('--labels'), 2);
    expect(await jsonOf(args)).toMatchObject({ detection: 'full' });
  });

  it('says that a model without features is judged with less', async () => {
    bench.write('bare.onnx', toyModel({ bare: true }));
    const args = [
      ...bench.calibrate('--out', bench.at('bare.cbor')),
      '--model',
      bench.at('bare.onnx'),
    ];
    const ran = await edgeward(args);
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).toMatch(/no output features: detection is REDUCED/);
    expect(ran.stdout).toContain('reduced detection');
  });

  it('refuses with the numbers that are missing, and writes nothing', async () => {
    const one = { dtype: 'int64', dims: [150], data: new BigInt64Array(150) } as const;
    const refusals: [code: string, words: RegExp, args: string[]][] = [
      ['calibration.rows', /40 .*needs 118 in all/, ['--calibration', bench.at('usual.npy')]],
      ['calibration.classes', /0: 150, 1: 0, 2: 0/, ['--labels', bench.npy('one.npy', one)]],
      ['maker.labels', /shape \[150, 8\]/, ['--labels', bench.at('fit.npy')]],
      ['maker.output', /no output y; there are logits, features/, ['--scores', 'y']],
      ['npy.magic', /NUMPY/, ['--fit', bench.at('toy.onnx')]],
      ['store.not-found', /none\.npy/, ['--fit', bench.at('none.npy')]],
      ['onnx.malformed', /not a protobuf message/, ['--model', bench.at('fit.npy')]],
    ];
    const out = bench.at('refused.cbor');
    const ran = await Promise.all(
      refusals.map(([, , args]) => edgeward([...bench.calibrate(), ...args, '--out', out])),
    );
    for (const [i, [code, words]] of refusals.entries()) {
      expectRefused(ran[i] as Ran, code, exit(code.slice(0, code.indexOf('.'))), words);
    }
    expect(existsSync(out)).toBe(false);
  });
});

describe('edgeward infer', () => {
  it('judges every row: usual ones are released, strange ones flagged with value and threshold', async () => {
    const [usual, strange] = await Promise.all(
      ['usual.npy', 'strange.npy'].map((file) =>
        linesOf(bench.trusting('infer', 'toy.bundle', '--input', bench.at(file))),
      ),
    );
    expect(usual?.map(({ row }) => row)).toEqual(Array.from({ length: 40 }, (_, row) => row));
    expect(usual?.filter(({ verdict }) => verdict === 'release').length).toBeGreaterThan(35);
    expect(strange?.every(({ verdict }) => verdict === 'flag')).toBe(true);
    const [line] = strange ?? [];
    expect(Object.keys(line ?? {})).toEqual([
      ...['row', 'verdict', 'source', 'outputs', 'novelty', 'input', 'reasons', 'mode'],
    ]);
    expect(line?.outputs['logits']).toHaveLength(3);
    expect(line?.novelty?.p).toBeGreaterThan(0);
    expect(line?.mode).toBe('NOMINAL');
    // Both checks see it, each with the p of its own score; values are on the scale that they share.
    expect(line?.reasons.map(({ code, p }) => [code, p])).toEqual([
      ['input.unlike-calibration', line?.input?.p],
      ['novelty.out-of-distribution', line?.novelty?.p],
    ]);
    for (const { value, threshold } of line?.reasons ?? []) {
      expect(value).toBeLessThan(threshold as number);
    }
  });

  it('for people: a line each, and a count on stderr', async () => {
    const ran = await edgeward(
      bench.trusting('infer', 'toy.bundle', '--input', bench.at('strange.npy')),
    );
    expect(ran.stdout.trimEnd().split('\n')).toHaveLength(20);
    expect(ran.stdout).toMatch(/^ {4}0 {2}flag {8}p=0\.0\d+ {2}input p=0\.0\d+ {2}logits=\[/);
    expect(ran.stderr).toContain('20 rows: 20 flag');
    expect(ran.stdout + ran.stderr).not.toContain('\u001b');
  });

  it('converts integer recordings as they are, or as the metadata says', async () => {
    const bytes = Uint8Array.from({ length: 16 }, (_, i) => i * 16);
    bench.npy('bytes.npy', { dtype: 'uint8', dims: [2, 8], data: bytes });
    bench.npy('plain.npy', floats([2, 8], bytes));
    bench.npy(
      'scaled.npy',
      floats(
        [2, 8],
        Array.from(bytes, (value) => value / 16 - 4),
      ),
    );
    const convert = { scale: 1 / 16, offset: -4 };
    const inputs = { x: { range: [-20, 300], convert } };
    bench.write('convert.json', JSON.stringify({ ...METADATA, inputs }));
    bench.write('wide.json', JSON.stringify({ ...METADATA, inputs: { x: { range: [0, 255] } } }));
    for (const name of ['convert', 'wide']) {
      await outputOf([
        ...bench.pack(`${name}.bundle`, '--contract-only'),
        '--metadata',
        bench.at(`${name}.json`),
      ]);
    }
    const infer = (bundle: string, file: string) =>
      linesOf(bench.trusting('infer', bundle, '--input', bench.at(file)));
    const wide = await infer('wide.bundle', 'bytes.npy');
    expect(wide).toEqual(await infer('wide.bundle', 'plain.npy'));
    expect(wide.map(({ verdict }) => verdict)).toEqual(['release', 'release']);
    const scaled = await infer('plain.bundle', 'scaled.npy');
    expect((await infer('convert.bundle', 'bytes.npy')).map(({ outputs }) => outputs)).toEqual(
      scaled.map(({ outputs }) => outputs),
    );
  });

  it('a row that breaks the contract gets the declared safe output, the next ones are judged', async () => {
    const { data } = toyRows(5, 4).x;
    const broken = Float32Array.from(data as Float32Array);
    broken[3] = Number.NaN;
    broken[8] = 21;
    bench.npy('broken.npy', floats([4, 8], broken));
    const lines = await linesOf(
      bench.trusting('infer', 'toy.bundle', '--input', bench.at('broken.npy')),
    );
    expect(lines.map(({ verdict }) => verdict).slice(0, 2)).toEqual(['substitute', 'substitute']);
    expect(lines.map(({ source }) => source)).toEqual(['safe', 'safe', 'model', 'model']);
    expect(lines[0]?.outputs).toEqual({ logits: [0, 0, 9] });
    expect(
      lines.flatMap(({ reasons }) => reasons.slice(0, 1).map(({ code }) => code)).slice(0, 2),
    ).toEqual(['contract.not-finite', 'contract.range']);
  });

  it('takes one frame without its batch axis, and inputs by name', async () => {
    bench.npy('one.npy', floats([8], (toyRows(3, 1).x.data as Float32Array).subarray(0, 8)));
    const [bare] = await linesOf(
      bench.trusting('infer', 'plain.bundle', '--input', bench.at('one.npy')),
    );
    const [first] = await linesOf(
      bench.trusting('infer', 'plain.bundle', '--input', `x=${bench.at('usual.npy')}`),
    );
    expect(bare).toEqual(first);
  });

  it('refuses inputs that it cannot match', async () => {
    bench.write('two.onnx', toyModel({ second: true }));
    bench.write('two.json', '{}');
    const pack = bench.pack('two.bundle', '--contract-only');
    await outputOf([...pack, '--model', bench.at('two.onnx'), '--metadata', bench.at('two.json')]);
    const usual = bench.at('usual.npy');
    const strange = bench.at('strange.npy');
    const cases: [words: RegExp, bundle: string, inputs: string[]][] = [
      [
        /offst=.* names none of the inputs x, offset; did you mean offset\?/,
        'two.bundle',
        [`x=${usual}`, `offst=${usual}`],
      ],
      [/names none of the inputs x, offset$/, 'two.bundle', [usual]],
      [/the input "offset" is missing/, 'two.bundle', [`x=${usual}`]],
      [/the input "x" is given twice/, 'two.bundle', [`x=${usual}`, `x=${usual}`]],
      [/the inputs have 40 and 20 rows/, 'two.bundle', [`x=${usual}`, `offset=${strange}`]],
      [
        /"x" takes 2 axes, the file has \[2, 2, 2, 2\]/,
        'toy.bundle',
        [bench.npy('four.npy', floats([2, 2, 2, 2], new Float32Array(16)))],
      ],
    ];
    const ran = await Promise.all(
      cases.map(([, bundle, inputs]) =>
        edgeward(bench.trusting('infer', bundle, '--input', ...inputs)),
      ),
    );
    for (const [i, [words]] of cases.entries()) {
      expectRefused(ran[i] as Ran, 'maker.input', exit('maker'), words);
    }
    const both = await linesOf(
      bench.trusting('infer', 'two.bundle', '--input', `x=${usual}`, '--input', `offset=${usual}`),
    );
    expect(both).toHaveLength(40);
  });

  it('verifies before it reads an input, as verify does', async () => {
    const floor = bench.trusting(
      'infer',
      'toy.bundle',
      '--floor',
      '8',
      '--input',
      bench.at('none.npy'),
    );
    expectRefused(await edgeward(floor), 'rollback.security-version', exit('rollback'));
    const strict = bench.trusting(
      'infer',
      'toy.bundle',
      '--profile',
      'production',
      '--input',
      bench.at('usual.npy'),
    );
    expectRefused(await edgeward(strict), 'trust.development-key', exit('trust'));
  });

  it('ends quietly when nobody reads on', async () => {
    bench.npy('many.npy', toyRows(6, 1500).x);
    const args = bench.trusting('infer', 'toy.bundle', '--json', '--input', bench.at('many.npy'));
    const child = startEdgeward(args);
    const ended = ending(child);
    child.stdout.once('data', () => child.stdout.destroy());
    const { code, stderr } = await ended;
    expect(code).toBe(EXIT_READER_GONE);
    expect(stderr).not.toMatch(/Error|at /);
  });
});
