/** `edgeward inspect`: what a bundle claims. Nothing of it is verified, and it says so. */
import { toHex } from '../../core/base/bytes.ts';
import { need } from '../../core/base/fault.ts';
import type { Dim, IoSchema } from '../../core/bundle/io-schema.ts';
import { readManifestEntry } from '../../core/bundle/layout.ts';
import { decodeMetadata, type ModelMetadata } from '../../core/bundle/metadata.ts';
import { claimedSigner } from '../../core/cose/ml-dsa-sign1.ts';
import type { CborValue } from '../../core/cose/value.ts';
import { openEnvelope } from '../../core/suit/envelope.ts';
import { parseManifest } from '../../core/suit/manifest.ts';
import { openBundleFile } from '../../host/store/bundle-file.ts';
import { printable, say, sayJson, styled } from './terminal.ts';

/** Refuses with `store.*`, `bundle.*`, `suit.*`, `metadata.*`, `cbor.*`, `field.*`. */
export function inspect(file: string, options: { readonly json?: boolean }): void {
  const source = need(openBundleFile(file));
  try {
    const envelope = need(openEnvelope(need(readManifestEntry(source)).bytes));
    const manifest = need(parseManifest(envelope.manifest));
    const meta = need(decodeMetadata(envelope.meta));
    const claim = {
      verified: false,
      manifestSha256: toHex(envelope.manifestSha256),
      sequenceNumber: manifest.sequenceNumber,
      claimedSigners: envelope.signatures.map((block) => toHex(need(claimedSigner(block)))),
      ...plainMetadata(meta),
    };
    if (options.json === true) sayJson(claim);
    else show(claim, meta);
  } finally {
    source.close();
  }
}

function show(
  claim: { manifestSha256: string; sequenceNumber: number; claimedSigners: string[] },
  meta: ModelMetadata,
): void {
  // Nobody vouches for these words yet.
  const line = (text: string): void => say(printable(text));
  say(styled('yellow', 'not verified: this is what the file says about itself'));
  line(
    `${meta.name} ${meta.version}  (security version ${meta.securityVersion}, sequence ${claim.sequenceNumber})`,
  );
  if (meta.description !== undefined) line(`  ${meta.description}`);
  line(`  manifest ${claim.manifestSha256}`);
  for (const signer of claim.claimedSigners) line(`  claims a signature of ${signer}`);
  line(
    `  for class ${meta.hardwareClass} of ${meta.vendor}; needs Edgeward ${meta.guardVersionMin}`,
  );
  line(
    `  guard: ${meta.detection}; safe output: ${meta.safeOutput ? 'declared' : 'none (withhold)'}`,
  );
  for (const { name, dtype, dims, range } of meta.io.inputs) {
    const within = range === undefined ? '' : ` in [${range.min}, ${range.max}]`;
    line(`  input  ${name}: ${dtype} [${dims.map(dimText).join(', ')}]${within}`);
  }
  for (const { name, dtype, dims, role, labels } of meta.io.outputs) {
    const named = labels === undefined ? '' : `: ${labels.join(', ')}`;
    line(`  output ${name}: ${dtype} [${dims.map(dimText).join(', ')}] ${role}${named}`);
  }
  for (const { path, sizeBytes, role, sha256 } of meta.files) {
    line(`  file   ${path}  ${role}, ${sizeBytes} bytes, SHA-256 ${toHex(sha256)}`);
  }
  for (const use of meta.intendedUses) line(`  intended:   ${use}`);
  for (const use of meta.prohibitedUses) line(`  prohibited: ${use}`);
  for (const code of meta.waived ?? []) line(`  waived:     ${code}`);
}

function dimText(dim: Dim): string {
  return typeof dim === 'number' ? String(dim) : `${dim.name}=${dim.min}..${dim.max}`;
}

function plainMetadata(meta: ModelMetadata) {
  const { files, guard, safeOutput, provenance, io, ...rest } = meta;
  return {
    ...rest,
    io: io satisfies IoSchema,
    files: files.map(({ sha256, verity, ...file }) => {
      return { ...file, sha256: toHex(sha256), fsVerity: toHex(verity) };
    }),
    guard: plain(guard),
    ...(safeOutput === undefined ? {} : { safeOutput: plain(safeOutput) }),
    ...(provenance === undefined ? {} : { provenance: plain(provenance) }),
  };
}

/** CBOR as JSON shows it: maps as objects, byte strings as hex. */
function plain(value: CborValue): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, entry]) => [String(key), plain(entry)]));
  }
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === 'bigint' ? String(value) : value;
}
