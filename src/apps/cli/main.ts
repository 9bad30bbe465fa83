#!/usr/bin/env node
/** The `edgeward` program: parses the command line and loads the command that was asked for. */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { Refusal } from '../../core/base/fault.ts';
import { EDGEWARD_VERSION } from '../../host/runtime/version.ts';
import { EXIT_CODES, EXIT_INTERNAL, EXIT_READER_GONE, EXIT_USAGE } from './exit-codes.ts';
import { fail, note } from './terminal.ts';

const FOOTER = `
Exit codes: 0 success, ${EXIT_INTERNAL} a defect of Edgeward, ${EXIT_USAGE} wrong usage, 3 the demo saw something
unexpected, ${EXIT_READER_GONE} nobody reads the output any more, and one per family of fault:
${exitCodeTable()}`;

const program = new Command('edgeward')
  .description('Guards AI models on edge hardware: sign, verify, infer, fail safe, report.')
  .version(EDGEWARD_VERSION)
  // `pack` has a --version of its own.
  .enablePositionalOptions()
  .showHelpAfterError('(`--help` describes the options)')
  .addHelpText('after', FOOTER)
  .exitOverride();

program
  .command('keygen')
  .description('make a signing key: NAME.key (mode 0600) and NAME.pub')
  .requiredOption('--out <DIR/NAME>', 'path without ending')
  .option('--dev', 'mark it as a development key, which a production root refuses')
  .option('--json', 'print JSON')
  .action(async (options) => (await import('./keygen.ts')).keygen(options));

const root = program.command('root').description('make and show the set of trusted keys');

root
  .command('init')
  .description('make the first root: who may sign roots, who may release bundles')
  .requiredOption('--root-key <FILE.key...>', 'private keys of the root role; all of them sign')
  .requiredOption('--release-key <FILE.pub...>', 'public keys that may release bundles')
  .option('--threshold <N>', 'root signatures a root needs', whole(1), 1)
  .option('--release-threshold <N>', 'release signatures a bundle needs', whole(1), 1)
  .option('--models <PREFIX...>', 'model names that may be released, by prefix (default: any)')
  .option('--classes <CLASS...>', 'hardware classes that may be released for (default: any)')
  .option('--expires <DATE>', 'no new installs after it, for example 2029-12-31')
  .option('--production', 'refuse development keys for good')
  .requiredOption('--out <FILE>', 'root file to write')
  .option('--json', 'print JSON')
  .action(async (options) => (await import('./root.ts')).rootInit(options));

root
  .command('show')
  .description('show a root file after checking its signatures')
  .argument('<FILE>', 'root file')
  .option('--json', 'print JSON')
  .action(async (file, options) => (await import('./root.ts')).rootShow(file, options));

program
  .command('calibrate')
  .description('fit the guard of a model on recorded inputs, with a promise on false alarms')
  .requiredOption('--model <M.onnx>', 'the model')
  .requiredOption('--fit <X.npy>', 'inputs like those it was trained on; the first axis is rows')
  .option('--labels <Y.npy>', 'class index of every fit row (default: what the model answers)')
  .requiredOption('--calibration <C.npy>', 'inputs from use, seen by neither model nor fit')
  .requiredOption('--false-alarms <SHARE>', 'share of ordinary inputs that may alarm', number())
  .option('--confidence <SHARE>', 'how surely that holds', number(), 0.95)
  .option('--scores <NAME>', 'output with the raw class scores', 'logits')
  .option('--features <NAME>', 'output with the input of the last linear layer', 'features')
  .option('--metadata <M.json>', 'for the conversion of inputs, as in `pack`')
  .requiredOption('--out <guard.cbor>', 'guard policy to write')
  .option('--json', 'print JSON')
  .action(async (options) => (await import('./calibrate.ts')).calibrate(options));

program
  .command('features')
  .description('make the input of the last linear layer an output, which the guard needs')
  .argument('<M.onnx>', 'the model; it is not re-encoded, the output is appended')
  .option('--scores <NAME>', 'output with the class scores (default: logits, or the only one)')
  .option('--name <NAME>', 'fail unless the output is called so; its tensor gives it its name')
  .option(
    '--samples <[NAME=]X.npy>',
    'inputs to prove on that nothing changed; repeat it for each input (default: random)',
    collected,
    [],
  )
  .requiredOption('--out <M2.onnx>', 'model to write')
  .option('--json', 'print JSON')
  .action(async (file, options) => (await import('./features.ts')).features(file, options));

program
  .command('scan')
  .description('look for what does not belong into a model, as `pack` does, without running it')
  .argument('<M.onnx>', 'the model')
  .option('--metadata <M.json>', 'for the findings that it waives')
  .option('--json', 'print JSON')
  .action(async (file, options) => (await import('./scan.ts')).scan(file, options));

program
  .command('pack')
  .description('sign a model with its guard and metadata into one bundle')
  .requiredOption('--model <M.onnx>', 'the model')
  .option('--guard <guard.cbor>', 'guard policy of `calibrate`')
  .option('--contract-only', 'without statistics: input and output contracts only')
  .option('--metadata <M.json>', 'ranges, labels, safe output, budgets, uses')
  .requiredOption('--name <N>', 'name of the model')
  .requiredOption('--version <V>', 'semantic version')
  .requiredOption('--security-version <S>', 'raise it to make older releases refused', whole(0))
  .option('--sequence <N>', 'sequence number (default: from the version)', whole(0))
  .requiredOption('--class <C>', 'hardware class it is made for')
  .requiredOption('--key <FILE.key...>', 'private release keys')
  .requiredOption('--out <F.bundle>', 'bundle to write')
  .option('--json', 'print JSON')
  .action(async (options) => (await import('./pack.ts')).pack(options));

