/** What a guard knows of usual inputs: the layout of a row and its statistics on reference frames. */
import type { Fields } from '../base/fields.ts';
import { INPUT_CHANNELS_MAX, TABLE_COLUMNS_MAX, TENSOR_NAME_CHARS_MAX } from '../base/limits.ts';
import { type CborMap, cborMap } from '../cose/value.ts';
import { type InputLayout, isLayout } from './input-layout.ts';
import { type InputReference, statisticNames } from './input-statistics.ts';
import { refusePolicy } from './policy-faults.ts';
import { ranksMap, readRanks } from './reference-ranks.ts';

export interface InputPolicy extends InputReference {
  /** The input of the model that is judged. */
  readonly input: string;
}

export function inputPolicyMap({ input, layout, ranks }: InputPolicy): CborMap {
  return cborMap(['input', input], ['layout', layoutMap(layout)], ['ranks', ranksMap(ranks)]);
}

/**
 * Reads what `inputPolicyMap` gives. Faults: `policy.length`, `policy.values` (a layout that has no
 * statistics), `policy.order`, `field.*`.
 */
export function readInputPolicy(fields: Fields): InputPolicy {
  const input = fields.text('input', TENSOR_NAME_CHARS_MAX);
  const layout = readLayout(fields.map('layout'));
  // One-sided, a dark or a flat frame would be as usual as can be.
  const ranks = readRanks(fields.map('ranks'), statisticNames(layout).length, 'two');
  fields.done();
  return { input, layout, ranks };
}

function layoutMap(layout: InputLayout): CborMap {
  const { kind } = layout;
  if (kind === 'table') return cborMap(['kind', kind], ['columns', layout.columns]);
  return cborMap(
    ['kind', kind],
    ['channels', layout.channels],
    ['channels-last', layout.channelsLast],
    ['samples', kind === 'signal' ? layout.samples : undefined],
    ['height', kind === 'image' ? layout.height : undefined],
    ['width', kind === 'image' ? layout.width : undefined],
  );
}

function readLayout(fields: Fields): InputLayout {
  const kind = fields.oneOf<InputLayout['kind']>('kind', ['image', 'signal', 'table']);
  const layout = readSizes(kind, fields);
  fields.done();
  if (!isLayout(layout)) {
    throw refusePolicy('policy.values', `${fields.path} is no ${kind} that has statistics`);
  }
  return layout;
}

function readSizes(kind: InputLayout['kind'], fields: Fields): InputLayout {
  if (kind === 'table') return { kind, columns: fields.integer('columns', 1, TABLE_COLUMNS_MAX) };
  const channels = fields.integer('channels', 1, INPUT_CHANNELS_MAX);
  const channelsLast = fields.boolean('channels-last');
  if (kind === 'signal') {
    return { kind, channels, samples: fields.integer('samples', 1), channelsLast };
  }
  const [height, width] = [fields.integer('height', 1), fields.integer('width', 1)];
  return { kind, channels, height, width, channelsLast };
}
