/** Real documents match the published CDDL, and the CDDL and our readers agree on damaged ones. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { attempt, need, type Result } from '../../src/core/base/fault.ts';
import { Fields } from '../../src/core/base/fields.ts';
import { decodeGolden } from '../../src/core/bundle/golden-codec.ts';
import { readIoSchema } from '../../src/core/bundle/io-schema-codec.ts';
import { decodeMetadata } from '../../src/core/bundle/metadata.ts';
import { bytesSource } from '../../src/core/bundle/source.ts';
import { decodeCbor } from '../../src/core/cose/decode.ts';
import { externalAad } from '../../src/core/cose/domain.ts';
import { encodeCbor } from '../../src/core/cose/encode.ts';
import { sign1 } from '../../src/core/cose/sign1.ts';
import { type CborMap, CborTag, type CborValue } from '../../src/core/cose/value.ts';
import { sealRecord } from '../../src/core/crypto/mac.ts';
import { decodeGuardPolicy } from '../../src/core/guard/policy-codec.ts';
import { parseSafeOutput, safeOutputTensors } from '../../src/core/guard/safe-output.ts';
import { parseGuardSettings } from '../../src/core/guard/settings.ts';
import { openEnvelope as openSuit } from '../../src/core/suit/envelope.ts';
import { parseManifest } from '../../src/core/suit/manifest.ts';
import { decodeBirth } from '../../src/core/telemetry/birth.ts';
import { ENVELOPE_TYP, openEnvelope } from '../../src/core/telemetry/envelope.ts';
import { decodeEvent } from '../../src/core/telemetry/event.ts';
import { decodeHealth } from '../../src/core/telemetry/health.ts';
import { decodeFloor, encodeFloor } from '../../src/core/trust/floor.ts';
import { verifyOrder } from '../../src/core/trust/operator-act.ts';
import { decodeRevocations } from '../../src/core/trust/revocation.ts';
import { decodeRoot } from '../../src/core/trust/root.ts';
import { verifyBundle } from '../../src/core/trust/verify.ts';
import { archive, MODEL, RELEASE } from '../core/bundle/specimen.ts';
import { signer as device, EVENT_TOPIC } from '../core/telemetry/samples.ts';
import { CONTEXT, REVOCATION_KEY, REVOKING, ROOT_KEY, roleOf } from '../core/trust/trusting.ts';
import { mismatch } from './cddl.ts';
import {
  BEYOND,
  counts,
  expectAgreement,
  expectAgreementOnDamage,
  grammar,
  met,
  plain,
  signing,
} from './cddl-agreement.ts';
import { type Node, opened, resigned } from './cddl-damage.ts';
import {
  BUNDLES,
  ENVELOPES,
  FLOORS,
  GOLDENS,
  INFINITE_GOLDEN,
  MESSAGES,
  manifestSuitOf,
  metadataBytesOf,
  OPERATOR_KEY,
  ORDER_CONTEXT,
  ORDERS,
  REVOCATION_LISTS,
  ROOTS,
} from './cddl-documents.ts';
import { POLICIES, projectedTo, WHOLE_SETTINGS } from './cddl-policies.ts';

const project = resolve(import.meta.dirname, '../..');
const MAC_KEY = new Uint8Array(32).fill(5);

/** A document `[payload, [block]]`: every change around the payload, under a fresh signature. */
function expectAgreementOnSigned(
  rule: string,
  bytes: Uint8Array,
  read: (bytes: Uint8Array) => Result<unknown>,
  sign: (payload: Uint8Array) => ReturnType<typeof signing>,
): void {
  const [payload, [block]] = plain(bytes) as [Uint8Array, [Uint8Array]];
  const [, , , old] = (plain(block) as CborTag).value as unknown as Uint8Array[];
  const document: Node = [payload, [opened(block)]];
  expectAgreementOnDamage(rule, document, read, (node) =>
    resigned(node, old as Uint8Array, sign(payload)),
  );
}

function readMetadata(bytes: Uint8Array): Result<unknown> {
  return attempt(() => {
    const meta = need(decodeMetadata(bytes));
    const settings = need(parseGuardSettings(meta.guard));
    if (meta.safeOutput === undefined) return;
    const safe = need(parseSafeOutput(meta.safeOutput));
    need(safeOutputTensors(safe, meta.io, settings.probabilitySumTolerance));
  });
}

const QUERY: CborMap = new Map([['kind', 'query']]);

function readSettings(bytes: Uint8Array): Result<unknown> {
  return attempt(() => need(parseGuardSettings(need(decodeCbor(bytes)))));
}

