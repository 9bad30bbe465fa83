/** What a device trusts as roots move on, keys retire and lists revoke, and what an attacker makes of it. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { err, faultOf, type Result } from '../../../src/core/base/fault.ts';
import { bytesSource } from '../../../src/core/bundle/source.ts';
import { signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import type { FloorRecord } from '../../../src/core/trust/floor.ts';
import { decodeRoot } from '../../../src/core/trust/root.ts';
import type { Trust } from '../../../src/core/update/slot-set.ts';
import { adoptTrust, readTrust, type TrustFiles } from '../../../src/host/runtime/device-trust.ts';
import { STORE_FAULTS } from '../../../src/host/store/faults.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { makePipe, scratch } from '../store/folder.ts';
import { Machine, words } from './machine.ts';
import {
  CLASS,
  ISSUED_S,
  NEXT_RELEASE_KEY,
  oneOf,
  RELEASE_KEY,
  release,
  revocationBytes,
  rootAfter,
  rootBytes,
  rowOf,
  stillClock,
} from './releases.ts';

const folder = scratch();
const V3 = rootBytes();
const roles = accepted(decodeRoot(V3)).roles;
/** The release key retired: it keeps what a device has confirmed, and installs nothing. */
const V4 = rootAfter(V3, {
  roles: { ...roles, release: { ...oneOf(NEXT_RELEASE_KEY), retired: oneOf(RELEASE_KEY) } },
});
const V5 = rootAfter(V4);
const TWO = { version: '2.0.0', securityVersion: 6, sequenceNumber: 20 } as const;

interface Given {
  readonly roots?: readonly Uint8Array[];
  readonly list?: Uint8Array | undefined;
}

class Trusting extends Machine {
  readonly files: string = folder();
  readonly listPath: string = join(this.files, 'revocations.cbor');
  /** Codes of what was trusted and could not be written down. */
  readonly unrecorded: string[] = [];

  /** As a start of the device does it; the list of the start before stays where it is. */
  adopt(given: Given = {}): Result<Trust> {
    return adoptTrust(this.trustFiles(given), this.floors, stillClock(), ({ code }) => {
      this.unrecorded.push(code);
    });
  }

  read(given: Given = {}): Result<Trust> {
    return readTrust(this.trustFiles(given), this.record(), stillClock());
  }

  trustFiles({ roots = [V3], list }: Given): TrustFiles {
    if (list !== undefined) writeFileSync(this.listPath, list);
    return {
      stateFolder: this.state,
      roots: roots.map((bytes, i) => {
        writeFileSync(join(this.files, `${i}.cbor`), bytes);
        return join(this.files, `${i}.cbor`);
      }),
      revocations: this.listPath,
      profile: 'production',
      hardwareClass: CLASS,
    };
  }

  record(): FloorRecord {
    return accepted(this.floors.read()).record;
  }

  /** Version that the slots choose under this trust, or why they choose none. */
  chooses(trust: Result<Trust>): string | undefined {
    if (!trust.ok) return trust.fault.code;
    const { booted, refusal } = this.slots.boot({ trust: trust.value });
    return booted?.bundle.meta.version ?? refusal?.code;
  }

  keptRoot(): string {
    return join(this.state, 'root.cbor');
  }
}

/** A device that confirmed 1.0.0 under the first root. */
function device(): Trusting {
  const made = new Trusting(folder());
  const trust = accepted(made.adopt());
  return made.confirmed({}, trust);
}

const versionOf = (trust: Result<Trust>): number => accepted(trust).root.version;

