/** Which broker to talk to: `mqtt://HOST[:PORT]` or `mqtts://HOST[:PORT]` and nothing more. */
import { isIP, isIPv4 } from 'node:net';
import { attempt, type Result } from '../../core/base/fault.ts';
import { refuseUplink } from './faults.ts';

export interface BrokerAddress {
  readonly secure: boolean;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** What is sent does not leave this machine. */
  readonly loopback: boolean;
}

const PORT_PLAIN = 1883;
const PORT_TLS = 8883;

/** Faults: `uplink.bad-url`. The text is not repeated in the fault: it may hold a password. */
export function parseBrokerUrl(text: string): Result<BrokerAddress> {
  return attempt(() => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || (url.protocol !== 'mqtt:' && url.protocol !== 'mqtts:')) {
      throw refuseUplink('uplink.bad-url', 'the broker is no mqtt: or mqtts: URL');
    }
    // URLs end up in logs and process lists.
    if (url.username !== '' || url.password !== '') {
      throw refuseUplink('uplink.bad-url', 'the user name and password do not belong in the URL');
    }
    if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '') {
      throw refuseUplink('uplink.bad-url', 'the URL has more than a host and a port');
    }
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    if (isIP(host) === 0 && !/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})$/.test(host)) {
      throw refuseUplink('uplink.bad-url', 'the host is neither a name nor an address');
    }
    const secure = url.protocol === 'mqtts:';
    const port = url.port === '' ? (secure ? PORT_TLS : PORT_PLAIN) : Number(url.port);
    if (port === 0) throw refuseUplink('uplink.bad-url', 'the port is 0');
    return { secure, host, port, loopback: isLoopback(host) };
  });
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
