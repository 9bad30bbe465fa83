/** Orders at a device: held against its trust, counted on its disk, and kept over a restart. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../src/core/base/bytes.ts';
import type { CborMap } from '../../../src/core/cose/value.ts';
import type { Signer } from '../../../src/core/crypto/ed25519.ts';
import { signerFromSeed } from '../../../src/core/crypto/ed25519.ts';
import { thumbprintOf } from '../../../src/core/crypto/thumbprint.ts';
import type { EdgeEvent } from '../../../src/core/telemetry/event.ts';
import { type OperatorAct, signOrder } from '../../../src/core/trust/operator-act.ts';
import type { Roles } from '../../../src/core/trust/root-codec.ts';
import { loadIdentity } from '../../../src/host/platform/identity.ts';
import { type Device, startDevice } from '../../../src/host/runtime/device.ts';
import type { DeviceOptions } from '../../../src/host/runtime/options.ts';
import { openOperatorRecord } from '../../../src/host/store/operator-record.ts';
import { accepted } from '../../core/base/outcome.ts';
import { scratch } from '../store/folder.ts';
import {
  CLASS,
  frame,
  oneOf,
  ROOT,
  revocationBytes,
  rootBytes,
  shipped,
  stillClock,
} from './releases.ts';

const OPERATOR = signerFromSeed(new Uint8Array(32).fill(51));
const SECOND = signerFromSeed(new Uint8Array(32).fill(52));
const folder = scratch();
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const OPERATED = { ...ROOT.roles, operator: oneOf(OPERATOR, SECOND) };

class Bench {
  readonly state = folder();
  readonly events: EdgeEvent[] = [];
  /** The number of the first frame that is held. */
  readonly held: Promise<number>;
  #onHeld: (hold: number) => void = () => {};
  readonly #root = join(folder(), 'root.cbor');
  readonly #bundle = shipped(folder(), {
    guard: new Map([['actions', new Map([['output', 'hold']])]]) as CborMap,
  });

  constructor(roles: Roles = OPERATED) {
    writeFileSync(this.#root, rootBytes({ roles }));
    this.held = new Promise((resolve) => {
      this.#onHeld = resolve;
    });
  }

  async start(change: Partial<DeviceOptions> = {}): Promise<Device> {
    const device = accepted(
      await startDevice({
        ...{ stateFolder: this.state, root: this.#root, bundle: this.#bundle },
        ...{ profile: 'production', board: 'generic-x64', hardwareClass: CLASS },
        ...{ clock: stillClock(), onEvent: (event) => this.#told(event) },
        ...change,
      }),
    );
    ends.push(() => device.stop());
    return device;
  }

  #told(event: EdgeEvent): void {
    this.events.push(event);
    if (event.type === 'operator.held') this.#onHeld(event.hold);
  }
}

interface Signed {
  readonly counter?: number;
  readonly epoch?: number;
  readonly signer?: Signer;
}
const order = (device: Device, act: OperatorAct, change: Signed = {}): Uint8Array => {
  const { counter = 1, epoch = device.epoch, signer = OPERATOR } = change;
  const to = { device: thumbprintOf(device.publicKey), epoch };
  return accepted(signOrder({ act, id: 'o-1', counter, ...to }, signer));
};
const told = async (device: Device, bytes: OperatorAct | Uint8Array): Promise<string> => {
  const { done, mode, fault } = await device.operate(bytes);
  expect([done, mode]).toEqual([fault === undefined, device.mode]);
  return fault?.code ?? mode;
};

describe('a device', () => {
  it('does what an operator signed, once', async () => {
    const device = await new Bench().start();
    const pause = order(device, { verb: 'pause' });
    expect(await told(device, pause)).toBe('paused');
    expect((await device.infer(frame(1, 1))).source).toBe('safe');
    expect(await told(device, order(device, { verb: 'resume' }, { counter: 2 }))).toBe('nominal');
    expect(await told(device, pause)).toBe('operator.old-counter');
    expect(await told(device, order(device, { verb: 'pause' }, { counter: 2 }))).toBe(
      'operator.old-counter',
    );
    expect(device.mode).toBe('nominal');
    // Each key counts for itself.
    expect(await told(device, order(device, { verb: 'pause' }, { signer: SECOND }))).toBe('paused');
  });

  it('gives a held output when an operator releases it', async () => {
    const bench = new Bench();
    const device = await bench.start();
    const answer = device.infer(frame(99, 1));
    const held = await bench.held;
    expect(await told(device, { verb: 'decide-hold', hold: held, answer: 'release' })).toBe(
      'operator.unsigned',
    );
    const release: OperatorAct = { verb: 'decide-hold', hold: held, answer: 'release' };
    expect(await told(device, order(device, release))).toBe('nominal');
    const judged = await answer;
    expect([judged.verdict, judged.source, judged.hold?.ending]).toEqual([
      ...['hold', 'model', 'release'],
    ]);
    // The frame waits no more: the order is refused, and its counter is free.
    expect(await told(device, order(device, release, { counter: 2 }))).toBe('operator.not-held');
    expect(await told(device, order(device, { verb: 'pause' }, { counter: 2 }))).toBe('paused');
  });

  it('leaves mode and counter as they were when it refuses, and tells why', async () => {
    const bench = new Bench();
    const device = await bench.start();
    const stranger = signerFromSeed(new Uint8Array(32).fill(9));
    const release: OperatorAct = { verb: 'release' };
    await device.operate({ verb: 'force-safe' });
    const wrong: [string, Uint8Array][] = [
      ['operator.unknown-key', order(device, release, { signer: stranger })],
      ['operator.other-epoch', order(device, release, { epoch: 7 })],
      ['operator.not-held', order(device, { verb: 'decide-hold', hold: 5, answer: 'safe' })],
      ['operator.malformed', new Uint8Array(5_000)],
      ['cose.not-sign1', Uint8Array.of(0x80)],
      ['crypto.bad-signature', order(device, release).fill(0, -60)],
    ];
    for (const [code, bytes] of wrong) expect(await told(device, bytes)).toBe(code);
    expect(device.mode).toBe('safe');
    expect(existsSync(join(bench.state, 'operators.0'))).toBe(false);
    const refused = bench.events.filter(({ type }) => type === 'operator.refused');
    expect(refused).toEqual(wrong.map(([fault]) => ({ type: 'operator.refused', fault })));
    expect(await told(device, order(device, release, { counter: 1 }))).toBe('safe');
    expect((await device.infer(frame(1, 1))).source).toBe('safe');
  });
});

describe('after a restart', () => {
  it('by a kill as well: what was done is on the disk when the answer comes', async () => {
    const bench = new Bench();
    const device = await bench.start();
    await told(device, order(device, { verb: 'force-safe' }, { counter: 3 }));
    const { macKey } = accepted(loadIdentity(bench.state)).keys;
    expect(accepted(openOperatorRecord(bench.state, macKey).read())?.record).toEqual({
      ...{ generation: 1, forced: true, paused: false },
      counters: new Map([[toHex(OPERATOR.thumbprint), 3]]),
    });
  });

  it('counters stand, and orders of the boot before are refused', async () => {
    const bench = new Bench();
    const first = await bench.start();
    const again = order(first, { verb: 'force-safe' }, { counter: 9 });
    expect(await told(first, order(first, { verb: 'self-test' }, { counter: 8 }))).toBe('nominal');
    await first.stop();
    const second = await bench.start();
    expect(await told(second, again)).toBe('operator.other-epoch');
    expect(await told(second, order(second, { verb: 'pause' }, { counter: 8 }))).toBe(
      'operator.old-counter',
    );
    expect(second.mode).toBe('nominal');
    expect(await told(second, order(second, { verb: 'pause' }, { counter: 9 }))).toBe('paused');
  });

  it('SAFE that an operator forced and a pause stand, until they are released', async () => {
    const bench = new Bench();
    const first = await bench.start();
    await told(first, order(first, { verb: 'force-safe' }, { counter: 1 }));
    await told(first, order(first, { verb: 'pause' }, { counter: 2 }));
    await first.stop();
    const second = await bench.start();
    expect(second.mode).toBe('paused');
    expect(await told(second, order(second, { verb: 'resume' }, { counter: 3 }))).toBe('safe');
    await second.stop();
    const third = await bench.start();
    expect([third.mode, (await third.infer(frame(1, 1))).source]).toEqual(['safe', 'safe']);
    expect(await told(third, { verb: 'self-test' })).toBe('safe');
    expect(await told(third, order(third, { verb: 'release' }, { counter: 4 }))).toBe('safe');
    expect(await told(third, { verb: 'self-test' })).toBe('nominal');
    await third.stop();
    expect((await bench.start()).mode).toBe('nominal');
  });

  it('what only a local caller did is over', async () => {
    const bench = new Bench();
    const first = await bench.start();
    await first.operate({ verb: 'force-safe' });
    expect(first.mode).toBe('safe');
    await first.stop();
    expect((await bench.start()).mode).toBe('nominal');
  });

  it.each([
    ['forces SAFE where there is somebody to release it', OPERATED, 'safe'],
    ['is passed over where there is nobody', ROOT.roles, 'nominal'],
  ] as const)('a record that is damaged %s', async (_, roles, mode) => {
    const bench = new Bench(roles);
    await (await bench.start()).stop();
    for (const copy of ['0', '1']) writeFileSync(join(bench.state, `operators.${copy}`), 'torn');
    const device = await bench.start();
    expect(device.mode).toBe(mode);
    if (mode === 'nominal') {
      const bytes = order(device, { verb: 'pause' });
      expect(await told(device, bytes)).toBe('operator.no-role');
    } else expect(await told(device, order(device, { verb: 'release' }))).toBe('safe');
  });
});

describe('a device that cannot judge or count an order', () => {
  it('after its end takes none', async () => {
    const device = await new Bench().start();
    await device.stop();
    const bytes = order(device, { verb: 'pause' });
    expect((await device.operate(bytes)).fault?.code).toBe('operator.no-state');
    expect((await device.operate({ verb: 'pause' })).fault?.code).toBe('operator.no-state');
  });

  it('without its key takes none that loosens, and a local one that restricts', async () => {
    const bench = new Bench();
    await (await bench.start()).stop();
    rmSync(join(bench.state, 'device.key'));
    writeFileSync(join(bench.state, 'device.key'), 'torn', { mode: 0o600 });
    const device = await bench.start();
    expect(await told(device, order(device, { verb: 'release' }, { epoch: 1 }))).toBe(
      'operator.no-state',
    );
    expect(await told(device, { verb: 'pause' })).toBe('paused');
  });

  it('whose list of revocations was taken away takes none', async () => {
    const bench = new Bench();
    const revocations = join(folder(), 'revocations.cbor');
    writeFileSync(revocations, revocationBytes({ keys: [SECOND.thumbprint] }));
    const first = await bench.start({ revocations });
    expect(await told(first, order(first, { verb: 'pause' }, { signer: SECOND }))).toBe(
      'operator.revoked-key',
    );
    await first.stop();
    rmSync(revocations);
    const second = await bench.start({ revocations });
    expect(await told(second, order(second, { verb: 'pause' }, { signer: SECOND }))).toBe(
      'revocation.missing',
    );
  });

  it('that cannot write restricts all the same, and loosens nothing', async () => {
    const bench = new Bench();
    const device = await bench.start();
    await device.operate({ verb: 'pause' });
    for (const i of [0, 1]) mkdirSync(join(bench.state, `operators.${i}.tmp`));
    expect(await told(device, order(device, { verb: 'resume' }))).toBe('store.write');
    expect(await told(device, order(device, { verb: 'force-safe' }))).toBe('paused');
    expect(await told(device, order(device, { verb: 'pause' }))).toBe('operator.old-counter');
  });
});