program
  .command('sign')
  .description('add signatures to a bundle; manifest and payloads stay as they are')
  .argument('<F.bundle>', 'bundle that `pack` signed')
  .option('--add', 'add to the signatures it has (the only thing this does)')
  .option('--key <FILE.key>', 'private release key; repeat it for each', collected, [])
  .option('--root <root.cbor>', 'verify the earlier signatures and the new keys under it')
  .requiredOption('--out <F2.bundle>', 'bundle to write')
  .option('--json', 'print JSON')
  .action(async (file, options) => (await import('./sign.ts')).sign(file, options));

trusted(
  program
    .command('verify')
    .description('verify a bundle: signatures, rollback, every byte')
    .argument('<F.bundle>', 'bundle'),
).action(async (file, options) => (await import('./verify.ts')).verify(file, options));

program
  .command('inspect')
  .description('show what a bundle says about itself, WITHOUT verifying a signature')
  .argument('<F.bundle>', 'bundle')
  .option('--json', 'print JSON')
  .action(async (file, options) => (await import('./inspect.ts')).inspect(file, options));

trusted(
  program
    .command('infer')
    .description('verify a bundle and judge recorded inputs, one verdict per row')
    .argument('<F.bundle>', 'bundle')
    .requiredOption(
      '--input <[NAME=]X.npy...>',
      'inputs, given after the bundle; the first axis is rows',
    )
    .option('--board <NAME>', 'board profile: a name or a file (default: this machine)'),
).action(async (file, options) => (await import('./infer.ts')).infer(file, options));

program
  .command('run')
  .description('the main program of a device: boot, verify, guard what arrives, report')
  .argument('[F.bundle]', 'bundle to install first; else the installed one boots')
  .requiredOption('--root <root.cbor>', 'trusted keys')
  .requiredOption('--state <DIR>', 'folder of the device: identity, floors, installed bundle')
  .option('--input <DIR|->', 'folder of .npy frames taken in order of name, or JSON lines on stdin')
  .option('--once', 'stop when the folder holds no more frames')
  .option('--mqtt <URL>', 'broker: mqtts://HOST[:PORT], or mqtt:// on loopback')
  .option('--ca <FILE>', 'CA certificates of the broker, PEM')
  .option('--cert <FILE>', 'client certificate, PEM')
  .option('--cert-key <FILE>', 'its key, PEM (mode 0600)')
  .option('--username <NAME>', 'user name at the broker')
  .option('--password-file <FILE>', 'file with the password (mode 0600)')
  .option('--group <ID>', 'group in the topics', 'default')
  .option('--device <ID>', 'device name in the topics (default: from its key)')
  .option('--board <NAME>', 'board profile: a name or a file (default: this machine)')
  .option('--class <C>', 'hardware class; bundles for another are refused')
  .option('--profile <P>', 'development, or production (refuses development keys)', profile)
  .option('--json', 'print JSON lines')
  .action(async (file, options) => (await import('./run.ts')).run(file, options));

program
  .command('demo')
  .description('the whole main job on this machine, with an in-process broker and fresh keys')
  .option('--keep', 'keep running after the demonstration, until Ctrl-C')
  .option('--json', 'print the summary as JSON')
  .action(async (options) => (await import('./demo.ts')).demo(options));

/** The options of everything that verifies. */
function trusted(command: Command): Command {
  return command
    .requiredOption('--root <root.cbor>', 'trusted keys')
    .option('--floor <S>', 'refuse security versions below it', whole(0))
    .option('--class <C>', 'hardware class; bundles for another are refused')
    .option('--profile <P>', 'development, or production (refuses development keys)', profile)
    .option('--json', 'print JSON');
}

function whole(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= min) return value;
    throw new InvalidArgumentError(`It must be a whole number of at least ${min}.`);
  };
}

function collected(value: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, value];
}

function number(): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value)) return value;
    throw new InvalidArgumentError('It must be a number.');
  };
}

function profile(text: string): string {
  if (text === 'development' || text === 'production') return text;
  throw new InvalidArgumentError('It must be development or production.');
}

function exitCodeTable(): string {
  const entries = Object.entries(EXIT_CODES).map(([family, code]) => `${code} ${family}`);
  const lines: string[] = [];
  while (entries.length > 0) lines.push(`  ${entries.splice(0, 8).join(', ')}`);
  return lines.join('\n');
}

async function main(): Promise<void> {
  process.stdout.on('error', (thrown) => {
    if (!isReaderGone(thrown)) throw thrown;
    process.exit(EXIT_READER_GONE);
  });
  // A device goes on guarding when nobody reads its log.
  process.stderr.on('error', (thrown) => {
    if (!isReaderGone(thrown)) throw thrown;
  });
  try {
    await program.parseAsync();
  } catch (thrown) {
    if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? 0 : EXIT_USAGE;
    else if (thrown instanceof Refusal) fail(thrown.fault);
    else reportDefect(thrown);
  }
}

function isReaderGone(thrown: Error): boolean {
  return 'code' in thrown && thrown.code === 'EPIPE';
}

function reportDefect(thrown: unknown): void {
  note(`edgeward: a defect: ${thrown instanceof Error ? thrown.stack : String(thrown)}`);
  note('  Please report it with the command that led here.');
  process.exitCode = EXIT_INTERNAL;
}

/** Awaited by `dist/cli.js`: a CommonJS module, which the build also writes of this, cannot await. */
export const ended: Promise<void> = main();
