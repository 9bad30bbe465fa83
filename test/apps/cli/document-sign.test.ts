/** A ceremony on separate machines: roots and revocation lists that one holder after another signs. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../../src/apps/cli/exit-codes.ts';
import { toHex, utf8 } from '../../../src/core/base/bytes.ts';
import { keyLock } from '../../../src/core/crypto/encrypted-key.ts';
import { writeKeyPair } from '../../../src/core/crypto/pem.ts';
import { decodeRevocations, draftRevocations } from '../../../src/core/trust/revocation.ts';
import { decodeRoot, draftRoot } from '../../../src/core/trust/root.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { keyOf, RELEASE } from '../../core/bundle/specimen.ts';
import { ROOT, roleOf, rootOf } from '../../core/trust/trusting.ts';
import { edgeward, expectRefused, jsonOf, outputOf } from './program.ts';

const exit = (family: string): number => EXIT_CODES[family] as number;
const [ALICE, BOB, CAROL, REVOKER] = [keyOf(51), keyOf(52), keyOf(53), keyOf(54)];
const CONTENT = {
  ...ROOT,
  roles: {
    root: roleOf(2, ALICE, BOB, CAROL),
    release: roleOf(1, RELEASE),
    revocation: roleOf(1, REVOKER),
  },
};
const TRUSTED = rootOf(CONTENT, [ALICE, BOB]);
const DRAFT = accepted(draftRoot(CONTENT, []));
const LIST = {
  version: 1,
  issuedS: 1_700_000_000,
  keys: [RELEASE.thumbprint],
  manifests: [],
  minimums: [],
};

let folder = '';
const at = (name: string): string => join(folder, name);
const read = (name: string): Uint8Array => new Uint8Array(readFileSync(at(name)));
const write = (name: string, bytes: Uint8Array | string): void => {
  writeFileSync(at(name), bytes, { mode: 0o600 });
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgeward-ceremony-'));
  const lock = accepted(keyLock(utf8('only alice knows'), new Uint8Array(32).fill(9)));
  for (const [name, fill, locked] of [
    ['alice', 51, lock],
    ['bob', 52, undefined],
    ['revoker', 54, undefined],
    ['stranger', 55, undefined],
  ] as const) {
    const pair = writeKeyPair(new Uint8Array(32).fill(fill), false, locked);
    write(`${name}.key`, pair.key);
    write(`${name}.pub`, pair.pub);
  }
  write('alice.pass', 'only alice knows\n');
  write('draft.cbor', DRAFT);
  write('trusted.cbor', accepted(draftRoot(CONTENT, [ALICE, BOB])));
  write('list.cbor', accepted(draftRevocations(LIST, [], TRUSTED)));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rootSign = (file: string, ...more: string[]): string[] => ['root', 'sign', at(file), ...more];
const add = (file: string, key: string, out: string): string[] =>
  rootSign(file, '--add', '--key', at(`${key}.key`), '--out', at(out));
const alice = (file: string, out: string): string[] => [
  ...add(file, 'alice', out),
  ...['--passphrase-file', at('alice.pass')],
];

const tool = spawnSync('openssl', ['version']).status === 0;
const reason = tool ? '' : ' (no openssl command here)';
function opensslSigns(key: string, name: string): void {
  const args = ['pkeyutl', '-sign', '-rawin', '-inkey', at(key), '-in', at(`${name}.tbs`)];
  expect(spawnSync('openssl', [...args, '-out', at(`${name}.sig`)]).status).toBe(0);
}

describe('edgeward root sign', () => {
  it.skipIf(!tool)(`collects signatures of three machines into one root${reason}`, async () => {
    expect(codeOf(decodeRoot(DRAFT))).toBe('root.threshold');
    const first = await jsonOf(alice('draft.cbor', 'one.cbor'));
    expect(first).toMatchObject({ complete: false, signers: [toHex(ALICE.thumbprint)] });
    expect(first).toMatchObject({ missing: { own: 1 }, roles: { root: { threshold: 2 } } });
    const pub = ['--pub', at('bob.pub')];
    const asked = await jsonOf(rootSign('one.cbor', '--request', ...pub, '--out', at('two.tbs')));
    expect(asked).toMatchObject({ signer: toHex(BOB.thumbprint), version: 3 });
    expect(asked['rootSha256']).toBe(first['sha256']);
    opensslSigns('bob.key', 'two');
    const signature = ['--signature', at('two.sig'), '--out', at('two.cbor')];
    const second = await jsonOf(rootSign('one.cbor', '--add', ...pub, ...signature));
    expect(second).toMatchObject({ complete: true, sha256: first['sha256'] });
    const root = accepted(decodeRoot(read('two.cbor')));
    expect(toHex(root.sha256)).toBe(first['sha256']);
  });

  it('completes a first root that was made of public keys only', async () => {
    const init = ['root', 'init', '--root-pub', at('alice.pub'), at('bob.pub'), '--threshold', '2'];
    const release = ['--release-key', at('revoker.pub'), '--production'];
    const made = await jsonOf([...init, ...release, '--out', at('first.cbor')]);
    expect(made).toMatchObject({ complete: false, missing: { own: 2 }, signers: [] });
    expectRefused(
      await edgeward(['verify', at('none.bundle'), '--root', at('first.cbor')]),
      'root.threshold',
      exit('root'),
    );
    await jsonOf(add('first.cbor', 'bob', 'second.cbor'));
    const whole = await jsonOf(alice('second.cbor', 'third.cbor'));
    expect(whole).toMatchObject({ complete: true, sha256: made['sha256'] });
    expect(accepted(decodeRoot(read('third.cbor'))).production).toBe(true);
  });

  it('takes the signatures of a copy that was signed apart: the same root in any order', async () => {
    await jsonOf(alice('draft.cbor', 'a.cbor'));
    await jsonOf(add('draft.cbor', 'bob', 'b.cbor'));
    const merge = (file: string, from: string, out: string): string[] =>
      rootSign(file, '--add', '--from', at(from), '--out', at(out));
    expect(await jsonOf(merge('a.cbor', 'b.cbor', 'ab.cbor'))).toMatchObject({ complete: true });
    await jsonOf(merge('b.cbor', 'a.cbor', 'ba.cbor'));
    await jsonOf(add('a.cbor', 'bob', 'after.cbor'));
    expect(read('ba.cbor')).toEqual(read('ab.cbor'));
    expect(read('after.cbor')).toEqual(read('ab.cbor'));
    write('other.cbor', accepted(draftRoot({ ...CONTENT, version: 4 }, [BOB])));
    const differs = await edgeward(merge('a.cbor', 'other.cbor', 'no.cbor'));
    expectRefused(differs, 'root.differs', exit('root'));
  });

  it('says how many signatures are there, of how many', async () => {
    const said = await outputOf(add('draft.cbor', 'bob', 'said.cbor'));
    expect(said).toContain(`${toHex(BOB.thumbprint)}  signed`);
    expect(said).toContain('1 of 2 signatures');
  });

  it('verifies what is there before it adds to it', async () => {
    const one = accepted(draftRoot(CONTENT, [BOB]));
    const bad = Uint8Array.from(one);
    bad[bad.length - 1] = (bad.at(-1) as number) ^ 1;
    write('bad.cbor', bad);
    const ran = await edgeward(alice('bad.cbor', 'no.cbor'));
    expect(ran.stderr).toMatch(/edgeward: crypto\.(bad-signature|weak-point): /);
    expect(existsSync(at('no.cbor'))).toBe(false);
  });

  it.each<[what: string, code: string, args: () => string[]]>([
    [
      'a key that is none of its root keys',
      'trust.unauthorised',
      () => add('draft.cbor', 'stranger', 'no.cbor'),
    ],
    [
      'a request of such a key',
      'trust.unauthorised',
      () =>
        rootSign('draft.cbor', '--request', '--pub', at('stranger.pub'), '--out', at('no.cbor')),
    ],
    [
      'a second signature of one key',
      'trust.duplicate-signature',
      () => alice('trusted.cbor', 'no.cbor'),
    ],
    [
      'an encrypted key without its passphrase',
      'key.encrypted',
      () => add('draft.cbor', 'alice', 'no.cbor'),
    ],
    ['what would overwrite a root', 'store.exists', () => alice('draft.cbor', 'trusted.cbor')],
    ['no word of what to do', 'cli.option', () => rootSign('draft.cbor', '--out', at('no.cbor'))],
    [
      'a copy without that word',
      'cli.option',
      () => rootSign('draft.cbor', '--from', at('draft.cbor'), '--out', at('no.cbor')),
    ],
    [
      'a key beside a copy',
      'cli.option',
      () => [...add('draft.cbor', 'bob', 'no.cbor'), '--from', at('draft.cbor')],
    ],
    [
      'a request for a copy',
      'cli.option',
      () => rootSign('draft.cbor', '--request', '--from', at('draft.cbor'), '--out', at('no.cbor')),
    ],
  ])('refuses %s', async (_, code, args) => {
    expectRefused(await edgeward(args()), code, exit(code.slice(0, code.indexOf('.'))));
    expect(existsSync(at('no.cbor'))).toBe(false);
  });
});

describe('edgeward revoke sign', () => {
  const revoke = (...more: string[]): string[] => [
    ...['revoke', 'sign', at('list.cbor'), '--root', at('trusted.cbor'), ...more],
  ];

  it.skipIf(!tool)(`adds a signature of a key here or elsewhere${reason}`, async () => {
    expect(codeOf(decodeRevocations(read('list.cbor'), TRUSTED))).toBe('revocation.threshold');
    const key = ['--key', at('revoker.key'), '--out', at('here.cbor')];
    expect(await jsonOf(revoke('--add', ...key))).toMatchObject({ version: 1, missing: 0 });
    const pub = ['--pub', at('revoker.pub')];
    await jsonOf(revoke('--request', ...pub, '--out', at('list.tbs')));
    opensslSigns('revoker.key', 'list');
    const signature = ['--signature', at('list.sig'), '--out', at('there.cbor')];
    await jsonOf(revoke('--add', ...pub, ...signature));
    expect(read('there.cbor')).toEqual(read('here.cbor'));
    expect(accepted(decodeRevocations(read('here.cbor'), TRUSTED)).keys).toHaveLength(1);
  });

  it.each([
    ['add', ['--key', 'alice.key', '--passphrase-file', 'alice.pass']],
    ['request', ['--pub', 'alice.pub']],
  ])('--%s of a key without that role is refused', async (mode, more) => {
    const args = more.map((word) => (word.startsWith('--') ? word : at(word)));
    const ran = await edgeward(revoke(`--${mode}`, ...args, '--out', at('no.cbor')));
    expectRefused(ran, 'trust.unauthorised', exit('trust'));
    expect(existsSync(at('no.cbor'))).toBe(false);
  });
});
