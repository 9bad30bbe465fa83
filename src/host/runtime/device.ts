/**
 * The device: boot, guard, report, until stopped. A bundle that may not run leaves it in SAFE with
 * the recorded safe output; only what leaves nothing to promise keeps it from starting.
 */
import { attemptAsync, type Fault, need, type Result } from '../../core/base/fault.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import { cryptoSelfTest, signingSelfTest } from '../../core/crypto/self-test.ts';
import { type Birth, ueidOf } from '../../core/telemetry/birth.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import { HEALTH_METRICS, type Health } from '../../core/telemetry/health.ts';
import type { Status } from '../../core/telemetry/status.ts';
import { buildTopic } from '../../core/telemetry/topic.ts';
import type { ModeName } from '../../core/telemetry/vocabulary.ts';
import type { FloorRecord } from '../../core/trust/floor.ts';
import { payloadOf, type VerifiedBundle } from '../../core/trust/verify.ts';
import { type DeviceIdentity, loadIdentity, newBootSeed } from '../platform/identity.ts';
import { type InstanceLock, lockFolder } from '../platform/instance-lock.ts';
import { sampleBoard } from '../platform/probes.ts';
import { type FloorStore, lastEpoch, nextEpoch, openFloorStore } from '../store/device-records.ts';
import { refuseStore } from '../store/faults.ts';
import { bytesWritten } from '../store/files.ts';
import { type Booted, bootModel, bundleName } from './boot.ts';
import {
  type FrameJudgement,
  GuardedSession,
  modeName,
  type VerdictCounts,
} from './guarded-session.ts';
import { type DeviceOptions, type ResolvedDevice, resolveDevice } from './options.ts';
import { Reporter } from './reporter.ts';
import { readRoot } from './trust-state.ts';
import { connectUplink, dropsToTell, noUplink, type Uplink } from './uplink.ts';
import { EDGEWARD_VERSION } from './version.ts';

export interface Device {
  readonly name: string;
  readonly epoch: number;
  /** Verifies this device's telemetry: 32 bytes, Ed25519. */
  readonly publicKey: Uint8Array;
  readonly bundle: VerifiedBundle | undefined;
  /** Why no bundle runs, where none does. */
  readonly refusal: Fault | undefined;
  readonly mode: ModeName;
  readonly verdicts: VerdictCounts;
  infer(frame: unknown): Promise<FrameJudgement>;
  /** For a frame that could not even be read: it gets a verdict as well, and is reported. */
  refuse(fault: Fault): Promise<FrameJudgement>;
  /** Reports health now, beside the periodic reports. */
  reportHealth(): Promise<void>;
  /** Judges what is under way, reports a last time, says goodbye. */
  stop(): Promise<void>;
}

/**
 * Faults stop the start only where nothing could be promised: broken cryptography, an unreadable
 * root, key or record. A bundle that is refused does not: the device comes up in SAFE.
 */
export function startDevice(options: DeviceOptions): Promise<Result<Device>> {
  return attemptAsync(async () => {
    const resolved = need(await resolveDevice(options));
    need(cryptoSelfTest());
    need(signingSelfTest());
    const identity = need(loadIdentity(options.stateFolder));
    const lock = need(await lockFolder(options.stateFolder, identity.keys.macKey));
    try {
      return await startLocked(resolved, identity, lock);
    } catch (thrown) {
      lock.release();
      throw thrown;
    }
  });
}

async function startLocked(
  options: ResolvedDevice,
  identity: DeviceIdentity,
  lock: InstanceLock,
): Promise<Device> {
  const { stateFolder, group } = options;
  const { macKey } = identity.keys;
  const root = need(readRoot(options.root));
  const name = options.deviceName ?? identity.defaultName;
  need(buildTopic({ group, device: name, kind: 'status' }));
  const floors = openFloorStore(stateFolder, macKey);
  const record = firstFloor(floors, need(lastEpoch(stateFolder, macKey)));
  const epoch = need(nextEpoch(stateFolder, macKey));
  const device = new RunningDevice(options, identity, epoch, record.clockFloorMs, lock);
  need(device.openUplink());
  try {
    device.begin(
      need(
        await bootModel({
          ...options,
          bundlePath: options.bundle,
          root,
          floors,
          onEvent: device.emit,
        }),
      ),
    );
  } catch (thrown) {
    await device.stop();
    throw thrown;
  }
  return device;
}

