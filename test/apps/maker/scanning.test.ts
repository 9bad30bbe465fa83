/** The scan as a gate before packing, and the waivers that travel with a bundle. */
import { describe, expect, it } from 'vitest';
import { openMakerModel } from '../../../src/apps/maker/maker-model.ts';
import { packModel } from '../../../src/apps/maker/packing.ts';
import { admitModel, findingText } from '../../../src/apps/maker/scanning.ts';
import { concatBytes, utf8 } from '../../../src/core/base/bytes.ts';
import { decodeMetadata, encodeMetadata } from '../../../src/core/bundle/metadata.ts';
import { readMakerMetadata } from '../../../src/core/bundle/metadata-json.ts';
import { accepted, faultIn } from '../../core/base/outcome.ts';
import { keyOf, metadataOf } from '../../core/bundle/specimen.ts';
import { field } from '../../core/onnx/wire-builder.ts';
import { toyModel } from './toy.ts';

/** A model that runs as it is and has two findings of one kind and one of another. */
const ODD = concatBytes(toyModel(), field(99, 'a'), field(98, 'b'), field(25, field(1, 'f')));

describe('admitModel', () => {
  it('passes a model without findings', () => {
    expect(accepted(admitModel(toyModel(), []))).toEqual([]);
  });

  it('refuses what is not waived: the first, its place, how many, and every code', () => {
    const { code, message } = faultIn(admitModel(ODD, ['scan.function']));
    expect(code).toBe('scan.findings');
    expect(message).toMatch(/^scan\.unknown-field at model: field 99 with 1 bytes/);
    expect(message).toMatch(/; 2 in all: scan\.unknown-field$/);
    expect(faultIn(admitModel(ODD, [])).message).toMatch(/3 in all: scan\.\S+, scan\.\S+$/);
  });

  it('gives the waivers that were needed', () => {
    const waive = ['scan.loop-depth', 'scan.function', 'scan.unknown-field'] as const;
    expect(accepted(admitModel(ODD, waive))).toEqual(['scan.unknown-field', 'scan.function']);
  });

  it('passes on what is no model', () => {
    expect(faultIn(admitModel(utf8('no model'), [])).code).toBe('onnx.malformed');
  });

  it('words a finding for people', () => {
    const found = { code: 'scan.function', severity: 'medium', place: 'a', detail: 'b' } as const;
    expect(findingText(found)).toBe('scan.function at a: b');
  });
});

describe('packModel', () => {
  async function pack(model: Uint8Array, metadata: unknown) {
    const maker = accepted(await openMakerModel(model, utf8(JSON.stringify(metadata))));
    await maker.engine.close();
    const release = { name: 'toy', version: '1.0.0', securityVersion: 1, hardwareClass: 'any' };
    return packModel(maker, { ...release, signers: [keyOf(1)] });
  }

  it('refuses findings, and signs the waivers that were needed', async () => {
    expect(faultIn(await pack(ODD, { waive: ['scan.function'] })).code).toBe('scan.findings');
    const waive = ['scan.function', 'scan.unknown-field', 'scan.sparse-tensor'];
    const { bundle } = accepted(await pack(ODD, { waive }));
    expect(bundle.meta.waived).toEqual(['scan.unknown-field', 'scan.function']);
    const { bundle: clean } = accepted(await pack(toyModel(), { waive }));
    expect(clean.meta.waived).toBeUndefined();
  });
});

describe('waivers', () => {
  it('are read from JSON by code, and a slip gets the nearest', () => {
    const read = (waive: unknown) => readMakerMetadata(utf8(JSON.stringify({ waive })));
    expect(accepted(read(['scan.loop-depth'])).waive).toEqual(['scan.loop-depth']);
    expect(accepted(readMakerMetadata(utf8('{}'))).waive).toEqual([]);
    const { code, message } = faultIn(read(['scan.lop-depth']));
    expect(code).toBe('metadata.invalid');
    expect(message).toBe('waive[0] is no finding of a scan; did you mean scan.loop-depth?');
    expect(faultIn(read([7])).code).toBe('metadata.invalid');
    expect(faultIn(read('scan.loop-depth')).code).toBe('field.type');
  });

  it('go through the signed metadata, those of a newer scan too', () => {
    const waived = ['scan.loop-depth', 'scan.something-new'];
    expect(accepted(decodeMetadata(encodeMetadata(metadataOf({ waived })))).waived).toEqual(waived);
    expect(encodeMetadata(metadataOf({ waived }))).not.toEqual(encodeMetadata(metadataOf()));
    for (const bad of ['loop-depth', 'scan.', 'scan.A', `scan.${'a'.repeat(41)}`]) {
      const bytes = encodeMetadata(metadataOf({ waived: [bad] }));
      expect(faultIn(decodeMetadata(bytes)).code, bad).toBe('metadata.invalid');
    }
  });
});
