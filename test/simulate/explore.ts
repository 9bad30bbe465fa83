/** Cuts the power after every operation of a scenario, in many ways, and judges what comes up. */
import { equalBytes } from '../../src/core/base/bytes.ts';
import { TRIAL_ATTEMPTS } from '../../src/core/base/limits.ts';
import type { BootOutcome } from '../../src/core/update/recovery.ts';
import { slotFolder } from '../../src/core/update/slot-layout.ts';
import { Random, seedOf } from '../fuzz/random.ts';
import type { Act, Progress, Scenario } from './act.ts';
import { bootedModel, type Device, deviceOn, FOLDER, install } from './device.ts';
import type { Operator } from './operator.ts';
import { afterPowerCut } from './power-cut.ts';
import { RELEASES, THIRD } from './releases.ts';
import { type DiskState, emptyDisk, SimDisk } from './sim-disk.ts';

export interface Exploration {
  readonly scenario: string;
  readonly crashPoints: number;
  readonly violations: readonly string[];
}

export interface Extent {
  readonly seed: number;
  /** Outcomes of one power cut that are tried. */
  readonly outcomesMax: number;
  /** One in so many is also cut again during its recovery, lived on with, and so on. */
  readonly deepOneIn: number;
  /** Stops after so many, so that a planted bug does not fill the screen. */
  readonly violationsMax: number;
}

interface Moment {
  readonly state: DiskState;
  readonly operation: string;
  readonly progress: Progress;
}

export function explore(scenario: Scenario, operator: Operator, extent: Extent): Exploration {
  const seed = seedOf(extent.seed, scenario.name, 0);
  const violations: string[] = [];
  const found = (place: string, what: string): void => {
    violations.push(`${scenario.name} / ${place}: ${what}`);
  };
  const moments = momentsOf(scenario, operator, seed, (what) => found('power on', what));
  let crashPoints = 0;
  moments.forEach((moment, index) => {
    const random = new Random(seedOf(seed, 'outcomes', index));
    let way = 0;
    for (const state of afterPowerCut(moment.state, extent.outcomesMax, random)) {
      if (violations.length >= extent.violationsMax) return;
      const place = `seed ${extent.seed}, cut ${index} after ${moment.operation}, way ${way++}`;
      const judge = new Judge(scenario, operator, moment.progress, (what) => found(place, what));
      crashPoints += judge.recover(state, random, random.oneIn(extent.deepOneIn));
    }
  });
  return { scenario: scenario.name, crashPoints, violations };
}

/** Plays the scenario with the power on and keeps the disk after every operation. */
function momentsOf(
  scenario: Scenario,
  operator: Operator,
  seed: number,
  found: (what: string) => void,
): readonly Moment[] {
  const progress: Progress = { securityVersion: 0, trialBoots: 0, only: undefined };
  const actOn = (disk: SimDisk): Act => ({
    device: deviceOn(operator.disk(disk)),
    disk,
    operator,
    progress,
    random: new Random(seed),
    expect: (holds, what) => {
      if (!holds) found(`not so: ${what}`);
    },
  });
  const prepared = new SimDisk(emptyDisk(FOLDER));
  const moments: Moment[] = [];
  const keep = (state: DiskState, operation: string): void => {
    moments.push({ state, operation, progress: { ...progress } });
  };
  try {
    scenario.prepare(actOn(prepared));
    const disk = new SimDisk(settled(prepared.state), { onChange: keep });
    keep(disk.state, 'nothing');
    scenario.run(actOn(disk));
    keep(disk.state, 'the end');
  } catch (thrown) {
    found(`thrown: ${String(thrown)}`);
  }
  return moments;
}

/** Everything that was written before the scenario is durable. */
function settled(state: DiskState): DiskState {
  const folders = [...state.folders].map(
    ([path, { names }]) => [path, { durable: names, pending: [], names }] as const,
  );
  const inodes = [...state.inodes].map(
    ([inode, { bytes }]) => [inode, { bytes, syncedBytes: bytes.length }] as const,
  );
  return { ...state, folders: new Map(folders), inodes: new Map(inodes) };
}

class Judge {
  readonly #scenario: Scenario;
  readonly #operator: Operator;
  readonly #progress: Progress;
  readonly #found: (what: string) => void;

  constructor(
    scenario: Scenario,
    operator: Operator,
    progress: Progress,
    found: (what: string) => void,
  ) {
    this.#scenario = scenario;
    this.#operator = operator;
    this.#progress = progress;
    this.#found = found;
  }

  /** The number of crash points that were judged: one, and those inside its own recovery. */
  recover(state: DiskState, random: Random, deep: boolean): number {
    const inside: DiskState[] = [];
    const disk = new SimDisk(state, { onChange: (next) => inside.push(next) });
    this.#guard(() => {
      const device = deviceOn(this.#operator.disk(disk));
      const first = this.#boot(device, 'boot');
      if (this.#scenario.trialDies === true) this.#wearOut(device, first);
      else this.#boot(device, 'boot again');
    });
    if (this.#scenario.redundant) this.#loseOneSlot(state, random);
    if (!deep) return 1;
    this.#guard(() => this.#liveOn(state));
    return 1 + this.#cutAgain(inside, random);
  }

  #guard(step: () => void): void {
    try {
      step();
    } catch (thrown) {
      this.#found(`thrown: ${String(thrown)}`);
    }
  }

