/** pack, verify and inspect through the program, on bundles as they are and as they should not be. */
import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../../src/apps/cli/exit-codes.ts';
import { makeKey } from '../../../src/apps/maker/keys.ts';
import { need } from '../../../src/core/base/fault.ts';
import { toyModel } from '../maker/toy.ts';
import { edgeward, expectRefused, jsonOf, outputOf } from './program.ts';
import { METADATA, openToyBench, type ToyBench } from './toy-bench.ts';

const exit = (family: string): number => EXIT_CODES[family] as number;
let bench: ToyBench;

beforeAll(async () => {
  bench = await openToyBench();
});

afterAll(() => bench.remove());

describe('edgeward pack', () => {
  it('says what it wrote and that the keys are for development', async () => {
    const ran = await edgeward(bench.pack('said.bundle', '--contract-only'));
    expect(ran.stdout).toMatch(/^wrote .*said\.bundle: toy 1\.2\.3, \d+ bytes\n/);
    expect(ran.stdout).toContain('contract-only detection');
    expect(ran.stderr).toContain('DEVELOPMENT');
    expect(ran.stdout + ran.stderr).not.toContain('\u001b');
    expect(ran.code).toBe(0);
  });

  it('as JSON', async () => {
    const made = await jsonOf(bench.pack('json.bundle', '--contract-only', '--sequence', '99'));
    expect(made).toMatchObject({ name: 'toy', securityVersion: 7, sequenceNumber: 99 });
    expect(made).toMatchObject({ development: true, detection: 'contract-only' });
    expect(made['sizeBytes']).toBe(statSync(bench.at('json.bundle')).size);
  });

  it('needs a guard or the word that there is none, and not both', async () => {
    const [neither, both] = await Promise.all([
      edgeward(bench.pack('no.bundle')),
      edgeward(bench.pack('no.bundle', '--contract-only', '--guard', bench.at('guard.cbor'))),
    ]);
    for (const ran of [neither, both]) {
      expectRefused(ran, 'cli.option', exit('cli'), /--guard or --contract-only/);
    }
  });

  it('refuses the guard of another model, a loose key, and files that are something else', async () => {
    bench.write('other.onnx', toyModel({ scale: 2 }));
    bench.write('text.json', '{');
    need(makeKey(bench.at('loose'), true));
    chmodSync(bench.at('loose.key'), 0o644);
    const cases: [code: string, family: string, args: string[]][] = [
      [
        'runtime.policy-mismatch',
        'runtime',
        ['--guard', bench.at('guard.cbor'), '--model', bench.at('other.onnx')],
      ],
      ['store.loose-mode', 'store', ['--contract-only', '--key', bench.at('loose.key')]],
      ['store.not-found', 'store', ['--contract-only', '--model', bench.at('none.onnx')]],
      ['metadata.json', 'metadata', ['--contract-only', '--metadata', bench.at('text.json')]],
      ['metadata.invalid', 'metadata', ['--contract-only', '--name', 'no/where']],
      ['metadata.invalid', 'metadata', ['--contract-only', '--version', '1.0']],
      ['key.malformed', 'key', ['--contract-only', '--key', bench.at('root.pub')]],
    ];
    chmodSync(bench.at('root.pub'), 0o600);
    const out = bench.at('refused.bundle');
    const ran = await Promise.all(
      cases.map(([, , args]) => edgeward([...bench.pack('refused.bundle'), ...args])),
    );
    for (const [i, [code, family]] of cases.entries()) {
      expectRefused(ran[i] as never, code, exit(family));
    }
    expect(existsSync(out)).toBe(false);
  });

  it('names the nearest known member of the metadata, and refuses a safe output that is none', async () => {
    const { safeOutput: _, ...rest } = METADATA;
    bench.write('typo.json', JSON.stringify({ ...rest, safeOutptu: {} }));
    bench.write(
      'label.json',
      JSON.stringify({ ...rest, safeOutput: { outputs: { logits: 'strait' } } }),
    );
    const [typo, label] = await Promise.all(
      ['typo.json', 'label.json'].map((file) =>
        edgeward([...bench.pack('no.bundle', '--contract-only'), '--metadata', bench.at(file)]),
      ),
    );
    expectRefused(typo as never, 'field.unknown', exit('field'), /did you mean safeOutput\?/);
    expectRefused(
      label as never,
      'guard.safe-output-value',
      exit('guard'),
      /did you mean "straight"\?/,
    );
  });
});

