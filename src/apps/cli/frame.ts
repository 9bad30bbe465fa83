/** How every command fails: a refusal tells its way forward, anything else is a defect of Edgeward. */
import { Refusal } from '../../core/base/fault.ts';
import { EXIT_INTERNAL } from './exit-codes.ts';
import { fail, note } from './terminal.ts';

/** Runs a command and sets the exit code. */
export async function framed(command: () => void | Promise<void>): Promise<void> {
  try {
    await command();
  } catch (thrown) {
    if (thrown instanceof Refusal) fail(thrown.fault);
    else reportDefect(thrown);
  }
}

function reportDefect(thrown: unknown): void {
  note(`edgeward: a defect: ${thrown instanceof Error ? thrown.stack : String(thrown)}`);
  note('  Please report it with the command that led here.');
  process.exitCode = EXIT_INTERNAL;
}
