/** The closed fault codes of the command line itself. */
import { type FaultTable, type Refusal, refusing } from '../../core/base/fault.ts';

export type CliFaultCode =
  | 'cli.option'
  | 'cli.passphrase'
  | 'cli.input'
  | 'cli.frame'
  | 'cli.slots'
  | 'cli.not-running'
  | 'cli.stalled';

export const CLI_FAULTS: FaultTable<CliFaultCode> = {
  'cli.option': 'Correct the option; `edgeward COMMAND --help` describes it.',
  'cli.passphrase': 'Enter the passphrase again, or give it with --passphrase-file.',
  'cli.input': 'Name a folder that can be read, for a model with one input.',
  'cli.slots': 'Install a release first: `edgeward install F.bundle --state DIR --root root.cbor`.',
  'cli.not-running': 'Start the device: `edgeward run`, or its service.',
  'cli.stalled':
    'Send at least 4 KiB a second, or fetch the bundle first and install the file: a device that starts waits for this.',
  'cli.frame': 'Give one JSON object per line: an input name and its numbers.',
};

export const refuseCli: (code: CliFaultCode, message: string) => Refusal = refusing(CLI_FAULTS);
