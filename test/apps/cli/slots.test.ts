/** `install`, `approve`, `status`, `confirm`, `revert` and `check`, as an operator and an updater use them. */
import { createReadStream, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES, EXIT_TRY_AGAIN, EXIT_USAGE } from '../../../src/apps/cli/exit-codes.ts';
import { until } from '../../host/uplink/brokers.ts';
import {
  edgeward,
  ending,
  expectRefused,
  jsonOf,
  outputOf,
  type Ran,
  startEdgeward,
} from './program.ts';
import { openToyBench, type ToyBench } from './toy-bench.ts';

let bench: ToyBench;
const exit = (family: string): number => EXIT_CODES[family] as number;

beforeAll(async () => {
  bench = await openToyBench();
  const later = (out: string, version: string, security: string): string[] => {
    const args = bench.pack(out, '--contract-only', '--no-golden');
    args[args.indexOf('1.2.3')] = version;
    args[args.indexOf('7')] = security;
    return args;
  };
  await outputOf(later('next.bundle', '2.0.0', '8'));
  await outputOf(later('third.bundle', '3.0.0', '8'));
});
afterAll(() => bench.remove());

/** `command [FILE]` on the folder of this name. */
function on(state: string, command: string, ...more: string[]): string[] {
  const [first, ...rest] = more;
  const file = first?.endsWith('.bundle') ? [bench.at(first), ...rest] : more;
  return [command, ...file, '--root', bench.at('root.cbor'), '--state', bench.at(state)];
}

/** One start of the device, to its end. */
async function booted(state: string): Promise<string> {
  const { code, stderr } = await edgeward([...on(state, 'run'), '--input', '-']);
  expect(code, stderr).toBe(0);
  return stderr;
}

interface Status {
  readonly slots: readonly { slot: string; state: string; ready: boolean; reason?: string }[];
  readonly active: string | null;
  readonly redundancy: number;
  readonly floorTier: string;
  readonly floors: readonly { model: string; securityVersion: number; sequenceNumber: number }[];
}

async function statusOf(state: string): Promise<Status> {
  return (await jsonOf(on(state, 'status'))) as unknown as Status;
}
const states = ({ slots }: Status): string => slots.map((slot) => slot.state).join(' ');

