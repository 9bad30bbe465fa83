/** The commands of operators: `operator sign`. */
import type { Command } from 'commander';
import { keyElsewhere } from './signing-commands.ts';
import { collected, whole } from './values.ts';

export function defineOperator(program: Command): void {
  const operator = program
    .command('operator')
    .description('orders of an operator to one device, signed where the key is');
  const command = operator
    .command('sign')
    .description('sign an order; the device takes it in this boot only, and once')
    .argument('<VERB>', 'pause, resume, force-safe, release, self-test, acknowledge or decide-hold')
    .argument('[ARGUMENTS...]', 'acknowledge: WHAT; decide-hold: NUMBER release|safe')
    .requiredOption('--device <DEVICE>', 'thumbprint of the device, or its device.pub')
    .requiredOption('--epoch <N>', 'boot number that the device reports', whole(1))
    .requiredOption('--counter <N>', 'higher than of any order that the key signed', whole(1))
    .option('--id <ID>', 'what to call the order (default: VERB-COUNTER)')
    .option('--root <root.cbor>', 'check that the key is an operator of this root')
    .option('--request', 'write what the --pub key has to sign elsewhere; sign nothing')
    .option('--key <FILE.key>', 'private operator key', collected, []);
  keyElsewhere(command)
    .requiredOption('--out <FILE>', 'order to write; with --request, the bytes to be signed')
    .option('--json', 'print JSON')
    .addHelpText('after', VERBS)
    .action(async (verb, args, options) => {
      return (await import('./operator.ts')).operatorSign(verb, args, options);
    });
}

const VERBS = `
Verbs:
  pause             no model output leaves, until resume
  resume            the mode before the pause
  force-safe        SAFE, which no self-test heals: release does
  release           out of LOCKED or a forced SAFE to SAFE, which a self-test heals; else to DEGRADED
  self-test         the gate and the golden vectors; a failure leaves the device in SAFE
  acknowledge WHAT  somebody has seen it; drift ends the drift alarms that stand
  decide-hold N release|safe
                    whether the held frame N may leave`;
