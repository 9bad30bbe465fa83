/** What a newcomer meets first: help everywhere, suggestions, and one exit code for wrong usage. */
import { beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES, EXIT_USAGE } from '../../../src/apps/cli/exit-codes.ts';
import { EDGEWARD_VERSION } from '../../../src/host/runtime/version.ts';
import { edgeward, type Ran } from './program.ts';

const COMMANDS = [
  ...['', 'keygen', 'root', 'root init', 'root show', 'calibrate', 'pack', 'verify', 'inspect'],
  ...['infer', 'run', 'demo', 'features', 'scan', 'sign', 'root rotate', 'root sign', 'revoke'],
  ...['revoke show', 'revoke sign', 'provision', 'install', 'approve', 'status', 'confirm'],
  ...['revert', 'check', 'operator', 'operator sign', 'evaluate'],
];
const GROUPS = ['root', 'revoke', 'operator'];
const helps = new Map<string, Ran>();

beforeAll(async () => {
  for (let at = 0; at < COMMANDS.length; at += 4) {
    const some = COMMANDS.slice(at, at + 4);
    const ran = await Promise.all(some.map((command) => edgeward([...words(command), '--help'])));
    for (const [i, command] of some.entries()) helps.set(command, ran[i] as Ran);
  }
});

function words(command: string): string[] {
  return command.split(' ').filter((word) => word !== '');
}

/** Each entry of a section of a help text: its name and its description, on one line. */
function entries(help: string, section: string): { name: string; text: string }[] {
  const body = help.split(`${section}:\n`)[1]?.split('\n\n')[0] ?? '';
  return body
    .split(/\n(?= {2}\S)/)
    .filter((entry) => entry.trim() !== '')
    .map((entry) => {
      const [name = '', ...rest] = entry.trim().split(/\s{2,}|\n\s+/);
      return { name, text: rest.join(' ') };
    });
}

describe('--help', () => {
  it.each(COMMANDS)('edgeward %s: every option and argument is described', (command) => {
    const { code, stdout, stderr } = helps.get(command) as Ran;
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).toContain(`Usage: ${['edgeward', ...words(command)].join(' ')}`);
    const options = entries(stdout, 'Options');
    const described = [...options, ...entries(stdout, 'Arguments'), ...entries(stdout, 'Commands')];
    expect(options.length).toBeGreaterThan(0);
    for (const { name, text } of described) expect(text, name).toMatch(/\w+/);
  });

  it('lists every command, and every command has been asked here', () => {
    const top = entries((helps.get('') as Ran).stdout, 'Commands');
    const below = GROUPS.flatMap((group) =>
      entries((helps.get(group) as Ran).stdout, 'Commands').map(
        ({ name }) => `${group} ${name.split(' ')[0]}`,
      ),
    );
    const names = [...top.map(({ name }) => name.split(/[ |]/)[0]), ...below];
    const asked = [...COMMANDS.slice(1), 'help', 'root help', 'operator help'];
    expect(names.sort()).toEqual(asked.sort());
  });

  it('offers JSON wherever something is told', () => {
    for (const command of COMMANDS) {
      if (['', 'root', 'operator'].includes(command)) continue;
      expect(helps.get(command)?.stdout, command).toMatch(/--json/);
    }
  });

  it('shows how a key that is elsewhere signs', () => {
    for (const command of ['sign', 'root sign', 'revoke sign']) {
      const { stdout } = helps.get(command) as Ran;
      expect(stdout).toMatch(/openssl pkeyutl -sign -rawin -inkey k\.key -in \w+\.tbs/);
      expect(stdout).toMatch(/pkcs11-tool .* --sign --mechanism EDDSA/);
      expect(stdout).toContain(`edgeward ${command} `);
    }
    expect(helps.get('keygen')?.stdout).toMatch(/--encrypt .*PBES2/);
    expect(helps.get('pack')?.stdout).toContain('--request --pub k.pub');
  });

  it('documents the exit codes', () => {
    const { stdout } = helps.get('') as Ran;
    for (const [family, code] of Object.entries(EXIT_CODES)) {
      expect(stdout).toMatch(new RegExp(`\\b${code} ${family}\\b`));
    }
  });
});

describe('wrong usage', () => {
  it.each<[what: string, args: string[], words: RegExp]>([
    ['an unknown command', ['verfy'], /unknown command 'verfy'[\s\S]*Did you mean verify\?/],
    ['an unknown subcommand', ['root', 'int'], /unknown command 'int'[\s\S]*Did you mean init\?/],
    [
      'an unknown option',
      ['keygen', '--ot', 'x', '--out', 'x'],
      /'--ot'[\s\S]*Did you mean --out\?/,
    ],
    ['an option left out', ['verify', 'F.bundle'], /--root <root\.cbor>' not specified/],
    ['an argument left out', ['verify', '--root', 'r'], /missing required argument 'F\.bundle'/],
    ['an argument too many', ['inspect', 'a', 'b'], /too many arguments/],
    ['a floor below zero', ['verify', 'F', '--root', 'r', '--floor', '-1'], /at least 0/],
    ['a floor that is no number', ['verify', 'F', '--root', 'r', '--floor', '1e3'], /whole number/],
    ['a profile of its own', ['verify', 'F', '--root', 'r', '--profile', 'x'], /or production/],
    ['a threshold of none', ['root', 'init', '--threshold', '0'], /at least 1/],
    ['a share that is no number', ['calibrate', '--false-alarms', 'few'], /must be a number/],
  ])('%s: exit code 2, words on stderr, the way to help', async (_, args, words) => {
    const { code, stdout, stderr } = await edgeward(args);
    expect(stderr).toMatch(words);
    expect(stderr).toContain('--help');
    expect(stdout).toBe('');
    expect(code).toBe(EXIT_USAGE);
  });

  it('nothing at all shows the help on stderr', async () => {
    for (const args of [[], ['root']]) {
      const { code, stdout, stderr } = await edgeward(args);
      expect(stderr).toContain('Usage: edgeward');
      expect(stdout).toBe('');
      expect(code).toBe(EXIT_USAGE);
    }
  });

  it('--version says the version', async () => {
    expect(await edgeward(['--version'])).toEqual({
      code: 0,
      stdout: `${EDGEWARD_VERSION}\n`,
      stderr: '',
    });
  });
});
