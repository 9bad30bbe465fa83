/** features, scan and sign through the program, from a bare model to a bundle that two keys signed. */
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../../src/apps/cli/exit-codes.ts';
import { makeKey } from '../../../src/apps/maker/keys.ts';
import { concatBytes } from '../../../src/core/base/bytes.ts';
import { need } from '../../../src/core/base/fault.ts';
import { field } from '../../core/onnx/wire-builder.ts';
import { toyModel } from '../maker/toy.ts';
import { edgeward, expectRefused, jsonOf, outputOf } from './program.ts';
import { METADATA, openToyBench, type ToyBench } from './toy-bench.ts';

const exit = (family: string): number => EXIT_CODES[family] as number;
let bench: ToyBench;

beforeAll(async () => {
  bench = await openToyBench();
  bench.write('bare.onnx', toyModel({ bare: true }));
  bench.write('odd.onnx', concatBytes(toyModel(), field(99, 'payload\u001b[2J')));
  bench.write('odd.json', JSON.stringify({ ...METADATA, waive: ['scan.unknown-field'] }));
  for (const name of ['second', 'stranger']) need(makeKey(bench.at(name), true));
  await outputOf([
    ...['root', 'init', '--root-key', bench.at('root.key'), '--release-threshold', '2'],
    ...['--release-key', bench.at('release.pub'), bench.at('second.pub')],
    ...['--out', bench.at('pair.cbor')],
  ]);
});

afterAll(() => bench.remove());

describe('edgeward features', () => {
  it('adds the output, says how to go on, and what it made calibrates and packs', async () => {
    const out = bench.at('guarded.onnx');
    const words = await outputOf([
      ...['features', bench.at('bare.onnx'), '--samples', bench.at('usual.npy'), '--out', out],
    ]);
    expect(words).toMatch(/^wrote .*guarded\.onnx: 14 bytes more\n/);
    expect(words).toContain('bit-identical: 120 numbers of 40 recorded frames');
    expect(words).toContain('calibrate with --scores logits --features features');
    await outputOf([...bench.calibrate(), '--model', out, '--out', bench.at('guarded.cbor')]);
    const made = await jsonOf([
      ...bench.pack('guarded.bundle', '--guard', bench.at('guarded.cbor'), '--model', out),
    ]);
    expect(made).toMatchObject({ detection: 'full' });
  });

  it('as JSON; a model that has the output is left alone', async () => {
    const out = bench.at('not-written.onnx');
    const made = await jsonOf(['features', bench.at('toy.onnx'), '--out', out]);
    expect(made).toEqual({
      ...{ added: false, features: 'features', width: 16, scores: 'logits', classes: 3 },
    });
    expect(existsSync(out)).toBe(false);
  });

  it('refuses another name, and to write over the model', async () => {
    const bare = bench.at('bare.onnx');
    const [name, over] = await Promise.all([
      edgeward(['features', bare, '--name', 'hidden', '--out', bench.at('no.onnx')]),
      edgeward(['features', bare, '--out', bare]),
    ]);
    expectRefused(name, 'maker.output', exit('maker'), /the name of its tensor/);
    expectRefused(over, 'cli.option', exit('cli'));
    expect(new Uint8Array(readFileSync(bare))).toEqual(toyModel({ bare: true }));
  });
});

