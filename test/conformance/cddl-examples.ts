/** The examples of `bundle-format.md`, made from fixed seeds. */
import { toHex } from '../../src/core/base/bytes.ts';
import { need } from '../../src/core/base/fault.ts';
import type { UnixMs } from '../../src/core/base/time.ts';
import { packBundleBytes, sequenceOfVersion } from '../../src/core/bundle/pack.ts';
import { decodeCbor } from '../../src/core/cose/decode.ts';
import { type CborValue, cborMap } from '../../src/core/cose/value.ts';
import { sha256 } from '../../src/core/crypto/digest.ts';
import { type Signer, signerFromSeed } from '../../src/core/crypto/ed25519.ts';
import { encodeModel } from '../../src/core/onnx/writer.ts';
import { openEnvelope } from '../../src/core/suit/envelope.ts';
import { sealEnvelope } from '../../src/core/telemetry/envelope.ts';
import { encodeEvent } from '../../src/core/telemetry/event.ts';
import { draftRevocations } from '../../src/core/trust/revocation.ts';
import { decodeRoot, sealRoot } from '../../src/core/trust/root.ts';
import { diagnosed, hexLines } from './cddl-diagnostic.ts';
import { manifestSuitOf } from './cddl-documents.ts';

const signer = (fill: number): Signer => signerFromSeed(new Uint8Array(32).fill(fill));
const ROOT = signer(1);
const RELEASE = signer(2);
const DEVICE = signer(3);
const REVOCATION = signer(4);
const NEXT_RELEASE = signer(5);

const dims = [1, 2];

/** `y = max(x, 0)`. */
export const model: Uint8Array = encodeModel({
  graph: {
    name: 'relu',
    nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }],
    inputs: [{ name: 'x', dtype: 'float32', dims }],
    outputs: [{ name: 'y', dtype: 'float32', dims }],
  },
});

export const bundle: Uint8Array = need(
  packBundleBytes({
    metadata: {
      name: 'relu',
      version: '1.0.0',
      securityVersion: 1,
      vendor: 'vendor.example',
      hardwareClass: 'generic-arm64',
      guardVersionMin: '0.1.0',
      rootVersionMin: 1,
      onnx: { ir: 8, opset: 17 },
      io: {
        inputs: [{ name: 'x', dtype: 'float32', dims, range: { min: -1, max: 1.5 } }],
        outputs: [{ name: 'y', dtype: 'float32', dims, role: 'other' }],
      },
      budgets: { runDeadlineMs: 50 },
      detection: 'contract-only',
      intendedUses: [],
      prohibitedUses: [],
      guard: cborMap(['frozenFrames', 0]),
      safeOutput: cborMap(['outputs', cborMap(['y', [0, 0]])]),
    },
    files: [{ path: 'model.onnx', role: 'model', bytes: model }],
    sequenceNumber: sequenceOfVersion('1.0.0'),
    signers: [RELEASE],
  }),
);

const key = ({ publicKey }: Signer) => ({ publicKey, development: false });

export const root: Uint8Array = need(
  sealRoot(
    {
      version: 1,
      production: true,
      issuedS: 1_790_000_000,
      roles: {
        root: { threshold: 1, keys: [key(ROOT)] },
        release: { threshold: 1, keys: [key(RELEASE)] },
        revocation: { threshold: 1, keys: [key(REVOCATION)] },
      },
      scope: { modelPrefixes: [], classes: [] },
    },
    [ROOT],
  ),
);

const first = need(decodeRoot(root));

/** The root after it: the release key goes out of use, another one takes its place. */
export const nextRoot: Uint8Array = need(
  sealRoot(
    {
      version: 2,
      production: true,
      issuedS: 1_791_000_000,
      roles: {
        ...first.roles,
        release: {
          threshold: 1,
          keys: [key(NEXT_RELEASE)],
          retired: { threshold: 1, keys: [key(RELEASE)] },
        },
      },
      scope: { modelPrefixes: [], classes: [] },
      previous: { sha256: first.sha256, root: first.roles.root },
    },
    [ROOT],
  ),
);

const { manifestSha256 } = need(openEnvelope(manifestSuitOf(bundle)));

export const revocations: Uint8Array = need(
  draftRevocations(
    {
      version: 1,
      issuedS: 1_792_000_000,
      keys: [RELEASE.thumbprint],
      manifests: [manifestSha256],
      minimums: [{ hardwareClass: 'generic-arm64', model: 'relu', securityVersion: 2 }],
    },
    [REVOCATION],
    first,
  ),
);

export const TOPIC = 'edgeward/v1/line-4/press_7/event';

export const event: Uint8Array = need(
  sealEnvelope({
    topic: TOPIC,
    type: 'event',
    device: 'press_7',
    epoch: 12,
    sequence: 5,
    previous: sha256(new Uint8Array(0)),
    unixMs: 1_790_000_000_123 as UnixMs,
    clockState: 'synced',
    uptimeMs: 65_000,
    body: encodeEvent({
      type: 'anomaly.novelty',
      frame: 42,
      verdict: 'flag',
      bundleDigest: manifestSha256,
      findings: [{ code: 'novelty.out-of-distribution', value: -13.5, threshold: -2.25, p: 0.001 }],
    }),
    signer: DEVICE,
  }),
).bytes;

const suit = manifestSuitOf(bundle);
const plain = (bytes: Uint8Array): CborValue => need(decodeCbor(bytes, { tags: [18, 107] }));
const keys = {
  root: ROOT,
  release: RELEASE,
  device: DEVICE,
  revocation: REVOCATION,
  'next release': NEXT_RELEASE,
};

/** By the words of the comment that stands in front of the block. */
export const EXAMPLES: Readonly<Record<string, string>> = {
  keys: Object.entries(keys)
    .map(([name, { publicKey, thumbprint }], i) =>
      [
        `${name}: seed 32 times 0x0${i + 1}`,
        `  public key ${toHex(publicKey)}`,
        `  thumbprint ${toHex(thumbprint)}`,
      ].join('\n'),
    )
    .join('\n'),
  'model.onnx, hex': hexLines(model),
  'manifest.suit, hex': hexLines(suit),
  'manifest.suit, diagnostic': diagnosed(plain(suit)),
  'bundle, digests': [
    `manifest digest: ${toHex(manifestSha256)}`,
    `bundle: ${bundle.length} bytes, SHA-256 ${toHex(sha256(bundle))}`,
    `manifest.suit: ${suit.length} bytes`,
    `model.onnx: ${model.length} bytes`,
  ].join('\n'),
  'root.cbor, hex': hexLines(root),
  'root.cbor, diagnostic': diagnosed(plain(root)),
  'next root, hex': hexLines(nextRoot),
  'next root, diagnostic': diagnosed(plain(nextRoot)),
  'revocations.cbor, hex': hexLines(revocations),
  'revocations.cbor, diagnostic': diagnosed(plain(revocations)),
  'event, hex': hexLines(event),
  'event, diagnostic': diagnosed(plain(event)),
};
