/**
 * `node verify-as.cjs CHECK ROLES BUNDLE ROOT`: verifies as a device does at boot, with `ROLES` (a
 * list with commas, or `-` for none) read into memory. Bundled before it runs, as the CLI is.
 */
import { need } from '../../src/core/base/fault.ts';
import type { FileRole } from '../../src/core/bundle/metadata.ts';
import { cryptoSelfTest } from '../../src/core/crypto/self-test.ts';
import { EMPTY_FLOOR } from '../../src/core/trust/floor.ts';
import { verifyBundleAhead } from '../../src/core/trust/verify.ts';
import { systemClock } from '../../src/host/platform/clock.ts';
import { readRoot, trustContext } from '../../src/host/runtime/trust-state.ts';
import { openBundleFile } from '../../src/host/store/bundle-file.ts';

const [check, roles = '-', bundle = '', root = ''] = process.argv.slice(2);
if (check !== 'full' && check !== 'lazy') throw new Error(`${check} is neither full nor lazy`);
need(cryptoSelfTest());
const keep = roles === '-' ? [] : (roles.split(',') as FileRole[]);
const source = need(openBundleFile(bundle));
const trusted = need(readRoot(root));
const context = trustContext(trusted, EMPTY_FLOOR, 'development', undefined, systemClock);
void verifyBundleAhead(source, 'boot', context, { keep, check }).then((result) => {
  const { payloads } = need(result);
  if (payloads.size !== keep.length) throw new Error(`${payloads.size} files were read`);
  process.exit();
});
