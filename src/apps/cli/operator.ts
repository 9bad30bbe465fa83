/** `edgeward operator sign`: an order to one device, on the machine of the operator. */
import { toHex } from '../../core/base/bytes.ts';
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { bytesToSign } from '../../core/crypto/detached-signature.ts';
import type { Signer } from '../../core/crypto/ed25519.ts';
import { cryptoSelfTest, signingSelfTest } from '../../core/crypto/self-test.ts';
import {
  type OperatorOrder,
  readAct,
  signOrder,
  verifyOrder,
} from '../../core/trust/operator-act.ts';
import { readRoot } from '../../host/runtime/trust-state.ts';
import { refuseCli } from './faults.ts';
import { thumbprintNamed } from './key-name.ts';
import { writeOutput } from './output-file.ts';
import { inputsOf, type SigningOptions, signingWay, writeRequest } from './signing-way.ts';
import { say, sayJson, styled } from './terminal.ts';

export interface OperatorSignOptions extends SigningOptions {
  readonly device: string;
  readonly epoch: number;
  readonly counter: number;
  readonly id?: string;
  readonly root?: string;
}

/** Refuses with `cli.option`, `store.*`, `key.*`, `field.*`, `operator.*`, `root.*`, `crypto.*`. */
export async function operatorSign(
  verb: string,
  args: readonly string[],
  options: OperatorSignOptions,
): Promise<void> {
  const { epoch, counter, id = `${verb}-${counter}`, out } = options;
  const device = thumbprintNamed(options.device);
  const order: OperatorOrder = {
    act: need(readAct(actOf(verb, args))),
    id,
    device,
    epoch,
    counter,
  };
  const sign = (signer: Signer): Result<Uint8Array> => signed(order, signer, options.root);
  const way = await signingWay(options);
  need(cryptoSelfTest());
  need(signingSelfTest());
  const inputs = [...inputsOf(options), options.root, options.device];
  const claim = { device: toHex(device), epoch, counter, id, ...order.act };
  const what = `${[verb, ...args].join(' ')} for ${toHex(device)}, boot ${epoch}, counter ${counter}`;
  if (way.kind === 'request') {
    const asked = need(bytesToSign(way.key.publicKey, sign));
    writeRequest(options, way.key, asked, inputs, { what, ...claim });
    return;
  }
  const [key, ...more] = way.keys;
  if (key === undefined || more.length > 0) throw refuseCli('cli.option', 'an order has one --key');
  writeOutput(out, need(sign(key.signer)), inputs);
  const operator = toHex(key.signer.thumbprint);
  if (options.json === true) sayJson({ out, operator, ...claim });
  else {
    say(`${styled('green', 'signed')} ${out}: ${what}`);
    say(`  by ${operator}`);
  }
}

function signed(
  order: OperatorOrder,
  signer: Signer,
  rootPath: string | undefined,
): Result<Uint8Array> {
  return attempt(() => {
    const bytes = need(signOrder(order, signer));
    if (rootPath === undefined) return bytes;
    const { device, epoch, counter } = order;
    const counterOf = (): number => counter - 1;
    need(verifyOrder(bytes, { root: need(readRoot(rootPath)), device, epoch, counterOf }));
    return bytes;
  });
}

/** What the words of the command line say, to be read as any other act. Refuses with `cli.option`. */
function actOf(verb: string, args: readonly string[]): Readonly<Record<string, unknown>> {
  const names = NAMES[verb] ?? [];
  if (args.length !== names.length) {
    const wanted = names.length === 0 ? 'nothing' : names.join(' ');
    throw refuseCli('cli.option', `${verb} takes ${wanted} behind it`);
  }
  const values = names.map((name, i) => [name, name === 'hold' ? Number(args[i]) : args[i]]);
  return { verb, ...Object.fromEntries(values) };
}

const NAMES: Readonly<Record<string, readonly string[]>> = {
  acknowledge: ['about'],
  'decide-hold': ['hold', 'answer'],
};
