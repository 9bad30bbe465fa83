import { afterEach, describe, expect, it, vi } from 'vitest';
import { startThread } from '../../../src/host/inference/worker-thread.ts';

function script(source: string): URL {
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}

/** What the thread sends first. */
function firstMessage(source: string): Promise<unknown> {
  const thread = startThread(script(source));
  return new Promise((resolve, reject) => {
    thread.on('message', (message) => {
      thread.terminate().then(() => resolve(message), reject);
    });
    thread.on('error', reject);
  });
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a worker thread', () => {
  it('sees no environment, no flags and no arguments of the process', async () => {
    vi.stubEnv('EDGEWARD_SECRET', 'x');
    const seen = await firstMessage(`
      import { parentPort } from 'node:worker_threads';
      parentPort.postMessage([Object.keys(process.env), process.execArgv, process.argv.slice(2)]);
    `);
    vi.unstubAllEnvs();
    expect(seen).toStrictEqual([[], [], []]);
  });

  it('writes nothing to the streams of the process', async () => {
    const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const error = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    await firstMessage(`
      import { parentPort } from 'node:worker_threads';
      console.log('LEAK'); console.error('LEAK'); process.stdout.write('LEAK');
      setTimeout(() => parentPort.postMessage('written'), 50);
    `);
    const written = [...out.mock.calls, ...error.mock.calls].flat().map(String);
    expect(written.filter((text) => text.includes('LEAK'))).toStrictEqual([]);
  });

  it('that throws is an event and not the end of the process', async () => {
    await expect(firstMessage(`throw new RangeError('boom')`)).rejects.toThrow('boom');
  });
});
