/** `edgeward operator sign`, and what a device does with the order. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../../src/apps/cli/exit-codes.ts';
import { toHex } from '../../../src/core/base/bytes.ts';
import { signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import { writeKeyPair } from '../../../src/core/crypto/pem.ts';
import { type OrderContext, verifyOrder } from '../../../src/core/trust/operator-act.ts';
import { decodeRoot } from '../../../src/core/trust/root.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { edgeward, expectRefused, jsonOf, outputOf } from './program.ts';

const SEED = new Uint8Array(32).fill(81);
const OPERATOR = signerFromSeed(SEED);
const DEVICE = signerFromSeed(new Uint8Array(32).fill(82));
const device = toHex(DEVICE.thumbprint);
let folder = '';
const at = (name: string): string => join(folder, name);
const exit = (family: string): number => EXIT_CODES[family] as number;
const to = ['--device', device, '--epoch', '3'];
const sign = (verb: readonly string[], out: string, ...more: string[]): string[] => [
  ...['operator', 'sign', ...verb, ...to, '--key', at('operator.key'), '--out', at(out), ...more],
];
const order = (name: string, change: Partial<OrderContext> = {}) => {
  const root = accepted(decodeRoot(new Uint8Array(readFileSync(at('root.cbor')))));
  const context = { root, device: DEVICE.thumbprint, epoch: 3, counterOf: () => 11, ...change };
  return verifyOrder(new Uint8Array(readFileSync(at(name))), context);
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edgeward-operator-'));
  for (const [i, name] of ['operator', 'device', 'root', 'release'].entries()) {
    const pair = writeKeyPair(new Uint8Array(32).fill(81 + i), false);
    writeFileSync(at(`${name}.key`), pair.key, { mode: 0o600 });
    writeFileSync(at(`${name}.pub`), pair.pub);
  }
  await jsonOf([
    ...['root', 'init', '--root-key', at('root.key'), '--release-key', at('release.pub')],
    ...['--operator-key', at('operator.pub'), '--out', at('root.cbor')],
  ]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('edgeward operator sign', () => {
  it.each([
    [['pause'], { verb: 'pause' }],
    [['acknowledge', 'drift.novelty'], { verb: 'acknowledge', about: 'drift.novelty' }],
    [['decide-hold', '7', 'release'], { verb: 'decide-hold', hold: 7, answer: 'release' }],
  ])('signs %j', async (words, act) => {
    const name = `${words[0]}.cose`;
    const shown = await jsonOf(sign(words, name, '--counter', '12', '--root', at('root.cbor')));
    const operator = toHex(OPERATOR.thumbprint);
    expect(shown).toMatchObject({ ...act, device, epoch: 3, counter: 12, operator });
    expect(accepted(order(name))).toMatchObject({ act, counter: 12, id: `${words[0]}-12` });
    expect(codeOf(order(name, { counterOf: () => 12 }))).toBe('operator.old-counter');
  });

  it('names the device by its public key, and the order as it is told', async () => {
    const said = await outputOf([
      ...['operator', 'sign', 'release', '--device', at('device.pub'), '--epoch', '3'],
      ...['--counter', '20', '--id', 'shift-7', '--key', at('operator.key')],
      ...['--out', at('named.cose')],
    ]);
    expect(said).toContain(`release for ${device}, boot 3, counter 20`);
    expect(accepted(order('named.cose'))).toMatchObject({ id: 'shift-7', counter: 20 });
  });

  it('takes the signature of a key that is elsewhere', async () => {
    const words = ['operator', 'sign', 'resume', ...to, '--counter', '30'];
    const pub = ['--pub', at('operator.pub')];
    const asked = await jsonOf([...words, ...pub, '--request', '--out', at('resume.tbs')]);
    expect(asked).toMatchObject({ verb: 'resume', counter: 30 });
    writeFileSync(at('resume.sig'), OPERATOR.sign(new Uint8Array(readFileSync(at('resume.tbs')))));
    const signature = ['--signature', at('resume.sig'), '--out', at('resume.cose')];
    await outputOf([...words, ...pub, ...signature]);
    expect(accepted(order('resume.cose')).act).toEqual({ verb: 'resume' });
  });

  it.each([
    ['operator.unknown-verb', 'operator', ['reboot'], []],
    ['cli.option', 'cli', ['pause', 'now'], []],
    ['cli.option', 'cli', ['decide-hold', '7'], []],
    ['field.range', 'field', ['decide-hold', '7', 'maybe'], []],
    ['field.type', 'field', ['decide-hold', 'seven', 'safe'], []],
    ['field.range', 'field', ['pause'], ['--id', 'a b']],
  ])('refuses with %s what is no order', async (code, family, words, more) => {
    const ran = await edgeward(sign(words, 'no.cose', '--counter', '40', ...more));
    expectRefused(ran, code, exit(family));
    expect(existsSync(at('no.cose'))).toBe(false);
  });

  it('refuses a key that the root does not name, and one key too many', async () => {
    const ran = await edgeward([
      ...['operator', 'sign', 'pause', ...to, '--counter', '40', '--key', at('release.key')],
      ...['--root', at('root.cbor'), '--out', at('no.cose')],
    ]);
    expectRefused(ran, 'operator.unknown-key', exit('operator'));
    const more = ['--counter', '40', '--key', at('release.key')];
    expectRefused(await edgeward(sign(['pause'], 'no.cose', ...more)), 'cli.option', exit('cli'));
  });
});
