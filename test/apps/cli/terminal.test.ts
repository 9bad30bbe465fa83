/** What reaches a terminal: colours where they are wanted, and nothing that a file smuggled in. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { printable, progress, sayJson, styled } from '../../../src/apps/cli/terminal.ts';

const TERMINAL = { isTTY: true };
const PIPE = {};

const wasTerminal = process.stderr.isTTY;

function stderrIsTerminal(value: boolean): void {
  Object.defineProperty(process.stderr, 'isTTY', { value, configurable: true });
}

afterEach(() => {
  stderrIsTerminal(wasTerminal);
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

function written(stream: NodeJS.WriteStream): () => string {
  const spy = vi.spyOn(stream, 'write').mockReturnValue(true);
  return () => spy.mock.calls.map(([text]) => String(text)).join('');
}

describe('styled', () => {
  it('colours on a terminal only, and never with NO_COLOR', () => {
    vi.stubEnv('NO_COLOR', '');
    expect(styled('red', 'x', TERMINAL)).toBe('\u001b[31mx\u001b[39m');
    expect(styled('bold', 'x', TERMINAL)).toBe('\u001b[1mx\u001b[22m');
    expect(styled('red', 'x', PIPE)).toBe('x');
    vi.stubEnv('NO_COLOR', '1');
    expect(styled('red', 'x', TERMINAL)).toBe('x');
  });
});

describe('printable', () => {
  it('shows what would move a cursor, end a line or turn text around', () => {
    expect(printable('a\u001b[2Jb\nc\u009bd\u202ee')).toBe('a\\u001b[2Jb\\u000ac\\u009bd\\u202ee');
    expect(printable('Größe 10 µm → \u{1f980}')).toBe('Größe 10 µm → \u{1f980}');
  });
});

describe('sayJson', () => {
  it('writes a line that parses to the same value, with no control character in it', () => {
    const told = written(process.stdout);
    const value = { text: 'a\u001b\u009b\u202e\n"\\', list: [1.5, null] };
    sayJson({ ...value, gone: Number.NaN });
    expect(told()).toMatch(/^[^\p{Cc}\u202e]*\n$/u);
    expect(JSON.parse(told())).toEqual({ ...value, gone: null });
  });
});

describe('progress', () => {
  it('says nothing where stderr is no terminal', () => {
    stderrIsTerminal(false);
    const told = written(process.stderr);
    const bar = progress('fit', 3);
    for (let i = 0; i < 3; i++) bar.advance();
    bar.done();
    expect(told()).toBe('');
  });

  it('is one line on a terminal, and is taken away at the end', () => {
    stderrIsTerminal(true);
    vi.spyOn(performance, 'now').mockReturnValue(1e6);
    const told = written(process.stderr);
    const bar = progress('fit', 4);
    bar.advance(2);
    bar.advance();
    bar.done();
    expect(told()).toBe(`\rfit [${'#'.repeat(12)}${'.'.repeat(12)}] 50%\r\u001b[K`);
  });
});