describe('a root that follows', () => {
  it('is adopted, held to from then on, and kept where the image has only the first one', () => {
    const box = device();
    expect(versionOf(box.adopt({ roots: [V3, V4] }))).toBe(4);
    expect(box.record()).toMatchObject({ rootVersion: 4, clockFloorMs: (ISSUED_S + 10) * 1000 });
    expect(readFileSync(box.keptRoot())).toEqual(Buffer.from(V4));
    const before = box.record();
    expect(versionOf(box.adopt())).toBe(4);
    expect(box.record()).toEqual(before);
    // The copy gone as well: nothing that is at hand leads to the recorded one.
    rmSync(box.keptRoot());
    expect(codeOf(box.adopt())).toBe('root.missing');
    expect(versionOf(box.adopt({ roots: [V3, V4] }))).toBe(4);
  });

  it('two versions on needs every file in between, given once', () => {
    const box = device();
    expect(codeOf(box.adopt({ roots: [V3, V5] }))).toBe('root.step');
    expect(versionOf(box.adopt({ roots: [V3, V4, V5] }))).toBe(5);
    expect(versionOf(box.adopt({ roots: [V5] }))).toBe(5);
  });

  it('alone in a new image is one step from the copy that is kept; without the copy it is none', () => {
    const box = device();
    rmSync(box.keptRoot());
    const alone = box.adopt({ roots: [V4] });
    expect(codeOf(alone)).toBe('root.missing');
    expect(box.chooses(alone)).toBe('root.missing');
    expect(box.record().rootVersion).toBe(3);
    expect(box.states()).toEqual(['confirmed', 'confirmed', 'empty']);
    // The chain is given, and the device is as it was.
    expect(box.chooses(box.adopt({ roots: [V3, V4] }))).toBe('1.0.0');
    const other = device();
    expect(versionOf(other.adopt({ roots: [V4] }))).toBe(4);
  });

  it('gives SAFE with the safe output on record while it is missing, and says so', async () => {
    const box = device();
    rmSync(box.keptRoot());
    const { model, refusal, fallback } = await box.boot(undefined, {
      trust: box.adopt({ roots: [V5] }),
    });
    expect([model, refusal?.code, rowOf(fallback)]).toEqual([undefined, 'root.missing', [1, 2]]);
    expect(words(box.events)).toEqual(['boot-refused - root.missing']);
  });

  it('is followed after a loss of power between the record and the copy', () => {
    const box = device();
    const copy = readFileSync(box.keptRoot());
    box.adopt({ roots: [V3, V4] });
    writeFileSync(box.keptRoot(), copy);
    expect(versionOf(box.adopt({ roots: [V3, V4] }))).toBe(4);
    expect(readFileSync(box.keptRoot())).toEqual(Buffer.from(V4));
  });

  it('of another maker, an older one or a forged one of the same version is never taken', () => {
    const box = device();
    accepted(box.adopt({ roots: [V3, V4] }));
    const forged = rootAfter(V3, { issuedS: ISSUED_S + 77 });
    const stranger = rootBytes({ version: 9, issuedS: ISSUED_S + 9 });
    for (const planted of [V3, forged, stranger, new TextEncoder().encode('garbage')]) {
      writeFileSync(box.keptRoot(), planted);
      expect(codeOf(box.adopt()), 'planted, and the image does not have it').toBe('root.missing');
      expect(versionOf(box.adopt({ roots: [V3, V4] }))).toBe(4);
    }
    expect(codeOf(box.adopt({ roots: [V3] }))).toBe('accepted');
    expect(codeOf(box.adopt({ roots: [V3, V4, forged] }))).toBe('root.differs');
    expect(codeOf(box.adopt({ roots: [V4, stranger] }))).toBe('root.step');
    expect(box.record().rootVersion).toBe(4);
  });

  it('is only read by a look, and changes nothing', () => {
    const box = device();
    const before = box.record();
    expect(versionOf(box.read({ roots: [V3, V4] }))).toBe(4);
    expect(box.record()).toEqual(before);
    expect(readFileSync(box.keptRoot())).toEqual(Buffer.from(V3));
  });
});

describe('root files', () => {
  it('that are missing, a folder, a pipe or garbage leave nothing to trust', async () => {
    const box = device();
    const at = folder();
    writeFileSync(join(at, 'garbage'), 'garbage');
    const paths: [string, RegExp][] = [
      [join(at, 'none'), /^store\.not-found$/],
      [at, /^store\.read$/],
      [makePipe(join(at, 'pipe')), /^store\.read$/],
      [join(at, 'garbage'), /^(cbor|root)\./],
    ];
    for (const [path, code] of paths) {
      const files = { ...box.trustFiles({}), roots: [path] };
      const trust = adoptTrust(files, box.floors, stillClock(), () => {});
      expect(codeOf(trust)).toMatch(code);
      const { model, refusal, fallback } = await box.boot(undefined, { trust });
      expect([model, refusal?.code, rowOf(fallback)]).toEqual([undefined, codeOf(trust), [1, 2]]);
    }
    expect(box.chooses(box.adopt())).toBe('1.0.0');
  });

  it('none at all are refused', () => {
    const box = new Trusting(folder());
    expect(codeOf(box.adopt({ roots: [] }))).not.toBe('accepted');
  });

  it('that cannot be kept or recorded count for this boot, and that is told', () => {
    const box = device();
    rmSync(box.keptRoot());
    mkdirSync(box.keptRoot());
    for (let i = 0; i < 2; i++) expect(codeOf(box.adopt())).toBe('accepted');
    expect(box.unrecorded).toEqual(['store.write', 'store.write']);
    const before = box.record();
    const full = () => err(faultOf(STORE_FAULTS, 'store.write', 'ENOSPC'));
    const files = box.trustFiles({ roots: [V3, V4] });
    const told: string[] = [];
    const stuck = { ...box.floors, write: full };
    const trust = adoptTrust(files, stuck, stillClock(), ({ code }) => told.push(code));
    expect([versionOf(trust), told]).toEqual([4, ['store.write']]);
    expect(box.record()).toEqual(before);
  });
});

