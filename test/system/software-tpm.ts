/** Real TPM 2.0 emulators (swtpm) on Unix sockets, spoken to with the real tpm2-tools. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** A TCTI module is a library: only a tool that uses it shows whether it is there. */
const packages: readonly (readonly [string, string])[] = [
  ['/usr/bin/swtpm', 'swtpm'],
  ['/usr/bin/tpm2_nvextend', 'tpm2-tools'],
];
const missing = packages.filter(([path]) => spawnSync(path, ['--version']).error !== undefined);

/** Empty where everything is there; else what to do. Under CI a missing tool is a failure. */
export const tpmMissing: string =
  missing.length === 0 ? '' : `apt-get install ${missing.map(([, name]) => name).join(' ')}`;

if (tpmMissing !== '' && process.env['CI'] === 'true') {
  throw new Error(`the tests with a TPM need tools: ${tpmMissing}`);
}

/** One TPM that keeps what it stores when it is stopped, killed and started again. */
export class SoftwareTpm {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'ew-tpm-'));
  readonly tcti: string = `swtpm:path=${join(this.folder, 'socket')}`;
  #process: ChildProcess | undefined;

  static async start(): Promise<SoftwareTpm> {
    const tpm = new SoftwareTpm();
    await tpm.start();
    return tpm;
  }

  async start(): Promise<void> {
    const socket = join(this.folder, 'socket');
    rmSync(socket, { force: true });
    const child = spawn(
      '/usr/bin/swtpm',
      [
        ...['socket', '--tpm2', '--tpmstate', `dir=${this.folder}`],
        ...['--server', `type=unixio,path=${socket}`],
        ...['--ctrl', `type=unixio,path=${socket}.ctrl`],
        ...['--flags', 'not-need-init,startup-clear'],
      ],
      // A pipe that nobody empties while a tool is waited for would stop the TPM in mid-word.
      { stdio: 'ignore' },
    );
    this.#process = child;
    while (!existsSync(socket)) {
      if (child.exitCode !== null) throw new Error(`swtpm ended with ${child.exitCode}`);
      await wait(5);
    }
  }

  /** As a cut of its power does. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** A tool of the operator, outside of Edgeward. */
  tool(name: string, ...args: string[]): Buffer {
    return execFileSync(`/usr/bin/${name}`, ['-T', this.tcti, ...args], {
      env: { TSS2_LOG: 'all+none' },
      stdio: 'pipe',
    });
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