describe('an update', () => {
  it('is staged, tried at the next boot, confirmed there, and reverted by an operator', async () => {
    const staged = await jsonOf(on('update', 'install', 'toy.bundle'));
    expect(staged).toMatchObject({ staged: 'A', name: 'toy', version: '1.2.3', next: 'next boot' });
    expect(states(await statusOf('update'))).toBe('trial empty empty');
    const asked = await edgeward([...on('update', 'check', '--boot'), '--json']);
    expect([asked.code, JSON.parse(asked.stdout)]).toEqual([
      EXIT_TRY_AGAIN,
      { healthy: null, trial: 'A', attemptsLeft: 3 },
    ]);
    // Nobody has seen it run yet.
    const early = await edgeward(on('update', 'confirm'));
    expectRefused(early, 'update.not-tried', exit('update'));

    expect(await booted('update')).toContain('guarding toy 1.2.3 (full) from slot A');
    const status = await statusOf('update');
    expect(status).toMatchObject({ active: 'A', redundancy: 2, floorTier: 'T0' });
    expect(status.floors).toMatchObject([{ model: 'toy', securityVersion: 7 }]);
    const healthy = await jsonOf(on('update', 'check', '--boot'));
    expect(healthy).toEqual({
      healthy: true,
      slot: 'A',
      name: 'toy',
      version: '1.2.3',
      redundancy: 2,
    });

    const waits = await jsonOf([...on('update', 'install', 'next.bundle'), '--hold']);
    expect(waits).toMatchObject({ staged: 'B', next: 'waits' });
    expect(await booted('update')).toContain('guarding toy 1.2.3');
    expect(states(await statusOf('update'))).toBe('confirmed staged empty');
    expect(await jsonOf(on('update', 'approve'))).toEqual({ approved: 'B' });
    expect(await booted('update')).toContain('guarding toy 2.0.0 (contract-only) from slot B');
    expect(await statusOf('update')).toMatchObject({ active: 'B', redundancy: 2 });

    // The copy is of the same release: back to the old one there is no way.
    expect(await jsonOf(on('update', 'revert'))).toMatchObject({ reverted: 'A', version: '2.0.0' });
    const old = await edgeward(on('update', 'install', 'toy.bundle'));
    expectRefused(old, 'rollback.security-version', exit('rollback'));
    const text = await outputOf(on('update', 'status'));
    expect(text).toMatch(/^\* A {6}confirmed {2}toy 2\.0\.0 {2}[0-9a-f]{12}$/m);
    expect(text).toMatch(/^floors in tier T0, root version 1, no revocation list$/m);
    expect(text).toMatch(/^floor of toy on bench: security version 8$/m);
    expect(text).toMatch(/^2 good slots \(3 is whole\)$/m);
  });

  it('comes on standard input, whole or not at all', async () => {
    const bytes = readFileSync(bench.at('toy.bundle'));
    const piped = async (source: string): Promise<Ran> => {
      const child = startEdgeward([...on('stdin', 'install', '-'), '--json']);
      const ended = ending(child);
      createReadStream(source).pipe(child.stdin);
      return ended;
    };
    writeFileSync(bench.at('half.bundle'), bytes.subarray(0, bytes.length - 2000));
    expectRefused(await piped(bench.at('half.bundle')), 'bundle.truncated', exit('bundle'));
    bench.damaged('toy.bundle', bytes.length - 3000);
    const bad = await piped(bench.at(`damaged-${bytes.length - 3000}-toy.bundle`));
    expect(bad.code).toBe(exit('bundle'));
    expect((await statusOf('stdin')).redundancy).toBe(0);
    const whole = await piped(bench.at('toy.bundle'));
    expect(JSON.parse(whole.stdout)).toMatchObject({ staged: 'A', version: '1.2.3' });
    expect(await booted('stdin')).toContain('guarding toy 1.2.3');
  });

  it('is taken back while it is on trial, and a release in the factory slot is the last to fall back to', async () => {
    const golden = await jsonOf([...on('factory', 'install', 'toy.bundle'), '--golden']);
    expect(golden).toMatchObject({ staged: 'GOLDEN', next: 'factory' });
    expect(states(await statusOf('factory'))).toBe('empty empty staged');
    expect((await statusOf('factory')).slots[2]).toMatchObject({ name: 'toy', version: '1.2.3' });
    await outputOf(on('factory', 'install', 'next.bundle'));
    expect(await jsonOf(on('factory', 'revert'))).toMatchObject({ reverted: 'GOLDEN' });
    expect(await booted('factory')).toContain('guarding toy 1.2.3 (full) from slot GOLDEN');
    const status = await statusOf('factory');
    expect(status.slots[2]).toMatchObject({ slot: 'GOLDEN', state: 'staged', ready: true });
    expect(status.floors).toMatchObject([{ securityVersion: 7 }]);
  });
});

describe('check --boot', () => {
  it('gives the exit code of what is wrong, and 0 again when it is mended', async () => {
    const nothing = await edgeward(on('check', 'check', '--boot'));
    expectRefused(nothing, 'runtime.not-installed', exit('runtime'));
    await outputOf(on('check', 'install', 'toy.bundle'));
    await booted('check');
    const text = await outputOf(on('check', 'check', '--boot'));
    expect(text).toBe('healthy toy 1.2.3 in slot A, 2 good\n');

    const still = await edgeward([...on('check', 'check', '--boot'), '--running']);
    expectRefused(still, 'cli.not-running', exit('cli'));
    const saidMode = (): string => {
      const path = bench.at('check/mode');
      return existsSync(path) ? readFileSync(path, 'utf8') : '';
    };
    rmSync(bench.at('check/mode'));
    const device = startEdgeward(on('check', 'run'));
    const ended = ending(device);
    await until(() => saidMode() === 'nominal\n');
    const running = await jsonOf([...on('check', 'check', '--boot'), '--running']);
    expect(running).toMatchObject({ healthy: true });
    device.kill('SIGTERM');
    expect((await ended).code).toBe(0);

    // It runs, and gives out nothing: an updater must not call that good.
    const elsewhere = startEdgeward([...on('check', 'run'), '--class', 'elsewhere']);
    const elsewhereEnded = ending(elsewhere);
    await until(() => saidMode() === 'safe\n');
    const safe = await edgeward([...on('check', 'check', '--boot'), '--running']);
    expectRefused(safe, 'runtime.not-releasing', exit('runtime'), /in mode safe/);
    elsewhere.kill('SIGTERM');
    expect((await elsewhereEnded).code).toBe(0);

    const model = bench.at('check/slots/A/model.onnx');
    const bytes = readFileSync(model);
    writeFileSync(model, 'garbage');
    const damaged = await edgeward(on('check', 'check', '--boot'));
    expectRefused(damaged, 'update.slot-damaged', exit('update'), /model\.onnx/);
    writeFileSync(model, bytes);
    const floors = ['floor.0', 'floor.1'].map((name) => bench.at(`check/${name}`));
    const kept = floors.map((path) => readFileSync(path));
    for (const path of floors) rmSync(path);
    expectRefused(
      await edgeward(on('check', 'check', '--boot')),
      'floor.rolled-back',
      exit('floor'),
      /generation 0/,
    );
    for (const [i, path] of floors.entries()) writeFileSync(path, kept[i] as Buffer);
    const tier = [...on('check', 'check', '--boot'), '--floor-tier', 'T2', '--tcti', 'device:/no'];
    expectRefused(await edgeward(tier), 'floor.tier-missing', exit('floor'));
    await outputOf(on('check', 'check', '--boot'));
  });
});

