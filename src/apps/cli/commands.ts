/** Every command of `edgeward` and its options; the code of a command is loaded when it is called. */
import type { Command } from 'commander';
import { EXIT_NOT_PASSED } from './exit-codes.ts';
import { defineOperator } from './operator-commands.ts';
import {
  defineRevokeSign,
  defineRootSign,
  defineSign,
  keyElsewhere,
  PACK_ELSEWHERE,
  PASSPHRASE_FILE,
} from './signing-commands.ts';
import {
  defineApprove,
  defineCheck,
  defineConfirm,
  defineInstall,
  defineProvision,
  defineRevert,
  defineStatus,
  trustOptions,
} from './slot-commands.ts';
import { defineInfer, defineVerify } from './trusting-commands.ts';
import { collected, number, whole } from './values.ts';

/** In the order of the help. */
const DEFINITIONS: readonly ((program: Command) => void)[] = [
  defineKeygen,
  defineRoot,
  defineRevoke,
  defineCalibrate,
  defineEvaluate,
  defineFeatures,
  defineScan,
  definePack,
  defineSign,
  defineVerify,
  defineInspect,
  defineInfer,
  defineProvision,
  defineInstall,
  defineApprove,
  defineStatus,
  defineConfirm,
  defineRevert,
  defineCheck,
  defineOperator,
  defineRun,
  defineDemo,
];

export function defineAll(program: Command): void {
  for (const define of DEFINITIONS) define(program);
}

function defineKeygen(program: Command): void {
  program
    .command('keygen')
    .description('make a signing key: NAME.key (mode 0600) and NAME.pub')
    .requiredOption('--out <DIR/NAME>', 'path without ending')
    .option('--dev', 'mark it as a development key, which a production root refuses')
    .option('--encrypt', 'with a passphrase: PBES2, which `openssl pkey` reads')
    .option('--ml-dsa-65', 'a post-quantum key (FIPS 204), to sign bundles beside an Ed25519 key')
    .option(
      '--passphrase-file <FILE>',
      'file (mode 0600) with the passphrase in its first line; else it is asked for, twice',
    )
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./keygen.ts')).keygen(options));
}

function defineRoot(program: Command): void {
  const root = program.command('root').description('make and show the set of trusted keys');

  root
    .command('init')
    .description('make the first root: who may sign roots, who may release bundles')
    .option('--root-key <FILE.key...>', 'private keys of the root role; all of them sign', [])
    .option('--root-pub <FILE.pub...>', 'root keys of others, who then use `root sign`')
    .option(...PASSPHRASE_FILE)
    .requiredOption('--release-key <FILE.pub...>', 'public keys that may release bundles')
    .option('--release-ml-dsa-key <FILE.pub...>', 'ML-DSA-65 keys that must sign bundles as well')
    .option('--revocation-key <FILE.pub...>', 'public keys that may sign revocation lists')
    .option('--operator-key <FILE.pub...>', 'public keys that may command a fleet')
    .option('--runtime-key <FILE.pub...>', "public keys that may release Edgeward's own files")
    .option('--enrolment-key <FILE.pub...>', 'public keys that may enrol devices')
    .option('--threshold <N>', 'root signatures a root needs', whole(1), 1)
    .option('--release-threshold <N>', 'release signatures a bundle needs', whole(1), 1)
    .option(
      '--role-threshold <ROLE=N>',
      'signatures that another role needs (default: 1); repeat it for each',
      collected,
      [],
    )
    .option('--models <PREFIX...>', 'model names that may be released, by prefix (default: any)')
    .option('--classes <CLASS...>', 'hardware classes that may be released for (default: any)')
    .option('--expires <DATE>', 'no new installs after it, for example 2029-12-31')
    .option('--production', 'refuse development keys for good')
    .requiredOption('--out <FILE>', 'root file to write')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./root.ts')).rootInit(options));

  root
    .command('rotate')
    .description('make the next root; what is not named stays. Others may have to sign it too')
    .argument('<FILE>', 'root to follow')
    .option('--add <ROLE=FILE.pub>', 'give a role one key more; repeat it', collected, [])
    .option(
      '--retire <KEY>',
      'thumbprint or FILE.pub: installs nothing more, what is confirmed goes on; repeat it',
      collected,
      [],
    )
    .option(
      '--remove <KEY>',
      'thumbprint or FILE.pub: what only it signed stops; for root keys; repeat it',
      collected,
      [],
    )
    .option('--role-threshold <ROLE=N>', 'signatures that a role needs; repeat it', collected, [])
    .option('--models <PREFIX...>', 'model names that may be released, or `any`')
    .option('--classes <CLASS...>', 'hardware classes that may be released for, or `any`')
    .option('--expires <DATE>', 'no new installs after it, or `never`')
    .option('--root-key <FILE.key>', 'private root key, old or new; repeat it', collected, [])
    .option(...PASSPHRASE_FILE)
    .requiredOption('--out <FILE>', 'root file to write')
    .option('--json', 'print JSON')
    .action(async (file, options) => (await import('./root.ts')).rootRotate(file, options));

  defineRootSign(root);

  root
    .command('show')
    .description('show a root file after checking its signatures, and which ones are missing')
    .argument('<FILE>', 'root file')
    .option('--json', 'print JSON')
    .action(async (file, options) => (await import('./root-show.ts')).rootShow(file, options));
}

