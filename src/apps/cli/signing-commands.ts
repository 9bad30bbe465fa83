/** Options of the commands that sign: `sign` and `root sign`, and what they share with others. */
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

/** The options of a key that signs, here or elsewhere. */
function signing(command: Command, role: string): Command {
  return command
    .option('--key <FILE.key>', `private ${role} key; repeat it for each`, collected, [])
    .option(...PASSPHRASE_FILE)
    .option('--pub <FILE.pub>', 'public half of a key that is elsewhere: a token, a service')
    .option('--signature <FILE.sig>', 'what it made of the request: 64 bytes, or their base64');
}

function elsewhere(command: string, file: string): string {
  const [name] = file.split('.');
  const token = 'pkcs11-tool --module M.so --login --id ID';
  return `
A key in a PKCS#11 token, a key service or on another machine signs in two steps. It is pure
Ed25519 over the file as it is, not over a hash of it:
  edgeward ${command} ${file} --request --pub k.pub --out ${name}.tbs
  openssl pkeyutl -sign -rawin -inkey k.key -in ${name}.tbs -out ${name}.sig
or
  ${token} --sign --mechanism EDDSA -i ${name}.tbs -o ${name}.sig
then
  edgeward ${command} ${file} --add --pub k.pub --signature ${name}.sig --out ${name}2.${file.slice(file.indexOf('.') + 1)}`;
}
