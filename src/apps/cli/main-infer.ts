/** `edgeward infer` alone, as CommonJS: its start counts, so its worker starts before all else. */
import { prepareOrtWorker } from '../../host/inference/worker-thread.ts';
import { runProgram } from './program.ts';
import { defineInfer } from './trusting-commands.ts';

prepareOrtWorker();
// All is written by then; to end at once saves the taking down of two heaps.
void runProgram(defineInfer).then(() => process.exit());