describe('edgeward scan, and pack after it', () => {
  it('exits 0 without findings, and otherwise tells them before it fails', async () => {
    const [clean, odd, json, waived] = await Promise.all([
      edgeward(['scan', bench.at('toy.onnx')]),
      edgeward(['scan', bench.at('odd.onnx')]),
      edgeward(['scan', bench.at('odd.onnx'), '--json']),
      edgeward(['scan', bench.at('odd.onnx'), '--metadata', bench.at('odd.json'), '--json']),
    ]);
    expect(clean).toMatchObject({ code: 0, stderr: '' });
    expect(clean.stdout).toMatch(/^nothing found in /);
    expect(odd.stdout).toMatch(/^scan\.unknown-field {2}low, 1\n/);
    expect(odd.stdout).toContain('scan.unknown-field at model: field 99 with 11 bytes');
    for (const ran of [odd, json]) {
      expect(ran.stderr).toMatch(/^edgeward: scan\.findings: .*scan\.unknown-field/);
      expect(ran.code).toBe(exit('scan'));
    }
    expect(JSON.parse(json.stdout)).toMatchObject({
      findings: [{ code: 'scan.unknown-field', severity: 'low', place: 'model' }],
      counts: { 'scan.unknown-field': 1 },
      waived: [],
    });
    expect(waived.code).toBe(0);
    expect(JSON.parse(waived.stdout).waived).toEqual(['scan.unknown-field']);
  });

  it('pack refuses a finding before it opens the model, and tells waivers in the bundle', async () => {
    const odd = ['--contract-only', '--model', bench.at('odd.onnx')];
    // No runtime opens this one: the scan must have refused it first.
    const custom = concatBytes(toyModel(), field(7, field(1, field(4, 'X'), field(7, 'ext'))));
    bench.write('custom.onnx', custom);
    const [refused, first] = await Promise.all([
      edgeward(bench.pack('odd.bundle', ...odd)),
      edgeward(bench.pack('odd.bundle', '--contract-only', '--model', bench.at('custom.onnx'))),
      outputOf(bench.pack('waived.bundle', ...odd, '--metadata', bench.at('odd.json'))),
    ]);
    expectRefused(refused, 'scan.findings', exit('scan'), /1 in all: scan\.unknown-field$/);
    expectRefused(first, 'scan.findings', exit('scan'), /scan\.custom-domain/);
    expect(existsSync(bench.at('odd.bundle'))).toBe(false);
    const [text, json] = await Promise.all([
      outputOf(['inspect', bench.at('waived.bundle')]),
      jsonOf(['inspect', bench.at('waived.bundle')]),
    ]);
    expect(text).toMatch(/waived: {5}scan\.unknown-field\n/);
    expect(json['waived']).toEqual(['scan.unknown-field']);
  });
});

describe('edgeward sign --add', () => {
  const sign = (out: string, key: string, ...more: string[]): string[] => [
    ...['sign', '--add', '--key', bench.at(`${key}.key`), bench.at('plain.bundle')],
    ...['--out', bench.at(out), ...more],
  ];
  const pair = (): string[] => ['--root', bench.at('pair.cbor')];

  it('makes a bundle that a root with a threshold of two takes', async () => {
    const [one, made] = await Promise.all([
      edgeward(['verify', bench.at('plain.bundle'), ...pair()]),
      edgeward(sign('both.bundle', 'second', ...pair())),
    ]);
    expectRefused(one, 'trust.threshold', exit('trust'));
    expect(made.code, made.stderr).toBe(0);
    expect(made.stdout).toMatch(/^wrote .*both\.bundle: toy 1\.2\.3, \d+ bytes\n/);
    expect(made.stdout).toContain('2 signatures, the root needs 2');
    expect(made.stderr).toContain('DEVELOPMENT');
    const verified = await jsonOf(['verify', bench.at('both.bundle'), ...pair()]);
    expect(verified['signers']).toHaveLength(2);
  });

  it('says that nothing earlier was verified where no root is named', async () => {
    const ran = await edgeward(sign('blind.bundle', 'second', '--json'));
    expect(JSON.parse(ran.stdout)).toMatchObject({ verified: false, name: 'toy' });
    expect(ran.stderr).toMatch(/were NOT verified: name the trusted keys with --root/);
  });

  it('refuses what would not help, and says what to do', async () => {
    const [bare, none, twice, strange, over] = await Promise.all([
      edgeward(sign('no.bundle', 'second').filter((word) => word !== '--add')),
      edgeward(['sign', '--add', bench.at('plain.bundle'), '--out', bench.at('no.bundle')]),
      edgeward(sign('no.bundle', 'release')),
      edgeward(sign('no.bundle', 'stranger', ...pair())),
      edgeward(sign('plain.bundle', 'second')),
    ]);
    expectRefused(bare, 'cli.option', exit('cli'), /say --add/);
    expectRefused(none, 'cli.option', exit('cli'), /--key/);
    expectRefused(twice, 'trust.duplicate-signature', exit('trust'));
    expectRefused(strange, 'trust.unauthorised', exit('trust'));
    expectRefused(over, 'cli.option', exit('cli'), /overwrite/);
    expect(existsSync(bench.at('no.bundle'))).toBe(false);
  });
});