function defineRevoke(program: Command): void {
  const command = program
    .command('revoke')
    .description('make the next revocation list: what it names runs on no device any more')
    .option('--root <root.cbor>', 'trusted keys')
    .option('--from <LIST.cbor>', 'list before it (default: this is the first)')
    .option('--key <KEY>', 'release key, by thumbprint or FILE.pub; repeat it', collected, [])
    .option('--manifest <RELEASE>', 'manifest digest or F.bundle; repeat it', collected, [])
    .option(
      '--min-security-version <MODEL@CLASS=S>',
      'revoke what is below; repeat it',
      collected,
      [],
    )
    .option('--revocation-key <FILE.key>', 'private key to sign with; repeat it', collected, [])
    .option(...PASSPHRASE_FILE)
    .option('--out <FILE>', 'list to write')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./revoke.ts')).revoke(options));

  defineRevokeSign(command);

  command
    .command('show')
    .description('show a revocation list after checking its signatures')
    .argument('<LIST.cbor>', 'revocation list')
    .requiredOption('--root <root.cbor>', 'trusted keys')
    .option('--json', 'print JSON')
    .action(async (file, options) => (await import('./revoke.ts')).revokeShow(file, options));
}

function defineCalibrate(program: Command): void {
  program
    .command('calibrate')
    .description('fit the guard of a model on recorded inputs, with a promise on false alarms')
    .requiredOption('--model <M.onnx>', 'the model')
    .requiredOption(
      '--fit <SET>',
      'inputs like those it was trained on: .npy, .csv or image folder',
    )
    .option('--labels <Y>', 'class index of every fit row, .npy or .csv (default: the answers)')
    .requiredOption('--calibration <SET>', 'inputs from use, seen by neither model nor fit')
    .requiredOption('--false-alarms <SHARE>', 'share of ordinary inputs that may alarm', number())
    .option('--confidence <SHARE>', 'how surely that holds', number(), 0.95)
    .option('--scores <NAME>', 'output with the raw class scores', 'logits')
    .option('--features <NAME>', 'output with the input of the last linear layer', 'features')
    .addOption(
      program
        .createOption('--also <DETECTOR...>', 'further detectors; knn ships samples of features')
        .choices(['vim', 'knn'])
        .default([]),
    )
    .option('--no-input-statistics', 'judge no statistics of inputs')
    .option('--perturbation', 'fit the tripwire as well: one more inference where it asks')
    .option(
      '--drift-alpha <A>',
      'chance of a drift alarm when nothing drifts; 0: off',
      number(),
      0.01,
    )
    .option('--drift-classes', 'bet on how often classes come, too; not for streams of one scene')
    .option('--metadata <M.json>', 'conversion of inputs and guard settings, as in `pack`')
    .requiredOption('--out <guard.cbor>', 'guard policy to write')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./calibrate.ts')).calibrate(options));
}

