/**
 * One process per state folder: two would count the same boots and sign two chains with one key.
 * On Linux the lock is an abstract socket named after the folder, which the kernel frees with the
 * process, however it ends; elsewhere there is no lock.
 */
import { realpathSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { toHex, utf8 } from '../../core/base/bytes.ts';
import { attemptAsync, type Result } from '../../core/base/fault.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import { refusePlatform } from './faults.ts';

export interface InstanceLock {
  release(): void;
}

/** The folder must exist. Fault: `platform.in-use`. Not seen across network namespaces. */
export function lockFolder(folder: string): Promise<Result<InstanceLock>> {
  return attemptAsync(async () => {
    if (process.platform !== 'linux') return { release: () => {} };
    const digest = toHex(sha256(utf8(realpathSync(folder))));
    const server = createServer((socket) => socket.destroy());
    if (!(await listens(server, `\0edgeward-${digest}`))) {
      throw refusePlatform('platform.in-use', `another process runs on ${folder}`);
    }
    // The lock alone keeps no process alive.
    server.unref();
    return { release: () => void server.close() };
  });
}

function listens(server: Server, name: string): Promise<boolean> {
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(name, () => resolve(true));
  });
}
