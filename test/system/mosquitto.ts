/** Real Mosquitto processes on loopback, with the configuration and certificates that users copy. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const DOCUMENTED = resolve(import.meta.dirname, '../../firmware-manifests/broker');
/** Debian keeps servers where a user's PATH does not look. */
const ENV = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/usr/local/sbin` };

const missing = ['mosquitto', 'openssl'].filter((tool) => {
  const args = tool === 'openssl' ? ['version'] : ['-h'];
  return spawnSync(tool, args, { env: ENV }).error !== undefined;
});

/** Empty where everything is there; else what to do. Under CI a missing tool is a failure. */
export const mosquittoMissing: string =
  missing.length === 0 ? '' : `apt-get install ${missing.join(' ')}`;

if (mosquittoMissing !== '' && process.env['CI'] === 'true') {
  throw new Error(`the tests with a real broker need tools: ${mosquittoMissing}`);
}

/** Certificates of one CA, made by the documented script. */
export class FleetCa {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    this.#run(['ca']);
  }

  at(file: string): string {
    return join(this.folder, file);
  }

  broker(...names: string[]): void {
    this.#run(['broker', ...names]);
  }

  /** A new key and certificate; `days` of -1 makes it end before now. */
  client(name: string, days = 2): { readonly cert: string; readonly key: string } {
    this.#run(['client', name], days);
    return { cert: this.at(`${name}.crt`), key: this.at(`${name}.key`) };
  }

  #run(args: readonly string[], days = 2): void {
    execFileSync(join(DOCUMENTED, 'certificates.sh'), args, {
      cwd: this.folder,
      env: { ...ENV, DAYS: String(days) },
      stdio: 'pipe',
    });
  }
}

/** One broker that can be stopped and started again on its port, with what it has stored. */
export class Mosquitto {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'edgeward-mosquitto-'));
  readonly ca: FleetCa = new FleetCa(join(this.folder, 'ca'));
  readonly port: number;
  /** Everything it said. */
  log = '';
  #process: ChildProcess | undefined;

  private constructor(port: number) {
    this.port = port;
    this.ca.broker('localhost', '127.0.0.1');
    this.#install();
  }

  static async start(): Promise<Mosquitto> {
    const broker = new Mosquitto(await freePort());
    await broker.start();
    return broker;
  }

  get url(): string {
    return `mqtts://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const child = spawn('mosquitto', ['-c', join(this.folder, 'mosquitto.conf')], {
      env: ENV,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    const hear = (chunk: unknown): void => {
      this.log += String(chunk);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    while (!(await listens(this.port))) {
      if (child.exitCode !== null) throw new Error(`mosquitto ended: ${this.log}`);
      await wait(10);
    }
  }

  /** In an orderly way: it saves what it holds. */
  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The documented files; paths, the address and nothing else differ. */
  #install(): void {
    const etc = join(this.folder, 'etc');
    const store = join(this.folder, 'store');
    mkdirSync(etc);
    mkdirSync(store);
    // Started as root, Mosquitto becomes its own user before it reads keys and writes its store.
    chmodSync(this.folder, 0o755);
    chmodSync(store, 0o777);
    const files = ['ca.crt', 'server.crt', 'server.key'].map((name) => [name, this.ca.at(name)]);
    for (const [name = '', from = ''] of [...files, ['acl', join(DOCUMENTED, 'acl')]]) {
      writeFileSync(join(etc, name), readFileSync(from), { mode: 0o644 });
    }
    const text = readFileSync(join(DOCUMENTED, 'mosquitto.conf'), 'utf8');
    const replaced = text
      .replaceAll(' /etc/mosquitto/edgeward/', ` ${etc}/`)
      .replaceAll(' /var/lib/mosquitto/', ` ${store}/`)
      .replace(/^listener 8883$/m, `listener ${this.port} 127.0.0.1`);
    const settings = replaced.replaceAll(/^#.*$/gm, '');
    if (/ \/(etc|var)\/|8883/.test(settings) || !settings.includes('127.0.0.1')) {
      throw new Error(`the documented configuration has other paths than expected: ${settings}`);
    }
    writeFileSync(join(this.folder, 'mosquitto.conf'), replaced, { mode: 0o644 });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function listens(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => done(false));
    socket.on('connect', () => {
      socket.destroy();
      done(true);
    });
  });
}
