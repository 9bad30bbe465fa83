/** A process of its own that commits floors until it is killed: FOLDER TCTI INDEX TOOLS; the key is 32 ones. */
import { need } from '../../src/core/base/fault.ts';
import { openFloors } from '../../src/host/platform/floors.ts';

const [folder = '', tcti = '', index = '', toolFolder = ''] = process.argv.slice(2);
const macKey = new Uint8Array(32).fill(1);
const tpm = { tcti, index: Number(index), toolFolder };
const floors = need(openFloors({ tier: 'T2', folder, macKey, production: false, tpm }));

for (;;) {
  const { record } = need(floors.read());
  const rootVersion = record.rootVersion + 1;
  need(floors.write({ ...record, generation: record.generation + 1, rootVersion }));
  process.stdout.write(`${rootVersion}\n`);
}
