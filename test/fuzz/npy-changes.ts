/** `.npy` files with changed headers, versions, lengths and data. */
import { concatBytes, utf8 } from '../../src/core/base/bytes.ts';
import { changeBytes, noise } from './byte-changes.ts';
import type { Random } from './random.ts';

const TYPES: readonly string[] = [
  '<f4',
  '<f8',
  '<f2',
  '|i1',
  '<i2',
  '<i4',
  '<i8',
  '|u1',
  '<u2',
  '<u4',
  '<u8',
  '|b1',
  '<i1',
  '>f4',
  '=f4',
  '|O',
  '<U8',
  '<c8',
  '',
  'f4',
];
const SIZES: readonly string[] = [
  '0',
  '1',
  '2',
  '3',
  '8',
  '01',
  '-1',
  '1.5',
  '67108864',
  '67108865',
  '9007199254740991',
  '9007199254740993',
  '99999999999999999999',
  '',
  ' 2',
];
const BITS: Readonly<Record<string, number>> = { 1: 1, 2: 2, 4: 4, 8: 8 };

/** A file put together anew, with its parts fitting each other or nearly so. */
export function anyNpy(random: Random): Uint8Array {
  const descr = random.oneIn(3) ? random.pick(TYPES) : random.pick(TYPES.slice(0, 13));
  const sizes = Array.from({ length: random.below(random.oneIn(16) ? 12 : 4) }, () =>
    random.pick(random.oneIn(4) ? SIZES : SIZES.slice(0, 5)),
  );
  const shape = sizes.length === 1 ? `(${sizes[0]},)` : `(${sizes.join(', ')})`;
  const members = [
    `'descr': '${descr}'`,
    `'fortran_order': ${random.oneIn(10) ? 'True' : 'False'}`,
    `'shape': ${shape}`,
  ];
  const literal = changedLiteral(members, random);
  const width = BITS[descr.slice(2)] ?? 1;
  const count = sizes.reduce((product, size) => product * Number(size), 1);
  const bytes = count * width;
  const length = Number.isFinite(bytes) && bytes >= 0 && bytes < 4096 ? bytes : random.below(64);
  const data = random.oneIn(2) ? new Uint8Array(length) : noise(length, random);
  const file = concatBytes(prefix(literal, random), literal, data);
  return random.oneIn(3) ? changeBytes(file, random) : file;
}

function changedLiteral(members: readonly string[], random: Random): Uint8Array {
  const used = [...members];
  if (random.oneIn(8)) used.splice(random.below(3), 1);
  if (random.oneIn(8)) used.push(random.pick(members));
  if (random.oneIn(4)) used.reverse();
  if (random.oneIn(16)) used.push("'more': 1");
  const space = random.oneIn(8)
    ? ' '.repeat(random.below(random.oneIn(8) ? random.pick([4000, 200_000]) : 8))
    : ' ';
  const text = `{${used.join(`,${space}`)}${random.oneIn(4) ? '' : ', '}}`;
  const padded = `${text.padEnd(random.oneIn(2) ? 117 : text.length)}${random.oneIn(12) ? '' : '\n'}`;
  return random.oneIn(8) ? changeBytes(utf8(padded), random) : utf8(padded);
}

function prefix(literal: Uint8Array, random: Random): Uint8Array {
  const major = random.oneIn(10) ? random.below(256) : 1 + random.below(3);
  const length = random.oneIn(10) ? random.bits() : literal.length;
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, major, random.oneIn(20) ? 1 : 0];
  const size = [0, 8, 16, 24].map((shift) => (length >>> shift) & 255);
  return Uint8Array.from([...magic, ...size.slice(0, major === 1 ? 2 : 4)]);
}