  #boot(device: Device, when: string, mustBoot = this.#mustBoot()): BootOutcome {
    const before = this.#floor(device, `before ${when}`);
    const outcome = this.#operator.boot(device);
    const after = this.#floor(device, `after ${when}`);
    if (after < before) this.#found(`${when} lowered the floor from ${before} to ${after}`);
    const model = bootedModel(outcome);
    if (model === undefined) {
      if (mustBoot) this.#found(`${when} gave the safe output: ${outcome.refusal?.code}`);
      return outcome;
    }
    const release = RELEASES.find((known) => equalBytes(known.model, model));
    if (release === undefined) this.#found(`${when} gave bytes that nobody released`);
    else if (release.securityVersion < before) {
      this.#found(`${when} gave ${release.name}, below the floor ${before}`);
    } else if (!this.#scenario.allowed.includes(release)) {
      this.#found(`${when} gave ${release.name}, which was never admitted`);
    } else if (mustBoot && this.#progress.only !== undefined && release !== this.#progress.only) {
      this.#found(`${when} gave ${release.name}, ${this.#progress.only.name} was confirmed`);
    }
    return outcome;
  }

  /** Once a confirm has returned, something boots for good. */
  #mustBoot(): boolean {
    return this.#scenario.mustBoot || this.#progress.only !== undefined;
  }

  #floor(device: Device, when: string): number {
    const read = device.floors.read();
    if (!read.ok) {
      this.#found(`${when} the floor is lost: ${read.fault.code}`);
      return 0;
    }
    const least = this.#progress.securityVersion;
    const floor = Math.max(0, ...read.value.record.floors.map((f) => f.securityVersion));
    if (floor < least) this.#found(`${when} the floor is ${floor}, ${least} was confirmed`);
    return floor;
  }

  /** A release that never proves itself gets its attempts and no more. */
  #wearOut(device: Device, first: BootOutcome): void {
    let trials = this.#progress.trialBoots + Number(first.booted?.kind === 'trial');
    let last = first;
    for (let count = 0; count <= TRIAL_ATTEMPTS; count++) {
      last = this.#boot(device, `boot ${count + 2}`);
      trials += Number(last.booted?.kind === 'trial');
    }
    if (trials > TRIAL_ATTEMPTS) this.#found(`${trials} boots on trial`);
    if (last.booted?.kind === 'trial') this.#found('the trial does not end');
  }

  /** With the bytes of any one slot damaged something admissible must still come up. */
  #loseOneSlot(state: DiskState, random: Random): void {
    const slot = random.pick(['A', 'B', 'GOLDEN'] as const);
    const name = random.pick(['model.onnx', 'model.onnx', 'notice.txt', 'manifest.suit']);
    const disk = new SimDisk(state);
    disk.damage(`${slotFolder(FOLDER, slot)}/${name}`, random.below(1 << 16));
    const only = this.#progress.only;
    this.#guard(() => {
      const device = deviceOn(this.#operator.disk(disk));
      const release = this.#boot(device, `boot without ${slot}`, false);
      if (release.booted === undefined) {
        this.#found(`with ${slot} damaged nothing boots: ${release.refusal?.code}`);
      } else if (
        only !== undefined &&
        !equalBytes(only.model, bootedModel(release) ?? only.bundle)
      ) {
        this.#found(`with ${slot} damaged something else than ${only.name} boots`);
      }
    });
  }

  /** The device is not stuck: it boots, confirms what runs, and takes another update. */
  #liveOn(state: DiskState): void {
    const device = deviceOn(this.#operator.disk(new SimDisk(state)));
    for (let count = 0; count < 2; count++) {
      const { booted } = this.#operator.boot(device);
      if (booted?.awaitsConfirm === true) this.#operator.confirm(device, booted.slot);
    }
    const staged = install(device, THIRD);
    if (!staged.ok) {
      this.#found(`no update is taken any more: ${staged.fault.code}`);
      return;
    }
    const outcome = this.#operator.boot(device);
    const model = bootedModel(outcome);
    if (outcome.booted === undefined || model === undefined || !equalBytes(model, THIRD.model)) {
      this.#found(`the next update does not boot: ${outcome.booted?.kind}`);
      return;
    }
    const confirmed = this.#operator.confirm(device, outcome.booted.slot);
    if (!confirmed.ok) this.#found(`nor is it confirmed: ${confirmed.fault.code}`);
    const { redundancy } = device.slots.status();
    if (redundancy < 2) this.#found(`redundancy is ${redundancy} after an update`);
  }

  /** The power fails again while the recovery writes. */
  #cutAgain(inside: readonly DiskState[], random: Random): number {
    let count = 0;
    const picked = inside.length <= 4 ? inside : [0, 1, 2, 3].map(() => random.pick(inside));
    for (const state of picked) {
      for (const again of afterPowerCut(state, 2, random)) {
        count++;
        this.#guard(() => {
          const device = deviceOn(this.#operator.disk(new SimDisk(again)));
          this.#boot(device, 'boot after the second cut');
        });
      }
    }
    return count;
  }
}
