/** The `edgeward` program with all its commands. */
import { defineAll } from './commands.ts';
import { runProgram } from './program.ts';

await runProgram(defineAll);
