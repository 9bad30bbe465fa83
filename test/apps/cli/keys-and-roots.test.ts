/** keygen and root through the program: files, modes, refusals. */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../../src/apps/cli/exit-codes.ts';
import { edgeward, expectRefused, jsonOf, outputOf } from './program.ts';

const CLI = EXIT_CODES['cli'] as number;
const STORE = EXIT_CODES['store'] as number;
const KEY = EXIT_CODES['key'] as number;
const TRUST = EXIT_CODES['trust'] as number;
const ROOT = EXIT_CODES['root'] as number;

let folder = '';
const at = (name: string): string => join(folder, name);
const thumbprints: Record<string, unknown> = {};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edgeward-cli-'));
  const make = async (name: string, ...more: string[]): Promise<void> => {
    thumbprints[name] = (await jsonOf(['keygen', '--out', at(name), ...more]))['thumbprint'];
  };
  await Promise.all([make('made/root'), make('made/release'), make('made/dev', '--dev')]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const init = (root: string, release: string, ...more: string[]): string[] => [
  ...['root', 'init', '--root-key', at(root), '--release-key', at(release)],
  ...['--out', at('root.cbor'), ...more],
];

describe('edgeward keygen', () => {
  it('makes a private key that only its owner can read, and a public one', () => {
    expect(statSync(at('made/root.key')).mode & 0o777).toBe(0o600);
    expect(statSync(at('made')).mode & 0o077).toBe(0);
    expect(readFileSync(at('made/root.key'), 'utf8')).toContain('PRIVATE KEY');
    expect(readFileSync(at('made/root.pub'), 'utf8')).not.toContain('PRIVATE');
    expect(new Set(Object.values(thumbprints)).size).toBe(3);
    expect(thumbprints['made/dev']).toMatch(/^[0-9a-f]{64}$/);
  });

  it('says what was made, and that a development key is one', async () => {
    const said = await outputOf(['keygen', '--out', at('said'), '--dev']);
    expect(said).toContain(at('said.key'));
    expect(said).toContain('development key');
    expect(said).not.toContain('\u001b');
  });

  it('never overwrites a key, and leaves no half pair behind', async () => {
    const before = readFileSync(at('made/root.key'));
    const again = await edgeward(['keygen', '--out', at('made/root')]);
    expectRefused(again, 'store.exists', STORE, /root\.key exists/);
    expect(readFileSync(at('made/root.key'))).toEqual(before);
    writeFileSync(at('half.pub'), 'someone else');
    expectRefused(await edgeward(['keygen', '--out', at('half')]), 'store.exists', STORE);
    expect(existsSync(at('half.key'))).toBe(false);
    expect(readFileSync(at('half.pub'), 'utf8')).toBe('someone else');
  });

  it('a folder that cannot be made is told', async () => {
    const ran = await edgeward(['keygen', '--out', at('made/root.key/x')]);
    expectRefused(ran, 'store.write', STORE);
  });
});

describe('edgeward root', () => {
  it('makes a root and shows it, and both say the same', async () => {
    const args = init('made/root.key', 'made/release.pub', '--expires', '2090-02-28');
    const made = await jsonOf([...args, '--models', 'a-', 'b-', '--classes', 'pump']);
    expect(made).toMatchObject({
      version: 1,
      production: false,
      expires: '2090-02-28T00:00:00.000Z',
      roles: {
        root: { threshold: 1, keys: [{ thumbprint: thumbprints['made/root'] }] },
        release: { threshold: 1, keys: [{ thumbprint: thumbprints['made/release'] }] },
      },
      scope: { modelPrefixes: ['a-', 'b-'], classes: ['pump'] },
    });
    expect(await jsonOf(['root', 'show', at('root.cbor')])).toEqual(made);
    const shown = await outputOf(['root', 'show', at('root.cbor')]);
    expect(shown).toContain(String(thumbprints['made/release']));
    expect(shown).toContain('models a-, b-, classes pump');
  });

  it('refuses a key that others can read, with what to do', async () => {
    const loose = at('loose.key');
    writeFileSync(loose, readFileSync(at('made/root.key')), { mode: 0o600 });
    chmodSync(loose, 0o640);
    const ran = await edgeward(init('loose.key', 'made/release.pub'));
    expectRefused(ran, 'store.loose-mode', STORE, /mode 640/);
    expect(ran.stderr).toContain('chmod 600');
  });

  it.each<
    [code: string, exit: number, what: string, root: string, release: string, more: string[]]
  >([
    ['store.not-found', STORE, 'a key that is not there', 'none.key', 'made/dev.pub', []],
    ['store.read', STORE, 'a folder as a key', 'made', 'made/dev.pub', []],
    ['key.malformed', KEY, 'a private key as the public one', 'made/root.key', 'made/dev.key', []],
    [
      'trust.development-key',
      TRUST,
      'a development key in production',
      'made/root.key',
      'made/dev.pub',
      ['--production'],
    ],
    [
      'root.invalid',
      ROOT,
      'a threshold above the keys',
      'made/root.key',
      'made/dev.pub',
      ['--threshold', '2'],
    ],
    [
      'cli.option',
      CLI,
      'a day that does not exist',
      'made/root.key',
      'made/dev.pub',
      ['--expires', '2090-02-30'],
    ],
    [
      'cli.option',
      CLI,
      'a date in other words',
      'made/root.key',
      'made/dev.pub',
      ['--expires', 'tomorrow'],
    ],
  ])('%s (%i): %s', async (code, exit, _, root, release, more) => {
    expectRefused(await edgeward(init(root, release, ...more)), code, exit);
  });

  it('a file that is no root is refused', async () => {
    writeFileSync(at('text.cbor'), 'no root');
    const ran = await edgeward(['root', 'show', at('text.cbor')]);
    expect(ran.stderr).toMatch(/^edgeward: (root|cbor|cose)\.[a-z-]+: /);
    expect(ran.code).toBeGreaterThan(9);
  });
});
