/** A test CA with a server's and a client's certificate, made anew for every run. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const opensslMissing: boolean = spawnSync('openssl', ['version']).status !== 0;

if (opensslMissing && process.env['CI'] === 'true') {
  throw new Error('the TLS tests need the openssl command');
}

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface TestPki {
  readonly ca: string;
  /** A root that signed none of the others. */
  readonly otherCa: string;
  /** For `localhost` and 127.0.0.1. */
  readonly server: KeyPair;
  readonly client: KeyPair;
}

export function makePki(): TestPki {
  const folder = mkdtempSync(join(tmpdir(), 'edgeward-pki-'));
  try {
    const openssl = (...args: string[]): void => {
      execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
    };
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const root = (name: string): void => {
      const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`];
      const usage = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
      openssl('req', '-x509', ...newKey, ...files, '-days', '2', '-subj', `/CN=${name}`, ...usage);
    };
    const leaf = (name: string, usage: string, names: string): KeyPair => {
      const lines = [
        'basicConstraints=critical,CA:FALSE',
        'keyUsage=critical,digitalSignature',
        `extendedKeyUsage=${usage}`,
        names,
      ];
      writeFileSync(join(folder, `${name}.ext`), lines.join('\n'));
      const files = ['-keyout', `${name}.key`, '-out', `${name}.csr`];
      openssl('req', ...newKey, ...files, '-subj', `/CN=${name}`);
      const signer = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'];
      const out = ['-out', `${name}.crt`, '-extfile', `${name}.ext`];
      openssl('x509', '-req', '-in', `${name}.csr`, ...signer, '-days', '2', ...out);
      return { cert: read(`${name}.crt`), key: read(`${name}.key`) };
    };
    root('ca');
    root('other');
    return {
      ca: read('ca.crt'),
      otherCa: read('other.crt'),
      server: leaf('server', 'serverAuth', 'subjectAltName=DNS:localhost,IP:127.0.0.1'),
      client: leaf('d', 'clientAuth', ''),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
