/**
 * The device: boot, guard, report, until stopped. A bundle that may not run leaves it in SAFE with
 * the recorded safe output; only what leaves nothing to promise keeps it from starting.
 */
import { attemptAsync, type Fault, faultOf, need, type Result } from '../../core/base/fault.ts';
import { cryptoSelfTest, signingSelfTest } from '../../core/crypto/self-test.ts';
import type { FrameContext } from '../../core/guard/guard.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import type { Status } from '../../core/telemetry/status.ts';
import { buildTopic } from '../../core/telemetry/topic.ts';
import { type ModeName, modeName } from '../../core/telemetry/vocabulary.ts';
import type { FloorStore } from '../../core/trust/floor-store.ts';
import type { OperatorAct } from '../../core/trust/operator-act.ts';
import { OPERATOR_FAULTS } from '../../core/trust/operator-faults.ts';
import type { VerifiedBundle } from '../../core/trust/verify.ts';
import type { Trust } from '../../core/update/slot-set.ts';
import type { SlotName } from '../../core/update/slot-table.ts';
import { type Booted, bootModel, NOTHING_BOOTED } from './boot.ts';
import { birthOf, healthOf, type ReportedDevice } from './device-reports.ts';
import { openDeviceSlots } from './device-slots.ts';
import { type DeviceState, keepMode, lockSlots, openState } from './device-state.ts';
import { adoptTrust } from './device-trust.ts';
import { GuardMemory } from './guard-memory.ts';
import { type FrameJudgement, GuardedSession, type VerdictCounts } from './guarded-session.ts';
import { type OperatorAnswer, refused } from './operator.ts';
import { OperatorDesk } from './operator-desk.ts';
import { type DeviceOptions, type ResolvedDevice, resolveDevice, rootsOf } from './options.ts';
import { Reporter } from './reporter.ts';
import { connectUplink, dropsToTell, noUplink, type Uplink } from './uplink.ts';
import { startWatch, type Watch } from './watch.ts';

export interface Device {
  readonly name: string;
  readonly epoch: number;
  /** Verifies this device's telemetry: 32 bytes, Ed25519. */
  readonly publicKey: Uint8Array;
  readonly bundle: VerifiedBundle | undefined;
  /** Where it was booted from. */
  readonly slot: SlotName | undefined;
  /** Why no bundle runs, where none does. */
  readonly refusal: Fault | undefined;
  readonly mode: ModeName;
  readonly verdicts: VerdictCounts;
  /**
   * One frame in, one judgement out; never rejects for what is in the frame. Whoever asks for others
   * names them in the context: their frames are counted against them, and the answer holds what a
   * caller may be told (see `FrameContext`).
   */
  infer(frame: unknown, context?: FrameContext): Promise<FrameJudgement>;
  /** For a frame that could not even be read: it gets a verdict as well, and is reported. */
  refuse(fault: Fault): Promise<FrameJudgement>;
  /**
   * An operator's order as bytes (`edgeward operator sign`), or the act of a local caller, who needs
   * no signature and may only restrict. Never rejects; an order that is refused changes nothing.
   */
  operate(order: OperatorAct | Uint8Array): Promise<OperatorAnswer>;
  /** Reports health now, beside the periodic reports. */
  reportHealth(): Promise<void>;
  /** Judges what is under way, reports a last time, says goodbye. */
  stop(): Promise<void>;
}

/**
 * Faults stop the start only where the caller is wrong or another process runs: options, the board
 * profile, broken cryptography, `platform.in-use`, and roots or revocations that cannot be used on a
 * device that has not adopted any yet. All else leaves the device in SAFE: it answers
 * with the safe output on record, or with none, and says why.
 */
export function startDevice(options: DeviceOptions): Promise<Result<Device>> {
  return attemptAsync(async () => {
    const resolved = need(await resolveDevice(options));
    need(cryptoSelfTest());
    need(signingSelfTest());
    const name = resolved.deviceName ?? 'unnamed';
    need(buildTopic({ group: resolved.group, device: name, kind: 'status' }));
    const production = resolved.profile === 'production';
    const state = need(await openState({ ...resolved, production }));
    const device = new RunningDevice(resolved, state);
    try {
      need(device.openUplink());
      device.begin(await device.boot());
      return device;
    } catch (thrown) {
      await device.stop();
      throw thrown;
    }
  });
}

