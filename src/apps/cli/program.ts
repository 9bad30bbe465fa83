/** The frame of the `edgeward` program: how it describes itself, fails and ends. */
import { Command, CommanderError } from 'commander';
import { Refusal } from '../../core/base/fault.ts';
import { EDGEWARD_VERSION } from '../../host/runtime/version.ts';
import { EXIT_CODES, EXIT_INTERNAL, EXIT_READER_GONE, EXIT_USAGE } from './exit-codes.ts';
import { fail, note } from './terminal.ts';

const FOOTER = `
Exit codes: 0 success, ${EXIT_INTERNAL} a defect of Edgeward, ${EXIT_USAGE} wrong usage, 3 the demo saw something
unexpected, ${EXIT_READER_GONE} nobody reads the output any more, and one per family of fault:
${exitCodeTable()}`;

/** Parses the command line, runs the command that was asked for, and sets the exit code. */
export async function runProgram(define: (program: Command) => void): Promise<void> {
  const program = new Command('edgeward')
    .description('Guards AI models on edge hardware: sign, verify, infer, fail safe, report.')
    .version(EDGEWARD_VERSION)
    // `pack` has a --version of its own.
    .enablePositionalOptions()
    .showHelpAfterError('(`--help` describes the options)')
    .addHelpText('after', FOOTER)
    .exitOverride();
  define(program);
  process.stdout.on('error', (thrown) => {
    if (!isReaderGone(thrown)) throw thrown;
    process.exit(EXIT_READER_GONE);
  });
  // A device goes on guarding when nobody reads its log.
  process.stderr.on('error', (thrown) => {
    if (!isReaderGone(thrown)) throw thrown;
  });
  try {
    await program.parseAsync();
  } catch (thrown) {
    if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? 0 : EXIT_USAGE;
    else if (thrown instanceof Refusal) fail(thrown.fault);
    else reportDefect(thrown);
  }
}

function isReaderGone(thrown: Error): boolean {
  return 'code' in thrown && thrown.code === 'EPIPE';
}

function reportDefect(thrown: unknown): void {
  note(`edgeward: a defect: ${thrown instanceof Error ? thrown.stack : String(thrown)}`);
  note('  Please report it with the command that led here.');
  process.exitCode = EXIT_INTERNAL;
}

function exitCodeTable(): string {
  const entries = Object.entries(EXIT_CODES).map(([family, code]) => `${code} ${family}`);
  const lines: string[] = [];
  while (entries.length > 0) lines.push(`  ${entries.splice(0, 8).join(', ')}`);
  return lines.join('\n');
}
