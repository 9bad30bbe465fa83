/** What the uplink of a device tells the log, where its broker takes the connection and no message. */
import { afterEach, expect, it } from 'vitest';
import { connectUplink, type Uplink } from '../../../src/host/runtime/uplink.ts';
import { clock, eventMessage, startScripted, until } from '../uplink/brokers.ts';

const CONNACK_5 = Buffer.from([0x20, 3, 0, 0, 0]);
const NOT_AUTHORIZED = 135;

const open: Uplink[] = [];

afterEach(async () => {
  for (const uplink of open.splice(0)) await uplink.close();
});

it('tells of a message that the access list refused, and what to do', async () => {
  const broker = await startScripted((socket, bytes) => {
    const topicBytes = bytes.readUInt16BE(2);
    const packetId = bytes.subarray(4 + topicBytes, 6 + topicBytes);
    if ((bytes[0] ?? 0) >> 4 === 1) socket.write(CONNACK_5);
    else if ((bytes[0] ?? 0) >> 4 === 3) {
      socket.write(Buffer.from([0x40, 3, ...packetId, NOT_AUTHORIZED]));
    }
  });
  const lines: string[] = [];
  const uplink = connectUplink(
    { url: `mqtt://127.0.0.1:${broker.port}` },
    { group: 'g', device: 'd' },
    clock,
    { onConnect: () => undefined, log: (line) => lines.push(line) },
  );
  if (!uplink.ok) throw new Error(uplink.fault.message);
  open.push(uplink.value);
  uplink.value.send({ ...eventMessage('x'), severity: 'warning' });
  await until(() => lines.some((line) => line.startsWith('uplink.rejected')));
  await broker.stop();
  expect(lines.at(-1)).toMatch(/reason 135.*; gave up a message on edgeward\/v1\/g\/d\/event\. A/);
  expect(uplink.value.outbox.depth).toMatchObject({ messages: 0, dropped: 1 });
});
