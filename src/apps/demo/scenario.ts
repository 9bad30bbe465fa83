/**
 * The demo's day: a device is provisioned, guards a recorded stream, gets a bad update, a rollback
 * attempt and a repair, and is tampered with. What happened is compared with what must happen.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, need } from '../../core/base/fault.ts';
import type { NamedTensors } from '../../core/numeric/tensor.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import { slotFolder } from '../../core/update/slot-layout.ts';
import type { SlotName } from '../../core/update/slot-table.ts';
import { loadIdentity } from '../../host/platform/identity.ts';
import { type Device, startDevice } from '../../host/runtime/device.ts';
import type { FrameJudgement } from '../../host/runtime/guarded-session.ts';
import { type LocalBroker, startLocalBroker } from './broker.ts';
import { Collector, type Received } from './collector.ts';
import { type DemoFrame, demoStream } from './stream.ts';
import { DEMO_CLASS, openWorkshop, type Workshop } from './workshop.ts';

const GROUP = 'demo';
const DEVICE = 'pump-7';

/** One thing that happened and that is compared: what, and the code that says how it ended. */
export interface Occurrence {
  readonly what: string;
  readonly outcome: string;
}

/** Who shows the demo to a person. */
export interface Narrator {
  step(title: string): void;
  line(text: string): void;
  progress(done: number, total: number): void;
  frame(name: string, judgement: FrameJudgement): void;
  message(received: Received): void;
}

export interface Played {
  readonly occurrences: readonly Occurrence[];
  readonly messages: readonly Received[];
  readonly promise: string;
  /** The device still runs: for `--keep`. */
  readonly device: Device;
  readonly brokerUrl: string;
  /** Ends everything and removes the folder. */
  close(): Promise<void>;
}

interface Stage {
  readonly folder: string;
  readonly workshop: Workshop;
  readonly broker: LocalBroker;
  readonly collector: Collector;
  readonly narrator: Narrator;
  readonly occurrences: Occurrence[];
}

