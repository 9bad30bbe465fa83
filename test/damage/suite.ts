/** The claim of the format, in one place: no signed document survives any change. */

import { tarOf } from '../fuzz/archive-changes.ts';
import {
  type Extent,
  everyByte,
  everyChange,
  everyGrowth,
  everyLength,
  type Tally,
} from './damage.ts';
import { itemChanges } from './item-changes.ts';
import { memberChanges, membersOf } from './member-changes.ts';
import {
  BIRTH,
  EVENT,
  LARGE_BUNDLE,
  REVOCATIONS,
  ROOT,
  SMALL_BUNDLE,
  type Specimen,
} from './specimens.ts';

/** The documents of a run; the large bundle only where there is time for it. */
export function specimensOf({ long }: Extent): readonly Specimen[] {
  return [SMALL_BUNDLE, ...(long ? [LARGE_BUNDLE, BIRTH] : []), ROOT, REVOCATIONS, EVENT];
}

/** One tally for each kind of damage to each document, as they are done. */
export function* damageSuite(extent: Extent): Generator<Tally> {
  for (const specimen of specimensOf(extent)) {
    yield everyByte(specimen, extent);
    yield everyLength(specimen, extent);
    yield everyGrowth(specimen);
    if (specimen.behind === undefined) {
      yield everyChange(specimen, 'items changed', itemChanges(specimen.bytes));
    }
  }
  yield everyChange(SMALL_BUNDLE, 'items of its manifest changed', manifestChanges(SMALL_BUNDLE));
  // Three files have more orders than one, and it costs little.
  const members = memberChanges(membersOf(LARGE_BUNDLE.bytes));
  yield everyChange(LARGE_BUNDLE, 'members changed', members);
}

/** The items of a bundle's manifest changed, in an archive that fits the new size. */
export function* manifestChanges({ bytes }: Specimen): Generator<readonly [string, Uint8Array]> {
  const [manifest, ...payloads] = membersOf(bytes);
  if (manifest === undefined) return;
  for (const [what, changed] of itemChanges(manifest.bytes)) {
    yield [what, tarOf([{ ...manifest, bytes: changed }, ...payloads])];
  }
}
