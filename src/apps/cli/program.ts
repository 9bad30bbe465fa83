/** The `edgeward` program around its commands: how it describes itself and reads a command line. */
import { Command, CommanderError } from 'commander';
import { EDGEWARD_VERSION } from '../../host/runtime/version.ts';
import {
  EXIT_CODES,
  EXIT_INTERNAL,
  EXIT_NOT_PASSED,
  EXIT_READER_GONE,
  EXIT_USAGE,
} from './exit-codes.ts';
import { framed } from './frame.ts';

const FOOTER = `
Exit codes: 0 success, ${EXIT_INTERNAL} a defect of Edgeward, ${EXIT_USAGE} wrong usage, 3 the demo saw something
unexpected, ${EXIT_NOT_PASSED} a guard does not keep its promise, ${EXIT_READER_GONE} nobody reads the output any
more, and one per family of fault:
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
  await framed(async () => {
    try {
      await program.parseAsync();
    } catch (thrown) {
      if (!(thrown instanceof CommanderError)) throw thrown;
      process.exitCode = thrown.exitCode === 0 ? 0 : EXIT_USAGE;
    }
  });
}

function exitCodeTable(): string {
  const entries = Object.entries(EXIT_CODES).map(([family, code]) => `${code} ${family}`);
  const lines: string[] = [];
  while (entries.length > 0) lines.push(`  ${entries.splice(0, 8).join(', ')}`);
  return lines.join('\n');
}
