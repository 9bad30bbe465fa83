/** A product that demands ML-DSA-65 beside Ed25519, through the program from keys to verify. */

import { createPrivateKey, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../../src/apps/cli/exit-codes.ts';
import { toyModel } from '../maker/toy.ts';
import { edgeward, expectRefused, jsonOf, outputOf } from './program.ts';
import { METADATA } from './toy-bench.ts';

const exit = (family: string): number => EXIT_CODES[family] as number;
let folder = '';
const at = (name: string): string => join(folder, name);
const thumbprints: Record<string, unknown> = {};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edgeward-hybrid-'));
  const make = async (name: string, ...more: string[]): Promise<void> => {
    thumbprints[name] = (await jsonOf(['keygen', '--out', at(name), ...more]))['thumbprint'];
  };
  await Promise.all([make('root'), make('release'), make('quantum', '--ml-dsa-65')]);
  writeFileSync(at('toy.onnx'), toyModel());
  writeFileSync(at('toy.json'), JSON.stringify(METADATA));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pack = (out: string, ...keys: string[]): string[] => [
  ...['pack', '--model', at('toy.onnx'), '--metadata', at('toy.json'), '--contract-only'],
  ...['--name', 'toy', '--version', '1.0.0', '--security-version', '1', '--class', 'bench'],
  ...['--key', ...keys.map((name) => at(`${name}.key`)), '--out', at(out)],
];
const verify = (bundle: string): string[] => ['verify', at(bundle), '--root', at('root.cbor')];

describe('a root with ML-DSA-65 release keys', () => {
  it('is made, packed for, verified, and refuses what has one kind of signature', async () => {
    const init = ['root', 'init', '--root-key', at('root.key'), '--release-key', at('release.pub')];
    const quantum = ['--release-ml-dsa-key', at('quantum.pub'), '--out', at('root.cbor')];
    const root = await jsonOf([...init, ...quantum]);
    expect(root).toMatchObject({
      roles: { 'release-ml-dsa-65': { keys: [{ thumbprint: thumbprints['quantum'] }] } },
    });
    await outputOf(pack('both.bundle', 'release', 'quantum'));
    const { signers } = await jsonOf(verify('both.bundle'));
    expect(signers).toEqual([thumbprints['release'], thumbprints['quantum']]);
    const claimed = await jsonOf(['inspect', at('both.bundle')]);
    expect(claimed['claimedSigners']).toEqual(signers);
    await outputOf(pack('classic.bundle', 'release'));
    const classic = await edgeward(verify('classic.bundle'));
    expectRefused(classic, 'trust.threshold', exit('trust'), /0 of 1 release-ml-dsa-65/);
    const trusting = ['--root', at('root.cbor')];
    const add = ['sign', at('classic.bundle'), '--add', ...trusting];
    await outputOf([...add, '--key', at('quantum.key'), '--out', at('added.bundle')]);
    await outputOf(verify('added.bundle'));
    const pub = ['--pub', at('quantum.pub')];
    const request = ['sign', at('classic.bundle'), '--request', ...trusting, ...pub];
    await outputOf([...request, '--out', at('q.tbs')]);
    const key = createPrivateKey(readFileSync(at('quantum.key')));
    writeFileSync(at('q.sig'), sign(null, readFileSync(at('q.tbs')), key));
    await outputOf([...add, ...pub, '--signature', at('q.sig'), '--out', at('later.bundle')]);
    await outputOf(verify('later.bundle'));
  });

  it('never packs for an ML-DSA-65 key alone, and takes it in no other role', async () => {
    const alone = await edgeward(pack('alone.bundle', 'quantum'));
    expectRefused(alone, 'cli.option', exit('cli'), /beside an Ed25519 key/);
    const init = ['root', 'init', '--root-key', at('root.key'), '--release-key', at('quantum.pub')];
    expect((await edgeward([...init, '--out', at('no.cbor')])).code).toBe(exit('field'));
  });
});
