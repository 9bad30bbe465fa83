/**
 * Tar archives as lists of members whose every header field can be set, written apart from the
 * project's own header maker.
 */
import { concatBytes } from '../../src/core/base/bytes.ts';
import { changeBytes, noise } from './byte-changes.ts';
import type { Random } from './random.ts';

export interface TarMember {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Header fields at other values than a bundle has, by name; a text is cut to its field. */
  readonly fields?: Readonly<Partial<Record<TarField, string>>>;
  /** Instead of zeros behind the bytes. */
  readonly padding?: Uint8Array;
}

export type TarField = keyof typeof FIELDS;

/** POSIX.1-1988 ustar: where each field lies and how long it is. */
const FIELDS = {
  path: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 8],
  user: [265, 32],
  group: [297, 32],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const;
const BLOCK = 512;
const TELLING_FIELDS: readonly string[] = [
  '',
  '\0',
  '0',
  '1',
  '5',
  'x',
  'L',
  '0000755\0',
  '00000000001\0',
  '77777777777\0',
  'model.onnx',
  '../model.onnx',
  '/model.onnx',
  'ustar  \0',
  '\x80\0\0\0\0\0\0\0\0\0\x01\0',
  ' 0000644',
];

export function tarOf(members: readonly TarMember[], endBlocks: number = 2): Uint8Array {
  return concatBytes(
    ...members.flatMap((member) => {
      const rest = (BLOCK - (member.bytes.length % BLOCK)) % BLOCK;
      return [tarHeader(member), member.bytes, member.padding ?? new Uint8Array(rest)];
    }),
    new Uint8Array(endBlocks * BLOCK),
  );
}

/** A header with a right checksum, unless the checksum is among the fields that are set. */
export function tarHeader({ path, bytes, fields = {} }: TarMember): Uint8Array {
  const header = new Uint8Array(BLOCK);
  const put = (name: TarField, text: string): void => {
    const [at, length] = FIELDS[name];
    for (let i = 0; i < Math.min(length, text.length); i++) header[at + i] = text.charCodeAt(i);
  };
  put('path', path);
  put('mode', '0000644\0');
  put('uid', '0000000\0');
  put('gid', '0000000\0');
  put('size', `${bytes.length.toString(8).padStart(11, '0')}\0`);
  put('mtime', '00000000000\0');
  put('type', '0');
  put('magic', 'ustar\x0000');
  for (const [name, text] of Object.entries(fields) as [TarField, string][]) {
    const [at, length] = FIELDS[name];
    header.fill(0, at, at + length);
    put(name, text);
  }
  if (fields.checksum !== undefined) return header;
  put('checksum', ' '.repeat(8));
  const sum = header.reduce((total, byte) => total + byte, 0);
  put('checksum', `${sum.toString(8).padStart(6, '0')}\0 `);
  return header;
}

/** The archive with members moved, repeated, renamed, grown or their headers changed. */
export function changeArchive(members: readonly TarMember[], random: Random): Uint8Array {
  const changed = [...members];
  for (let count = random.few(4); count > 0; count--) changeMember(changed, random);
  const ends = random.oneIn(8) ? random.below(6) : 2;
  const archive = tarOf(changed, ends);
  return random.oneIn(4) ? changeBytes(archive, random) : archive;
}

function changeMember(members: TarMember[], random: Random): void {
  const at = random.below(members.length);
  const member = members[at];
  if (member === undefined) return;
  const other = random.pick(members);
  switch (random.below(9)) {
    case 0:
      members.splice(random.below(members.length), 0, ...members.splice(at, 1));
      break;
    case 1:
      members.splice(random.below(members.length + 1), 0, member);
      break;
    case 2:
      members.splice(at, 1);
      break;
    case 3:
      members[at] = { ...member, path: other.path };
      break;
    case 4:
      members[at] = { ...member, bytes: other.bytes };
      break;
    case 5:
      members[at] = { ...member, bytes: changeBytes(member.bytes, random) };
      break;
    case 6:
      members[at] = { ...member, padding: noise(random.pick([0, 1, 511, 512]), random) };
      break;
    default: {
      const field = random.pick(Object.keys(FIELDS) as TarField[]);
      members[at] = {
        ...member,
        fields: { ...member.fields, [field]: random.pick(TELLING_FIELDS) },
      };
    }
  }
}
