/** evaluate through the program: reports in every form, exit codes, and evidence in a bundle. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES, EXIT_NOT_PASSED, EXIT_USAGE } from '../../../src/apps/cli/exit-codes.ts';
import { toyModel, toyRows } from '../maker/toy.ts';
import { edgeward, expectRefused, jsonOf, outputOf } from './program.ts';
import { openToyBench, type ToyBench } from './toy-bench.ts';

const exit = (family: string): number => EXIT_CODES[family] as number;
let bench: ToyBench;

beforeAll(async () => {
  bench = await openToyBench();
  bench.npy('test.npy', toyRows(9, 120).x);
});

afterAll(() => bench.remove());

function evaluate(...more: string[]): string[] {
  return [
    ...['evaluate', '--model', bench.at('toy.onnx'), '--guard', bench.at('guard.cbor')],
    ...['--metadata', bench.at('toy.json'), '--test', bench.at('test.npy'), '--quick', ...more],
  ];
}

describe('edgeward evaluate', () => {
  it('prints a table, and writes JSON and one HTML file', async () => {
    const ran = await edgeward(
      evaluate(
        ...['--ood', `moved=${bench.at('strange.npy')}`, '--callers', '--attacks', '1'],
        ...['--json', bench.at('evaluation.json'), '--html', bench.at('evaluation.html')],
      ),
    );
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stdout).toMatch(/^PASSED: The guard keeps its promise/);
    for (const words of ['Detection', 'moved', 'Callers', 'Attacks', 'Not evaluated']) {
      expect(ran.stdout).toContain(words);
    }
    const document = JSON.parse(readFileSync(bench.at('evaluation.json'), 'utf8'));
    expect(document).toMatchObject({
      format: 'edgeward-evaluation',
      identity: { model: 'toy.onnx', detection: 'full' },
      verdict: { passed: true },
    });
    expect(document.sets.map(({ name }: { name: string }) => name)).toEqual(['test', 'moved']);
    const html = readFileSync(bench.at('evaluation.html'), 'utf8');
    expect(html).toMatch(/^<!doctype html>/i);
    expect(html).toContain('moved');
    expect(ran.stderr).toContain('evaluation.html');
  });

  it('prints JSON alone where it is asked to, the same figures for the same seed', async () => {
    const of = async (seed: string) => {
      const stdout = await outputOf(evaluate('--json', '-', '--seed', seed));
      const { latency: _, identity: __, ...figures } = JSON.parse(stdout);
      return figures;
    };
    expect(await of('7')).toEqual(await of('7'));
  });

  it('ends with a code of its own where the promise is not kept, with the report written', async () => {
    const strange = evaluate('--test', bench.at('strange.npy'), '--json', bench.at('bad.json'));
    const ran = await edgeward(strange);
    expect(ran.code, ran.stderr).toBe(EXIT_NOT_PASSED);
    expect(ran.stdout).toMatch(/^NOT PASSED: /);
    const { verdict } = JSON.parse(readFileSync(bench.at('bad.json'), 'utf8'));
    expect(verdict.passed).toBe(false);
  });

  it('refuses what it cannot evaluate', async () => {
    bench.write('other.onnx', toyModel({ scale: 2 }));
    const other = await edgeward(evaluate('--model', bench.at('other.onnx')));
    expectRefused(other, 'maker.policy', exit('maker'), /the policy is of model/);
    const strange = bench.at('strange.npy');
    for (const ood of [`=${strange}`, 'moved=', `test=${strange}`]) {
      expectRefused(await edgeward(evaluate('--ood', ood)), 'cli.option', exit('cli'), /NAME=SET/);
    }
    const twice = evaluate('--ood', `a=${strange}`, '--ood', `a=${strange}`);
    expectRefused(await edgeward(twice), 'cli.option', exit('cli'));
    const over = await edgeward(evaluate('--json', bench.at('guard.cbor')));
    expect(over.stderr).toContain('would overwrite the input');
    expect(over.code).toBe(exit('cli'));
    expect((await edgeward(evaluate('--attacks', '0'))).code).toBe(EXIT_USAGE);
  });
});

describe('edgeward pack --evidence', () => {
  it('carries the evaluation of this model and guard, and of no other', async () => {
    await outputOf(evaluate('--json', bench.at('evidence.json')));
    const guard = ['--guard', bench.at('guard.cbor')];
    const evidence = ['--evidence', bench.at('evidence.json')];
    await outputOf(bench.pack('with.bundle', ...guard, ...evidence));
    const { files } = await jsonOf(['inspect', bench.at('with.bundle')]);
    expect(files).toContainEqual(
      expect.objectContaining({ path: 'evaluation.json', role: 'notice' }),
    );
    const bare = await edgeward(bench.pack('not.bundle', '--contract-only', ...evidence));
    expectRefused(bare, 'maker.evidence', exit('maker'), /another guard policy/);
    const document = readFileSync(bench.at('evidence.json'), 'utf8');
    writeFileSync(bench.at('other.json'), document.replace(/"policySha256": "./, '$&0'));
    const other = ['--evidence', bench.at('other.json')];
    const refused = await edgeward(bench.pack('not.bundle', ...guard, ...other));
    expectRefused(refused, 'maker.evidence', exit('maker'), /another guard policy/);
    expect(existsSync(bench.at('not.bundle'))).toBe(false);
  });
});
