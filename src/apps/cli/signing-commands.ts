/** Options of the commands that sign: `sign`, `root sign`, `revoke sign`; others share a few. */
import type { Command } from 'commander';
import { collected } from './values.ts';

export const PASSPHRASE_FILE = [
  '--passphrase-file <FILE>',
  'file (mode 0600) with the passphrase of encrypted keys; else they are asked for',
] as const;

export function defineSign(program: Command): void {
  const command = program
    .command('sign')
    .description('add signatures to a bundle; manifest and payloads stay as they are')
    .argument('<F.bundle>', 'bundle that `pack` signed')
    .option('--add', 'add to the signatures it has: of a --key, or a --signature made elsewhere')
    .option('--request', 'write what the --pub key has to sign elsewhere; sign nothing');
  signing(command, 'release')
    .option('--root <root.cbor>', 'verify the earlier signatures and the new keys under it')
    .requiredOption('--out <FILE>', 'bundle to write; with --request, the bytes to be signed')
    .option('--json', 'print JSON')
    .addHelpText('after', elsewhere('sign', 'F.bundle'))
    .action(async (file, options) => (await import('./sign.ts')).sign(file, options));
}

export function defineRootSign(root: Command): void {
  const command = root
    .command('sign')
    .description('add a signature to a root of `init` or `rotate`, on the machine of its holder')
    .argument('<R.cbor>', 'root, complete or not; look at it with `root show` first')
    .option('--add', 'add to the signatures it has: of a --key, a --signature or a --from copy')
    .option('--request', 'write what the --pub key has to sign elsewhere; sign nothing');
  signing(command, 'root')
    .option('--from <COPY.cbor>', 'copy of the same root with the signatures of others')
    .requiredOption('--out <FILE>', 'root to write; with --request, the bytes to be signed')
    .option('--json', 'print JSON')
    .addHelpText('after', elsewhere('root sign', 'R.cbor'))
    .action(async (file, options) => (await import('./document-sign.ts')).rootSign(file, options));
}

export function defineRevokeSign(revoke: Command): void {
  const command = revoke
    .command('sign')
    .description('add a signature to a revocation list, on the machine of its holder')
    .argument('<L.cbor>', 'list, complete or not; look at it with `revoke show` first')
    .requiredOption('--root <root.cbor>', 'trusted keys')
    .option('--add', 'add to the signatures it has: of a --key, or a --signature made elsewhere')
    .option('--request', 'write what the --pub key has to sign elsewhere; sign nothing');
  signing(command, 'revocation')
    .requiredOption('--out <FILE>', 'list to write; with --request, the bytes to be signed')
    .option('--json', 'print JSON')
    .addHelpText('after', elsewhere('revoke sign', 'L.cbor', ' --root root.cbor'))
    .action(async (file, options) => {
      return (await import('./document-sign.ts')).revokeSign(file, options);
    });
}

/** A release whose only keys are elsewhere: packing is reproducible, so it is packed twice. */
export const PACK_ELSEWHERE = `
Without a --key, a key that is elsewhere signs in two steps; all other options stay the same:
  edgeward pack ... --request --pub k.pub --out F.tbs
  (sign F.tbs as \`edgeward sign --help\` shows)
  edgeward pack ... --pub k.pub --signature F.sig --out F.bundle`;

/** The options of a key that signs, here or elsewhere. */
function signing(command: Command, role: string): Command {
  const key = `private ${role} key; repeat it for each`;
  return keyElsewhere(command.option('--key <FILE.key>', key, collected, []));
}

export function keyElsewhere(command: Command): Command {
  return command
    .option(...PASSPHRASE_FILE)
    .option('--pub <FILE.pub>', 'public half of a key that is elsewhere: a token, a service')
    .option('--signature <FILE.sig>', 'what it made of the request: 64 bytes, or their base64');
}

function elsewhere(command: string, file: string, more = ''): string {
  const [name] = file.split('.');
  const token = 'pkcs11-tool --module M.so --login --id ID';
  return `
A key in a PKCS#11 token, a key service or on another machine signs in two steps. It is pure
Ed25519 over the file as it is, not over a hash of it:
  edgeward ${command} ${file}${more} --request --pub k.pub --out ${name}.tbs
  openssl pkeyutl -sign -rawin -inkey k.key -in ${name}.tbs -out ${name}.sig
or
  ${token} --sign --mechanism EDDSA -i ${name}.tbs -o ${name}.sig
then
  edgeward ${command} ${file}${more} --add --pub k.pub --signature ${name}.sig --out ${name}2.${file.slice(file.indexOf('.') + 1)}`;
}
