/**
 * Real documents match the published CDDL, and the CDDL and our readers agree on damaged ones. What
 * CDDL cannot say is listed here: each such rule must be met, and stands for a refusal by a reader.
 */
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
import type { Signer } from '../../src/core/crypto/ed25519.ts';
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
import { decodeRevocations } from '../../src/core/trust/revocation.ts';
import { decodeRoot } from '../../src/core/trust/root.ts';
import { verifyBundle } from '../../src/core/trust/verify.ts';
import { archive, MODEL, RELEASE } from '../core/bundle/specimen.ts';
import { signer as device, EVENT_TOPIC } from '../core/telemetry/samples.ts';
import { CONTEXT, REVOCATION_KEY, REVOKING, ROOT_KEY, roleOf } from '../core/trust/trusting.ts';
import { mismatch } from './cddl.ts';
import { closed, damaged, type Node, oddValues, opened, resigned } from './cddl-damage.ts';
import {
  BUNDLES,
  ENVELOPES,
  FLOORS,
  GOLDENS,
  INFINITE_GOLDEN,
  MESSAGES,
  manifestSuitOf,
  metadataBytesOf,
  POLICIES,
  REVOCATION_LISTS,
  ROOTS,
} from './cddl-documents.ts';
import { parseCddl } from './cddl-grammar.ts';

const project = resolve(import.meta.dirname, '../..');
const grammar = parseCddl(
  readFileSync(resolve(project, 'firmware-manifests/edgeward.cddl'), 'utf8'),
);
const MAC_KEY = new Uint8Array(32).fill(5);

/** What CDDL cannot say: the rule, and the faults of the readers that hold it. */
const BEYOND: readonly [rule: string, faults: RegExp][] = [
  ['a text is as long as its UTF-16 units', /longer than \d+ characters|no short text|than short/],
  ['a document has so many bytes and items', /^cbor\.(size|items):/],
  ['names of ports are unique', /need at least one, unique names/],
  ['one output at most has a role', /more than one output has the role/],
  ['a layout has a letter for each dimension', /needs a letter per dimension/],
  ['channel ranges need a C axis of their count', /channelRanges need a layout/],
  ['labels are as many as the last dimension', /labels for a last dimension/],
  ['a smallest value is at most its largest', /must be \[min, max\]|max is \d+, outside/],
  ['a tensor has a bounded number of elements', /has too many elements/],
  ['files have unique names, one model, one guard at most', /files need unique names/],
  ['a safe output keeps the output contract', /^guard\.safe-output/],
  ['arrays of doubles fit their counts', /^policy\.length:/],
  ['scores and statistics are finite and possible', /^policy\.values:/],
  ['scores ascend', /^policy\.order:/],
  ['the shares of the checks add up to 1', /^policy\.shares:/],
  ['rank and threshold follow from the promise', /^policy\.rank:|checks\.rank is \d+, outside/],
  ['golden vectors are alike, with a tolerance for each output', /^golden\.vectors:/],
  ['golden data fill their dimensions', /^golden\.tensor:/],
  ['golden values are finite, bools 0 or 1', /^golden\.values:/],
  ['a tolerance tells models apart', /^golden\.tolerance:/],
  ['a threshold is at most the number of keys', /^root\.invalid: \S+ wants \d/],
  ['what is confirmed wants no more than what is new', /^root\.invalid: \S+ wants more/],
  ['no key stands twice', /is listed twice/],
  ['what is revoked ascends', /^revocation\.invalid:/],
  ['a threshold of revocation keys signed', /^revocation\.threshold:/],
  ['a list is recorded with its digest', /recorded in half/],
  ['a key is a usable point', /not a usable Ed25519 point/],
  ['a production root has no development key', /lists a development key/],
  ['a threshold of root keys signed', /^root\.threshold:/],
  ['no key signs twice', /^trust\.duplicate-signature:/],
  ['a signer is known', /^cose\.unknown-key:/],
  ['a signature verifies', /^crypto\.(bad-signature|weak-point):/],
  ['the digest is that of the manifest', /^suit\.digest:/],
  [
    'a manifest is the one its parameters give',
    /^suit\.template:|^suit\.malformed: a (map|list) is missing/,
  ],
  ['the device is the one of the topic', /^telemetry\.device:/],
  ['the type is the one of the topic', /^telemetry\.type:/],
  ['a chain starts with a birth, and nothing else does', /^telemetry\.chain-start:/],
  ['a UEID is of the random type', /no UEID of the random type/],
];

const met = new Set<string>();
const counts = { changes: 0, accepted: 0, refused: 0, beyond: 0 };

/** The CDDL looks at `bytes`, the reader at what `read` makes of them. */
function expectAgreement(
  rule: string,
  bytes: Uint8Array,
  read: (bytes: Uint8Array) => Result<unknown>,
  what: string,
): void {
  counts.changes++;
  const miss = mismatch(grammar, rule, bytes);
  const result = read(bytes);
  if (miss === undefined && !result.ok) {
    const fault = `${result.fault.code}: ${result.fault.message}`;
    const beyond = BEYOND.find(([, faults]) => faults.test(fault));
    if (beyond === undefined)
      throw new Error(`${rule}, ${what}: only the reader refuses: ${fault}`);
    met.add(beyond[0]);
    counts.beyond++;
    return;
  }
  if (miss !== undefined && result.ok) throw new Error(`${rule}, ${what}: only CDDL: ${miss}`);
  counts[result.ok ? 'accepted' : 'refused']++;
}

/** Every change of a document, against the CDDL of `rule` and against its reader. */
function expectAgreementOnDamage(
  rule: string,
  document: Node,
  read: (bytes: Uint8Array) => Result<unknown>,
  seal: (node: Node) => Node = (node) => node,
): void {
  const whole = encodeCbor(closed(document));
  expect(mismatch(grammar, rule, whole)).toBeUndefined();
  expect(read(whole)).toMatchObject({ ok: true });
  for (const { what, node } of damaged(document, oddValues(grammar, rule))) {
    expectAgreement(rule, encodeCbor(closed(seal(node))), read, what);
  }
}

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

const plain = (bytes: Uint8Array): CborValue => need(decodeCbor(bytes, { tags: [18, 107] }));

function readMetadata(bytes: Uint8Array): Result<unknown> {
  return attempt(() => {
    const meta = need(decodeMetadata(bytes));
    const settings = need(parseGuardSettings(meta.guard));
    if (meta.safeOutput === undefined) return;
    const safe = need(parseSafeOutput(meta.safeOutput));
    need(safeOutputTensors(safe, meta.io, settings.probabilitySumTolerance));
  });
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

function signing(signer: Signer, aad: Uint8Array, detached?: Uint8Array) {
  return (header: Uint8Array, payload: CborValue): Uint8Array =>
    signer.sign(encodeCbor(['Signature1', header, aad, detached ?? payload]));
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
    const meta = plain(metadataBytesOf(BUNDLES[name] as Uint8Array));
    expectAgreementOnDamage('metadata', opened(meta), readMetadata);
  });

  it.each(Object.entries(POLICIES))('a guard policy: %s', (_, policy) => {
    expectAgreementOnDamage('guard-policy', opened(plain(policy)), decodeGuardPolicy);
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
