/** Kernels that cannot be had: the device judges alike, says why it takes longer, and looks once. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';
import { inferenceFault } from '../../../src/host/inference/faults.ts';
import { startDevice } from '../../../src/host/runtime/device.ts';
import { openGuardResult } from '../../../src/host/runtime/open-guard.ts';
import { accepted } from '../../core/base/outcome.ts';
import { scratch } from '../store/folder.ts';
import { CLASS, frame, rootBytes, shipped, stillClock } from './releases.ts';

const asked = vi.hoisted(() => ({ count: 0 }));
vi.mock('../../../src/host/inference/kernels-file.ts', () => ({
  loadKernels: () => {
    asked.count++;
    const fault = inferenceFault('inference.kernels-file', 'it is gone');
    return { kernels: referenceKernels, fault };
  },
}));

const folder = scratch();

it('a device and a guard without the kernels file run on the reference, and say so', async () => {
  const root = join(folder(), 'root.cbor');
  writeFileSync(root, rootBytes());
  const bundle = shipped(folder());
  const lines: string[] = [];
  const trusted = {
    root,
    profile: 'production' as const,
    board: 'generic-x64',
    hardwareClass: CLASS,
  };
  const device = accepted(
    await startDevice({
      ...{ ...trusted, stateFolder: folder(), bundle },
      ...{ clock: stillClock(), log: (line) => void lines.push(line) },
    }),
  );
  expect(device.mode).toBe('nominal');
  expect((await device.infer(frame(1, 2))).verdict).toBe('release');
  await device.stop();
  expect(lines).toEqual([expect.stringContaining('inference.kernels-file: it is gone')]);

  const warn = vi.spyOn(process, 'emitWarning').mockReturnValue(undefined);
  const guard = accepted(await openGuardResult({ ...trusted, bundle }));
  expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('inference.kernels-file'));
  warn.mockRestore();
  await guard.close();
  expect(asked.count).toBe(1);
});
