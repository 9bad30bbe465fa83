/** Installing: the gate before the first payload byte, chunks of any size, reuse, and every way out. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readManifestEntry } from '../../../src/core/bundle/layout.ts';
import { packBundleBytes } from '../../../src/core/bundle/pack.ts';
import { type ByteSource, bytesSource } from '../../../src/core/bundle/source.ts';
import { refuseDisk } from '../../../src/core/update/faults.ts';
import {
  boot,
  confirm,
  type Device,
  deviceOn,
  FOLDER,
  install,
  provision,
} from '../../simulate/device.ts';
import {
  FIRST,
  GOLDEN,
  OTHER_MODEL,
  RELEASE_KEY,
  release,
  SECOND,
  STRANGE,
  THIRD,
  TRUST,
} from '../../simulate/releases.ts';
import { emptyDisk, SimDisk } from '../../simulate/sim-disk.ts';
import { accepted, codeOf, faultIn } from '../base/outcome.ts';
import { METADATA } from '../bundle/specimen.ts';

interface Bench {
  readonly disk: SimDisk;
  readonly device: Device;
}

function bench(): Bench {
  const disk = new SimDisk(emptyDisk(FOLDER));
  return { disk, device: deviceOn(disk) };
}

/** GOLDEN, and the first release confirmed in A and B. */
function confirmedBench(): Bench {
  const made = bench();
  accepted(provision(made.device, GOLDEN));
  accepted(install(made.device, FIRST));
  boot(made.device);
  accepted(confirm(made.device, 'A'));
  return made;
}

const states = ({ device }: Bench): string[] =>
  device.slots.status().slots.map(({ slot, entry }) => `${slot} ${entry.state}`);
const slotFiles = ({ disk }: Bench, slot: string): readonly string[] =>
  accepted(disk.list(`${FOLDER}/slots/${slot}`));

describe('an install', () => {
  it('goes to the slot that nothing depends on, ready to be tried', () => {
    const made = confirmedBench();
    const staged = accepted(install(made.device, SECOND));
    expect(staged.slot).toBe('B');
    expect(staged.bundle.meta.securityVersion).toBe(2);
    expect(states(made)).toEqual(['A confirmed', 'B trial', 'GOLDEN staged']);
    expect(slotFiles(made, 'B')).toEqual(['READY', 'manifest.suit', 'model.onnx', 'notice.txt']);
    expect(made.device.slots.status().pin).toEqual({
      vendor: 'example.com',
      hardwareClass: 'generic-arm64',
      model: 'rotor',
    });
  });

  it('waits for its activation where that is wanted', () => {
    const made = confirmedBench();
    const options = { trust: TRUST, activate: false };
    accepted(made.device.slots.install(bytesSource(SECOND.bundle), options));
    expect(boot(made.device).booted?.slot).toBe('A');
    expect(accepted(made.device.slots.activate())).toBe('B');
    expect(boot(made.device).booted).toMatchObject({ slot: 'B', kind: 'trial' });
    expect(codeOf(made.device.slots.activate())).toBe('update.no-trial');
  });

  it('takes bytes from another slot that holds them, and reads what it took again', () => {
    const made = confirmedBench();
    let read = 0;
    const source: ByteSource = {
      sizeBytes: SECOND.bundle.length,
      read(offset, into) {
        const count = bytesSource(SECOND.bundle).read(offset, into);
        read += count;
        return count;
      },
    };
    const notice = 64;
    expect(accepted(made.device.slots.install(source, { trust: TRUST })).reusedBytes).toBe(notice);
    made.disk.damage(`${FOLDER}/slots/A/notice.txt`, 3);
    made.disk.damage(`${FOLDER}/slots/GOLDEN/notice.txt`, 3);
    // Nobody has the bytes any more: they come from the source.
    const again = accepted(install(made.device, THIRD));
    expect([again.slot, again.reusedBytes]).toEqual(['B', 0]);
    expect(boot(made.device).booted?.slot).toBe('B');
    expect(read).toBeLessThanOrEqual(SECOND.bundle.length);
  });

  it('of the same model again copies all of it', () => {
    const made = confirmedBench();
    const { length } = FIRST.model;
    expect(accepted(install(made.device, FIRST)).reusedBytes).toBe(length + 64);
  });

  it('tells how far it is, from the manifest to the end', () => {
    const seen: [number, number][] = [];
    const { device } = bench();
    const onProgress = (done: number, total: number): void => void seen.push([done, total]);
    accepted(device.slots.install(bytesSource(FIRST.bundle), { trust: TRUST, onProgress }));
    const { endOffset } = accepted(readManifestEntry(bytesSource(FIRST.bundle)));
    expect(seen[0]).toEqual([endOffset, FIRST.bundle.length]);
    expect(seen.at(-1)).toEqual([FIRST.bundle.length, FIRST.bundle.length]);
    expect(seen.map(([done]) => done)).toEqual(seen.map(([done]) => done).sort((a, b) => a - b));
  });

  it('takes empty files', () => {
    const bundle = accepted(
      packBundleBytes({
        metadata: METADATA,
        files: [
          { path: 'model.onnx', role: 'model', bytes: Uint8Array.of(1) },
          { path: 'empty.txt', role: 'notice', bytes: new Uint8Array(0) },
        ],
        sequenceNumber: 1,
        signers: [RELEASE_KEY],
      }),
    );
    const { device } = bench();
    accepted(device.slots.install(bytesSource(bundle), { trust: TRUST }));
    expect(boot(device).booted?.slot).toBe('A');
  });
});

