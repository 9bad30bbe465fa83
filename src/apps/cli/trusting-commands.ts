/** `verify` and `infer`: defined apart, since each of them is also a program of its own (build.ts). */
import type { Command } from 'commander';
import { profile, whole } from './values.ts';

export function defineVerify(program: Command): void {
  trusted(
    program
      .command('verify')
      .description('verify a bundle: signatures, rollback, every byte')
      .argument('<F.bundle>', 'bundle')
      .option('--second-opinion', 'have a second implementation judge every signature as well'),
  ).action(async (file, options) => {
    const { verify } = await import('./verify.ts');
    const twice = options.secondOpinion === true;
    const second = twice ? await import('../../core/crypto/second-opinion.ts') : undefined;
    await verify(file, options, second?.verifyTwice);
  });
}

export function defineInfer(program: Command): void {
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
}

/** The options of everything that verifies. */
function trusted(command: Command): Command {
  return command
    .requiredOption('--root <root.cbor>', 'trusted keys')
    .option('--revocations <FILE>', 'revocation list, to refuse what it names')
    .option('--floor <S>', 'refuse security versions below it', whole(0))
    .option('--class <C>', 'hardware class; bundles for another are refused')
    .option(
      '--profile <P>',
      'development (default), or production (refuses development keys)',
      profile,
    )
    .option('--json', 'print JSON');
}
