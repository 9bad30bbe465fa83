/** Encrypted keys through the program: from files, typed at a real terminal, and without either. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../../src/apps/cli/exit-codes.ts';
import { PROGRAM } from '../../built.ts';
import { edgeward, ending, expectRefused, jsonOf, outputOf, type Ran } from './program.ts';

const CLI = EXIT_CODES['cli'] as number;
const STORE = EXIT_CODES['store'] as number;
const KEY = EXIT_CODES['key'] as number;
const PASSPHRASE = 'tea at four, with söme milk';

let folder = '';
const at = (name: string): string => join(folder, name);
const write = (name: string, text: string): string => {
  writeFileSync(at(name), text, { mode: 0o600 });
  return at(name);
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edgeward-passphrase-'));
  write('pass', `${PASSPHRASE}\nwhat follows is not part of it\n`);
  const made = await jsonOf([...keygen('locked'), '--passphrase-file', at('pass')]);
  expect(made).toMatchObject({ encrypted: true, development: false });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const keygen = (name: string): string[] => ['keygen', '--encrypt', '--out', at(name)];
const rootOf = (key: string, ...more: string[]): string[] => [
  ...['root', 'init', '--root-key', at(key), '--release-key', at('other.pub')],
  ...['--out', at(`${key}.cbor`), ...more],
];

describe('edgeward keygen --encrypt', () => {
  it('writes a key that nobody reads without the passphrase, and says so', async () => {
    expect(readFileSync(at('locked.key'), 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
    const said = await outputOf([...keygen('said'), '--passphrase-file', at('pass')]);
    expect(said).toMatch(/said\.key {2}private, encrypted, mode 0600/);
  });

  it.each<[what: string, code: string, exit: number, text: string]>([
    ['an empty file', 'key.passphrase-length', KEY, ''],
    ['an empty first line', 'key.passphrase-length', KEY, '\nlong enough\n'],
    ['a short one', 'key.passphrase-length', KEY, 'short\r\n'],
    ['a file beyond all passphrases', 'store.too-large', STORE, 'x'.repeat(1027)],
  ])('refuses %s, and makes no key', async (_, code, exit, text) => {
    const pass = write('bad-pass', text);
    const ran = await edgeward([...keygen('refused'), '--passphrase-file', pass]);
    expectRefused(ran, code, exit);
    expect(existsSync(at('refused.key'))).toBe(false);
  });

  it('refuses a passphrase that others can read', async () => {
    chmodSync(write('loose', PASSPHRASE), 0o644);
    const ran = await edgeward([...keygen('refused'), '--passphrase-file', at('loose')]);
    expectRefused(ran, 'store.loose-mode', STORE);
  });

  it('refuses a passphrase that would protect nothing, and to ask where nobody is', async () => {
    const forgot = ['keygen', '--out', at('refused'), '--passphrase-file', at('pass')];
    expectRefused(await edgeward(forgot), 'cli.option', CLI, /without --encrypt/);
    expectRefused(await edgeward(keygen('refused')), 'cli.option', CLI, /--passphrase-file/);
    expect(existsSync(at('refused.key'))).toBe(false);
  });
});

const tool = spawnSync('script', ['--version']).status === 0;
const reason = tool ? '' : ' (no `script` command for a terminal here)';

/** Runs at a terminal; each answer is typed when its question is there. stderr is in stdout. */
function atTerminal(args: readonly string[], answers: readonly string[]): Promise<Ran> {
  const command = [process.execPath, PROGRAM, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-q', '-e', '-c', command, '/dev/null']);
  let asked = 0;
  let seen = '';
  child.stdout.on('data', (bytes: Buffer) => {
    seen += bytes.toString();
    for (
      ;
      asked < (seen.match(/(New passphrase|Passphrase of \S+|same again): /g) ?? []).length;
      asked++
    ) {
      child.stdin.write(answers[asked] ?? '\u0003');
    }
  });
  return ending(child);
}

describe('at a terminal', () => {
  it.skipIf(!tool)(
    `asks twice for a new key, shows nothing typed, corrects it${reason}`,
    async () => {
      const answers = [`no${'\u0015'}tea at foux${'\u007f'}rü${'\u007f'}!\r`, 'tea at four!\r'];
      const made = await atTerminal(keygen('typed'), answers);
      expect(made.code, made.stdout).toBe(0);
      expect(made.stdout).not.toContain('tea');
      write('typed-pass', 'tea at four!');
      expect((await edgeward(keygen('other').filter((word) => word !== '--encrypt'))).code).toBe(0);
      await outputOf(rootOf('typed.key', '--passphrase-file', at('typed-pass')));
    },
  );

  it.skipIf(!tool)(`asks once for a key that is there${reason}`, async () => {
    rmSync(at('locked.key.cbor'), { force: true });
    const ran = await atTerminal(rootOf('locked.key'), [`${PASSPHRASE}\r`]);
    expect(ran.stdout).toContain(`Passphrase of ${at('locked.key')}: `);
    expect(ran.stdout).not.toContain('again');
    expect(ran.code, ran.stdout).toBe(0);
  });

  it.skipIf(!tool)(`two lines pasted at once answer both questions${reason}`, async () => {
    const ran = await atTerminal(keygen('pasted'), ['pasted twice\rpasted twice\r', '']);
    expect(ran.code, ran.stdout).toBe(0);
  });

  it.skipIf(!tool).each([
    ['two different entries', ['tea at four\r', 'tea at five\r'], 'cli.passphrase'],
    ['Ctrl-C', ['tea at\u0003'], 'cli.passphrase'],
    ['nothing', ['\r', '\r'], 'key.passphrase-length'],
    [
      'more than any passphrase',
      [`${'x'.repeat(1100)}\r`, `${'x'.repeat(1100)}\r`],
      'key.passphrase-length',
    ],
  ])(`%s makes no key${reason}`, async (_, answers, code) => {
    const ran = await atTerminal(keygen('none'), answers);
    expect(ran.stdout).toContain(`${code}: `);
    expect(ran.code).toBe(EXIT_CODES[code.slice(0, code.indexOf('.'))]);
    expect(existsSync(at('none.key'))).toBe(false);
  });
});

describe('commands that sign with an encrypted key', () => {
  it('say which key it is where nobody can be asked, and what to do', async () => {
    const ran = await edgeward(rootOf('locked.key'));
    expectRefused(ran, 'key.encrypted', KEY, /locked\.key: the key is encrypted/);
    expect(ran.stderr).toContain('--passphrase-file');
  });

  it('refuse a wrong passphrase by its own name', async () => {
    const pass = write('wrong', 'tea at five');
    const ran = await edgeward(rootOf('locked.key', '--passphrase-file', pass));
    expectRefused(ran, 'key.passphrase', KEY, /locked\.key/);
  });

  it('pack and sign read them too', async () => {
    for (const command of [
      ['pack', '--model', 'm', '--contract-only', '--name', 'n', '--version', '1.0.0'],
      ['sign', 'f.bundle', '--add'],
    ]) {
      const more = command[0] === 'pack' ? ['--security-version', '1', '--class', 'c'] : [];
      const out = ['--key', at('locked.key'), '--out', at('out')];
      const locked = await edgeward([...command, ...more, ...out]);
      expectRefused(locked, 'key.encrypted', KEY);
      const open = await edgeward([...command, ...more, ...out, '--passphrase-file', at('pass')]);
      expectRefused(open, 'store.not-found', STORE);
    }
  });
});