/** Plays the whole day; the last device boots from a tampered bundle and stays in SAFE. */
export async function play(narrator: Narrator): Promise<Played> {
  const folder = mkdtempSync(join(tmpdir(), 'edgeward-demo-'));
  narrator.step('The maker: fresh DEVELOPMENT keys, a calibrated guard, signed releases');
  const workshop = await openWorkshop(folder, (row, rows) => narrator.progress(row, rows));
  narrator.line(workshop.promise.statement);
  const broker = await startLocalBroker();
  const state = join(folder, 'device');
  const { publicKey } = need(loadIdentity(state)).keys.signer;
  const collector = await Collector.start(broker.url, publicKey, (message) =>
    narrator.message(message),
  );
  const stage = { folder, workshop, broker, collector, narrator, occurrences: [] };
  await guardTheStream(stage);
  await sufferBadUpdate(stage);
  await resistAttackers(stage);
  await takeRepair(stage);
  const device = await surviveTampering(stage);
  return {
    occurrences: stage.occurrences,
    messages: collector.received,
    promise: workshop.promise.statement,
    device,
    brokerUrl: broker.url,
    async close() {
      await device.stop();
      await collector.close();
      await broker.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function guardTheStream(stage: Stage): Promise<void> {
  stage.narrator.step('Boot 1: install rotor 1.0.0, verify, guard the recorded stream');
  const device = await boot(stage, stage.workshop.good);
  for (const frame of demoStream()) {
    if (frame.kind !== 'hung-model') await judge(stage, device, frame.kind, frame);
  }
  await device.stop();
}

async function sufferBadUpdate(stage: Stage): Promise<void> {
  stage.narrator.step('Boot 2: update 1.1.0 is signed and valid, but its model never answers');
  const device = await boot(stage, stage.workshop.stuck);
  await judge(stage, device, 'hung-model', lastFrame());
  await device.stop();
}

/** The broker's owner moves one message to another topic and plays an old one again. */
async function resistAttackers({ collector, narrator, occurrences }: Stage): Promise<void> {
  narrator.step('The broker turns hostile: a message moved to another topic, an old one replayed');
  const event = collector.received.find(
    ({ outcome, envelope }) => outcome === 'verified' && envelope?.type === 'event',
  );
  assert(event !== undefined, 'the collector has verified an event by now');
  const before = collector.received.length;
  const fresh = (outcome: 'moved' | 'replayed') => (message: Received) =>
    collector.received.indexOf(message) >= before &&
    message.outcome === 'caught' &&
    message.topic.endsWith(outcome === 'moved' ? '/health' : '/event');
  for (const what of ['moved', 'replayed'] as const) {
    const topic = what === 'moved' ? event.topic.replace(/event$/, 'health') : event.topic;
    await collector.publish(topic, event.payload);
    await collector.waitFor(fresh(what));
    const caught = collector.received.find(fresh(what));
    occurrences.push({ what: `message ${what}`, outcome: caught?.code ?? 'not caught' });
  }
}

async function takeRepair(stage: Stage): Promise<void> {
  stage.narrator.step('Boot 3: the old 1.0.0 is offered again, then the repair 1.1.1');
  const refused = await boot(stage, stage.workshop.good);
  await refused.stop();
  const device = await boot(stage, stage.workshop.repaired);
  await judge(stage, device, 'repaired', {
    ...lastFrame(),
    description: 'the same window, the repaired model',
  });
  await device.stop();
}

async function surviveTampering(stage: Stage): Promise<Device> {
  stage.narrator.step('Boot 5: one byte of the model in its slot was flipped: the copy takes over');
  flipByte(stage, 'A');
  const healed = await boot(stage, undefined);
  await judge(stage, healed, 'one-slot-tampered', {
    ...lastFrame(),
    description: 'the same window, the copy in the other slot',
  });
  await healed.stop();
  stage.narrator.step('Boot 6: the same byte was flipped in both slots: nothing may run');
  for (const slot of ['A', 'B'] as const) flipByte(stage, slot);
  const device = await boot(stage, undefined);
  await judge(stage, device, 'tampered', {
    ...lastFrame(),
    description: 'the same window, no admissible model',
  });
  await device.reportHealth();
  const { epoch } = device;
  await stage.collector.waitFor(
    ({ envelope }) => envelope?.type === 'health' && envelope.epoch === epoch,
  );
  return device;
}

function flipByte({ folder }: Stage, slot: SlotName): void {
  const path = join(slotFolder(join(folder, 'device'), slot), 'model.onnx');
  const bytes = readFileSync(path);
  const middle = Math.floor(bytes.length / 4);
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

async function boot(stage: Stage, bundlePath: string | undefined): Promise<Device> {
  const { folder, workshop, broker, collector, narrator, occurrences } = stage;
  const device = need(
    await startDevice({
      stateFolder: join(folder, 'device'),
      root: workshop.rootPath,
      bundle: bundlePath,
      profile: 'development',
      hardwareClass: DEMO_CLASS,
      group: GROUP,
      deviceName: DEVICE,
      uplink: { url: broker.url },
      onEvent: (event) => {
        if (event.type.startsWith('integrity.')) occurrences.push(integrityOf(event));
      },
      log: (line) => narrator.line(line),
    }),
  );
  const { epoch, mode, bundle, slot, refusal } = device;
  const runs =
    bundle === undefined
      ? 'nothing'
      : `${bundle.meta.name} ${bundle.meta.version} from slot ${slot}`;
  narrator.line(`boot ${epoch}: mode ${mode}, runs ${runs}`);
  if (refusal !== undefined) narrator.line(`refused: ${refusal.code}: ${refusal.message}`);
  await collector.waitFor(({ envelope }) => envelope?.type === 'birth' && envelope.epoch === epoch);
  return device;
}

function integrityOf(event: EdgeEvent): Occurrence {
  const outcome = 'fault' in event ? event.fault : 'ok';
  return { what: event.type, outcome };
}

async function judge(
  stage: Stage,
  device: Device,
  what: string,
  { window, description }: Pick<DemoFrame, 'window' | 'description'>,
): Promise<void> {
  const inputs: NamedTensors = new Map([['vibration', window]]);
  const judgement = await device.infer(inputs);
  stage.narrator.frame(description, judgement);
  const code = judgement.reasons[0]?.code;
  const outcome = code === undefined ? judgement.verdict : `${judgement.verdict} ${code}`;
  stage.occurrences.push({ what, outcome });
}

function lastFrame(): DemoFrame {
  const frame = demoStream().at(-1);
  assert(frame !== undefined, 'the stream is not empty');
  return frame;
}
