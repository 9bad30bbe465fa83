/** `edgeward run`: the main program of a device. It guards what arrives until it is told to stop. */
import { need } from '../../core/base/fault.ts';
import type { InputSchema } from '../../core/bundle/io-schema.ts';
import type { EdgeEvent } from '../../core/telemetry/event.ts';
import { type Device, startDevice } from '../../host/runtime/device.ts';
import type { UplinkOptions } from '../../host/runtime/uplink.ts';
import { readFileBounded, readSecretFile } from '../../host/store/files.ts';
import { showEvent } from './event-line.ts';
import { refuseCli } from './faults.ts';
import { folderFrames } from './folder-feed.ts';
import { judgementJson, judgementLine } from './judgement-line.ts';
import { lineFrames, type NamedFrame } from './line-feed.ts';
import { type DeviceTrustOptions, floorStoreOf } from './state-folder.ts';
import { note, noteDevelopment, printable, say, sayJson, styled } from './terminal.ts';

const PEM_BYTES_MAX = 256 * 1024;
const PASSWORD_BYTES_MAX = 1024;

export interface RunOptions extends DeviceTrustOptions {
  readonly state: string;
  readonly input?: string;
  readonly once?: boolean;
  readonly mqtt?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly certKey?: string;
  readonly username?: string;
  readonly passwordFile?: string;
  readonly group: string;
  readonly device?: string;
  readonly board?: string;
  readonly json?: boolean;
}

/** Refuses only what leaves nothing to promise; a refused bundle runs on in SAFE. */
export async function run(file: string | undefined, options: RunOptions): Promise<void> {
  // Before the device counts a boot.
  if (options.once === true && options.input === undefined) {
    throw refuseCli('cli.option', '--once needs --input with a folder');
  }
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);
  let goOn = (): void => {};
  const onEvent = (event: EdgeEvent): void => {
    showEvent(event);
    // A frame that waits for a person keeps no other one waiting.
    if (event.type === 'operator.held') goOn();
  };
  const device = need(
    await startDevice({
      stateFolder: options.state,
      root: options.root,
      revocations: options.revocations,
      pin: options.pin,
      verification: options.verification,
      floorStore: floorStoreOf(options),
      bundle: file,
      profile: options.profile ?? 'development',
      board: options.board,
      hardwareClass: options.class,
      group: options.group,
      deviceName: options.device,
      uplink: uplinkOf(options),
      onEvent,
      log: note,
    }),
  );
  introduce(device);
  const waiting = new Set<Promise<unknown>>();
  try {
    for await (const arrived of feed(device, options, stopped.signal)) {
      const told: Promise<unknown> = tell(device, arrived, options.json === true).then(() =>
        waiting.delete(told),
      );
      waiting.add(told);
      await new Promise<unknown>((resolve, reject) => {
        goOn = () => resolve(undefined);
        told.then(resolve, reject);
      });
    }
    if (waiting.size > 0) await Promise.race([Promise.all(waiting), whenAborted(stopped.signal)]);
  } finally {
    await device.stop();
    // Those that still waited have fallen to safe.
    await Promise.all(waiting);
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    process.off('SIGHUP', stop);
  }
}

/** Judges one frame, and says what came of it when its wait is over. */
async function tell(device: Device, { name, frame }: NamedFrame, json: boolean): Promise<void> {
  const judgement = await (frame.ok ? device.infer(frame.value) : device.refuse(frame.fault));
  if (json) sayJson({ name, ...judgementJson(judgement.frame, judgement) });
  else say(judgementLine(printable(name), judgement));
}

function feed(
  device: Device,
  { input, once }: RunOptions,
  signal: AbortSignal,
): AsyncIterable<NamedFrame> {
  // Without a model there is no schema to read against: frames are still answered, with SAFE.
  const ports: readonly InputSchema[] = device.bundle?.meta.io.inputs ?? [];
  if (input === '-') return lineFrames(process.stdin, ports, signal);
  if (input !== undefined) return folderFrames(input, ports, once === true, signal);
  return untilStopped(signal);
}

async function* untilStopped(signal: AbortSignal): AsyncGenerator<NamedFrame> {
  if (signal.aborted) return;
  // A timer keeps the process alive; reporting goes on beside it.
  const timer = setInterval(() => {}, 60_000);
  await whenAborted(signal);
  clearInterval(timer);
}

async function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

function introduce(device: Device): void {
  const { bundle, refusal } = device;
  note(`device ${device.name}, boot ${device.epoch}, mode ${device.mode}`);
  if (bundle !== undefined) {
    const { name, version, detection } = bundle.meta;
    note(`guarding ${name} ${version} (${detection}) from slot ${device.slot}`);
    if (bundle.development) {
      noteDevelopment();
    }
  }
  if (refusal !== undefined) {
    note(`${styled('red', 'no model runs:', 'stderr')} ${refusal.code}: ${refusal.message}`);
    note(`  ${refusal.next}`);
  }
}

function uplinkOf(options: RunOptions): UplinkOptions | undefined {
  const { mqtt, ca, cert, certKey, username, passwordFile } = options;
  if (mqtt === undefined) {
    if (ca ?? cert ?? certKey ?? username ?? passwordFile) {
      throw refuseCli('cli.option', 'the broker options need --mqtt URL');
    }
    return undefined;
  }
  const tls = {
    ...(ca === undefined ? {} : { ca: text(need(readFileBounded(ca, PEM_BYTES_MAX))) }),
    ...(cert === undefined ? {} : { cert: text(need(readFileBounded(cert, PEM_BYTES_MAX))) }),
    ...(certKey === undefined ? {} : { key: text(need(readSecretFile(certKey, PEM_BYTES_MAX))) }),
  };
  return {
    url: mqtt,
    ...(username === undefined ? {} : { username }),
    ...(passwordFile === undefined
      ? {}
      : { password: text(need(readSecretFile(passwordFile, PASSWORD_BYTES_MAX))).trimEnd() }),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
  };
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
