/** What reaches a terminal: colours where they are wanted, and nothing that a file smuggled in. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { note, printable, progress, say, sayJson, styled } from '../../../src/apps/cli/terminal.ts';

const { write } = vi.hoisted(() => ({ write: vi.fn<typeof import('node:fs').writeSync>() }));
const kind = vi.hoisted(() => ({ isCharacterDevice: false }));
vi.mock('node:fs', async (original) => ({
  ...(await original<typeof import('node:fs')>()),
  writeSync: write,
  fstatSync: () => ({ isCharacterDevice: () => kind.isCharacterDevice }),
}));

const CHANNELS = ['stdout', 'stderr'] as const;
const wasTerminal = CHANNELS.map((channel) => process[channel].isTTY);

function outputIs(what: 'terminal' | '/dev/null' | 'pipe'): void {
  kind.isCharacterDevice = what !== 'pipe';
  for (const channel of CHANNELS) {
    const value = what === 'terminal';
    Object.defineProperty(process[channel], 'isTTY', { value, configurable: true });
  }
}

beforeEach(() => {
  write.mockReset().mockImplementation((_, bytes) => (bytes as unknown as Uint8Array).length);
});

afterEach(() => {
  for (const [at, channel] of CHANNELS.entries()) {
    const value = wasTerminal[at];
    Object.defineProperty(process[channel], 'isTTY', { value, configurable: true });
  }
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** All that was written to a descriptor; what was taken of each call is what the mock gave. */
function told(descriptor: number): string {
  return write.mock.calls
    .map(([fd, bytes], call) => {
      const { value } = write.mock.results[call] as { value: number };
      return fd === descriptor
        ? Buffer.from(bytes as string)
            .subarray(0, value)
            .toString()
        : '';
    })
    .join('');
}

function failing(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe('styled', () => {
  it('colours on a terminal only, and never with NO_COLOR', () => {
    vi.stubEnv('NO_COLOR', '');
    outputIs('terminal');
    expect(styled('red', 'x')).toBe('\u001b[31mx\u001b[39m');
    expect(styled('bold', 'x', 'stderr')).toBe('\u001b[1mx\u001b[22m');
    vi.stubEnv('NO_COLOR', '1');
    expect(styled('red', 'x')).toBe('x');
    vi.stubEnv('NO_COLOR', '');
    for (const what of ['pipe', '/dev/null'] as const) {
      outputIs(what);
      expect(styled('red', 'x')).toBe('x');
    }
  });
});

describe('say and note', () => {
  it('write all of a line, in as many pieces as a full pipe takes it', () => {
    write.mockImplementationOnce(() => 3);
    write.mockImplementationOnce(() => {
      throw failing('EAGAIN');
    });
    say('Größe');
    const whole = Buffer.from('Größe\n');
    expect(write.mock.calls.map(([fd, bytes]) => [fd, Buffer.from(bytes as string)])).toEqual([
      [1, whole],
      [1, whole.subarray(3)],
      [1, whole.subarray(3)],
    ]);
  });

  it('without a reader the results end the program, and notes go nowhere', () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation(() => {
      throw failing('exited');
    });
    write.mockImplementation(() => {
      throw failing('EPIPE');
    });
    note('nobody listens');
    expect(exit).not.toHaveBeenCalled();
    expect(() => say('nobody reads')).toThrow('exited');
    expect(exit).toHaveBeenCalledWith(141);
  });

  it('a full disk under the results is an error', () => {
    write.mockImplementation(() => {
      throw failing('ENOSPC');
    });
    expect(() => say('results')).toThrow('ENOSPC');
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
    const value = { text: 'a\u001b\u009b\u202e\n"\\', list: [1.5, null] };
    sayJson({ ...value, gone: Number.NaN });
    expect(told(1)).toMatch(/^[^\p{Cc}\u202e]*\n$/u);
    expect(JSON.parse(told(1))).toEqual({ ...value, gone: null });
  });
});

describe('progress', () => {
  it('says nothing where stderr is no terminal, or where the work ends at once', () => {
    for (const what of ['pipe', 'terminal'] as const) {
      outputIs(what);
      const now = vi.spyOn(Date, 'now').mockReturnValue(1e6);
      const bar = progress('fit', 3);
      for (let i = 0; i < 3; i++) bar.advance();
      if (what === 'pipe') now.mockReturnValue(2e6);
      bar.advance();
      bar.done();
    }
    expect(write).not.toHaveBeenCalled();
  });

  it('is one line on a terminal, and is taken away at the end', () => {
    outputIs('terminal');
    const now = vi.spyOn(Date, 'now').mockReturnValue(1e6);
    const bar = progress('fit', 4);
    now.mockReturnValue(2e6);
    bar.advance(2);
    bar.advance();
    bar.done();
    expect(told(2)).toBe(`\rfit [${'#'.repeat(12)}${'.'.repeat(12)}] 50%\r\u001b[K`);
  });
});
