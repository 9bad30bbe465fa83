/** An MQTT broker inside this process, on loopback only: the demo needs nothing installed. */
import { type AddressInfo, createServer } from 'node:net';
import { Aedes } from 'aedes';

export interface LocalBroker {
  /** `mqtt://127.0.0.1:PORT` */
  readonly url: string;
  close(): Promise<void>;
}

export async function startLocalBroker(): Promise<LocalBroker> {
  const broker = await Aedes.createBroker();
  const server = createServer(broker.handle);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `mqtt://127.0.0.1:${port}`,
    async close() {
      await new Promise<void>((resolve) => broker.close(() => resolve()));
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
