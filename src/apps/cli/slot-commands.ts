/** The commands on the slots of a device: `install`, `status`, `confirm`, `revert`, `check`. */
import { type Command, InvalidArgumentError } from 'commander';
import type { SetPin } from '../../core/update/boot-record.ts';
import type { Verification } from '../../host/runtime/device-slots.ts';
import { collected, profile } from './values.ts';

export function defineProvision(program: Command): void {
  const command = program
    .command('provision')
    .description('keep the rollback floor of a new device in a TPM (T2) or in fuses (T1)')
    .requiredOption('--state <DIR>', 'folder of the device; made where it is not there')
    .option(
      '--owner-auth-file <FILE>',
      'T2: file with the owner password of the TPM, if it has one',
    )
    .option('--irreversible', 'T1: yes, burnt fuses stay burnt')
    .option('--json', 'print JSON');
  floorOptions(command).action(async (options) => {
    return (await import('./slots.ts')).provision(options);
  });
}

export function defineInstall(program: Command): void {
  const command = program
    .command('install')
    .description('put a release into the slot that nothing depends on; the next boot tries it')
    .argument('<F.bundle>', 'bundle, or - for standard input')
    .option('--hold', 'leave it waiting until `approve`: for a notice window')
    .option('--golden', 'into the factory slot, as the last one to fall back to');
  onState(command).action(async (file, options) => {
    return (await import('./install.ts')).install(file, options);
  });
}

export function defineApprove(program: Command): void {
  const command = program
    .command('approve')
    .description('let the next boot try the release that `install --hold` left waiting');
  onState(command).action(async (options) => (await import('./install.ts')).approve(options));
}

export function defineStatus(program: Command): void {
  const command = program
    .command('status')
    .description('show what every slot holds, what boots next and what is left to fall back to');
  onState(command).action(async (options) => (await import('./slots.ts')).status(options));
}

export function defineConfirm(program: Command): void {
  const command = program
    .command('confirm')
    .description('confirm the release on trial, after its golden vectors; a boot does so by itself')
    .option('--board <NAME>', 'board profile: a name or a file (default: this machine)');
  onState(command).action(async (options) => (await import('./slots.ts')).confirm(options));
}

export function defineRevert(program: Command): void {
  const command = program
    .command('revert')
    .description(
      'take a release that waits or is on trial back; with none, prefer the other good slot, GOLDEN last',
    );
  onState(command).action(async (options) => (await import('./slots.ts')).revert(options));
}

export function defineCheck(program: Command): void {
  const command = program
    .command('check')
    .description('whether the device is healthy: for RAUC, Mender and SWUpdate, by the exit code')
    .requiredOption('--boot', 'verify the confirmed release and run its golden vectors')
    .option('--running', 'and require that a device runs on the folder')
    .option('--board <NAME>', 'board profile: a name or a file (default: this machine)');
  onState(command)
    .addHelpText('after', CHECK_CODES)
    .action(async (options) => (await import('./slots.ts')).check(options));
}

const CHECK_CODES = `
Exit codes: 0 a confirmed release verifies and gives what its maker's machine gave; 75 a release is
on trial and not confirmed yet, ask again; any other one says why, as \`edgeward --help\` lists them.`;

/** What every command on a state folder is told. */
function onState(command: Command): Command {
  return trustOptions(command.requiredOption('--state <DIR>', 'folder of the device')).option(
    '--json',
    'print JSON',
  );
}

/** Where the rollback floor is kept, as the image fixes it. */
function floorOptions(command: Command): Command {
  return command
    .option(
      '--floor-tier <T>',
      'the rollback floor: T0 files (default), T1 fuses, T2 a TPM, or none',
      tier,
    )
    .option('--tcti <TCTI>', 'T2: how to reach the TPM, for example device:/dev/tpmrm0')
    .option('--otp-for <CLASS/MODEL>', 'T1: the one model that the fuses count for', otpFor);
}

/** Of roots, revocations, floors and the pin: for `run` as well. */
export function trustOptions(command: Command): Command {
  return floorOptions(command)
    .requiredOption(
      '--root <root.cbor>',
      'trusted keys; repeat it for roots that follow, in the order of their versions',
      collected,
    )
    .option('--revocations <FILE>', 'revocation list; once one was recorded, nothing runs without')
    .option('--class <C>', 'hardware class; bundles for another are refused')
    .option('--pin <VENDOR/CLASS/MODEL>', 'whose slots these are (default: the first release)', pin)
    .option(
      '--verification <MODE>',
      'payloads at boot: full (default), lazy, or kernel (fs-verity)',
      mode,
    )
    .option(
      '--profile <P>',
      'development (default), or production (refuses development keys)',
      profile,
    );
}

function pin(text: string): SetPin {
  const [vendor, hardwareClass, model, ...more] = text.split('/');
  if (vendor && hardwareClass && model && more.length === 0)
    return { vendor, hardwareClass, model };
  throw new InvalidArgumentError('It must be VENDOR/CLASS/MODEL.');
}

function otpFor(text: string): Pick<SetPin, 'hardwareClass' | 'model'> {
  const [hardwareClass, model, ...more] = text.split('/');
  if (hardwareClass && model && more.length === 0) return { hardwareClass, model };
  throw new InvalidArgumentError('It must be CLASS/MODEL.');
}

function mode(text: string): Verification {
  if (text === 'full' || text === 'lazy' || text === 'kernel') return text;
  throw new InvalidArgumentError('It must be full, lazy or kernel.');
}

function tier(text: string): string {
  if (['none', 'T0', 'T1', 'T2'].includes(text)) return text;
  throw new InvalidArgumentError('It must be none, T0, T1 or T2.');
}