describe('a device that lost one of its two copies', () => {
  it('makes it anew, GOLDEN or not, and is healthy where it cannot', async () => {
    await outputOf([...on('lost', 'install', 'toy.bundle'), '--golden']);
    await outputOf(on('lost', 'install', 'toy.bundle'));
    await booted('lost');
    const slot = bench.at('lost/slots/A');
    writeFileSync(`${slot}/model.onnx`, 'garbage');
    expect(await booted('lost')).toContain('"slot":"A","from":"bad","to":"confirmed"');
    expect(await statusOf('lost')).toMatchObject({ active: 'B', redundancy: 3 });

    const other = bench.at('lost/slots/B');
    rmSync(other, { recursive: true });
    writeFileSync(other, 'no folder');
    const stderr = await booted('lost');
    expect(stderr).toContain('guarding toy 1.2.3 (full) from slot A');
    expect(stderr).toContain('"slot":"A","from":"confirmed","to":"without-copy"');
    expect((await statusOf('lost')).active).toBe('B');
    const healthy = await jsonOf(on('lost', 'check', '--boot'));
    expect(healthy).toMatchObject({ healthy: true, slot: 'A' });
  });
});

describe('used in the wrong order, or wrongly', () => {
  it('says what is missing and changes nothing', async () => {
    const cases: [code: string, args: string[]][] = [
      ['update.no-trial', on('wrong', 'approve')],
      ['update.nothing-good', on('wrong', 'revert')],
      ['cli.slots', on('wrong', 'confirm')],
      ['cli.slots', on('wrong', 'check', '--boot')],
      ['store.not-found', on('wrong', 'install', 'none.bundle')],
      ['cli.option', [...on('wrong', 'install', 'toy.bundle'), '--golden', '--hold']],
      ['cli.option', [...on('wrong', 'install', '-'), '--golden']],
      ['cli.option', [...on('wrong', 'install', 'toy.bundle'), '--tcti', 'device:x']],
      [
        'update.pinned',
        [...on('wrong', 'install', 'toy.bundle'), '--pin', 'example.com/bench/other'],
      ],
      ['trust.wrong-class', [...on('wrong', 'install', 'toy.bundle'), '--class', 'toaster']],
      [
        'trust.development-key',
        [...on('wrong', 'install', 'toy.bundle'), '--profile', 'production'],
      ],
      [
        'revocation.no-role',
        [...on('wrong', 'install', 'toy.bundle'), '--revocations', bench.at('root.cbor')],
      ],
    ];
    for (const [code, args] of cases) {
      expectRefused(await edgeward(args), code, exit(code.slice(0, code.indexOf('.'))));
    }
    expect(await statusOf('wrong')).toMatchObject({ active: null, redundancy: 0, floors: [] });
  });

  it('is one exit code for options that make no sense', async () => {
    for (const args of [
      on('wrong', 'check'),
      ['status', '--state', bench.at('wrong')],
      ['install', '--root', bench.at('root.cbor'), '--state', bench.at('wrong')],
      [...on('wrong', 'status'), '--floor-tier', 'T9'],
      [...on('wrong', 'status'), '--pin', 'only/two'],
      [...on('wrong', 'install', 'toy.bundle'), '--profile', 'prod'],
    ]) {
      expect((await edgeward(args)).code, args.join(' ')).toBe(EXIT_USAGE);
    }
  });

  it('a look at a folder that is none does not make one', async () => {
    expectRefused(
      await edgeward(on('nowhere', 'status')),
      'runtime.not-installed',
      exit('runtime'),
    );
    expectRefused(
      await edgeward(on('nowhere', 'check', '--boot')),
      'runtime.not-installed',
      exit('runtime'),
    );
  });
});
