/** The closed fault codes of the uplink room. */
import {
  type Fault,
  type FaultTable,
  faultOf,
  type Refusal,
  refusing,
} from '../../core/base/fault.ts';

export type UplinkFaultCode =
  | 'uplink.bad-url'
  | 'uplink.plain-text'
  | 'uplink.tls'
  | 'uplink.unreachable'
  | 'uplink.refused'
  | 'uplink.timeout'
  | 'uplink.protocol'
  | 'uplink.offline'
  | 'uplink.closed'
  | 'uplink.rejected'
  | 'uplink.size';

export const UPLINK_FAULTS: FaultTable<UplinkFaultCode> = {
  'uplink.bad-url': 'Give the broker as mqtts://HOST[:PORT], or mqtt://HOST[:PORT] on loopback.',
  'uplink.plain-text': 'Use mqtts: anybody on the way can read and drop what is sent here.',
  'uplink.tls': 'Check the CA, the certificates and their names and times, and the board clock.',
  'uplink.unreachable': 'Check the host name, the port, the network and that the broker runs.',
  'uplink.refused':
    'Check user name, password, certificate, client id and the access list of the broker.',
  'uplink.timeout': 'Check the network and the load of the broker; the uplink tries again.',
  'uplink.protocol': 'Check that an MQTT broker answers there: what came back is not allowed.',
  'uplink.offline': 'Nothing to do: the message waits for the next connection.',
  'uplink.closed': 'Nothing to do while the uplink reconnects; if it repeats, ask the broker log.',
  'uplink.rejected': 'Allow this device to publish on its own topics in the access list.',
  'uplink.size': 'Raise the packet limit of the broker above 64 KiB.',
};

export const refuseUplink: (code: UplinkFaultCode, message: string) => Refusal =
  refusing(UPLINK_FAULTS);

export function uplinkFault(code: UplinkFaultCode, message: string): Fault<UplinkFaultCode> {
  return faultOf(UPLINK_FAULTS, code, message);
}