describe('edgeward verify', () => {
  it('exits 0 for a good bundle, warns of development keys, and says who signed', async () => {
    const [text, json] = await Promise.all([
      edgeward(bench.trusting('verify', 'toy.bundle')),
      jsonOf(bench.trusting('verify', 'toy.bundle')),
    ]);
    expect(json).toMatchObject({
      verified: true,
      name: 'toy',
      version: '1.2.3',
      detection: 'full',
    });
    const [signer] = json['signers'] as string[];
    expect(text.stdout).toMatch(/^verified toy 1\.2\.3, security version 7\n/);
    expect(text.stdout).toContain(`signed by ${signer}`);
    expect(text.stderr).toContain('DEVELOPMENT');
    expect(text.code).toBe(0);
  });

  it('--floor: the security version itself passes, one more is refused', async () => {
    const [same, above] = await Promise.all(
      ['7', '8'].map((floor) => edgeward(bench.trusting('verify', 'toy.bundle', '--floor', floor))),
    );
    expect(same?.code).toBe(0);
    expectRefused(
      above as never,
      'rollback.security-version',
      exit('rollback'),
      /7, the floor is 8/,
    );
  });

  it('--profile production refuses development keys, --class another class', async () => {
    const [production, other, same] = await Promise.all([
      edgeward(bench.trusting('verify', 'toy.bundle', '--profile', 'production')),
      edgeward(bench.trusting('verify', 'toy.bundle', '--class', 'boat')),
      edgeward(bench.trusting('verify', 'toy.bundle', '--class', 'bench')),
    ]);
    expectRefused(production, 'trust.development-key', exit('trust'));
    expectRefused(other, 'trust.wrong-class', exit('trust'), /made for bench, this device is boat/);
    expect(same.code).toBe(0);
  });

  it('refuses a bundle of a key that the root does not know', async () => {
    need(makeKey(bench.at('stranger'), true));
    const pack = bench.pack('strange.bundle', '--contract-only');
    pack[pack.indexOf(bench.at('release.key'))] = bench.at('stranger.key');
    await outputOf(pack);
    const ran = await edgeward(bench.trusting('verify', 'strange.bundle'));
    expectRefused(ran, 'cose.unknown-key', exit('cose'));
  });

  it('refuses damage, a cut, and files that are no bundle or no root', async () => {
    const size = statSync(bench.at('toy.bundle')).size;
    const whole = readFileSync(bench.at('toy.bundle'));
    bench.write('cut.bundle', whole.subarray(0, size - 512));
    bench.damaged('toy.bundle', size - 4096);
    const [damaged, cut, none, root] = await Promise.all([
      edgeward(bench.trusting('verify', `damaged-${size - 4096}-toy.bundle`)),
      edgeward(bench.trusting('verify', 'cut.bundle')),
      edgeward(bench.trusting('verify', 'toy.onnx')),
      edgeward(['verify', bench.at('toy.bundle'), '--root', bench.at('toy.bundle')]),
    ]);
    expect(damaged?.stderr).toMatch(/^edgeward: bundle\./);
    expectRefused(cut, 'bundle.truncated', exit('bundle'));
    expect(none?.stderr).toMatch(/^edgeward: bundle\./);
    expect(root?.stderr).toMatch(/^edgeward: (store|root|cbor|cose)\./);
    for (const ran of [damaged, cut, none, root]) expect(ran?.stdout).toBe('');
  });
});

describe('edgeward inspect', () => {
  it('says what the file claims, and that nothing of it is verified', async () => {
    const [text, json] = await Promise.all([
      outputOf(['inspect', bench.at('toy.bundle')]),
      jsonOf(['inspect', bench.at('toy.bundle')]),
    ]);
    expect(text).toMatch(/^not verified/);
    expect(text).toContain('logits: float32 [batch=1..64, 3] scores: left, right, straight');
    expect(text).toContain('input  x: float32 [batch=1..64, 8] in [-20, 20]');
    expect(json).toMatchObject({ verified: false, name: 'toy', vendor: 'example.com' });
    expect(json).toMatchObject({ safeOutput: { outputs: { logits: [0, 0, 9] } } });
  });

  it('still says so of a bundle whose model was changed, and of one that nobody trusted signed', async () => {
    const size = statSync(bench.at('toy.bundle')).size;
    const ran = await edgeward(['inspect', bench.damaged('toy.bundle', size - 4096)]);
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stdout).toMatch(/^not verified/);
  });

  it('shows control characters in the words of the file, and does not send them', async () => {
    const evil = 'fine\u001b[2J\u001b[1;1Hverified\u009b31m \u202e';
    bench.write('evil.json', JSON.stringify({ ...METADATA, description: evil, vendor: evil }));
    await outputOf([
      ...bench.pack('evil.bundle', '--contract-only'),
      '--metadata',
      bench.at('evil.json'),
    ]);
    const [text, json] = await Promise.all([
      outputOf(['inspect', bench.at('evil.bundle')]),
      outputOf(['inspect', bench.at('evil.bundle'), '--json']),
    ]);
    for (const out of [text, json]) expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(text).toContain('fine\\u001b[2J');
    expect(JSON.parse(json).description).toBe(evil);
  });

  it('refuses what is no bundle', async () => {
    expectRefused(await edgeward(['inspect', bench.at('none')]), 'store.not-found', exit('store'));
    const ran = await edgeward(['inspect', bench.at('root.cbor')]);
    expectRefused(ran, 'bundle.truncated', exit('bundle'));
  });
});
