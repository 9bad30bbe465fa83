/** Trust that changes, through the program: the next root, retired keys, revocation lists. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../../src/apps/cli/exit-codes.ts';
import { toHex } from '../../../src/core/base/bytes.ts';
import { writeKeyPair } from '../../../src/core/crypto/pem.ts';
import { decodeRevocations } from '../../../src/core/trust/revocation.ts';
import { decodeRoot, inspectRoot, type RootSet } from '../../../src/core/trust/root.ts';
import { acceptRoot } from '../../../src/core/trust/root-chain.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { keyOf, packed } from '../../core/bundle/specimen.ts';
import { edgeward, expectRefused, jsonOf, outputOf } from './program.ts';

const exit = (family: string): number => EXIT_CODES[family] as number;
const NAMES = ['alice', 'bob', 'carol', 'old', 'new', 'revoker', 'other'] as const;
type Name = (typeof NAMES)[number];
const key = (name: Name) => keyOf(61 + NAMES.indexOf(name));
const thumb = (name: Name): string => toHex(key(name).thumbprint);

let folder = '';
const at = (name: string): string => join(folder, name);
const pub = (name: Name): string => at(`${name}.pub`);
const secret = (name: Name): string => at(`${name}.key`);
const read = (name: string): Uint8Array => new Uint8Array(readFileSync(at(name)));
const rootOf = (name: string): RootSet => accepted(decodeRoot(read(name)));
const rotate = (from: string, out: string, ...more: string[]): string[] => [
  ...['root', 'rotate', at(from), '--out', at(out), ...more],
];
const revoke = (out: string, ...more: string[]): string[] => [
  ...['revoke', '--root', at('first.cbor'), '--out', at(out), '--revocation-key'],
  ...[secret('revoker'), ...more],
];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edgeward-rotate-'));
  for (const [i, name] of NAMES.entries()) {
    const pair = writeKeyPair(new Uint8Array(32).fill(61 + i), name === 'other');
    writeFileSync(secret(name), pair.key, { mode: 0o600 });
    writeFileSync(pub(name), pair.pub);
  }
  await jsonOf([
    ...['root', 'init', '--root-key', secret('alice'), secret('bob'), '--threshold', '2'],
    ...['--release-key', pub('old'), '--revocation-key', pub('revoker'), '--production'],
    ...['--models', 'rotor', '--out', at('first.cbor')],
  ]);
  writeFileSync(at('rotor.bundle'), packed());
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('edgeward root rotate', () => {
  it('retires a key, adds others, and leaves the rest; the step stands', async () => {
    const shown = await jsonOf(
      rotate(
        ...(['first.cbor', 'second.cbor', '--retire', pub('old')] as const),
        ...['--add', `release=${pub('new')}`, '--expires', '2090-01-01'],
        ...['--root-key', secret('alice'), '--root-key', secret('bob')],
      ),
    );
    expect(shown).toMatchObject({
      version: 2,
      complete: true,
      follows: toHex(rootOf('first.cbor').sha256),
      expires: '2090-01-01T00:00:00.000Z',
      roles: {
        release: {
          keys: [{ thumbprint: thumb('new') }],
          retired: { threshold: 1, keys: [{ thumbprint: thumb('old') }] },
        },
        revocation: { keys: [{ thumbprint: thumb('revoker') }] },
      },
      scope: { modelPrefixes: ['rotor'], classes: [] },
    });
    const second = accepted(acceptRoot(rootOf('first.cbor'), read('second.cbor')));
    expect(second.version).toBe(2);
    const text = await outputOf(['root', 'show', at('second.cbor')]);
    expect(text).toContain(`${thumb('old')}  retired`);
    expect(text).not.toContain('INCOMPLETE');
  });

  it('gives a root that others have to sign where keys are elsewhere', async () => {
    const args = rotate(
      ...(['first.cbor', 'half.cbor', '--remove', thumb('bob')] as const),
      ...['--add', `root=${pub('carol')}`, '--root-key', secret('carol')],
    );
    expect(await jsonOf(args)).toMatchObject({
      complete: false,
      missing: { own: 1, previous: 2 },
      signers: [thumb('carol')],
      previousKeys: [
        { thumbprint: thumb('alice'), signed: false },
        { thumbprint: thumb('bob'), signed: false },
      ],
    });
    const text = await outputOf(['root', 'show', at('half.cbor')]);
    expect(text).toContain('INCOMPLETE: no device accepts it');
    expect(text).toContain('1 of 2 signatures of the root keys above');
    expect(text).toContain('0 of 2 signatures of the keys of the root before');
    expect(text).toContain(`${thumb('carol')}  signed`);
    expect(codeOf(acceptRoot(rootOf('first.cbor'), read('half.cbor')))).toBe('root.threshold');
    expectRefused(
      await edgeward(rotate('half.cbor', 'third.cbor')),
      'root.threshold',
      exit('root'),
    );
  });

  it('keeps what is confirmed going when a threshold rises, and scope and expiry can end', async () => {
    await jsonOf(
      rotate(
        ...(['second.cbor', 'third.cbor', '--add', `release=${pub('carol')}`] as const),
        ...['--role-threshold', 'release=2', '--models', 'any', '--expires', 'never'],
      ),
    );
    const { content } = accepted(inspectRoot(read('third.cbor')));
    expect(content.roles.release).toMatchObject({ threshold: 2, retired: { threshold: 1 } });
    expect(content.roles.release.retired?.keys).toHaveLength(1);
    expect(content.scope.modelPrefixes).toEqual([]);
    expect(content).not.toHaveProperty('expiresS');
  });

  it('adds a role, with its threshold', async () => {
    await jsonOf(
      rotate(
        ...(['first.cbor', 'roles.cbor', '--add', `operator=${pub('new')}`] as const),
        ...['--add', `operator=${pub('carol')}`, '--role-threshold', 'operator=2'],
      ),
    );
    const { content } = accepted(inspectRoot(read('roles.cbor')));
    expect(content.roles.operator?.threshold).toBe(2);
    expect(content.roles.operator).not.toHaveProperty('retired');
    expect(content.roles.release).not.toHaveProperty('retired');
  });

  it.each<[code: string, what: string, more: () => string[]]>([
    ['cli.option', 'a role that is none', () => ['--add', `model=${pub('new')}`]],
    ['cli.option', 'a role without a key', () => ['--add', 'release']],
    ['cli.option', 'a threshold that is none', () => ['--role-threshold', 'release=x']],
    ['store.not-found', 'a key that is not there', () => ['--add', 'release=none.pub']],
    ['root.invalid', 'retiring what is no key of the root', () => ['--retire', thumb('new')]],
    ['root.invalid', 'a key for two roles', () => ['--add', `release=${pub('revoker')}`]],
    ['root.invalid', 'a role left without keys', () => ['--retire', thumb('old')]],
    ['trust.development-key', 'a development key', () => ['--add', `operator=${pub('other')}`]],
    ['cose.unknown-key', 'a signer of neither root', () => ['--root-key', secret('new')]],
    ['root.invalid', 'retiring a root key', () => ['--retire', thumb('bob')]],
  ])('%s: %s', async (code, _, more) => {
    const ran = await edgeward(rotate('first.cbor', 'refused.cbor', ...more()));
    expectRefused(ran, code, exit(code.split('.')[0] as string));
  });

  it('never overwrites a root', async () => {
    const before = read('second.cbor');
    const ran = await edgeward(rotate('first.cbor', 'second.cbor'));
    expectRefused(ran, 'store.exists', exit('store'));
    expect(read('second.cbor')).toEqual(before);
  });
});

describe('edgeward revoke', () => {
  it('makes the first list, and the next one with all that was revoked before', async () => {
    const first = await jsonOf(
      revoke('list-1.cbor', '--key', pub('old'), '--min-security-version', 'rotor@generic-arm64=4'),
    );
    expect(first).toMatchObject({ version: 1, complete: true, keys: [thumb('old')] });
    const digest = 'ab'.repeat(32);
    const second = await jsonOf(
      revoke(
        ...(['list-2.cbor', '--from', at('list-1.cbor'), '--manifest', digest] as const),
        ...['--manifest', at('rotor.bundle'), '--key', thumb('old')],
        ...['--min-security-version', 'rotor@generic-arm64=3'],
        ...['--min-security-version', 'pump@generic-arm64=9'],
      ),
    );
    expect(second).toMatchObject({
      version: 2,
      keys: [thumb('old')],
      minimums: [
        { hardwareClass: 'generic-arm64', model: 'pump', securityVersion: 9 },
        { hardwareClass: 'generic-arm64', model: 'rotor', securityVersion: 4 },
      ],
    });
    expect(second['manifests']).toHaveLength(2);
    expect(second['manifests']).toContain(digest);
    const list = accepted(decodeRevocations(read('list-2.cbor'), rootOf('first.cbor')));
    expect(list.version).toBe(2);
    const show = ['revoke', 'show', at('list-2.cbor'), '--root', at('first.cbor')];
    expect(await jsonOf(show)).toEqual(second);
    const text = await outputOf(show);
    expect(text).toContain(`key ${thumb('old')}`);
    expect(text).toContain('rotor for generic-arm64 below security version 4');
    // The key that the next root retired still proves the list under it.
    expect(codeOf(decodeRevocations(read('list-2.cbor'), rootOf('second.cbor')))).toBe('accepted');
  });

  it('says what a list without its signatures is', async () => {
    await jsonOf(['revoke', '--root', at('first.cbor'), '--out', at('unsigned.cbor')]);
    const text = await outputOf([
      ...['revoke', 'show', at('unsigned.cbor'), '--root', at('first.cbor')],
    ]);
    expect(text).toContain('INCOMPLETE: 1 more signatures');
    expect(codeOf(decodeRevocations(read('unsigned.cbor'), rootOf('first.cbor')))).toBe(
      'revocation.threshold',
    );
    const next = revoke('next.cbor', '--from', at('unsigned.cbor'));
    expectRefused(await edgeward(next), 'revocation.threshold', exit('revocation'));
  });

  it.each<[code: string, what: string, args: () => string[]]>([
    ['cli.option', 'no root', () => ['revoke', '--out', at('x.cbor')]],
    ['cli.option', 'no list to write', () => ['revoke', '--root', at('first.cbor')]],
    [
      'cli.option',
      'a minimum in other words',
      () => revoke('x.cbor', '--min-security-version', 'rotor=4'),
    ],
    [
      'cli.option',
      'a minimum beyond 2^53',
      () => revoke('x.cbor', '--min-security-version', 'a@b=9999999999999999'),
    ],
    ['store.exists', 'a list that is there', () => revoke('list-1.cbor')],
    [
      'cose.unknown-key',
      'a key that may not revoke',
      () => [
        ...['revoke', '--root', at('first.cbor'), '--out', at('x.cbor')],
        ...['--revocation-key', secret('alice')],
      ],
    ],
  ])('%s: %s', async (code, _, args) => {
    expectRefused(await edgeward(args()), code, exit(code.split('.')[0] as string));
  });
});