describe('a key that was retired', () => {
  it('keeps the confirmed release running and installs nothing', async () => {
    const box = device();
    const trust = box.adopt({ roots: [V3, V4] });
    expect((await box.boot(undefined, { trust })).model?.bundle.meta.version).toBe('1.0.0');
    const install = (change: object): string =>
      codeOf(
        box.slots.install(bytesSource(release({ ...TWO, ...change })), { trust: accepted(trust) }),
      );
    expect(install({})).toBe('trust.retired-key');
    expect(install({ signer: NEXT_RELEASE_KEY })).toBe('accepted');
    expect((await box.boot(undefined, { trust })).model?.bundle.meta.version).toBe('2.0.0');
    expect(box.floor()).toBe(6);
  });

  it('does not keep a release that nobody confirmed, whatever the boot record says of it', () => {
    const box = device();
    accepted(box.slots.install(bytesSource(release(TWO)), { trust: accepted(box.adopt()) }));
    const trust = box.adopt({ roots: [V3, V4] });
    expect(box.chooses(trust)).toBe('1.0.0');
    expect(words(box.events)).toContain('boot-refused B trust.retired-key');
    expect(codeOf(box.slots.confirm('B', accepted(trust)))).toBe('trust.retired-key');
  });

  it('heals the second copy of what it signed', async () => {
    const box = device();
    const trust = box.adopt({ roots: [V3, V4] });
    box.flip('A', 'model.onnx', 8);
    expect((await box.boot(undefined, { trust })).slot).toBe('B');
    expect(box.states()).toEqual(['confirmed', 'confirmed', 'empty']);
  });
});

describe('a revocation', () => {
  const FIRST = revocationBytes({ version: 1 });
  const KEY = revocationBytes({ version: 2, keys: [RELEASE_KEY.thumbprint] });

  it('of the key stops the confirmed release, with the safe output, and gives no slot up', async () => {
    const box = device();
    const trust = box.adopt({ list: KEY });
    for (let i = 0; i < 2; i++) {
      const { model, refusal, fallback } = await box.boot(undefined, { trust });
      expect([model, refusal?.code, rowOf(fallback)]).toEqual([
        undefined,
        'revocation.key',
        [1, 2],
      ]);
      expect(words(box.events)).toEqual([
        'boot-refused A revocation.key',
        'boot-refused B revocation.key',
        'boot-refused - revocation.key',
      ]);
    }
    expect(box.record()).toMatchObject({ revocationVersion: 2 });
    const next = release({ ...TWO, signer: NEXT_RELEASE_KEY });
    expect(codeOf(box.slots.install(bytesSource(next), { trust: accepted(box.adopt()) }))).not.toBe(
      'accepted',
    );
    const moved = box.adopt({ roots: [V3, V4] });
    accepted(box.slots.install(bytesSource(next), { trust: accepted(moved) }));
    expect((await box.boot(undefined, { trust: moved })).model?.bundle.meta.version).toBe('2.0.0');
  });

  it('of the release, or of its security version, stops it as well', () => {
    const box = device();
    const digest = box.record().floors[0]?.manifestSha256 as Uint8Array;
    expect(box.chooses(box.adopt({ list: revocationBytes({ manifests: [digest] }) }))).toBe(
      'revocation.manifest',
    );
    const minimums = [{ hardwareClass: CLASS, model: 'echo', securityVersion: 6 }];
    const list = revocationBytes({ version: 2, minimums });
    const other = device();
    expect(other.chooses(other.adopt({ list }))).toBe('rollback.security-version');
  });

  it('list, deleted, older, forged or damaged, gives the safe output; given again, all is well', async () => {
    const box = device();
    accepted(box.adopt({ list: FIRST }));
    accepted(box.adopt({ list: revocationBytes({ version: 3 }) }));
    expect(box.record().revocationVersion).toBe(3);
    const bad: [string, () => void][] = [
      ['revocation.missing', () => rmSync(box.listPath)],
      ['revocation.older', () => writeFileSync(box.listPath, FIRST)],
      [
        'revocation.differs',
        () => writeFileSync(box.listPath, revocationBytes({ version: 3, issuedS: 5 })),
      ],
      ['cbor.', () => writeFileSync(box.listPath, 'garbage')],
      [
        'store.read',
        () => {
          rmSync(box.listPath);
          mkdirSync(box.listPath);
        },
      ],
    ];
    for (const [code, harm] of bad) {
      harm();
      const { model, refusal, fallback } = await box.boot(undefined, { trust: box.adopt() });
      expect(model, code).toBeUndefined();
      expect(refusal?.code).toMatch(new RegExp(`^${code}`));
      expect(rowOf(fallback)).toEqual([1, 2]);
    }
    rmSync(box.listPath, { recursive: true });
    // A start that names no list at all is no way around it.
    const { revocations: _, ...files } = box.trustFiles({});
    expect(box.chooses(adoptTrust(files, box.floors, stillClock(), () => {}))).toBe(
      'revocation.missing',
    );
    expect(box.record().revocationVersion).toBe(3);
    expect(box.states()).toEqual(['confirmed', 'confirmed', 'empty']);
    expect(box.chooses(box.adopt({ list: revocationBytes({ version: 3 }) }))).toBe('1.0.0');
  });

  it('list that no revocation key of the root signed is none', () => {
    const box = device();
    const stranger = signerFromSeed(new Uint8Array(32).fill(77));
    const keyless = rootAfter(V3, { roles: { ...roles, revocation: oneOf(stranger) } });
    expect(codeOf(box.adopt({ roots: [V3, keyless], list: FIRST }))).not.toBe('accepted');
    expect(box.record()).toMatchObject({ rootVersion: 3, revocationVersion: 0 });
  });
});
