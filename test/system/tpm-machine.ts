/** A device whose floors are in a TPM, and what can be done to it. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Result } from '../../src/core/base/fault.ts';
import { EMPTY_FLOOR, type FloorRecord } from '../../src/core/trust/floor.ts';
import type { FloorStore } from '../../src/core/trust/floor-store.ts';
import { type FloorOptions, openFloors } from '../../src/host/platform/floors.ts';
import { openTpmIndex, type TpmOptions } from '../../src/host/platform/tpm-index.ts';
import { provisionTpmFloors } from '../../src/host/platform/tpm-provision.ts';
import { chainRecord, readCopies, writePair } from '../../src/host/platform/tpm-records.ts';
import { accepted } from '../core/base/outcome.ts';
import type { SoftwareTpm } from './software-tpm.ts';

export const KEY: Uint8Array = new Uint8Array(32).fill(1);
let nextIndex = 0x0150_0020;

/** `count` is every number of the record, as a release after a release raises them. */
export function counting(count: number): FloorRecord {
  const manifestSha256 = new Uint8Array(32).fill(count);
  const floor = { hardwareClass: 'c', model: 'm', securityVersion: count, sequenceNumber: count };
  return {
    ...EMPTY_FLOOR,
    generation: count,
    rootVersion: count,
    floors: [{ ...floor, manifestSha256 }],
  };
}

/** One provisioned device with an index of its own. */
export class Machine {
  readonly folder: string;
  readonly tpm: TpmOptions;
  readonly #images: string;

  constructor(chip: SoftwareTpm) {
    this.#images = chip.folder;
    this.folder = mkdtempSync(join(chip.folder, 'state-'));
    this.tpm = { tcti: chip.tcti, index: nextIndex++ };
  }

  /** With the records 0 to `count` committed one after the other. */
  static provisioned(chip: SoftwareTpm, count = 0): Machine {
    const machine = new Machine(chip);
    accepted(machine.provision());
    for (let at = 1; at <= count; at++) accepted(machine.open().write(counting(at)));
    return machine;
  }

  get indexText(): string {
    return `0x${this.tpm.index?.toString(16)}`;
  }

  provision(ownerAuthFile?: string): Result<FloorStore> {
    const { folder, tpm: options } = this;
    return provisionTpmFloors({ folder, macKey: KEY, tpm: options, ownerAuthFile });
  }

  /** As after a restart: nothing is remembered but files and TPM. */
  open(changed: Partial<FloorOptions> = {}): FloorStore {
    const { folder, tpm: options } = this;
    const tier = 'T2' as const;
    const given = { tier, folder, macKey: KEY, production: true, tpm: options, ...changed };
    return accepted(openFloors(given));
  }

  /** The file names hold a copy each of `floor.0` to `.3`. */
  file(index: number): string {
    return join(this.folder, `floor.${index}`);
  }

  snapshot(): string {
    const to = mkdtempSync(join(this.#images, 'image-'));
    cpSync(this.folder, to, { recursive: true });
    return to;
  }

  restore(image: string): void {
    rmSync(this.folder, { recursive: true });
    cpSync(image, this.folder, { recursive: true });
  }

  value(): Uint8Array {
    return accepted(openTpmIndex(this.tpm, this.folder, KEY).value());
  }

  /** What a holder of the device key can put beside the standing record. */
  forge(record: FloorRecord, previous: Uint8Array, pair: 0 | 1): void {
    accepted(writePair(this.folder, pair, chainRecord(record, previous, KEY)));
  }

  standing(): { readonly pair: 0 | 1; readonly previous: Uint8Array } {
    const { valid } = readCopies(this.folder, KEY);
    const newest = valid.toSorted(
      (a, b) => b.chained.record.generation - a.chained.record.generation,
    )[0];
    if (newest === undefined) throw new Error('no record');
    return { pair: newest.pair, previous: newest.chained.previous };
  }
}

export const other = (pair: 0 | 1): 0 | 1 => (pair === 0 ? 1 : 0);
