/** What the tools of a TPM say, as faults: their exit code is 1 for everything. */
import { readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  isExtendOf,
  openTpmIndex,
  TPM_INDEX_DEFAULT,
  type TpmIndex,
} from '../../../src/host/platform/tpm-index.ts';
import { accepted, codeOf, faultIn } from '../../core/base/outcome.ts';
import { scratch } from '../store/folder.ts';
import { shellProgram } from './programs.ts';

const folder = scratch();
const KEY = new Uint8Array(32).fill(1);
const TCTI = 'device:/dev/tpmrm0';
const TOOLS = ['nvread', 'nvreadpublic', 'nvextend', 'nvdefine'];

/** An index whose every tool is this script. */
function indexWith(lines: string, at: string = folder()): TpmIndex {
  for (const name of TOOLS) shellProgram(at, `tpm2_${name}`, lines);
  return openTpmIndex({ tcti: TCTI, toolFolder: at, deadlineMs: 2_000 }, at, KEY);
}

/** As tpm2-tools 5.4 said on Debian 12. */
const COMPLAINTS: readonly (readonly [string, string])[] = [
  ['platform.tpm-unreachable', 'ERROR: Could not load tcti, got: "device:/dev/tpmrm0"'],
  ['platform.tpm-unreachable', 'ERROR: Esys_NV_Read(0xA000A) - tcti:IO failure'],
  ['platform.tpm-index-unwritten', 'ERROR: Esys_NV_Read(0x14A) - tpm:error(2.0): an NV Index is'],
  ['platform.tpm-index-exists', 'ERROR: Esys_NV_DefineSpace(0x14C) - tpm:error(2.0): NV Index or'],
  ['platform.tpm-index-missing', 'ERROR: Esys_TR_FromTPMPublic(0x18B) - tpm:handle(1):the handle'],
  ['platform.tpm-index-kind', 'ERROR: Esys_NV_Extend(0x282) - tpm:handle(2):inconsistent'],
  ['platform.tpm-refused', 'ERROR: Esys_NV_Read(0x9A2) - tpm:session(1):authorization failure'],
  ['platform.tpm-refused', 'ERROR: Esys_NV_Read(0x98E) - tpm:session(1):the authorization HMAC'],
  ['platform.tpm-refused', 'ERROR: Esys_NV_Extend(0x921) - tpm:warn(2.0): authorizations for'],
  ['platform.tpm-busy', 'ERROR: Esys_StartAuthSession(0x903) - tpm:warn(2.0): out of memory for'],
  ['platform.tool-failed', 'ERROR: Could not open file "x" error No such file or directory'],
  ['platform.tool-failed', ''],
];

