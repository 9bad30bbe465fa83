/** The signed documents that are damaged: each with the judge that must refuse every change. */
import { equalBytes } from '../../src/core/base/bytes.ts';
import type { Result } from '../../src/core/base/fault.ts';
import { readManifestEntry, walkPayloads } from '../../src/core/bundle/layout.ts';
import { bytesSource } from '../../src/core/bundle/source.ts';
import { encodeBirth } from '../../src/core/telemetry/birth.ts';
import { openEnvelope } from '../../src/core/telemetry/envelope.ts';
import { decodeRevocations, draftRevocations } from '../../src/core/trust/revocation.ts';
import { decodeRoot, sealRoot } from '../../src/core/trust/root.ts';
import { verifyBundle } from '../../src/core/trust/verify.ts';
import { accepted } from '../core/base/outcome.ts';
import { GUARD, keyOf, MODEL, packed, RELEASE } from '../core/bundle/specimen.ts';
import {
  BIRTH_TOPIC,
  birth,
  birthHead,
  EVENT_TOPIC,
  sealed,
  signer,
} from '../core/telemetry/samples.ts';
import {
  CONTEXT,
  REVOCATIONS as REVOCATION_CONTENT,
  REVOCATION_KEY,
  REVOKING,
  ROOT_KEY,
  ROOT as ROOT_SET,
  roleOf,
  rootOf,
} from '../core/trust/trusting.ts';

export interface Specimen {
  readonly name: string;
  readonly bytes: Uint8Array;
  judge(bytes: Uint8Array): Result<unknown>;
  /**
   * The only judge of the bytes from `from` on. Called alone it spares the signatures, which do not
   * depend on those bytes.
   */
  readonly behind?: { readonly from: number; judge(bytes: Uint8Array): Result<unknown> };
}

const SECOND = keyOf(12);
const roles = { root: roleOf(1, ROOT_KEY), release: roleOf(2, RELEASE, SECOND) };

/** One file, one signer: 3.5 KiB. */
export const SMALL_BUNDLE: Specimen = bundle(
  'bundle',
  packed({ files: [{ ...MODEL, bytes: MODEL.bytes.subarray(0, 100) }] }),
);

/** Three files that end inside, on and behind a block, and two signers: just under 12 KiB. */
export const LARGE_BUNDLE: Specimen = bundle(
  'bundle of two signers',
  packed({
    files: [
      { ...MODEL, bytes: Uint8Array.from({ length: 5000 }, (_, i) => (i * 31) & 255) },
      GUARD,
      { path: 'NOTICE', role: 'notice', bytes: new Uint8Array(512).fill(0x20) },
    ],
    signers: [RELEASE, SECOND],
  }),
  { ...CONTEXT, root: rootOf({ roles }) },
);

export const ROOT: Specimen = {
  name: 'root',
  bytes: accepted(sealRoot({ ...ROOT_SET, expiresS: 1_900_000_000, roles }, [ROOT_KEY])),
  judge: decodeRoot,
};

const revoking = {
  ...REVOCATION_CONTENT,
  keys: [SECOND.thumbprint, RELEASE.thumbprint],
  manifests: [new Uint8Array(32).fill(5)],
  minimums: [{ hardwareClass: 'generic-arm64', model: 'rotor', securityVersion: 6 }],
};

export const REVOCATIONS: Specimen = {
  name: 'revocation list',
  bytes: accepted(draftRevocations(revoking, [REVOCATION_KEY], REVOKING)),
  judge: (damaged) => decodeRevocations(damaged, REVOKING),
};

export const EVENT: Specimen = envelope('telemetry event', sealed().bytes, EVENT_TOPIC);
export const BIRTH: Specimen = envelope(
  'telemetry birth',
  sealed({ ...birthHead, body: encodeBirth(birth) }).bytes,
  BIRTH_TOPIC,
);

function bundle(name: string, bytes: Uint8Array, context: typeof CONTEXT = CONTEXT): Specimen {
  const keep = ['model', 'guard', 'notice'] as const;
  const judge = (damaged: Uint8Array) =>
    verifyBundle(bytesSource(damaged), 'install', context, { keep });
  const { endOffset } = accepted(readManifestEntry(bytesSource(bytes)));
  const { files } = accepted(judge(bytes)).meta;
  return {
    name,
    bytes,
    judge,
    behind: {
      from: endOffset,
      judge: (damaged) =>
        walkPayloads(bytesSource(damaged), endOffset, files, { keep: () => true }),
    },
  };
}

function envelope(name: string, bytes: Uint8Array, topic: string): Specimen {
  const keyOfDevice = (kid: Uint8Array, device: string): Uint8Array | undefined =>
    device === 'press_7' && equalBytes(kid, signer.thumbprint) ? signer.publicKey : undefined;
  return { name, bytes, judge: (damaged) => openEnvelope(damaged, topic, keyOfDevice) };
}