/** No root was ever adopted here. */
function isNew(floors: FloorStore): boolean {
  const read = floors.read();
  return read.ok && read.value.record.rootSha256 === undefined;
}

class RunningDevice implements Device {
  readonly name: string;
  readonly epoch: number;
  readonly publicKey: Uint8Array;
  /** An event from anywhere in the device; what happens before the birth follows it. */
  readonly emit: (event: EdgeEvent) => void;
  readonly #options: ResolvedDevice;
  readonly #state: DeviceState;
  readonly #reporter: Reporter;
  readonly #memory: GuardMemory;
  #early: EdgeEvent[] | undefined = [];
  #uplink: Uplink = noUplink();
  #booted: Booted = NOTHING_BOOTED;
  #session: GuardedSession;
  #trust: Result<Trust> | undefined;
  #desk: OperatorDesk | undefined;
  #watch: Watch | undefined;
  #healthTimer: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: ResolvedDevice, state: DeviceState) {
    const { clock, group } = options;
    const { identity, epoch, clockFloorMs } = state;
    this.#options = options;
    this.#state = state;
    this.name = options.deviceName ?? identity.defaultName;
    this.epoch = epoch.ok ? epoch.value : 0;
    this.publicKey = identity.keys.signer.publicKey;
    this.emit = (event) => this.#emit(event);
    this.#reporter = new Reporter({
      group,
      device: this.name,
      signer: identity.keys.signer,
      epoch: this.epoch,
      clock,
      clockState: clock.unixMs() < clockFloorMs ? 'unset' : 'floor',
      takeDrops: () => dropsToTell(this.#uplink.outbox),
      send: (message) => this.#uplink.send(message),
    });
    this.#memory = new GuardMemory({
      ...{ stateFolder: options.stateFolder, macKey: identity.keys.macKey, epoch, clock },
      log: (line) => this.#log(line),
    });
    this.#session = new GuardedSession({ model: undefined, clock }, 'bundle-refused-at-boot');
  }

  get bundle(): VerifiedBundle | undefined {
    return this.#booted.model?.bundle;
  }

  get slot(): SlotName | undefined {
    return this.#booted.slot;
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

  infer(frame: unknown, context?: FrameContext): Promise<FrameJudgement> {
    return this.#session.infer(frame, context);
  }

  refuse(fault: Fault): Promise<FrameJudgement> {
    return this.#session.refuse(fault);
  }

  operate(order: OperatorAct | Uint8Array): Promise<OperatorAnswer> {
    if (this.#desk !== undefined) return this.#desk.operate(order);
    const fault = faultOf(OPERATOR_FAULTS, 'operator.no-state', 'the device has stopped');
    return Promise.resolve(refused(this.#session.operated, fault));
  }

  /** Faults: `uplink.*`, `telemetry.id`. */
  openUplink(): Result<true> {
    const { group, clock, uplink } = this.#options;
    if (uplink === undefined) return { ok: true, value: true };
    const { anonymous, epoch } = this.#state;
    if (anonymous || !epoch.ok) {
      const why = epoch.ok ? '' : `${epoch.fault.code}: ${epoch.fault.message}`;
      this.#log(`no telemetry: it could not be signed with a key and a number of its own: ${why}`);
      return { ok: true, value: true };
    }
    const connected = connectUplink(uplink, { group, device: this.name }, clock, {
      encryptedOnly: this.#options.profile === 'production',
      onConnect: () => this.#reporter.status(this.#status()),
      log: (line) => this.#log(line),
    });
    if (connected.ok) this.#uplink = connected.value;
    return connected.ok ? { ok: true, value: true } : connected;
  }

  /** With the slots locked: nobody else changes them meanwhile. Fault: `platform.in-use`. */
  async boot(): Promise<Booted> {
    const { stateFolder, root, revocations, profile, hardwareClass, bundle, clock, board } =
      this.#options;
    const { pin, verification } = this.#options;
    const { floors: opened, epoch, identity } = this.#state;
    if (!opened.ok) {
      this.emit({ type: 'integrity.boot-refused', fault: opened.fault.code });
      return { ...NOTHING_BOOTED, refusal: opened.fault };
    }
    // What a boot that is not counted records, the next one could not tell from a removed counter.
    const floors = epoch.ok ? opened.value : { ...opened.value, write: () => epoch };
    const { macKey } = identity.keys;
    const lock = need(await lockSlots(stateFolder, macKey));
    try {
      const files = { stateFolder, roots: rootsOf(root), revocations, profile, hardwareClass };
      const trust = adoptTrust(files, floors, clock, ({ code, message }) =>
        this.#log(`what is trusted now is not recorded: ${code}: ${message}`),
      );
      this.#trust = trust;
      // A device that was never set up has nothing to fall back to, and somebody sits before it.
      if (!trust.ok && isNew(floors)) need(trust);
      return await bootModel({
        ...openDeviceSlots({
          ...{ stateFolder, macKey, floors, pin, verification },
          onEvent: this.emit,
          log: (line) => this.#log(line),
        }),
        floors,
        trust,
        bundlePath: bundle,
        ...{ board, clock, onEvent: this.emit },
      });
    } finally {
      lock.release();
    }
  }

  /** The birth, what happened before it, and then the periodic health. */
  begin(booted: Booted): void {
    const { clock, healthPeriodMs } = this.#options;
    this.#booted = booted;
    const { model, slot, fallback } = booted;
    const remembered = this.#memory.recall(model);
    this.#session = new GuardedSession(
      { model, fallback, remembered, clock, onEvent: this.emit },
      model === undefined ? 'bundle-refused-at-boot' : 'boot-verified',
    );
    if (model !== undefined && booted.degraded) this.#session.move('slot-corrupt');
    if (model?.kernelsFault !== undefined) {
      const { code, message } = model.kernelsFault;
      this.#log(`the guard takes longer, on the reference kernels: ${code}: ${message}`);
    }
    if (model !== undefined && slot !== undefined) {
      const { stateFolder } = this.#options;
      const onEvent = this.emit;
      this.#watch = startWatch({
        model,
        slot,
        stateFolder,
        session: this.#session,
        clock,
        onEvent,
      });
    }
    this.#desk = this.#openDesk();
    this.#desk.restore();
    this.#keepMode();
    this.#told(this.#reporter.birth(birthOf(this.#reported())));
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const event of early) this.#told(this.#reporter.event(event));
    this.#reporter.status(this.#status());
    // Jitter keeps a fleet that started together from reporting together.
    const periodMs = healthPeriodMs * (0.9 + 0.2 * Math.random());
    this.#healthTimer = setInterval(() => {
      if (model !== undefined) this.#memory.keep(model, this.#session.guardState);
      void this.reportHealth();
    }, periodMs);
    this.#healthTimer.unref();
  }

  #openDesk(): OperatorDesk {
    const { clock, stateFolder } = this.#options;
    const { floors, epoch, identity } = this.#state;
    const { macKey, signer } = identity.keys;
    return new OperatorDesk({
      ...{ clock, stateFolder, macKey, device: signer.thumbprint, floors, epoch },
      session: this.#session.operated,
      trust: this.#trust,
      log: (line) => this.#log(line),
    });
  }

  async reportHealth(): Promise<void> {
    this.#told(this.#reporter.health(await healthOf(this.#reported())));
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    clearInterval(this.#healthTimer);
    // From here on the folder may be another process's.
    this.#desk = undefined;
    await this.#watch?.stop();
    await this.#session.close();
    const { model } = this.#booted;
    if (model !== undefined) this.#memory.keepNow(model, this.#session.guardState);
    if (this.#early === undefined) await this.reportHealth();
    await this.#uplink.close();
    this.#state.lock.release();
  }

  #emit(event: EdgeEvent): void {
    this.#callBack(() => this.#options.onEvent?.(event));
    if (this.#early !== undefined) this.#early.push(event);
    else this.#told(this.#reporter.event(event));
    if (event.type === 'mode.changed') {
      this.#reporter.status(this.#status());
      // While the session begins, the mode that it has come to is not the device's yet.
      if (this.#early === undefined) this.#keepMode();
    }
  }

  /** For `check --running`; a folder that cannot be written shows the mode of before, or none. */
  #keepMode(): void {
    if (this.#state.anonymous) return;
    const kept = keepMode(this.#options.stateFolder, this.mode);
    if (!kept.ok) this.#log(`${kept.fault.code}: ${kept.fault.message}`);
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

  #reported(): ReportedDevice {
    return {
      ...{ options: this.#options, state: this.#state, reporter: this.#reporter },
      ...{ session: this.#session, uplink: this.#uplink, bundle: this.bundle },
    };
  }
}
