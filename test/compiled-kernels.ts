/** `wasm/` compiled anew, as the build does it. */
import { resolve } from 'node:path';
import asc from 'assemblyscript/asc';

/** Other options come after those of `wasm/asconfig.json` and win. */
export async function compiledKernels(...options: string[]): Promise<Uint8Array> {
  let bytes: unknown;
  const config = resolve(import.meta.dirname, '../wasm/asconfig.json');
  const { error, stderr } = await asc.main(
    ['--config', config, '--outFile', 'kernels.wasm', ...options],
    {
      writeFile(_, contents) {
        bytes = contents;
      },
    },
  );
  if (error !== null || !(bytes instanceof Uint8Array)) throw new Error(`asc: ${stderr}`);
  return bytes;
}