/**
 * The floor record, made before the first epoch is counted: where boots were counted and there is
 * none, somebody removed it, and an empty one would let old releases in. Refuses with `store.*`.
 */
function firstFloor(floors: FloorStore, lastEpoch: number): FloorRecord {
  const { record } = need(floors.read());
  // The first confirmed boot raises the generation above 1, and it was counted before.
  if (record.generation > 1 && lastEpoch === 0) {
    throw refuseStore('store.corrupt', 'the boot counter is gone: its numbers would be used twice');
  }
  if (record.generation > 0) return record;
  if (lastEpoch > 0) {
    throw refuseStore('store.corrupt', `the rollback record is gone after ${lastEpoch} boots`);
  }
  const first = { ...record, generation: 1 };
  need(floors.write(first));
  return first;
}

class RunningDevice implements Device {
  readonly name: string;
  readonly epoch: number;
  readonly publicKey: Uint8Array;
  /** An event from anywhere in the device; what happens before the birth follows it. */
  readonly emit: (event: EdgeEvent) => void;
  readonly #options: ResolvedDevice;
  readonly #identity: DeviceIdentity;
  readonly #lock: InstanceLock;
  readonly #reporter: Reporter;
  #early: EdgeEvent[] | undefined = [];
  #uplink: Uplink = noUplink();
  #booted: Booted = { model: undefined, refusal: undefined, fallback: undefined };
  #session: GuardedSession;
  #healthTimer: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;

