/** The device's main program as a process: frames from a folder or stdin, refusals, an orderly end. */
import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../../src/apps/cli/exit-codes.ts';
import { floats, toyRows } from '../maker/toy.ts';
import {
  edgeward,
  ending,
  expectRefused,
  judgedLines,
  linesOf,
  outputOf,
  type Ran,
  startEdgeward,
} from './program.ts';
import { METADATA, openToyBench, type ToyBench } from './toy-bench.ts';

const exit = (family: string): number => EXIT_CODES[family] as number;
let bench: ToyBench;

/** `run` with a state folder of its own name. */
function run(state: string, bundle: string | undefined, ...more: string[]): string[] {
  const file = bundle === undefined ? [] : [bench.at(bundle)];
  return [
    ...['run', ...file, '--root', bench.at('root.cbor'), '--state', bench.at(state)],
    ...more,
  ];
}

/** Waits until the started program has said `words` on either stream. */
function said(child: ReturnType<typeof startEdgeward>, words: RegExp): Promise<void> {
  let text = '';
  return new Promise((done, fail) => {
    const hear = (chunk: unknown): void => {
      text += String(chunk);
      if (words.test(text)) done();
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('close', () => fail(new Error(`ended without ${words}: ${text}`)));
  });
}

beforeAll(async () => {
  bench = await openToyBench();
  mkdirSync(bench.at('frames'));
  bench.npy('frames/001.npy', toyRows(3, 3).x);
  bench.write('frames/002.npy', 'no array');
  bench.npy('frames/003.npy', floats([8], new Float32Array(8).fill(21)));
  bench.npy('frames/004.npy', toyRows(4, 1, 6).x);
  mkdirSync(bench.at('odd-first'));
  bench.npy('odd-first/1.npy', toyRows(4, 1, 6).x);
  bench.npy('odd-first/2.npy', toyRows(3, 1).x);
});

/** A bundle that asks a person about every frame that is unusual. */
async function packHolding(out: string, holdMaxMs: number): Promise<void> {
  const actions = { novelty: 'hold', input: 'hold' };
  bench.write('holding.json', JSON.stringify({ ...METADATA, guard: { actions, holdMaxMs } }));
  const changed = ['--metadata', bench.at('holding.json'), '--guard', bench.at('guard.cbor')];
  const args = bench.pack(out, ...changed);
  args.splice(args.indexOf('--metadata'), 2);
  await outputOf(args);
}

afterAll(() => bench.remove());

describe('edgeward run', () => {
  it('judges a folder of frames, says what it is, and boots the installed bundle the next time', async () => {
    const args = ['--input', bench.at('frames'), '--once'];
    const first = await edgeward(run('device', 'toy.bundle', ...args));
    expect(first.code, first.stderr).toBe(0);
    expect(first.stderr).toMatch(/device ew-[0-9a-f]{12}, boot 1, mode nominal/);
    expect(first.stderr).toContain('guarding toy 1.2.3 (full) from slot A');
    expect(first.stderr).toContain('DEVELOPMENT');
    expect(first.stdout).toMatch(/^002\.npy .*npy\.magic: /m);
    expect(first.stdout.trimEnd().split('\n')).toHaveLength(6);
    expect(first.stdout + first.stderr).not.toContain('\u001b');

    const again = await edgeward(run('device', undefined, ...args, '--json'));
    expect(again.stderr).toContain('boot 2, mode nominal');
    const lines = judgedLines(again.stdout);
    expect(lines.map(({ name, verdict }) => `${name} ${verdict}`)).toEqual([
      ...['001.npy[0] release', '001.npy[1] release', '001.npy[2] release'],
      ...['002.npy substitute', '003.npy substitute', '004.npy flag'],
    ]);
    expect(lines[4]?.reasons[0]?.code).toBe('contract.range');
    expect(lines[4]?.outputs).toEqual({ logits: [0, 0, 9] });
  });

  it('judges JSON lines on standard input: a bad one gets a verdict and stops nothing', async () => {
    const row = Array.from((toyRows(3, 1).x.data as Float32Array).subarray(0, 8));
    const text = ['nonsense', '{"x":[1,2]}', '{"y":[1]}', '[]', '{}', JSON.stringify({ x: row })];
    const out = await outputOf(
      run('lines', 'toy.bundle', '--input', '-', '--json'),
      text.join('\n'),
    );
    const lines = judgedLines(out);
    expect(lines.map(({ verdict }) => verdict)).toEqual([
      ...Array(5).fill('substitute'),
      'release',
    ]);
    expect(lines.map(({ row: frame }) => frame)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(lines[4]?.reasons[0]?.code).toBe('contract.missing-input');
  });

  it('a refused bundle leaves it answering in SAFE, and says why on both outputs of events', async () => {
    bench.damaged('toy.bundle', 9000);
    const args = ['--input', bench.at('frames'), '--once', '--json'];
    const ran = await edgeward(run('refused', 'damaged-9000-toy.bundle', ...args));
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).toMatch(/integrity\.install-refused .*bundle\./);
    expect(ran.stderr).toMatch(/no model runs: bundle\./);
    expect(ran.stderr).not.toMatch(/cli\.|npy\./);
    const lines = judgedLines(ran.stdout);
    expect(lines.map(({ name }) => name)).toEqual(['001.npy', '002.npy', '003.npy', '004.npy']);
    for (const { verdict, mode, reasons } of lines) {
      expect([verdict, mode, reasons[0]?.code]).toEqual(['withhold', 'SAFE', 'mode.withholding']);
    }
  });

  it('a device that once ran gives the safe output of that model when the next boot is refused', async () => {
    await outputOf(run('later', 'toy.bundle', '--input', bench.at('frames'), '--once'));
    // The same state under a profile that refuses the development keys.
    const args = ['--input', '-', '--json', '--profile', 'production'];
    const out = await outputOf(run('later', undefined, ...args), '{"x":[0]}\n');
    const [line] = judgedLines(out);
    expect(line).toMatchObject({ verdict: 'substitute', source: 'safe', mode: 'SAFE' });
    expect(line?.outputs).toEqual({ logits: [0, 0, 9] });
  });

  it('goes on while a frame waits for a person, and says what came of it then', async () => {
    await packHolding('patient.bundle', 1_500);
    const args = ['--input', bench.at('odd-first'), '--once', '--json'];
    const { code, stdout, stderr } = await edgeward(run('holding', 'patient.bundle', ...args));
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/operator\.held {"hold":1,"frame":1,"deadlineMs":1500}/);
    const [second, first] = judgedLines(stdout);
    expect([second?.name, second?.verdict]).toEqual(['2.npy', 'release']);
    expect(first).toMatchObject({
      ...{ name: '1.npy', verdict: 'hold', source: 'safe', hold: { id: 1, ending: 'expired' } },
    });
  });

  it('lets what still waits fall to safe when it is told to stop', async () => {
    await packHolding('endless.bundle', 600_000);
    const args = ['--input', bench.at('odd-first'), '--once', '--json'];
    const child = startEdgeward(run('stopped', 'endless.bundle', ...args));
    const ended = ending(child);
    await said(child, /"name":"2\.npy"/);
    child.kill('SIGTERM');
    const { code, stdout, stderr } = await ended;
    expect(code, stderr).toBe(0);
    expect(judgedLines(stdout)[1]).toMatchObject({ name: '1.npy', hold: { ending: 'stopped' } });
  });

  it('asks nobody about recorded inputs: `infer` says at once what would be held', async () => {
    await packHolding('asking.bundle', 600_000);
    const args = bench.trusting('infer', 'asking.bundle', '--input', bench.at('odd-first/1.npy'));
    const [line] = await linesOf(args);
    expect(line).toMatchObject({ verdict: 'hold', source: 'safe', hold: { ending: 'safe' } });
    expect(line?.input?.p).toBeGreaterThan(0);
    expect(await outputOf(args)).toMatch(/hold .* p=.* input p=.* hold 1: safe/);
  });

  it.each(['-', 'frames', undefined])(
    'SIGTERM ends it with exit code 0 (--input %s)',
    async (input) => {
      const from = input === undefined ? [] : ['--input', input === '-' ? '-' : bench.at(input)];
      const child = startEdgeward(run(`term-${input}`, 'toy.bundle', ...from));
      const ended = ending(child);
      await said(child, input === 'frames' ? /004\.npy/ : /guarding toy/);
      child.kill('SIGTERM');
      const { code, stderr } = await ended;
      expect(code, stderr).toBe(0);
      expect(stderr).not.toMatch(/Error|defect/);
    },
  );

  it('a root that is not there stops who sets a device up, and leaves one that was in SAFE', async () => {
    const frames = ['--input', bench.at('frames'), '--once', '--json'];
    const rooted = run('rootless', 'toy.bundle', ...frames);
    const rootless = [...rooted];
    rootless[rootless.indexOf(bench.at('root.cbor'))] = bench.at('none.cbor');
    expectRefused(await edgeward(rootless), 'store.not-found', exit('store'), /none\.cbor/);
    expect((await edgeward(rooted)).code).toBe(0);
    for (let i = 0; i < 2; i++) {
      const { code, stdout, stderr } = await edgeward(rootless);
      expect(code, stderr).toBe(0);
      expect(stderr).toMatch(/no model runs: store\.not-found: .*none\.cbor/);
      expect(new Set(judgedLines(stdout).map(({ verdict }) => verdict))).toEqual(
        new Set(['substitute']),
      );
    }
  });

  it('refuses a caller that is wrong', async () => {
    const frames = ['--input', bench.at('frames'), '--once'];
    const cases: [code: string, words: RegExp, args: string[]][] = [
      ['cli.option', /--once needs --input/, run('none', 'toy.bundle', '--once')],
      [
        'cli.option',
        /--tcti and --floor-tier T2/,
        run('none', 'toy.bundle', '--tcti', 'device:x', ...frames),
      ],
      [
        'cli.option',
        /--tcti and --floor-tier T2/,
        run('none', 'toy.bundle', '--floor-tier', 'T2', ...frames),
      ],
      ['cli.option', /need --mqtt URL/, run('none', 'toy.bundle', '--username', 'me', ...frames)],
      [
        'cli.input',
        /nowhere cannot be read/,
        run('none', undefined, '--input', bench.at('nowhere'), '--once'),
      ],
      [
        'uplink.bad-url',
        /no mqtt: or mqtts: URL/,
        run('none', 'toy.bundle', '--mqtt', 'http://x', ...frames),
      ],
      [
        'platform.profile-missing',
        /no board is called toaster/,
        run('none', 'toy.bundle', '--board', 'toaster', ...frames),
      ],
      [
        'store.loose-mode',
        /mode 644/,
        run(
          'none',
          'toy.bundle',
          '--mqtt',
          'mqtt://127.0.0.1',
          '--password-file',
          bench.at('root.pub'),
          ...frames,
        ),
      ],
    ];
    const ran: Ran[] = [];
    // One after another: they share a state folder.
    for (const [, , args] of cases) ran.push(await edgeward(args));
    for (const [i, [code, words]] of cases.entries()) {
      expectRefused(ran[i] as Ran, code, exit(code.slice(0, code.indexOf('.'))), words);
    }
  });
});
