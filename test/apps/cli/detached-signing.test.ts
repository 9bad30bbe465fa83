/** Signing a bundle with keys that are elsewhere: request out, `openssl` signs, signature in. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../../src/apps/cli/exit-codes.ts';
import { toHex } from '../../../src/core/base/bytes.ts';
import { sha256 } from '../../../src/core/crypto/digest.ts';
import { writeKeyPair } from '../../../src/core/crypto/pem.ts';
import { sealRoot } from '../../../src/core/trust/root.ts';
import { accepted } from '../../core/base/outcome.ts';
import { keyOf, packed, RELEASE } from '../../core/bundle/specimen.ts';
import { ROOT, ROOT_KEY, roleOf } from '../../core/trust/trusting.ts';
import { toyModel } from '../maker/toy.ts';
import { edgeward, expectRefused, jsonOf } from './program.ts';
import { METADATA } from './toy-bench.ts';

const exit = (family: string): number => EXIT_CODES[family] as number;
const SECOND = keyOf(12);
let folder = '';
const at = (name: string): string => join(folder, name);
const write = (name: string, bytes: Uint8Array | string): void => {
  writeFileSync(at(name), bytes, { mode: 0o600 });
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgeward-detached-'));
  const release = roleOf(2, RELEASE, SECOND);
  write(
    'root.cbor',
    accepted(sealRoot({ ...ROOT, roles: { ...ROOT.roles, release } }, [ROOT_KEY])),
  );
  write('f.bundle', packed());
  for (const [name, fill] of [
    ['second', 12],
    ['third', 13],
  ] as const) {
    const pair = writeKeyPair(new Uint8Array(32).fill(fill), false);
    write(`${name}.key`, pair.key);
    write(`${name}.pub`, pair.pub);
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const request = (key: string, out: string): string[] => [
  ...['sign', at('f.bundle'), '--request', '--pub', at(`${key}.pub`)],
  ...['--root', at('root.cbor'), '--out', at(out)],
];
const add = (key: string, signature: string, out: string): string[] => [
  ...['sign', at('f.bundle'), '--add', '--pub', at(`${key}.pub`), '--signature', at(signature)],
  ...['--root', at('root.cbor'), '--out', at(out)],
];

const tool = spawnSync('openssl', ['version']).status === 0;
const reason = tool ? '' : ' (no openssl command here)';

describe('edgeward sign with a key elsewhere', () => {
  it.skipIf(!tool)(`openssl signs the request, and the bundle verifies${reason}`, async () => {
    const asked = await jsonOf(request('second', 'f.tbs'));
    const tbs = new Uint8Array(readFileSync(at('f.tbs')));
    expect(asked).toMatchObject({
      ...{ out: at('f.tbs'), sizeBytes: tbs.length, sha256: toHex(sha256(tbs)) },
      ...{ signer: toHex(SECOND.thumbprint), signers: [toHex(RELEASE.thumbprint)], verified: true },
    });
    const openssl = ['pkeyutl', '-sign', '-rawin', '-inkey', at('second.key')];
    expect(spawnSync('openssl', [...openssl, '-in', at('f.tbs'), '-out', at('f.sig')]).status).toBe(
      0,
    );
    const signed = await jsonOf(add('second', 'f.sig', 'f2.bundle'));
    expect(signed).toMatchObject({
      ...{ manifestSha256: asked['manifestSha256'], verified: true, threshold: 2 },
      signers: [RELEASE, SECOND].map(({ thumbprint }) => toHex(thumbprint)),
    });
    await jsonOf(['verify', at('f2.bundle'), '--root', at('root.cbor')]);
    // The same bundle as that of the key file, which needs no second step.
    const here = ['sign', at('f.bundle'), '--add', '--key', at('second.key')];
    await jsonOf([...here, '--out', at('here.bundle')]);
    expect(readFileSync(at('f2.bundle'))).toEqual(readFileSync(at('here.bundle')));
    // Key services answer in base64.
    write('f.b64', `${readFileSync(at('f.sig')).toString('base64')}\n`);
    await jsonOf(add('second', 'f.b64', 'f3.bundle'));
    expect(readFileSync(at('f3.bundle'))).toEqual(readFileSync(at('f2.bundle')));
  });

  it('says what is to be signed, by whom, and that nothing is signed yet', async () => {
    const { code, stdout, stderr } = await edgeward(request('second', 'said.tbs'));
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(`what ${toHex(SECOND.thumbprint)} has to sign`);
    expect(stdout).toMatch(/1 signed it so far\n {2}\d+ bytes, SHA-256 [0-9a-f]{64}\n/);
    expect(stderr).toContain('Nothing is signed yet');
  });

  it('writes no bundle with a signature that is another', async () => {
    await jsonOf(request('second', 'g.tbs'));
    write('stranger.sig', keyOf(13).sign(new Uint8Array(readFileSync(at('g.tbs')))));
    write('text.sig', 'no signature');
    const [stranger, text] = await Promise.all([
      edgeward(add('second', 'stranger.sig', 'no.bundle')),
      edgeward(add('second', 'text.sig', 'no.bundle')),
    ]);
    expectRefused(stranger, 'crypto.bad-signature', exit('crypto'));
    expectRefused(text, 'crypto.signature-file', exit('crypto'));
    expect(existsSync(at('no.bundle'))).toBe(false);
  });

  it('asks for no signature that would not count', async () => {
    const ran = await edgeward(request('third', 'no.tbs'));
    expectRefused(ran, 'trust.unauthorised', exit('trust'));
    expect(existsSync(at('no.tbs'))).toBe(false);
  });

  it.each<[what: string, args: string[], words: RegExp]>([
    ['neither', ['--pub', 'k'], /--add or --request/],
    ['both', ['--add', '--request', '--pub', 'k'], /--add or --request/],
    ['no key', ['--add'], /--key to sign with/],
    ['a request without a key', ['--request'], /--request needs the --pub/],
    ['a request of a private key', ['--request', '--key', 'k'], /--request needs the --pub/],
    ['a signature without a key', ['--add', '--signature', 's'], /--signature needs the --pub/],
    ['two ways', ['--add', '--key', 'k', '--pub', 'p'], /either --key or --pub/],
    ['a public key that signs', ['--add', '--pub', 'p'], /--request or the --signature/],
    ['a request with its answer', ['--request', '--pub', 'p', '--signature', 's'], /or the/],
  ])('refuses %s', async (_, args, words) => {
    const ran = await edgeward(['sign', at('f.bundle'), ...args, '--out', at('no')]);
    expectRefused(ran, 'cli.option', exit('cli'), words);
  });

  it('overwrites none of its inputs', async () => {
    const ran = await edgeward(request('second', 'second.pub'));
    expectRefused(ran, 'cli.option', exit('cli'), /would overwrite/);
  });
});

describe('edgeward pack with a key elsewhere', () => {
  const pack = (version: string, ...more: string[]): string[] => [
    ...['pack', '--model', at('toy.onnx'), '--metadata', at('toy.json'), '--contract-only'],
    ...['--name', 'toy', '--version', version, '--security-version', '7', '--class', 'bench'],
    ...more,
  ];
  const pub = (): string[] => ['--pub', at('second.pub')];

  it.skipIf(!tool)(`packs the bundle that a key file would have signed${reason}`, async () => {
    write('toy.onnx', toyModel());
    write('toy.json', JSON.stringify(METADATA));
    const asked = await jsonOf(pack('1.2.3', '--request', ...pub(), '--out', at('p.tbs')));
    expect(asked).toMatchObject({ name: 'toy', version: '1.2.3' });
    const openssl = ['pkeyutl', '-sign', '-rawin', '-inkey', at('second.key')];
    const files = ['-in', at('p.tbs'), '-out', at('p.sig')];
    expect(spawnSync('openssl', [...openssl, ...files]).status).toBe(0);
    const signature = [...pub(), '--signature', at('p.sig')];
    const made = await jsonOf(pack('1.2.3', ...signature, '--out', at('p.bundle')));
    expect(made).toMatchObject({ signers: [toHex(SECOND.thumbprint)], development: false });
    await jsonOf(pack('1.2.3', '--key', at('second.key'), '--out', at('q.bundle')));
    expect(readFileSync(at('p.bundle'))).toEqual(readFileSync(at('q.bundle')));
    const other = await edgeward(pack('1.2.4', ...signature, '--out', at('no.bundle')));
    expectRefused(other, 'crypto.bad-signature', exit('crypto'));
    expect(existsSync(at('no.bundle'))).toBe(false);
  });

  it('needs a key of some kind', async () => {
    const ran = await edgeward(pack('1.2.3', '--out', at('no.bundle')));
    expectRefused(ran, 'cli.option', exit('cli'), /--key to sign with/);
  });
});