describe('a TPM index', () => {
  it.each(COMPLAINTS)('is %s when a tool says "%s"', (code, complaint) => {
    const at = folder();
    shellProgram(at, 'tpm2_flushcontext', 'exit 0');
    const index = indexWith(`echo 'WARN: Reading'; echo '${complaint}' >&2; exit 1`, at);
    expect(codeOf(index.value())).toBe(code);
    expect(codeOf(index.check())).toBe(code);
    expect(codeOf(index.extend(new Uint8Array(32)))).toBe(code);
    expect(codeOf(index.define())).toBe(code);
  });

  it('believes what the tool complains of before the signal that it ends by', () => {
    const said = "echo 'ERROR: Esys_TR_FromTPMPublic(0x18B)' >&2; kill -SEGV $$";
    expect(codeOf(indexWith(said).check())).toBe('platform.tpm-index-missing');
    expect(codeOf(indexWith('kill -SEGV $$').check())).toBe('platform.tool-failed');
  });

  it('tries a busy TPM once more after its leaked sessions are gone', () => {
    const at = folder();
    const busy = "echo 'ERROR: Esys_StartAuthSession(0x903)' >&2; exit 1";
    shellProgram(at, 'tpm2_flushcontext', `test "$3" = -l && : > ${at}/flushed`);
    const index = indexWith(`test -e ${at}/flushed && exec head -c 32 /dev/zero; ${busy}`, at);
    expect(accepted(index.value())).toEqual(new Uint8Array(32));
  });

  it.each([
    ['nothing', ':'],
    ['a byte too few', 'head -c 31 /dev/zero'],
    ['a byte too many', 'head -c 33 /dev/zero'],
    ['text', 'echo this is no value'],
    ['a flood', 'exec cat /dev/zero'],
  ])('takes %s for no value', (_, lines) => {
    expect(codeOf(indexWith(lines).value())).toBe('platform.tool-output');
    expect(codeOf(indexWith(lines).check())).toBe('platform.tool-output');
  });

  it('does not wait for a tool that hangs, and not for one that is not there', () => {
    const at = folder();
    for (const name of TOOLS) shellProgram(at, `tpm2_${name}`, 'exec sleep 1000');
    const hanging = openTpmIndex({ tcti: TCTI, toolFolder: at, deadlineMs: 50 }, at, KEY);
    expect(codeOf(hanging.value())).toBe('platform.tool-deadline');
    const none = openTpmIndex({ tcti: TCTI, toolFolder: folder() }, at, KEY);
    expect(codeOf(none.value())).toBe('platform.tool-missing');
  });

  it('is of the kind that can only be extended', () => {
    const kind = (attributes: string, hash = '0xB', size = '32'): string => {
      const text = `0x1500010:
  name: 000b27
  hash algorithm:
    friendly: sha256
    value: ${hash}
  attributes:
    friendly: authwrite|nt=0x1|authread|no_da
    value: ${attributes}
  size: ${size}
`;
      return codeOf(indexWith(`cat <<'END'\n${text}\nEND`).check());
    };
    for (const right of ['0x2040044', '0x22040044', '0x62070444']) {
      expect(kind(right)).toBe('accepted');
    }
    const wrong = [
      ['an ordinary one', '0x2040004'],
      ['a counter', '0x2040014'],
      ['written by the owner', '0x2040046'],
      ['written by policy', '0x204004C'],
      ['cleared at restart', '0xA040044'],
      ['lost with the power', '0x6040044'],
      ['with lockout', '0x40044'],
      ['not readable', '0x2000044'],
    ] as const;
    for (const [what, bits] of wrong) expect(kind(bits), what).toBe('platform.tpm-index-kind');
    expect(kind('0x2040044', '0xC')).toBe('platform.tpm-index-kind');
    expect(kind('0x2040044', '0xB', '48')).toBe('platform.tpm-index-kind');
  });

  it('gets its TCTI first, its password from a private file, and 32 bytes from a file', () => {
    const at = folder();
    const index = indexWith(`echo "$@" > ${at}/args; cat ${at}/tpm.extend > ${at}/seen`, at);
    accepted(index.extend(new Uint8Array(32).fill(7)));
    const args = readFileSync(join(at, 'args'), 'utf8').trim();
    const own = `0x1500010 -C 0x1500010 -P file:${at}/tpm.auth`;
    expect(args).toBe(`-T ${TCTI} ${own} -i ${at}/tpm.extend`);
    expect(new Uint8Array(readFileSync(join(at, 'seen')))).toEqual(new Uint8Array(32).fill(7));
    expect(statSync(join(at, 'tpm.auth')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(at, 'tpm.auth'), 'utf8')).toMatch(/^[0-9a-f]{32}$/);
    expect(args).not.toContain(readFileSync(join(at, 'tpm.auth'), 'utf8'));
  });

  it('names its files from the root, where the tools run', () => {
    const at = folder();
    for (const name of TOOLS)
      shellProgram(at, `tpm2_${name}`, `pwd > ${at}/cwd; echo "$@" > ${at}/args`);
    const index = openTpmIndex({ tcti: TCTI, toolFolder: at }, relative('.', at), KEY);
    accepted(index.extend(new Uint8Array(32)));
    const args = readFileSync(join(at, 'args'), 'utf8').trim();
    expect(args).toMatch(new RegExp(`-P file:${at}/tpm.auth -i ${at}/tpm.extend$`));
    accepted(index.define('owner.auth'));
    expect(readFileSync(join(at, 'args'), 'utf8')).toContain(`-P file:${resolve('owner.auth')} `);
    expect(readFileSync(join(at, 'cwd'), 'utf8')).toBe('/\n');
  });

  it('cannot be used where its password cannot be written', () => {
    const index = openTpmIndex({ tcti: TCTI, toolFolder: folder() }, `${folder()}/gone`, KEY);
    expect(codeOf(index.value())).toBe('store.write');
  });

  it('is told apart from others in a list of processes', () => {
    const options = { tcti: TCTI };
    const line = ['/usr/bin/tpm2_nvextend', '-T', TCTI, `0x${TPM_INDEX_DEFAULT.toString(16)}`, ''];
    expect(isExtendOf(options, line)).toBe(true);
    expect(isExtendOf(options, ['/bin/sh', ...line])).toBe(true);
    expect(isExtendOf({ ...options, index: 0x0150_0011 }, line)).toBe(false);
    expect(isExtendOf({ tcti: 'device:/dev/tpm0' }, line)).toBe(false);
    expect(isExtendOf(options, ['/usr/bin/tpm2_nvread', ...line.slice(1)])).toBe(false);
    expect(isExtendOf(options, [''])).toBe(false);
  });

  it('names the tool and what it said', () => {
    const index = indexWith("printf 'ERROR: one\\nERROR: two\\n' >&2; exit 1");
    expect(faultIn(index.value()).message).toBe('tpm2_nvread: ERROR: one; ERROR: two');
  });
});