describe('a pushed install', () => {
  it('is the same in chunks of any size', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sizes, (chunks) => {
        const { device, disk } = bench();
        const stream = device.slots.openInstall({ trust: TRUST });
        for (let at = 0, turn = 0; at < FIRST.bundle.length; turn++) {
          const size = chunks[turn % chunks.length] ?? 1;
          accepted(stream.push(FIRST.bundle.subarray(at, at + size)));
          at += size;
        }
        expect(accepted(stream.finish()).slot).toBe('A');
        const path = `${FOLDER}/slots/A/model.onnx`;
        expect(accepted(disk.read(path, 4096))).toEqual(FIRST.model);
      }),
      { numRuns: 60 },
    );
  });

  it('ends for good with its first fault, or when it is given up', () => {
    const made = bench();
    const stream = made.device.slots.openInstall({ trust: TRUST });
    accepted(stream.push(FIRST.bundle.subarray(0, 4000)));
    stream.abort();
    expect(codeOf(stream.push(FIRST.bundle.subarray(4000)))).toBe('bundle.truncated');
    expect(codeOf(stream.finish())).toBe('bundle.truncated');
    expect(states(made)[0]).toBe('A bad');
    expect(slotFiles(made, 'A')).toEqual([]);
  });
});

describe('a refused install', () => {
  it('of a stranger, of another model or of an older release writes nothing at all', () => {
    const made = confirmedBench();
    accepted(install(made.device, SECOND));
    boot(made.device);
    accepted(confirm(made.device, 'B'));
    let changes = 0;
    const watched = new SimDisk(made.disk.state, { onChange: () => changes++ });
    const device = deviceOn(watched);
    expect(faultIn(install(device, STRANGE)).code).toBe('cose.unknown-key');
    expect(faultIn(install(device, OTHER_MODEL)).code).toBe('update.pinned');
    expect(faultIn(install(device, FIRST)).code).toBe('rollback.security-version');
    expect(changes).toBe(0);
  });

  it('asks the source for no payload byte before the manifest is admitted', () => {
    let last = 0;
    const source: ByteSource = {
      sizeBytes: STRANGE.bundle.length,
      read(offset, into) {
        last = Math.max(last, offset + into.length);
        return bytesSource(STRANGE.bundle).read(offset, into);
      },
    };
    expect(codeOf(bench().device.slots.install(source, { trust: TRUST }))).toBe('cose.unknown-key');
    const { endOffset } = accepted(readManifestEntry(bytesSource(STRANGE.bundle)));
    expect(last).toBe(endOffset);
  });

  it('obeys the pin of the image, whatever the record says', () => {
    const disk = new SimDisk(emptyDisk(FOLDER));
    const pin = { vendor: 'example.com', hardwareClass: 'generic-arm64', model: 'stator' };
    const device = deviceOn(disk, pin);
    expect(codeOf(install(device, FIRST))).toBe('update.pinned');
    expect(codeOf(install(device, OTHER_MODEL))).toBe('accepted');
  });

  it.each([
    [
      'a changed payload byte',
      (bytes: Uint8Array) => flip(bytes, bytes.length - 3000),
      'bundle.file-digest',
    ],
    [
      'a changed header',
      (bytes: Uint8Array) => flip(bytes, 1030),
      /^(bundle|cbor|suit|cose|crypto)\./,
    ],
    [
      'a byte in the last padding',
      (bytes: Uint8Array) => flip(bytes, bytes.length - 1100),
      'bundle.padding',
    ],
    ['a missing end', (bytes: Uint8Array) => bytes.slice(0, -1), 'bundle.truncated'],
    ['bytes behind the end', (bytes: Uint8Array) => Uint8Array.of(...bytes, 0), 'bundle.trailing'],
    ['no manifest', () => new Uint8Array(4096), 'bundle.header'],
    ['nothing', () => new Uint8Array(0), 'bundle.truncated'],
  ] as const)('with %s leaves no file of it', (_, change, code) => {
    const made = confirmedBench();
    const bundle = change(SECOND.bundle);
    const refused = made.device.slots.install(bytesSource(bundle), { trust: TRUST });
    expect(codeOf(refused)).toMatch(code);
    expect(states(made)[1]).toMatch(/^B (bad|confirmed)$/);
    if (states(made)[1] === 'B bad') expect(slotFiles(made, 'B')).toEqual([]);
    expect(boot(made.device).booted).toMatchObject({ slot: 'A', kind: 'confirmed' });
  });

  it('every header byte of the archive counts', () => {
    const { endOffset } = accepted(readManifestEntry(bytesSource(SECOND.bundle)));
    for (const at of [endOffset, endOffset + 100, endOffset + 511]) {
      const made = confirmedBench();
      const bundle = flip(SECOND.bundle, at);
      expect(codeOf(made.device.slots.install(bytesSource(bundle), { trust: TRUST }))).toBe(
        'bundle.header',
      );
    }
  });

  it('on a full disk says so, gives the room back, and works when there is room', () => {
    const made = confirmedBench();
    made.disk.capacityBytes = made.disk.usedBytes() + 450;
    const large = release('large', { securityVersion: 2, sequenceNumber: 4, modelBytes: 9000 });
    expect(codeOf(install(made.device, large))).toBe('disk.full');
    expect(states(made)).toEqual(['A confirmed', 'B bad', 'GOLDEN staged']);
    expect(slotFiles(made, 'B')).toEqual([]);
    expect(boot(made.device).booted?.slot).toBe('A');
    made.disk.capacityBytes = Number.POSITIVE_INFINITY;
    expect(accepted(install(made.device, large)).slot).toBe('B');
  });

  it('on a read-only disk says so and changes nothing', () => {
    const made = confirmedBench();
    made.disk.readOnly = true;
    expect(codeOf(install(made.device, SECOND))).toBe('disk.read-only');
    expect(states(made)).toEqual(['A confirmed', 'B confirmed', 'GOLDEN staged']);
    expect(boot(made.device).booted?.slot).toBe('A');
  });

  it('by a source that fails names the fault of the source', () => {
    const source: ByteSource = {
      sizeBytes: SECOND.bundle.length,
      read(offset, into) {
        if (offset > 600) throw refuseDisk('disk.io', 'the card is gone');
        return bytesSource(SECOND.bundle).read(offset, into);
      },
    };
    const made = confirmedBench();
    expect(codeOf(made.device.slots.install(source, { trust: TRUST }))).toBe('disk.io');
    const idle: ByteSource = { sizeBytes: 100_000, read: () => Number.NaN };
    expect(codeOf(made.device.slots.install(idle, { trust: TRUST }))).toBe('bundle.truncated');
  });

  it('of a payload named READY cannot be mistaken for the marker', () => {
    const bundle = accepted(
      packBundleBytes({
        metadata: METADATA,
        files: [
          { path: 'model.onnx', role: 'model', bytes: Uint8Array.of(1) },
          { path: 'READY', role: 'notice', bytes: Uint8Array.of(1) },
        ],
        sequenceNumber: 1,
        signers: [RELEASE_KEY],
      }),
    );
    const { device } = bench();
    expect(codeOf(device.slots.install(bytesSource(bundle), { trust: TRUST }))).toBe(
      'update.reserved-name',
    );
  });

  it('does not overwrite a release that ran on trial', () => {
    const made = confirmedBench();
    accepted(install(made.device, SECOND));
    // Not booted yet: a newer one takes its place.
    expect(accepted(install(made.device, THIRD)).slot).toBe('B');
    boot(made.device);
    expect(codeOf(install(made.device, SECOND))).toBe('update.trial-pending');
  });
});

describe('GOLDEN', () => {
  it('is provisioned by the same rules as an install', () => {
    const { device } = bench();
    expect(codeOf(provision(device, STRANGE))).toBe('cose.unknown-key');
    accepted(provision(device, GOLDEN));
    expect(boot(device).booted).toMatchObject({ slot: 'GOLDEN', kind: 'golden' });
  });

  it('is not written over while it is the only good slot', () => {
    const made = bench();
    accepted(provision(made.device, GOLDEN));
    expect(codeOf(provision(made.device, FIRST))).toBe('update.only-good-slot');
    const whole = confirmedBench();
    expect(accepted(provision(whole.device, FIRST)).slot).toBe('GOLDEN');
  });
});

function flip(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
}
