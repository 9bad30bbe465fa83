/** The items of a signed CBOR document left out, repeated, moved, renamed and grown, one at a time. */
import { concatBytes } from '../../src/core/base/bytes.ts';
import {
  type CborItem,
  type CborPlace,
  copyTree,
  placesOf,
  readTree,
  strideOf,
  writeTree,
} from '../fuzz/cbor-tree.ts';

type ItemChange = (place: CborPlace) => void;

const CHANGES: Readonly<Record<string, ItemChange>> = {
  'left out': ({ parent, index }) => {
    const [start, stride] = groupOf(parent, index);
    parent?.children.splice(start, stride);
  },
  repeated: ({ parent, index }) => {
    const [start, stride] = groupOf(parent, index);
    const again = parent?.children.slice(start, start + stride).map(copyTree) ?? [];
    parent?.children.splice(start, 0, ...again);
  },
  'moved behind its neighbour': ({ parent, index }) => {
    const [start, stride] = groupOf(parent, index);
    const moved = parent?.children.splice(start, stride) ?? [];
    parent?.children.splice(start + stride, 0, ...moved);
  },
  'another value': ({ item }) => {
    if (item.content === undefined) item.argument ^= 1n;
    else item.content = concatBytes(item.content.subarray(1), Uint8Array.of(0x41));
  },
  grown: ({ item }) => {
    if (item.content !== undefined && item.major < 7) {
      item.content = concatBytes(item.content, Uint8Array.of(0x41));
    } else if (item.major === 4 || item.major === 5) {
      item.children.push(...Array.from({ length: strideOf(item) }, zero));
    } else item.argument = item.argument * 256n + 255n;
  },
  'with a longer head': ({ item }) => {
    item.lie = 'wide';
  },
};

/** Written in both ways: as it lies, and with the keys of maps in their order again. */
export function* itemChanges(bytes: Uint8Array): Generator<readonly [string, Uint8Array]> {
  const count = placesOf(treeOf(bytes)).length;
  for (let number = 0; number < count; number++) {
    for (const [what, change] of Object.entries(CHANGES)) {
      const tree = treeOf(bytes);
      change(placesOf(tree)[number] as CborPlace);
      yield [`item ${number} ${what}`, writeTree(tree, false)];
      yield [`item ${number} ${what}, in order`, writeTree(tree, true)];
    }
  }
}

function treeOf(bytes: Uint8Array): CborItem {
  const tree = readTree(bytes);
  if (tree === undefined) throw new Error('the specimen is not CBOR');
  return tree;
}

function groupOf(parent: CborItem | undefined, index: number): [start: number, stride: number] {
  const stride = parent === undefined ? 1 : strideOf(parent);
  return [index - (index % stride), stride];
}

function zero(): CborItem {
  return { major: 0, argument: 0n, children: [] };
}
