/** The members of a bundle's archive moved, repeated, left out, renamed, grown and relabelled. */
import { type TarField, type TarMember, tarOf } from '../fuzz/archive-changes.ts';

type Change = readonly [what: string, bytes: Uint8Array];

/** Takes the members out of an archive in which every header is a plain one. */
export function membersOf(archive: Uint8Array): TarMember[] {
  const members: TarMember[] = [];
  for (let at = 0; archive[at] !== 0; ) {
    const text = String.fromCharCode(...archive.subarray(at, at + 512));
    const sizeBytes = Number.parseInt(text.slice(124, 135), 8);
    const path = text.slice(0, text.indexOf('\0'));
    members.push({ path, bytes: archive.subarray(at + 512, at + 512 + sizeBytes) });
    at += 512 + Math.ceil(sizeBytes / 512) * 512;
  }
  return members;
}

export function* memberChanges(members: readonly TarMember[]): Generator<Change> {
  yield* orders(members);
  for (const [at, member] of members.entries()) {
    const put = (...instead: TarMember[]): Uint8Array =>
      tarOf([...members.slice(0, at), ...instead, ...members.slice(at + 1)]);
    const { path, bytes } = member;
    yield [`${path} left out`, put()];
    for (let to = 0; to <= members.length; to++) {
      yield [`${path} again at ${to}`, tarOf(members.toSpliced(to, 0, member))];
    }
    for (const other of [...members.map((one) => one.path), ...namesNear(path)]) {
      yield [`${path} as ${other}`, put({ ...member, path: other })];
    }
    for (const other of members)
      yield [`${path} with other bytes`, put({ path, bytes: other.bytes })];
    for (const count of [1, 511, 512, 513, 65_536]) {
      const grown = new Uint8Array(bytes.length + count);
      grown.set(bytes);
      yield [`${path} grown by ${count}`, put({ path, bytes: grown })];
    }
    yield [`${path} shrunk`, put({ path, bytes: bytes.subarray(0, -1) })];
    yield [`${path} emptied`, put({ path, bytes: new Uint8Array(0) })];
    for (const [field, text] of RELABELLED) {
      yield [`${path} with ${field} ${text}`, put({ ...member, fields: { [field]: text } })];
    }
    for (const type of ['x', 'g', 'L', 'K', '5', '2']) {
      const before: TarMember = {
        path,
        bytes: Uint8Array.from(PAX, (char) => char.charCodeAt(0)),
        fields: { type },
      };
      yield [`${path} behind a header of type ${type}`, put(before, member)];
    }
    yield [`${path} and a block`, put({ ...member, padding: new Uint8Array(padded(bytes) + 512) })];
  }
  for (const ends of [0, 1, 3, 4, 20]) yield [`${ends} end blocks`, tarOf(members, ends)];
}

const PAX = '19 path=model.onnx\n';

/** What other writers of tar files put into a header, and what a hostile one would. */
const RELABELLED: readonly (readonly [TarField, string])[] = [
  ['mode', '0000755\0'],
  ['mode', '0000644 '],
  ['uid', '0001750\0'],
  ['gid', '0001750\0'],
  ['size', '77777777777\0'],
  ['size', '00000000000\0'],
  ['size', '\x80\0\0\0\0\0\0\0\0\0\x01\0'],
  ['mtime', '14000000000\0'],
  ['checksum', '000000\0 '],
  ['type', '\0'],
  ['type', '1'],
  ['type', '2'],
  ['type', '7'],
  ['link', 'manifest.suit'],
  ['magic', 'ustar  \0'],
  ['magic', ''],
  ['user', 'root'],
  ['group', 'root'],
  ['major', '0000001\0'],
  ['minor', '0000001\0'],
  ['prefix', '..'],
];

function namesNear(path: string): string[] {
  const longer = path.padEnd(100, 'x');
  return [
    `./${path}`,
    `/${path}`,
    `../${path}`,
    `${path} `,
    path.toUpperCase(),
    `${path}x`,
    longer,
  ];
}

function padded(bytes: Uint8Array): number {
  return (512 - (bytes.length % 512)) % 512;
}

/** Every order but the given one. */
function* orders(members: readonly TarMember[]): Generator<Change> {
  for (const order of permutations(members)) {
    yield [`order ${order.map(({ path }) => path).join(', ')}`, tarOf(order)];
  }
}

function* permutations<T>(list: readonly T[]): Generator<T[]> {
  if (list.length < 2) yield [...list];
  for (const [at, first] of list.entries()) {
    if (list.length < 2) return;
    for (const rest of permutations(list.toSpliced(at, 1))) yield [first, ...rest];
  }
}
