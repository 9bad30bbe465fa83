/** `edgeward verify` alone, as CommonJS: its start counts. */
import { runProgram } from './program.ts';
import { defineVerify } from './trusting-commands.ts';

void runProgram(defineVerify);
