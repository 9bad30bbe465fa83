/** Programs of others that verify one signed file, each with a key and a signature of its own making. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Command, isInstalled } from './measure.ts';
import { run } from './workshop.ts';

export interface Peer {
  readonly name: string;
  /** How it verifies the file; absent where it cannot be asked, and then `missing` says why. */
  readonly command?: Command;
  readonly missing?: string;
}

/** Throws without openssl: the budgets stand on it. */
export function peersFor(file: string): readonly Peer[] {
  if (!isInstalled('openssl')) throw new Error('openssl is not installed: nothing to compare with');
  return [
    { name: 'openssl', command: openssl(file) },
    peer('minisign', ['minisign'], () => minisign(file)),
    peer('rauc', ['rauc', 'mksquashfs'], () => rauc(file)),
    peer('gpgv', ['gpgv', 'gpg'], () => gpgv(file)),
  ];
}

function peer(name: string, programs: readonly string[], command: () => Command): Peer {
  const absent = programs.filter((program) => !isInstalled(program));
  if (absent.length > 0) return { name, missing: `${absent.join(' and ')} not installed` };
  try {
    return { name, command: command() };
  } catch (thrown) {
    const words = thrown instanceof Error ? thrown.message : String(thrown);
    return { name, missing: words.split('\n').slice(0, 2).join(' ').slice(0, 160) };
  }
}

/** ECDSA on P-256 over SHA-256. */
function openssl(file: string): Command {
  const key = `${file}.ec.pem`;
  const pub = `${file}.ec.pub.pem`;
  const signature = `${file}.ec.sig`;
  run(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key]);
  run(['openssl', 'ec', '-in', key, '-pubout', '-out', pub]);
  run(['openssl', 'dgst', '-sha256', '-sign', key, '-out', signature, file]);
  return ['openssl', 'dgst', '-sha256', '-verify', pub, '-signature', signature, file];
}

/** Ed25519 over BLAKE2b. */
function minisign(file: string): Command {
  const [pub, secret] = [`${file}.minisign.pub`, `${file}.minisign.key`];
  run(['minisign', '-G', '-W', '-p', pub, '-s', secret]);
  run(['minisign', '-S', '-s', secret, '-m', file]);
  return ['minisign', '-Vq', '-p', pub, '-m', file];
}

/** A bundle in the plain format: CMS over the SHA-256 of a squashfs that holds the file as it is. */
function rauc(file: string): Command {
  const content = `${file}.rauc`;
  const [key, certificate, bundle] = [`${content}.key`, `${content}.pem`, `${content}.raucb`];
  const subject = ['-nodes', '-days', '7', '-subj', '/CN=bench'];
  const made = ['-x509', '-newkey', 'rsa:2048', '-keyout', key, '-out', certificate];
  run(['openssl', 'req', ...made, ...subject]);
  mkdirSync(content);
  const image = basename(file);
  copyFileSync(file, join(content, image));
  const manifest = [
    ...['[update]', 'compatible=bench', 'version=1', ''],
    ...['[bundle]', 'format=plain', '', '[image.rootfs]', `filename=${image}`, ''],
  ];
  writeFileSync(join(content, 'manifest.raucm'), manifest.join('\n'));
  const plain = '--mksquashfs-args=-noD -noF -noI';
  const signed = [`--cert=${certificate}`, `--key=${key}`, plain];
  run(['rauc', ...signed, 'bundle', content, bundle]);
  return ['rauc', `--keyring=${certificate}`, 'info', bundle];
}

/** An Ed25519 key of OpenPGP, over SHA-512 (its default). */
function gpgv(file: string): Command {
  const home = join(dirname(file), 'gnupg');
  const env = { GNUPGHOME: home };
  const keyring = `${file}.gpg`;
  mkdirSync(home, { mode: 0o700, recursive: true });
  try {
    const uid = `bench ${basename(file)}`;
    run(['gpg', '--batch', '--passphrase', '', '--quick-gen-key', uid, 'ed25519', 'sign'], env);
    run(['gpg', '--batch', '--output', keyring, '--export', uid], env);
    const signed = ['--local-user', uid, '--output', `${file}.gpg.sig`, '--detach-sign', file];
    run(['gpg', '--batch', ...signed], env);
  } finally {
    // The agent that gpg started would outlive the folder.
    spawnSync('gpgconf', ['--kill', 'all'], {
      stdio: 'ignore',
      env: { ...process.env, ...env },
    });
  }
  return ['gpgv', '--keyring', keyring, `${file}.gpg.sig`, file];
}
