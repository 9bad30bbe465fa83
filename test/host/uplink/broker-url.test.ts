import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBrokerUrl } from '../../../src/host/uplink/broker-url.ts';

describe('broker URL', () => {
  it.each([
    ['mqtt://localhost', { secure: false, host: 'localhost', port: 1883, loopback: true }],
    ['mqtt://127.0.0.1:1', { secure: false, host: '127.0.0.1', port: 1, loopback: true }],
    ['mqtt://[::1]:1883/', { secure: false, host: '::1', port: 1883, loopback: true }],
    ['mqtts://b.example', { secure: true, host: 'b.example', port: 8883, loopback: false }],
    ['mqtts://192.0.2.1:99', { secure: true, host: '192.0.2.1', port: 99, loopback: false }],
    ['mqtt://127.example', { secure: false, host: '127.example', port: 1883, loopback: false }],
  ])('reads %s', (text, value) => {
    expect(parseBrokerUrl(text)).toEqual({ ok: true, value });
  });

  it.each([
    '',
    'localhost',
    'localhost:1883',
    'http://localhost',
    'ws://localhost',
    'tcp://localhost',
    'mqtt://',
    'mqtt://localhost:0',
    'mqtt://localhost:65536',
    'mqtt://localhost/path',
    'mqtt://localhost?x=1',
    'mqtt://localhost#x',
    'mqtt://-evil',
    'mqtt://a b',
    'mqtt://a%20b',
    `mqtt://${'a'.repeat(300)}`,
  ])('refuses "%s"', (text) => {
    expect(parseBrokerUrl(text)).toMatchObject({ ok: false, fault: { code: 'uplink.bad-url' } });
  });

  it('refuses credentials in the URL and does not repeat them', () => {
    const result = parseBrokerUrl('mqtts://me:hunter2@b.example');
    expect(result).toMatchObject({ ok: false, fault: { code: 'uplink.bad-url' } });
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });

  it('is total', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.webUrl(),
          fc.string().map((s) => `mqtt://${s}`),
        ),
        (s) => {
          parseBrokerUrl(s);
        },
      ),
    );
  });
});
