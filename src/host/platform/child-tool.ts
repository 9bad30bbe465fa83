/**
 * Runs a tool of the system and waits for it: no shell, nothing of our environment, a deadline, and
 * bounded output. It blocks: to be called at boot and at a confirm, not among frames.
 */
import { spawnSync } from 'node:child_process';
import { fromUtf8 } from '../../core/base/bytes.ts';
import { attempt, type Result } from '../../core/base/fault.ts';
import { TOOL_DEADLINE_MS, TOOL_OUTPUT_BYTES_MAX } from '../../core/base/limits.ts';
import { errnoOf } from '../store/faults.ts';
import { refusePlatform } from './faults.ts';

export interface ToolCall {
  /** Absolute: no search path has a say in what runs. */
  readonly path: string;
  readonly args: readonly string[];
  /** Given on its standard input, which is empty otherwise. */
  readonly input?: Uint8Array | undefined;
  /** 10 seconds by default. */
  readonly deadlineMs?: number | undefined;
}

export interface ToolReply {
  /** It ended by itself, with 0. What that means, only the tool's own manual says. */
  readonly succeeded: boolean;
  readonly output: Uint8Array;
  /** What it complained of, or the signal that ended it. */
  readonly complaint: string;
}

/** Faults: `platform.tool-missing`, `platform.tool-deadline`, `platform.tool-output`. */
export function runTool(call: ToolCall): Result<ToolReply> {
  return attempt(() => {
    const { path, args, input, deadlineMs = TOOL_DEADLINE_MS } = call;
    const ended = spawnSync(path, args, {
      cwd: '/',
      env: { LC_ALL: 'C', TSS2_LOG: 'all+none' },
      ...(input === undefined ? { stdio: ['ignore', 'pipe', 'pipe'] } : { input }),
      timeout: deadlineMs,
      killSignal: 'SIGKILL',
      maxBuffer: TOOL_OUTPUT_BYTES_MAX,
    });
    if (ended.error !== undefined) throw refuseToRun(path, errnoOf(ended.error), deadlineMs);
    const words = fromUtf8(ended.stderr)?.trim() ?? 'a complaint that is no text';
    return {
      succeeded: ended.status === 0,
      output: new Uint8Array(ended.stdout),
      complaint: words === '' ? `ended by ${ended.signal ?? `status ${ended.status}`}` : words,
    };
  });
}

function refuseToRun(path: string, errno: string, deadlineMs: number): Error {
  if (errno === 'ETIMEDOUT') {
    return refusePlatform('platform.tool-deadline', `${path} ran for more than ${deadlineMs} ms`);
  }
  if (errno === 'ENOBUFS') {
    const said = `${path} wrote more than ${TOOL_OUTPUT_BYTES_MAX} bytes`;
    return refusePlatform('platform.tool-output', said);
  }
  return refusePlatform('platform.tool-missing', `${path}: ${errno}`);
}