function readFloor(body: Uint8Array): Result<unknown> {
  return attempt(() => {
    const record = need(decodeFloor(sealRecord(MAC_KEY, body), MAC_KEY));
    const { safeOutput, safeOutputIo } = record;
    const safe = safeOutput && need(parseSafeOutput(safeOutput));
    const io = safeOutputIo && readIoSchema(Fields.of('io', safeOutputIo));
    if (safe && io) need(safeOutputTensors(safe, io, 1e-3));
  });
}

/** A payload under a fresh signature of the revocation key. */
function readRevocationPayload(payload: Uint8Array): Result<unknown> {
  const typ = 'application/edgeward-revocation+cbor';
  const externalData = externalAad('revocation', '');
  const signer = REVOCATION_KEY;
  const block = sign1({ payload, detached: true, typ, externalAad: externalData, signer });
  return decodeRevocations(encodeCbor([payload, [block]]), REVOKING);
}

/** A payload under fresh signatures of the root keys. */
function readRootPayload(payload: Uint8Array): Result<unknown> {
  const typ = 'application/edgeward-root+cbor';
  const aad = externalAad('root', '');
  const block = sign1({ payload, detached: true, typ, externalAad: aad, signer: ROOT_KEY });
  return decodeRoot(encodeCbor([payload, [block]]));
}

function readBody(body: CborMap, type: string): Result<unknown> {
  if (type === 'birth') return decodeBirth(body);
  return type === 'health' ? decodeHealth(body) : decodeEvent(body);
}

/** Signed as it stands for the topic of events. */
function sealedAsEvent(payload: Uint8Array): Uint8Array {
  const aad = externalAad('telemetry', EVENT_TOPIC);
  return sign1({ payload, typ: ENVELOPE_TYP, externalAad: aad, signer: device });
}

function readSealed(bytes: Uint8Array): Result<unknown> {
  return attempt(() => {
    const known = (_: unknown, name: string): Uint8Array | undefined =>
      name === 'press_7' ? device.publicKey : undefined;
    const { body, type } = need(openEnvelope(bytes, EVENT_TOPIC, known));
    need(readBody(body, type));
  });
}

function sealedAsOrder(payload: Uint8Array): Uint8Array {
  const typ = 'application/edgeward-operator+cbor';
  const aad = externalAad('command', '');
  return sign1({ payload, typ, externalAad: aad, signer: OPERATOR_KEY });
}

function readOrder(bytes: Uint8Array): Result<unknown> {
  return verifyOrder(bytes, ORDER_CONTEXT);
}

describe('firmware-manifests/edgeward.cddl', () => {
  it('defines nothing that no document uses', () => {
    const text = readFileSync(resolve(project, 'firmware-manifests/edgeward.cddl'), 'utf8');
    const words: string[] =
      text.replaceAll(/;.*|"[^"]*"/g, '').match(/[A-Za-z][A-Za-z0-9-]*/g) ?? [];
    const unused = [...grammar.keys()].filter(
      (name) => words.indexOf(name) === words.lastIndexOf(name),
    );
    expect(unused).toEqual(['start']);
  });

  it.each(Object.entries(BUNDLES))('matches the manifest of a bundle: %s', (_, bundle) => {
    const suit = manifestSuitOf(bundle);
    expect(mismatch(grammar, 'suit-envelope', suit)).toBeUndefined();
    expect(mismatch(grammar, 'start', suit)).toBeUndefined();
    expect(readMetadata(metadataBytesOf(bundle))).toMatchObject({ ok: true });
  });

  it.each(Object.entries(POLICIES))('matches a guard policy: %s', (_, policy) => {
    expect(mismatch(grammar, 'guard-policy', policy)).toBeUndefined();
    expect(mismatch(grammar, 'start', policy)).toBeUndefined();
  });

  it.each(Object.entries(GOLDENS))('matches golden vectors: %s', (_, golden) => {
    expect(mismatch(grammar, 'golden', golden)).toBeUndefined();
  });

  it.each(Object.entries(ROOTS))('matches a root: %s', (_, root) => {
    expect(mismatch(grammar, 'root', root)).toBeUndefined();
    expect(mismatch(grammar, 'start', root)).toBeUndefined();
  });

  it.each(Object.entries(REVOCATION_LISTS))('matches a revocation list: %s', (_, list) => {
    expect(mismatch(grammar, 'revocations', list)).toBeUndefined();
    expect(mismatch(grammar, 'start', list)).toBeUndefined();
  });

  it.each(Object.entries(ORDERS))('matches the order of an operator: %s', (_, order) => {
    expect(mismatch(grammar, 'operator-order', order)).toBeUndefined();
    expect(mismatch(grammar, 'start', order)).toBeUndefined();
  });

  it.each(Object.entries(FLOORS))('matches a rollback floor: %s', (_, floor) => {
    const body = encodeFloor(floor, MAC_KEY).subarray(0, -32);
    expect(mismatch(grammar, 'floor-record', body)).toBeUndefined();
  });

  it.each(Object.entries(ENVELOPES))('matches a sealed message: %s', (_, sealed) => {
    expect(mismatch(grammar, 'sealed-telemetry', sealed)).toBeUndefined();
    expect(mismatch(grammar, 'start', sealed)).toBeUndefined();
  });
});