  constructor(
    options: ResolvedDevice,
    identity: DeviceIdentity,
    epoch: number,
    clockFloorMs: number,
    lock: InstanceLock,
  ) {
    this.#lock = lock;
    const { clock, group } = options;
    this.#options = options;
    this.#identity = identity;
    this.name = options.deviceName ?? identity.defaultName;
    this.epoch = epoch;
    this.publicKey = identity.keys.signer.publicKey;
    this.emit = (event) => this.#emit(event);
    this.#reporter = new Reporter({
      group,
      device: this.name,
      signer: identity.keys.signer,
      epoch,
      clock,
      clockState: clock.unixMs() < clockFloorMs ? 'unset' : 'floor',
      takeDrops: () => dropsToTell(this.#uplink.outbox),
      send: (message) => this.#uplink.send(message),
    });
    this.#session = new GuardedSession({ model: undefined, clock }, 'bundle-refused-at-boot');
  }

  get bundle(): VerifiedBundle | undefined {
    return this.#booted.model?.bundle;
  }

  get refusal(): Fault | undefined {
    return this.#booted.refusal;
  }

  get mode(): ModeName {
    return modeName(this.#session.mode);
  }

  get verdicts(): VerdictCounts {
    return this.#session.verdicts;
  }

  infer(frame: unknown): Promise<FrameJudgement> {
    return this.#session.infer(frame);
  }

  refuse(fault: Fault): Promise<FrameJudgement> {
    return this.#session.refuse(fault);
  }

  /** Faults: `uplink.*`, `telemetry.id`. */
  openUplink(): Result<true> {
    const { group, clock, uplink } = this.#options;
    if (uplink === undefined) return { ok: true, value: true };
    const connected = connectUplink(uplink, { group, device: this.name }, clock, {
      encryptedOnly: this.#options.profile === 'production',
      onConnect: () => this.#reporter.status(this.#status()),
      log: (line) => this.#log(line),
    });
    if (connected.ok) this.#uplink = connected.value;
    return connected.ok ? { ok: true, value: true } : connected;
  }

  /** The birth, what happened before it, and then the periodic health. */
  begin(booted: Booted): void {
    const { clock, healthPeriodMs } = this.#options;
    this.#booted = booted;
    this.#session = new GuardedSession(
      { model: booted.model, fallback: booted.fallback, clock, onEvent: this.emit },
      booted.model === undefined ? 'bundle-refused-at-boot' : 'boot-verified',
    );
    this.#told(this.#reporter.birth(this.#birth()));
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const event of early) this.#told(this.#reporter.event(event));
    this.#reporter.status(this.#status());
    // Jitter keeps a fleet that started together from reporting together.
    const periodMs = healthPeriodMs * (0.9 + 0.2 * Math.random());
    this.#healthTimer = setInterval(() => void this.reportHealth(), periodMs);
    this.#healthTimer.unref();
  }

  async reportHealth(): Promise<void> {
    const sample = await sampleBoard(this.#options.board);
    const latency = this.#session.latency();
    const { depth } = this.#uplink.outbox;
    const { temperatureMilliC, throttled } = sample;
    const health: Health = {
      mode: this.mode,
      uptimeMs: this.#reporter.uptimeMs,
      verdicts: this.#session.verdicts,
      ...(latency && {
        latencyUs: { p50: latency.p50Us, p95: latency.p95Us, p99: latency.p99Us },
      }),
      queue: { ...depth, dropped: depth.dropped + this.#reporter.suppressed },
      flashBytesWritten: bytesWritten(),
      memoryBytes: process.memoryUsage.rss(),
      ...(temperatureMilliC !== undefined && { temperatureMilliC }),
      ...(throttled !== undefined && { throttled }),
    };
    this.#told(this.#reporter.health(health));
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    clearInterval(this.#healthTimer);
    await this.#session.close();
    if (this.#early === undefined) await this.reportHealth();
    await this.#uplink.close();
    this.#lock.release();
  }

  #emit(event: EdgeEvent): void {
    this.#callBack(() => this.#options.onEvent?.(event));
    if (this.#early !== undefined) this.#early.push(event);
    else this.#told(this.#reporter.event(event));
    if (event.type === 'mode.changed') this.#reporter.status(this.#status());
  }

  /** A report that could not be made never changes what the device does. */
  #told(result: Result<true>): void {
    if (!result.ok) this.#log(`${result.fault.code}: ${result.fault.message}`);
  }

  #log(line: string): void {
    this.#callBack(() => this.#options.log?.(line));
  }

  /** Whoever embeds the device may fail to listen: that stops neither a boot nor a report. */
  #callBack(tell: () => void): void {
    try {
      tell();
    } catch (thrown) {
      process.emitWarning(thrown instanceof Error ? thrown : 'a listener of the device threw');
    }
  }

  #status(): Status {
    return this.mode === 'nominal' ? 'online' : this.mode;
  }

  #birth(): Birth {
    const { bundle } = this;
    const { signer } = this.#identity.keys;
    const policy = bundle && payloadOf(bundle, 'guard');
    const { clockState } = this.#reporter;
    return {
      ...(clockState !== 'unset' && {
        issuedAtSeconds: Math.floor(this.#options.clock.unixMs() / 1000),
      }),
      ueid: ueidOf(sha256(signer.thumbprint)),
      uptimeSeconds: Math.floor(this.#reporter.uptimeMs / 1000),
      bootCount: this.epoch,
      bootSeed: newBootSeed(),
      softwareName: 'edgeward',
      softwareVersion: EDGEWARD_VERSION,
      board: this.#options.board.name,
      identity: signer.thumbprint,
      bundles: bundle === undefined ? [] : [{ ...bundleName(bundle), signers: bundle.signers }],
      ...(policy && { policyDigest: sha256(policy) }),
      floorTier: 'T0',
      bootReason: 'start',
      clockState,
      metrics: HEALTH_METRICS,
      evidence: 'self-asserted',
      mode: this.mode,
    };
  }
}
