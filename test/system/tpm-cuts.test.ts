/** Commits to a real TPM emulator that are cut off between any two steps, and what heals them. */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTpmIndex } from '../../src/host/platform/tpm-index.ts';
import { readCopies } from '../../src/host/platform/tpm-records.ts';
import { accepted, codeOf } from '../core/base/outcome.ts';
import { SoftwareTpm, tpmMissing } from './software-tpm.ts';
import { counting, KEY, Machine, other } from './tpm-machine.ts';

const why = tpmMissing === '' ? '' : ` (skipped: ${tpmMissing})`;
let tpm: SoftwareTpm;

beforeAll(async () => {
  if (tpmMissing === '') tpm = await SoftwareTpm.start();
});
afterAll(() => tpm?.remove());

/** A process of its own that commits until it is killed, and says what it has committed. */
function startCommitter(
  machine: Machine,
  tools: string,
): ChildProcessByStdio<null, Readable, null> {
  const script = new URL('./tpm-committer.ts', import.meta.url);
  const args = [fileURLToPath(script), machine.folder, machine.tpm.tcti, machine.indexText, tools];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

describe.skipIf(tpmMissing !== '')(`a commit that is cut off${why}`, () => {
  /** The files as they are after so many of the two copies were written. */
  function pending(copies: 1 | 2): Machine {
    const machine = Machine.provisioned(tpm, 3);
    const pair = other(machine.standing().pair);
    const second = machine.file(pair === 0 ? 1 : 3);
    const before = readFileSync(second);
    machine.forge(counting(4), machine.value(), pair);
    if (copies === 1) writeFileSync(second, before);
    return machine;
  }

  it.each([1, 2] as const)('after %i of its copies is finished by the next read', (copies) => {
    const machine = pending(copies);
    const look = machine.open({ readOnly: true });
    expect(accepted(look.read())).toMatchObject({ record: counting(3), healed: false });
    expect(accepted(machine.open().read())).toMatchObject({ record: counting(4), healed: true });
    expect(accepted(machine.open().read())).toMatchObject({ record: counting(4), healed: false });
    expect(accepted(look.read()).record).toEqual(counting(4));
    accepted(machine.open().write(counting(5)));
    expect(accepted(machine.open().read()).record).toEqual(counting(5));
  });

  it('is finished by the next write as well, which then follows it', () => {
    const machine = pending(2);
    expect(codeOf(machine.open().write(counting(3))), 'four stands').toBe('floor.lowered');
    accepted(machine.open().write(counting(5)));
    expect(accepted(machine.open().read()).record).toEqual(counting(5));
  });

  it('while its first copy is torn leaves the record before', () => {
    const machine = Machine.provisioned(tpm, 3);
    const pair = other(machine.standing().pair);
    writeFileSync(machine.file(pair === 0 ? 0 : 2), 'torn');
    const reading = accepted(machine.open().read());
    expect(reading).toEqual({ record: counting(3), damagedCopies: 1, healed: false });
  });

  it.each([0, 1])('after the extend stands, also when copy %i of it is lost', (copy) => {
    const machine = pending(2);
    const index = openTpmIndex(machine.tpm, machine.folder, KEY);
    const { valid } = readCopies(machine.folder, KEY);
    const digest = valid.find(({ chained }) => chained.record.generation === 4)?.chained.digest;
    accepted(index.extend(digest ?? new Uint8Array(32)));
    writeFileSync(machine.file((machine.standing().pair === 0 ? 0 : 2) + copy), 'torn');
    const reading = accepted(machine.open().read());
    expect(reading).toEqual({ record: counting(4), damagedCopies: 1, healed: false });
  });

  it('because the TPM is away is finished when it is back', async () => {
    const machine = pending(2);
    await tpm.kill();
    expect(codeOf(machine.open().read())).toBe('floor.tier-missing');
    await tpm.start();
    expect(accepted(machine.open().read())).toMatchObject({ record: counting(4), healed: true });
  });

  it('while the tool outlives its killed process is waited for, and not extended twice', async () => {
    const machine = Machine.provisioned(tpm, 1);
    const tools = mkdtempSync(join(tpm.folder, 'tools-'));
    for (const name of ['tpm2_nvread', 'tpm2_nvreadpublic']) {
      symlinkSync(`/usr/bin/${name}`, join(tools, name));
    }
    const slow = `: > ${tools}/begun; sleep 0.4; /usr/bin/tpm2_nvextend "$@"; : > ${tools}/done`;
    writeFileSync(join(tools, 'tpm2_nvextend'), `#!/bin/sh\n${slow}\n`, { mode: 0o755 });
    const child = startCommitter(machine, tools);
    while (!existsSync(join(tools, 'begun'))) await wait(5);
    await killed(child);
    expect(accepted(machine.open().read()).record.rootVersion).toBe(2);
    while (!existsSync(join(tools, 'done'))) await wait(5);
    expect(accepted(machine.open().read()).record.rootVersion).toBe(2);
  });

  it('and extended by more than it says stands no more', () => {
    const machine = Machine.provisioned(tpm, 1);
    const tools = mkdtempSync(join(tpm.folder, 'tools-'));
    for (const name of ['tpm2_nvread', 'tpm2_nvreadpublic']) {
      symlinkSync(`/usr/bin/${name}`, join(tools, name));
    }
    const twice = '/usr/bin/tpm2_nvextend "$@" && exec /usr/bin/tpm2_nvextend "$@"';
    writeFileSync(join(tools, 'tpm2_nvextend'), `#!/bin/sh\n${twice}\n`, { mode: 0o755 });
    const floors = machine.open({ tpm: { ...machine.tpm, toolFolder: tools } });
    expect(codeOf(floors.write(counting(2)))).toBe('floor.rolled-back');
    expect(codeOf(machine.open().read())).toBe('floor.rolled-back');
  });

  it('by killing the process at any moment loses nothing it had acknowledged', async () => {
    const machine = Machine.provisioned(tpm);
    let seed = 7;
    let rounds = 0;
    for (let round = 0; round < 12; round++) {
      const child = startCommitter(machine, '/usr/bin');
      let said = '';
      child.stdout.on('data', (chunk: unknown) => {
        said += String(chunk);
      });
      await once(child.stdout, 'data');
      seed = (seed * 48271) % 2147483647;
      await wait(seed % 120);
      await killed(child);
      const acknowledged = Number(said.trimEnd().split('\n').at(-1));
      const { record } = accepted(machine.open().read());
      expect([acknowledged, acknowledged + 1]).toContain(record.rootVersion);
      rounds++;
    }
    expect(rounds).toBe(12);
  });
});