function defineEvaluate(program: Command): void {
  program
    .command('evaluate')
    .description('hold a guard against its promise, unusual inputs, faults, attacks and callers')
    .requiredOption('--model <M.onnx>', 'the model')
    .requiredOption('--guard <guard.cbor>', 'its guard policy, of `calibrate`')
    .requiredOption('--test <IN>', 'usual inputs that neither model nor guard have seen')
    .option('--calibration <IN>', 'the calibration set again, for random splits of more rows')
    .option(
      '--ood <NAME=IN>',
      'unusual inputs, with a name for the report; repeat it',
      collected,
      [],
    )
    .option('--attacks <N>', 'attack so many inputs with each attack; takes long', whole(1))
    .option('--callers', 'let callers copy and search the model; takes long')
    .option('--quick', 'few rows, splits and streams: a first look')
    .option(
      '--seed <N>',
      'of all that is random; the same seed gives the same figures',
      whole(0),
      1,
    )
    .option('--metadata <M.json>', 'ranges, conversion and settings of the guard, as in `pack`')
    .option('--json <FILE|->', 'write the whole evaluation as JSON, which `pack` takes as evidence')
    .option('--html <FILE>', 'write a report for people, in one file')
    .addHelpText('after', EVALUATE_IN)
    .action(async (options) => (await import('./evaluate.ts')).evaluate(options));
}

const EVALUATE_IN = `
IN is a .npy file, a .csv file or a folder of images, as for calibrate.
Exit code: 0 where the guard keeps its promise on false alarms, ${EXIT_NOT_PASSED} where it does not.`;

function defineFeatures(program: Command): void {
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
}

function defineScan(program: Command): void {
  program
    .command('scan')
    .description('look for what does not belong into a model, as `pack` does, without running it')
    .argument('<M.onnx>', 'the model')
    .option('--metadata <M.json>', 'for the findings that it waives')
    .option('--json', 'print JSON')
    .action(async (file, options) => (await import('./scan.ts')).scan(file, options));
}

function definePack(program: Command): void {
  const command = program
    .command('pack')
    .description('sign a model with its guard and metadata into one bundle')
    .requiredOption('--model <M.onnx>', 'the model')
    .option('--guard <guard.cbor>', 'guard policy of `calibrate`')
    .option('--contract-only', 'without statistics: input and output contracts only')
    .option(
      '--golden <[NAME=]X.npy...>',
      'inputs whose first rows a device must compute alike (default: seeded noise)',
    )
    .option('--no-golden', 'without golden vectors')
    .option('--metadata <M.json>', 'ranges, labels, safe output, budgets, uses')
    .option('--evidence <E.json>', 'evaluation of this model and guard, of `evaluate --json`')
    .requiredOption('--name <N>', 'name of the model')
    .requiredOption('--version <V>', 'semantic version')
    .requiredOption('--security-version <S>', 'raise it to make older releases refused', whole(0))
    .option('--sequence <N>', 'sequence number (default: from the version)', whole(0))
    .requiredOption('--class <C>', 'hardware class it is made for')
    .option('--key <FILE.key...>', 'private release keys', [])
    .option('--request', 'write what the --pub key has to sign elsewhere; pack nothing');
  keyElsewhere(command)
    .requiredOption('--out <FILE>', 'bundle to write; with --request, the bytes to be signed')
    .option('--json', 'print JSON')
    .addHelpText('after', PACK_ELSEWHERE)
    .action(async (options) => (await import('./pack.ts')).pack(options));
}

function defineInspect(program: Command): void {
  program
    .command('inspect')
    .description('show what a bundle says about itself, WITHOUT verifying a signature')
    .argument('<F.bundle>', 'bundle')
    .option('--json', 'print JSON')
    .action(async (file, options) => (await import('./inspect.ts')).inspect(file, options));
}

function defineRun(program: Command): void {
  const command = program
    .command('run')
    .description('the main program of a device: boot, verify, guard what arrives, report')
    .argument('[F.bundle]', 'bundle to install first; else the installed one boots')
    .requiredOption('--state <DIR>', 'folder of the device: identity, floors, slots')
    .option(
      '--input <DIR|->',
      'folder of .npy frames taken in order of name, or JSON lines on stdin',
    )
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
    .option('--json', 'print JSON lines');
  trustOptions(command).action(async (file, options) =>
    (await import('./run.ts')).run(file, options),
  );
}

function defineDemo(program: Command): void {
  program
    .command('demo')
    .description('the whole main job on this machine, with an in-process broker and fresh keys')
    .option('--keep', 'keep running after the demonstration, until Ctrl-C')
    .option('--json', 'print the summary as JSON')
    .action(async (options) => (await import('./demo.ts')).demo(options));
}
