/** Roots, revocation lists and floors for the fuzzer, and the means to sign changed ones. */
import { need } from '../../src/core/base/fault.ts';
import { decodeCbor } from '../../src/core/cose/decode.ts';
import { externalAad } from '../../src/core/cose/domain.ts';
import { sign1 } from '../../src/core/cose/sign1.ts';
import { openRecord } from '../../src/core/crypto/mac.ts';
import { encodeFloor } from '../../src/core/trust/floor.ts';
import { draftRevocations } from '../../src/core/trust/revocation.ts';
import { type RootSet, sealRoot } from '../../src/core/trust/root.ts';
import { RELEASE } from '../core/bundle/specimen.ts';
import { signer } from '../core/telemetry/samples.ts';
import {
  FLOOR as FLOOR_ENTRY,
  floorsOf,
  REVOCATIONS as REVOCATION_CONTENT,
  REVOCATION_KEY,
  REVOKING,
  ROOT_KEY,
  ROOT as ROOT_SET,
  roleOf,
} from '../core/trust/trusting.ts';

export const ROOT: Uint8Array = need(
  sealRoot(
    {
      ...ROOT_SET,
      expiresS: 1_900_000_000,
      roles: {
        ...ROOT_SET.roles,
        revocation: { ...roleOf(1, REVOCATION_KEY), retired: roleOf(1, signer) },
      },
      scope: { modelPrefixes: ['rotor'], classes: ['a'] },
      previous: { sha256: new Uint8Array(32), root: roleOf(1, ROOT_KEY) },
    },
    [ROOT_KEY],
  ),
);
export const ROOT_PAYLOAD: Uint8Array = (need(decodeCbor(ROOT)) as [Uint8Array])[0];

export function rootBlock(payload: Uint8Array): Uint8Array {
  const typ = 'application/edgeward-root+cbor';
  const aad = externalAad('root', '');
  return sign1({ payload, detached: true, typ, externalAad: aad, signer: ROOT_KEY });
}

export const REVOCATION_ROOT: RootSet = REVOKING;
export const REVOCATIONS: Uint8Array = need(
  draftRevocations(
    {
      ...REVOCATION_CONTENT,
      keys: [RELEASE.thumbprint],
      manifests: [new Uint8Array(32), new Uint8Array(32).fill(1)],
      minimums: [
        { hardwareClass: 'a', model: 'rotor', securityVersion: 3 },
        { hardwareClass: 'b', model: 'rotor', securityVersion: 2 ** 40 },
      ],
    },
    [REVOCATION_KEY],
    REVOKING,
  ),
);
export const REVOCATION_PAYLOAD: Uint8Array = (need(decodeCbor(REVOCATIONS)) as [Uint8Array])[0];

export function revocationBlock(payload: Uint8Array): Uint8Array {
  const typ = 'application/edgeward-revocation+cbor';
  const aad = externalAad('revocation', '');
  return sign1({ payload, detached: true, typ, externalAad: aad, signer: REVOCATION_KEY });
}

export const MAC_KEY: Uint8Array = new Uint8Array(32).fill(3);
export const FLOOR: Uint8Array = encodeFloor(
  {
    ...floorsOf(FLOOR_ENTRY, { ...FLOOR_ENTRY, model: 'pump' }),
    rootVersion: 3,
    rootSha256: new Uint8Array(32),
    revocationVersion: 2,
    revocationSha256: new Uint8Array(32).fill(2),
    clockFloorMs: 1_700_000_000_000,
    safeOutput: new Map([['logits', [1, 0]]]),
  },
  MAC_KEY,
);
export const FLOOR_BODY: Uint8Array = openRecord(MAC_KEY, FLOOR) ?? FLOOR;
