/** `edgeward root sign` and `revoke sign`: one more signature, on a machine of its holder. */
import { toHex } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import { REVOCATION_BYTES_MAX, ROOT_BYTES_MAX } from '../../core/base/limits.ts';
import { addRevocationSignature, inspectRevocations } from '../../core/trust/revocation.ts';
import { addRootSignature, inspectRoot, mergeRootSignatures } from '../../core/trust/root.ts';
import { readRoot } from '../../host/runtime/trust-state.ts';
import { readFileBounded, writeFileAtomic } from '../../host/store/files.ts';
import { type AddSignature, requestDocumentSignature, signDocument } from '../maker/ceremony.ts';
import { refuseCli } from './faults.ts';
import { revokeShow } from './revoke.ts';
import { rootShow } from './root-show.ts';
import { inputsOf, type SigningOptions, signingWay, writeRequest } from './signing-way.ts';

export interface RootSignOptions extends SigningOptions {
  readonly add?: boolean;
  /** A copy of the same root that others signed. */
  readonly from?: string;
}

export interface RevokeSignOptions extends SigningOptions {
  readonly add?: boolean;
  readonly root: string;
}

/**
 * Refuses with `cli.option`, `store.*`, `key.*`, `root.*`, `trust.unauthorised`,
 * `trust.duplicate-signature`, and `crypto.*` where a signature does not verify.
 */
export async function rootSign(file: string, options: RootSignOptions): Promise<void> {
  const bytes = need(readFileBounded(file, ROOT_BYTES_MAX));
  if (options.from !== undefined) {
    if (options.add !== true || options.key.length > 0 || options.pub !== undefined) {
      throw refuseCli('cli.option', 'say --add --from without a key: a copy has its signatures');
    }
    const copy = need(readFileBounded(options.from, ROOT_BYTES_MAX));
    publish(need(mergeRootSignatures(bytes, copy)), options);
  } else {
    const { content, sha256 } = need(inspectRoot(bytes));
    const what = `root version ${content.version}, SHA-256 ${toHex(sha256)}`;
    const claim = { what, version: content.version, rootSha256: toHex(sha256) };
    if (!(await addOrAsk(file, bytes, options, addRootSignature, claim))) return;
  }
  rootShow(options.out, options);
}

/** Refuses as `rootSign` does, and with `revocation.*`. */
export async function revokeSign(file: string, options: RevokeSignOptions): Promise<void> {
  const root = need(readRoot(options.root));
  const bytes = need(readFileBounded(file, REVOCATION_BYTES_MAX));
  const { content, sha256 } = need(inspectRevocations(bytes, root));
  const what = `revocation list ${content.version}, SHA-256 ${toHex(sha256)}`;
  const claim = { what, version: content.version, listSha256: toHex(sha256) };
  const add: AddSignature = (document, signer) => addRevocationSignature(document, signer, root);
  if (await addOrAsk(file, bytes, options, add, claim)) revokeShow(options.out, options);
}

/** True where a signed document was written; false for a request. */
async function addOrAsk(
  file: string,
  bytes: Uint8Array,
  options: SigningOptions & { readonly add?: boolean },
  add: AddSignature,
  claim: Readonly<Record<string, unknown>> & { readonly what: string },
): Promise<boolean> {
  checkMode(options);
  const way = await signingWay(options);
  if (way.kind === 'request') {
    const asked = need(requestDocumentSignature(bytes, way.key.publicKey, add));
    writeRequest(options, way.key, asked, [file, ...inputsOf(options)], claim);
    return false;
  }
  const signers = way.keys.map(({ signer }) => signer);
  publish(need(signDocument(bytes, signers, add)), options);
  return true;
}

/** Never over a file that is there: a root or a list that devices trust, or one yet to be signed. */
function publish(bytes: Uint8Array, { out }: SigningOptions): void {
  need(writeFileAtomic(out, [bytes], { fresh: true }));
}

function checkMode(options: SigningOptions & { readonly add?: boolean }): void {
  if ((options.add === true) !== (options.request === true)) return;
  throw refuseCli('cli.option', 'say --add or --request');
}
