/** The exit codes of `edgeward`: one per fault family, so that a script can tell what failed. */
import type { Fault } from '../../core/base/fault.ts';

/** A defect of Edgeward itself. */
export const EXIT_INTERNAL = 1;
/** Wrong options or arguments; nothing was done. */
export const EXIT_USAGE = 2;
/** The demo saw something else than it expects. */
export const EXIT_DEMO = 3;
/** An evaluated guard does not keep its promise on false alarms; the report is written. */
export const EXIT_NOT_PASSED = 8;
/** EX_TEMPFAIL of sysexits.h: not known yet. */
export const EXIT_TRY_AGAIN = 75;
/** Nobody reads the output any more (`| head`): 128 + SIGPIPE, as other programs have it. */
export const EXIT_READER_GONE = 141;

/** The family is the first word of a fault code. */
export const EXIT_CODES: Readonly<Record<string, number>> = {
  store: 10,
  key: 11,
  crypto: 12,
  cbor: 13,
  cose: 14,
  suit: 15,
  bundle: 16,
  metadata: 17,
  field: 18,
  root: 19,
  trust: 20,
  rollback: 21,
  floor: 22,
  onnx: 23,
  npy: 24,
  tensor: 25,
  policy: 26,
  guard: 27,
  calibration: 28,
  inference: 29,
  runtime: 30,
  device: 31,
  platform: 32,
  telemetry: 33,
  uplink: 34,
  cli: 35,
  maker: 36,
  scan: 37,
  golden: 38,
  verity: 39,
  revocation: 40,
  update: 41,
  disk: 42,
  operator: 43,
  caller: 44,
  drift: 45,
  kernels: 46,
};

export function exitCodeOf(fault: Fault): number {
  return EXIT_CODES[fault.code.slice(0, fault.code.indexOf('.'))] ?? EXIT_INTERNAL;
}
