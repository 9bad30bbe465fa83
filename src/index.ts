/**
 * Edgeward's public names. Promises from here reject with an `EdgewardError`, whose `code` is the
 * closed fault code and whose `next` says what to do.
 */
import type { Fault, Result } from './core/base/fault.ts';
import { type Device, startDevice as start } from './host/runtime/device.ts';
import { type OpenGuard, openGuardResult } from './host/runtime/open-guard.ts';
import type { DeviceOptions, GuardOptions } from './host/runtime/options.ts';

export type { Fault } from './core/base/fault.ts';
export type { Clock, MonotonicMs, UnixMs } from './core/base/time.ts';
export type { ModelMetadata } from './core/bundle/metadata.ts';
export type { Source, Verdict } from './core/guard/decision.ts';
export type { Finding, FindingCode } from './core/guard/findings.ts';
export type { FrameContext } from './core/guard/guard.ts';
export type { DType, NamedTensors, Tensor, TensorData } from './core/numeric/tensor.ts';
export type { EdgeEvent } from './core/telemetry/event.ts';
export type { TrustProfile } from './core/trust/admissible.ts';
export type { OperatorAct } from './core/trust/operator-act.ts';
export type { VerifiedBundle } from './core/trust/verify.ts';
export type { Device } from './host/runtime/device.ts';
export type { FrameJudgement } from './host/runtime/guarded-session.ts';
export type { OpenGuard } from './host/runtime/open-guard.ts';
export type { OperatorAnswer } from './host/runtime/operator.ts';
export type { DeviceOptions, GuardOptions } from './host/runtime/options.ts';
export type { UplinkOptions } from './host/runtime/uplink.ts';
export { EDGEWARD_VERSION } from './host/runtime/version.ts';

/** An expected failure, thrown at the edge of the package. */
export class EdgewardError extends Error {
  /** `family.reason`; closed, never reworded. */
  readonly code: string;
  /** What to do next, one sentence. */
  readonly next: string;

  constructor(fault: Fault) {
    super(`${fault.code}: ${fault.message}`);
    this.name = 'EdgewardError';
    this.code = fault.code;
    this.next = fault.next;
  }
}

/**
 * Verifies a bundle and opens a guard on it.
 *
 * Every frame is a plain object or `Map` of input name to `{ dtype, dims, data }`, one row at a
 * time (batch 1). The judgement carries `verdict` (`release`, `flag`, `hold`, `substitute`,
 * `withhold`), `outputs` (or `undefined`), `reasons` with their codes, and `novelty` and `input`
 * where they were judged. A frame whose signed policy says `hold` is answered when its wait is over.
 *
 * ```ts
 * const guard = await openGuard({ bundle: 'model.bundle', root: 'root.cbor' });
 * const { verdict, outputs, reasons } = await guard.infer({
 *   input: { dtype: 'float32', dims: [1, 3, 32, 32], data: pixels },
 * });
 * await guard.close();
 * ```
 *
 * A frame that somebody else asks for comes with their name, `guard.infer(frame, { principal:
 * 'gateway-7' })`: the signed policy's budget of that caller counts it, and the answer has no scores
 * and p-values, which an attacker would search by. `{ capturedAtMs }` is when the sensor took it.
 *
 * Rejects with an `EdgewardError` when the bundle may not run. NOT promised: protection against
 * whoever controls this process, and that every unusual input is noticed.
 */
export async function openGuard(options: GuardOptions): Promise<OpenGuard> {
  return unwrap(await openGuardResult(options));
}

/**
 * Starts a device: identity, installed bundle, rollback floors, guard and signed telemetry. A
 * refused bundle does not reject: the device comes up in SAFE and says why in `refusal`.
 *
 * ```ts
 * const device = await startDevice({
 *   stateFolder: '/var/lib/edgeward',
 *   root: '/etc/edgeward/root.cbor',
 *   bundle: '/mnt/update/model.bundle',
 *   profile: 'production',
 *   uplink: { url: 'mqtts://broker.example', tls: { ca } },
 * });
 * const { verdict, outputs } = await device.infer(frame, { principal: 'gateway-7' });
 * await device.operate({ verb: 'pause' });
 * await device.stop();
 * ```
 *
 * `operate` takes acts of a local caller, who may only restrict, and orders that an operator signed
 * (`edgeward operator sign`), which may also resume, release, acknowledge and decide on held frames.
 */
export async function startDevice(options: DeviceOptions): Promise<Device> {
  return unwrap(await start(options));
}

function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new EdgewardError(result.fault);
}