describe('the CDDL and the readers agree on every change of', () => {
  afterAll(() => {
    process.stdout.write(`CDDL and readers: ${JSON.stringify(counts)}\n`);
  });

  it.each(['contract-only', 'full, every member'])('metadata: %s', (name) => {
    const meta = plain(metadataBytesOf(BUNDLES[name] as Uint8Array)) as CborMap;
    // The members of whole settings are damaged below, where nothing else is read each time.
    const few: CborMap = new Map([['frozenFrames', 5]]);
    expectAgreementOnDamage('metadata', opened(new Map([...meta, ['guard', few]])), readMetadata);
  });

  it('guard settings with every member', () => {
    expectAgreementOnDamage('guard-settings', opened(WHOLE_SETTINGS), readSettings);
  });

  it('the principals of guard settings', () => {
    const settings = (names: readonly string[]): CborMap =>
      new Map([['callers', new Map([['principals', new Map(names.map((n) => [n, QUERY]))]])]]);
    const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);
    const x = (count: number): string[] => ['x'.repeat(count)];
    for (const names of [[], many(32), many(33), x(0), x(128), x(129), ['\u20ac'.repeat(129)]]) {
      expectAgreement('guard-settings', encodeCbor(settings(names)), readSettings, names.join());
    }
  });

  it.each(Object.entries(POLICIES))('a guard policy: %s', (_, policy) => {
    expectAgreementOnDamage('guard-policy', opened(plain(policy)), decodeGuardPolicy);
  });

  it('a guard policy with as many directions as there may be', () => {
    for (const [components, allowed] of [[128, true] as const, [129, false] as const]) {
      const bytes = projectedTo(components);
      expect(mismatch(grammar, 'guard-policy', bytes) === undefined).toBe(allowed);
      expect(decodeGuardPolicy(bytes).ok).toBe(allowed);
    }
  });

  it.each(Object.entries(GOLDENS))('golden vectors: %s', (_, golden) => {
    expectAgreementOnDamage('golden', opened(plain(golden)), decodeGolden);
  });

  it('golden vectors with a number that is none', () => {
    expectAgreement('golden', INFINITE_GOLDEN, decodeGolden, 'infinite');
  });

  it.each(Object.entries(FLOORS))('a rollback floor: %s', (_, floor) => {
    const small = { ...floor, floors: floor.floors.slice(0, 2) };
    const body = encodeFloor(small, MAC_KEY).subarray(0, -32);
    expectAgreementOnDamage('floor-record', opened(plain(body)), readFloor);
  });

  it.each(['plain', 'every role, and the one before'])('the payload of a root: %s', (name) => {
    const [payload] = plain(ROOTS[name] as Uint8Array) as [Uint8Array];
    expectAgreementOnDamage('root-payload', opened(plain(payload)), readRootPayload);
  });

  it('a root around its payload', () => {
    const read = (bytes: Uint8Array): Result<unknown> => decodeRoot(bytes);
    const sign = (payload: Uint8Array) => signing(ROOT_KEY, externalAad('root', ''), payload);
    expectAgreementOnSigned('root', ROOTS['plain'] as Uint8Array, read, sign);
  });

  it('the payload of a revocation list', () => {
    const [payload] = plain(REVOCATION_LISTS['whole'] as Uint8Array) as [Uint8Array];
    expectAgreementOnDamage('revocation-payload', opened(plain(payload)), readRevocationPayload);
  });

  it('a revocation list around its payload', () => {
    const read = (bytes: Uint8Array): Result<unknown> => decodeRevocations(bytes, REVOKING);
    const sign = (payload: Uint8Array) =>
      signing(REVOCATION_KEY, externalAad('revocation', ''), payload);
    const whole = REVOCATION_LISTS['whole'] as Uint8Array;
    expectAgreementOnSigned('revocations', whole, read, sign);
    const two = { ...roleOf(1, REVOCATION_KEY, RELEASE), threshold: 2 };
    const pair = { ...REVOKING, roles: { ...REVOKING.roles, revocation: two } };
    expectAgreement('revocations', whole, (bytes) => decodeRevocations(bytes, pair), 'one of two');
  });

  it.each(Object.entries(ORDERS))('the payload of an order: %s', (_, order) => {
    const [, , payload] = (plain(order) as CborTag).value as Uint8Array[];
    expectAgreementOnDamage('order-payload', opened(plain(payload as Uint8Array)), (bytes) =>
      readOrder(sealedAsOrder(bytes)),
    );
  });

  it('an order around its payload', () => {
    const order = plain(ORDERS['force-safe'] as Uint8Array) as CborTag;
    const [header, none, payload, old] = order.value as [
      Uint8Array,
      CborMap,
      Uint8Array,
      Uint8Array,
    ];
    const sign = signing(OPERATOR_KEY, externalAad('command', ''));
    const document = opened(new CborTag(18, [header, none, [], old])) as { inner: Node[] } & Node;
    document.inner[2] = payload;
    expectAgreementOnDamage('operator-order', document, readOrder, (node) =>
      resigned(node, old, sign),
    );
  });

  it('a manifest', () => {
    const { manifest } = need(openSuit(manifestSuitOf(BUNDLES['reduced'] as Uint8Array)));
    expectAgreementOnDamage('manifest', opened(plain(manifest)), parseManifest);
  });

  it('an envelope around its manifest and metadata', () => {
    const suit = plain(manifestSuitOf(BUNDLES['contract-only'] as Uint8Array)) as CborTag;
    const members = suit.value as ReadonlyMap<number | string, CborValue>;
    const [digest, block] = plain(members.get(2) as Uint8Array) as [Uint8Array, Uint8Array];
    const [, , , old] = (plain(block) as CborTag).value as unknown as Uint8Array[];
    const sign = signing(RELEASE, new Uint8Array(0), digest);
    // Manifest and metadata stay closed here: they have a test of their own.
    const closedMembers = new Map([...members].map(([k, v]) => [k, k === 2 ? opened(v) : v]));
    const document = Object.assign(opened(new CborTag(107, 0)) as object, {
      inner: closedMembers,
    }) as Node;
    const read = (bytes: Uint8Array): Result<unknown> =>
      verifyBundle(bytesSource(archive(bytes, [MODEL])), 'install', CONTEXT);
    expectAgreementOnDamage('suit-envelope', document, read, (node) =>
      resigned(node, old as Uint8Array, sign),
    );
  });

  it.each(Object.entries(MESSAGES))('the body of a message: %s', (_, { type = 'event', body }) => {
    const read = (bytes: Uint8Array): Result<unknown> =>
      attempt(() => need(readBody(need(decodeCbor(bytes)) as CborMap, type)));
    expectAgreementOnDamage(type, opened(body as CborMap), read);
  });

  it('the payload of a sealed message', () => {
    const sealed = plain(ENVELOPES['inference.deadline'] as Uint8Array) as CborTag;
    const payload = plain((sealed.value as Uint8Array[])[2] as Uint8Array);
    expectAgreementOnDamage('telemetry-payload', opened(payload), (bytes) =>
      readSealed(sealedAsEvent(bytes)),
    );
  });

  it('a sealed message around its payload', () => {
    const sealed = plain(ENVELOPES['inference.deadline'] as Uint8Array) as CborTag;
    const [header, none, payload, old] = sealed.value as [
      Uint8Array,
      CborMap,
      Uint8Array,
      Uint8Array,
    ];
    const sign = signing(device, externalAad('telemetry', EVENT_TOPIC));
    const document = opened(new CborTag(18, [header, none, [], old])) as { inner: Node[] } & Node;
    document.inner[2] = payload;
    expectAgreementOnDamage('sealed-telemetry', document, readSealed, (node) =>
      resigned(node, old, sign),
    );
  });

  it('a message on the topic of another kind, and metadata over its size', () => {
    const [, , payload] = (plain(ENVELOPES['health'] as Uint8Array) as CborTag)
      .value as Uint8Array[];
    const moved = sealedAsEvent(payload as Uint8Array);
    expectAgreement('sealed-telemetry', moved, readSealed, 'a health');
    const meta = plain(metadataBytesOf(BUNDLES['contract-only'] as Uint8Array)) as CborMap;
    const uses = Array<string>(64).fill('x'.repeat(500));
    const large = new Map([
      ...meta,
      ['intendedUses', uses],
      ['prohibitedUses', uses],
      ['description', 'x'.repeat(2000)],
    ]);
    expectAgreement('metadata', encodeCbor(large as CborMap), readMetadata, 'large');
  });

  it('and every rule beyond CDDL was met', () => {
    expect([...met].sort()).toEqual(BEYOND.map(([rule]) => rule).sort());
    expect(counts.changes).toBeGreaterThan(20_000);
  });
});
