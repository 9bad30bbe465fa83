/** The closed fault codes of the telemetry room. */
import { type FaultTable, type Refusal, refusing } from '../base/fault.ts';

export type TelemetryFaultCode =
  | 'telemetry.topic'
  | 'telemetry.id'
  | 'telemetry.kind'
  | 'telemetry.type'
  | 'telemetry.device'
  | 'telemetry.version'
  | 'telemetry.chain-start'
  | 'telemetry.size'
  | 'telemetry.claim'
  | 'telemetry.json';

export const TELEMETRY_FAULTS: FaultTable<TelemetryFaultCode> = {
  'telemetry.topic': 'Use a topic of the form edgeward/v1/{group}/{device}/{kind}.',
  'telemetry.id': 'Use 1 to 64 letters, digits, hyphens or underscores for group and device ids.',
  'telemetry.kind': 'Only birth, health and event carry signed envelopes: check the topic.',
  'telemetry.type': 'The message says it is of another type than its topic: refuse its sender.',
  'telemetry.device': 'The message says it is from another device than its topic: refuse it.',
  'telemetry.version': 'Update this reader: the message has a newer format.',
  'telemetry.chain-start': 'A chain starts with a birth, sequence 0 and no previous: refuse it.',
  'telemetry.size': 'Send less in one message, or take it for hostile when it came from outside.',
  'telemetry.claim': 'Bring the named claim into the form that RFC 9711 gives it.',
  'telemetry.json': 'Send the small JSON document that this topic carries.',
};

export const refuseTelemetry: (code: TelemetryFaultCode, message: string) => Refusal =
  refusing(TELEMETRY_FAULTS);
