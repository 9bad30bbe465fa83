/** `edgeward infer` alone, as CommonJS: its start counts. */
import { runProgram } from './program.ts';
import { defineInfer } from './trusting-commands.ts';

void runProgram(defineInfer);
