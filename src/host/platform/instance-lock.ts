/**
 * One process per state folder: two would count the same boots and sign two chains with one key.
 * On Linux the lock is an abstract socket named after the folder, which the kernel frees with the
 * process, however it ends; elsewhere there is no lock.
 */
import { realpathSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { toHex, utf8 } from '../../core/base/bytes.ts';
import { attemptAsync, type Result } from '../../core/base/fault.ts';
import { sealRecord } from '../../core/crypto/mac.ts';
import { refusePlatform } from './faults.ts';

/** The device itself, for as long as it runs; or its slots, for as long as they are changed. */
export type LockPurpose = 'device' | 'slots';

export interface InstanceLock {
  release(): void;
}

/**
 * The folder must exist. The socket's name is made with a key of the device, so that no other local
 * user can guess it; one who has seen it while it was held can take it afterwards. Where sockets are forbidden there is no lock. Not seen across network
 * namespaces. Fault: `platform.in-use`.
 */
export function lockFolder(
  folder: string,
  macKey: Uint8Array,
  purpose: LockPurpose = 'device',
): Promise<Result<InstanceLock>> {
  return attemptAsync(async () => {
    if (process.platform !== 'linux') return { release: () => {} };
    const name = toHex(sealRecord(macKey, utf8(`${purpose} ${realpathSync(folder)}`)).slice(-32));
    const server = createServer((socket) => socket.destroy());
    if ((await listenError(server, `\0edgeward-${name}`)) === 'EADDRINUSE') {
      throw refusePlatform('platform.in-use', `another process holds the ${purpose} of ${folder}`);
    }
    // The lock alone keeps no process alive.
    server.unref();
    return { release: () => void server.close() };
  });
}

function listenError(server: Server, name: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    server.listen(name, () => resolve(undefined));
  });
}
