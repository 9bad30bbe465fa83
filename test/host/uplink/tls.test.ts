import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { TransportOptions } from '../../../src/host/uplink/mqtt-transport.ts';
import {
  eventMessage,
  startBroker,
  type TestBroker,
  until,
  type Watched,
  watched,
} from './brokers.ts';
import { makePki, opensslMissing, type TestPki } from './certificates.ts';

const missing = opensslMissing ? ' (skipped: there is no openssl command here)' : '';
const open: Watched[] = [];

afterEach(async () => {
  for (const { transport } of open.splice(0)) await transport.close();
});

function dial(port: number, tls: TransportOptions['tls'], host: string = '127.0.0.1'): Watched {
  const up = watched(port, { url: `mqtts://${host}:${port}`, ...(tls ? { tls } : {}) });
  open.push(up);
  up.transport.start();
  return up;
}

describe.skipIf(opensslMissing)(`TLS${missing}`, () => {
  let pki: TestPki;
  let broker: TestBroker;
  let mutual: TestBroker;

  beforeAll(async () => {
    pki = makePki();
    broker = await startBroker({ tls: pki.server });
    mutual = await startBroker({ tls: { ...pki.server, ca: pki.ca, requestCert: true } });
  });

  afterAll(async () => {
    await broker?.stop();
    await mutual?.stop();
  });

  it('publishes to a broker with a certificate of the given root, by address and by name', async () => {
    for (const host of ['127.0.0.1', 'localhost']) {
      const { transport } = dial(broker.port, { ca: pki.ca }, host);
      await until(() => transport.connected);
      expect(await transport.publish(eventMessage('x'))).toEqual({ ok: true, value: undefined });
      await transport.close();
    }
  });

  it('refuses another root, the usual roots, and another name', async () => {
    for (const tls of [
      { ca: pki.otherCa },
      undefined,
      { ca: pki.ca, servername: 'other.example' },
    ]) {
      const { downs, ups } = dial(broker.port, tls);
      await until(() => downs.length >= 1);
      expect(downs[0]?.code).toBe('uplink.tls');
      expect(ups).toEqual([]);
    }
  });

  it('refuses it even where the environment turns verification off', async () => {
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      const { downs } = dial(broker.port, { ca: pki.otherCa });
      await until(() => downs.length >= 1);
      expect(downs[0]?.code).toBe('uplink.tls');
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    }
  });

  it('shows its certificate to a broker that asks, and says when it has none to show', async () => {
    const { transport } = dial(mutual.port, { ca: pki.ca, ...pki.client });
    await until(() => transport.connected);
    expect((await transport.publish(eventMessage('x'))).ok).toBe(true);
    const { downs, ups } = dial(mutual.port, { ca: pki.ca });
    await until(() => downs.length >= 1);
    // TLS 1.3: the alert comes after the handshake, and a reset may overtake it.
    expect(downs[0]?.code).toMatch(/^uplink\.(tls|refused)$/);
    expect(ups).toEqual([]);
  });

  it('says that a plain broker is no TLS server', async () => {
    const plain = await startBroker();
    const { downs } = dial(plain.port, { ca: pki.ca });
    await until(() => downs.length >= 1);
    await plain.stop();
    expect(downs[0]?.code).toMatch(/^uplink\.(tls|unreachable)$/);
  });
});
