/** Tools of the system: what they may see, how long they may take, and how much they may say. */
import { describe, expect, it } from 'vitest';
import { fromUtf8, utf8 } from '../../../src/core/base/bytes.ts';
import { TOOL_OUTPUT_BYTES_MAX } from '../../../src/core/base/limits.ts';
import { runTool } from '../../../src/host/platform/child-tool.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { scratch } from '../store/folder.ts';
import { shellProgram } from './programs.ts';

const folder = scratch();
const tool = (lines: string): string => shellProgram(folder(), 'tool', lines);

describe('runTool', () => {
  it('gives output, complaint and end of a tool', () => {
    const good = accepted(runTool({ path: tool('echo "$1"; echo hm >&2'), args: ['a b'] }));
    expect({ ...good, output: fromUtf8(good.output) }).toEqual({
      succeeded: true,
      output: 'a b\n',
      complaint: 'hm',
    });
    const bad = accepted(runTool({ path: tool('exit 3'), args: [] }));
    expect(bad).toMatchObject({ succeeded: false, complaint: 'ended by status 3' });
    const dead = accepted(runTool({ path: tool('kill -SEGV $$'), args: [] }));
    expect(dead).toMatchObject({ succeeded: false, complaint: 'ended by SIGSEGV' });
    const mute = accepted(runTool({ path: tool("printf '\\377' >&2"), args: [] }));
    expect(mute.complaint).toBe('a complaint that is no text');
  });

  it('uses no shell, and passes nothing of our environment on', () => {
    process.env['EDGEWARD_TEST_SECRET'] = 'x';
    const path = tool('echo "$1 $EDGEWARD_TEST_SECRET $TPM2TOOLS_TCTI $HOME $LC_ALL"');
    const { output } = accepted(runTool({ path, args: ['$(id); `id` | id'] }));
    delete process.env['EDGEWARD_TEST_SECRET'];
    expect(fromUtf8(output)).toBe('$(id); `id` | id    C\n');
  });

  it('gives its standard input, which is empty without one', () => {
    const path = tool('cat; echo .');
    const given = accepted(runTool({ path, args: [], input: utf8('abc') }));
    expect(fromUtf8(given.output)).toBe('abc.\n');
    expect(fromUtf8(accepted(runTool({ path, args: [] })).output)).toBe('.\n');
  });

  it('ends a tool that hangs', () => {
    const hanging = { path: tool('exec sleep 1000'), args: [], deadlineMs: 50 };
    expect(codeOf(runTool(hanging))).toBe('platform.tool-deadline');
    const deaf = { path: tool("trap '' TERM; while :; do :; done"), args: [], deadlineMs: 50 };
    expect(codeOf(runTool(deaf))).toBe('platform.tool-deadline');
  });

  it('ends a tool that says too much, on either channel', () => {
    const flood = `exec head -c ${TOOL_OUTPUT_BYTES_MAX + 1} /dev/zero`;
    expect(codeOf(runTool({ path: tool(flood), args: [] }))).toBe('platform.tool-output');
    expect(codeOf(runTool({ path: tool(`${flood} >&2`), args: [] }))).toBe('platform.tool-output');
    const just = tool(`exec head -c ${TOOL_OUTPUT_BYTES_MAX} /dev/zero`);
    expect(accepted(runTool({ path: just, args: [] })).output).toHaveLength(TOOL_OUTPUT_BYTES_MAX);
  });

  it('says that a tool is not there, or none', () => {
    expect(codeOf(runTool({ path: `${folder()}/gone`, args: [] }))).toBe('platform.tool-missing');
    expect(codeOf(runTool({ path: folder(), args: [] }))).toBe('platform.tool-missing');
  });
});
