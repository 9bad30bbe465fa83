/**
 * SUIT envelopes that others wrote (draft-ietf-suit-manifest-37), taken apart for showing only:
 * nothing here says that a command is meant for us, and `manifest.ts` refuses all but its template.
 *
 * Numbers that this reader has no name for are shown as numbers. `text` stays encoded: its maps
 * have component ids as keys, which the strict gate does not admit.
 */
import { equalBytes, toHex } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { MANIFEST_BYTES_MAX } from '../base/limits.ts';
import { decodeCbor } from '../cose/decode.ts';
import { encodeCbor } from '../cose/encode.ts';
import { CborTag, type CborValue } from '../cose/value.ts';
import { sha256 } from '../crypto/digest.ts';
import { decodeDigest } from './digest.ts';
import { refuseSuit } from './faults.ts';
import { bstr, listOf, mapOf, whole } from './manifest.ts';

const ENVELOPE_TAG = 107;
const AUTHENTICATION = 2;
const MANIFEST = 3;
const VERSION = 1;
const MEMBER = { version: 1, sequence: 2, common: 3, referenceUri: 4, text: 23 } as const;
const COMMON = { components: 2, shared: 4 } as const;
const IMAGE_DIGEST = 3;
const OVERRIDE_PARAMETERS = 20;
const SEQUENCES: Names = new Map([
  [7, 'validate'],
  [8, 'load'],
  [9, 'invoke'],
  [16, 'payload-fetch'],
  [20, 'install'],
]);
const COMMANDS: Names = new Map([
  [1, 'condition-vendor-identifier'],
  [2, 'condition-class-identifier'],
  [3, 'condition-image-match'],
  [12, 'directive-set-component-index'],
  [OVERRIDE_PARAMETERS, 'directive-override-parameters'],
  [21, 'directive-fetch'],
  [23, 'directive-invoke'],
]);
const PARAMETERS: Names = new Map([
  [1, 'vendor-id'],
  [2, 'class-id'],
  [IMAGE_DIGEST, 'image-digest'],
  [14, 'image-size'],
  [21, 'uri'],
]);

type Names = ReadonlyMap<unknown, string>;
type Members = ReadonlyMap<unknown, CborValue>;

export interface ForeignCommand {
  readonly name: string;
  /** A reporting policy, an index, or parameters by name; an image digest as its 32 bytes. */
  readonly argument: CborValue;
}

export interface ForeignEnvelope {
  /** The bytes that signatures are over: an encoded SUIT_Digest, which matched the manifest. */
  readonly signedDigest: Uint8Array;
  /** COSE blocks, none of them judged. */
  readonly signatures: readonly Uint8Array[];
  readonly manifest: Uint8Array;
  readonly sequenceNumber: number;
  readonly referenceUri: string | undefined;
  /** Component ids, each part in hex. */
  readonly components: readonly (readonly string[])[];
  readonly shared: readonly ForeignCommand[];
  /** By name; without the severed ones that did not travel with the envelope. */
  readonly sequences: ReadonlyMap<string, readonly ForeignCommand[]>;
  /** Encoded. */
  readonly text: Uint8Array | undefined;
  /** SHA-256 of the members that were severed; those that travelled along matched it. */
  readonly severed: ReadonlyMap<string, Uint8Array>;
}

/** Faults: `cbor.*`, `suit.malformed`, `suit.digest`. */
export function readForeignEnvelope(bytes: Uint8Array): Result<ForeignEnvelope> {
  return attempt(() => {
    const tagged = need(decodeCbor(bytes, { tags: [ENVELOPE_TAG], bytesMax: MANIFEST_BYTES_MAX }));
    const envelope = mapOf(tagged instanceof CborTag ? tagged.value : undefined);
    const manifest = bstr(envelope.get(MANIFEST));
    const wrapper = listOf(need(decodeCbor(bstr(envelope.get(AUTHENTICATION)))));
    const [signedDigest, ...signatures] = wrapper.map(bstr);
    checkDigest(need(decodeDigest(bstr(signedDigest))), manifest, 'the manifest');
    const members = mapOf(need(decodeCbor(manifest)));
    const version = members.get(MEMBER.version);
    if (version !== VERSION) {
      throw refuseSuit('suit.malformed', `the manifest is of version ${String(version)}`);
    }
    const common = mapOf(need(decodeCbor(bstr(members.get(MEMBER.common)))));
    const severed = new Map<string, Uint8Array>();
    const sequences = new Map<string, readonly ForeignCommand[]>();
    for (const [number, name] of SEQUENCES) {
      const encoded = member(members, envelope, number, name, severed);
      if (encoded !== undefined) sequences.set(name, commandsIn(encoded));
    }
    return {
      signedDigest: bstr(signedDigest),
      signatures,
      manifest,
      sequenceNumber: whole(members.get(MEMBER.sequence)),
      referenceUri: optionalText(members.get(MEMBER.referenceUri)),
      components: listOf(common.get(COMMON.components)).map((id) =>
        listOf(id).map((part) => toHex(bstr(part))),
      ),
      shared: commandsIn(bstr(common.get(COMMON.shared))),
      sequences,
      text: member(members, envelope, MEMBER.text, 'text', severed),
      severed,
    };
  });
}

/** A member of the manifest, or what was severed from it (section 5.4): both are byte strings. */
function member(
  manifest: Members,
  envelope: Members,
  number: unknown,
  name: string,
  severed: Map<string, Uint8Array>,
): Uint8Array | undefined {
  const value = manifest.get(number);
  if (value === undefined || value instanceof Uint8Array) return value;
  const digest = need(decodeDigest(encodeCbor(value)));
  severed.set(name, digest);
  const travelled = envelope.get(number);
  if (travelled === undefined) return undefined;
  checkDigest(digest, bstr(travelled), name);
  return bstr(travelled);
}

/** Digests in an envelope are over the byte string with its head (section 5.2). */
function checkDigest(digest: Uint8Array, content: Uint8Array, what: string): void {
  if (!equalBytes(digest, sha256(encodeCbor(content)))) {
    throw refuseSuit('suit.digest', `${what} does not match its digest`);
  }
}

/** A sequence is a flat list: command, argument, command, argument. */
function commandsIn(bytes: Uint8Array): readonly ForeignCommand[] {
  const flat = listOf(need(decodeCbor(bytes)));
  if (flat.length % 2 !== 0) throw refuseSuit('suit.malformed', 'a command has no argument');
  const commands: ForeignCommand[] = [];
  for (let at = 0; at < flat.length; at += 2) {
    const number = flat[at];
    if (typeof number !== 'number') throw refuseSuit('suit.malformed', 'a command is no number');
    const argument = flat[at + 1] as CborValue;
    const shown = number === OVERRIDE_PARAMETERS ? parametersIn(mapOf(argument)) : argument;
    commands.push({ name: COMMANDS.get(number) ?? String(number), argument: shown });
  }
  return commands;
}

function parametersIn(map: Members): ReadonlyMap<string, CborValue> {
  const parameters = new Map<string, CborValue>();
  for (const [number, value] of map) {
    const shown = number === IMAGE_DIGEST ? need(decodeDigest(bstr(value))) : value;
    parameters.set(PARAMETERS.get(number) ?? String(number), shown);
  }
  return parameters;
}

function optionalText(value: CborValue | undefined): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw refuseSuit('suit.malformed', 'the reference is no text');
}
