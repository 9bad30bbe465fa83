/** The independently computed scores of 40 images, and the fit set they were fitted on. */
import { readFileSync } from 'node:fs';
import { type Head, provenHead } from '../../../src/core/calibration/head.ts';
import { checkSet, type Rows } from '../../../src/core/calibration/rows.ts';
import { sharedPath } from '../../shared.ts';

export interface Golden {
  readonly fit: { readonly features: Rows; readonly logits: Rows };
  readonly images: { readonly features: Rows; readonly logits: Rows };
  readonly head: Head;
  /** Of one method, image by image. */
  scores(method: string): readonly number[];
}

export function readGolden(): Golden {
  const json = JSON.parse(readFileSync(sharedPath('data/golden-scores.json'), 'utf8')) as {
    features: number[][];
    logits: number[][];
    scores: Record<string, number[]>;
  };
  const fit = { features: npyRows('golden-fit-features'), logits: npyRows('golden-fit-logits') };
  const images = { features: asRows(json.features), logits: asRows(json.logits) };
  const checked = (name: string, set: typeof fit): Parameters<typeof provenHead>[1] => ({
    ...checkSet(name, { ...set, sha256: new Uint8Array(32) }),
    features: set.features,
  });
  return {
    fit,
    images,
    head: provenHead(undefined, checked('fit', fit), checked('golden', images)),
    scores(method) {
      const scores = json.scores[method];
      if (scores?.length !== 40) throw new Error(`no golden scores of ${method}`);
      return scores;
    },
  };
}

function asRows(table: readonly (readonly number[])[]): Rows {
  return { width: table[0]?.length ?? 0, data: Float32Array.from(table.flat()) };
}

/** The data behind a version 1 header, which is padded to whole cache lines. */
function npyRows(name: string): Rows {
  const bytes = new Uint8Array(readFileSync(sharedPath(`data/${name}.npy`)));
  const header = 10 + (bytes[8] as number) + 256 * (bytes[9] as number);
  const data = new Float32Array(bytes.slice(header).buffer);
  return { width: data.length / 2000, data };
}
