/**
 * The real program on a real disk, killed at random moments while it installs and confirms: what boots
 * is a release that may, and the floor never falls. Ten kills always, two hundred under CI.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { watch, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { floorOf } from '../../src/core/trust/floor.ts';
import { decodeRoot } from '../../src/core/trust/root.ts';
import { loadIdentity } from '../../src/host/platform/identity.ts';
import { openDeviceSlots } from '../../src/host/runtime/device-slots.ts';
import { openStateFloors } from '../../src/host/runtime/device-state.ts';
import { accepted } from '../core/base/outcome.ts';
import { Random } from '../fuzz/random.ts';
import { trustIn } from '../host/runtime/machine.ts';
import { CLASS, release, rootBytes } from '../host/runtime/releases.ts';
import { scratch } from '../host/store/folder.ts';

const MANY = process.env['CI'] === 'true' || process.env['EDGEWARD_POWER_CUT'] === '1';
const KILLS = MANY ? 200 : 10;
const LANES = 2;
const SEED = Number(process.env['EDGEWARD_SEED'] ?? 4);
const NOTICE_BYTES = 4 * 1024 * 1024;
const PROGRAM = resolve(import.meta.dirname, '../../src/apps/cli/main.ts');

const folder = scratch();

class Bench {
  readonly state: string = join(folder(), 'device');
  readonly #files: string = folder();
  readonly #root: string = join(this.#files, 'root.cbor');
  /** Version and security version of what was offered. */
  readonly offered: Map<string, number> = new Map();
  floor = 0;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
    writeFileSync(this.#root, rootBytes());
  }

  /** A release above all before it, that no other one shares a payload with. */
  pack(): { readonly path: string; readonly version: string } {
    const number = this.offered.size + 1;
    const version = `${number}.0.0`;
    const notice = new Uint8Array(NOTICE_BYTES).fill(number);
    const path = join(this.#files, 'next.bundle');
    const change = { version, securityVersion: number, sequenceNumber: number };
    writeFileSync(path, release({ ...change, notice }));
    this.offered.set(version, number);
    return { path, version };
  }

  start(command: 'install' | 'run', path: string): ChildProcess {
    const args = ['--root', this.#root, '--state', this.state, '--profile', 'production'];
    const input = command === 'run' ? ['--input', '-'] : [];
    return spawn(process.execPath, [PROGRAM, command, path, ...args, '--class', CLASS, ...input], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  /** Kills it so long after this; false where it came to its end before. */
  async kill(child: ChildProcess, mark: Promise<void>, delayMs: number): Promise<boolean> {
    const ended = once(child, 'close');
    await Promise.race([mark, ended]);
    await Promise.race([wait(delayMs), ended]);
    const running = child.exitCode === null;
    child.kill('SIGKILL');
    await ended;
    return running;
  }

  /** How far the killed one had come, by the record that it left. */
  readonly found: Map<string, number> = new Map();

  /** Boots in this process and judges what came up, then confirms it or leaves it for the next one. */
  judge(why: string): void {
    const floors = accepted(
      openStateFloors({ stateFolder: this.state, production: true }, this.key()),
    );
    const { slots } = openDeviceSlots({
      ...{ stateFolder: this.state, macKey: this.key(), floors, onEvent: () => {} },
    });
    const trust = trustIn(accepted(decodeRoot(rootBytes())));
    const { slots: left, confirming } = slots.status();
    const states = left.map(({ entry }) => entry.state).slice(0, 2);
    const far = [...states.sort(), confirming === undefined ? '' : 'confirming'].join(' ').trim();
    this.found.set(far, (this.found.get(far) ?? 0) + 1);
    const { booted, refusal } = slots.boot({ trust });
    const { record } = accepted(floors.read());
    const floor = floorOf(record, CLASS, 'echo')?.securityVersion ?? 0;
    expect(floor, why).toBeGreaterThanOrEqual(this.floor);
    this.floor = floor;
    if (booted === undefined) throw new Error(`${why}: nothing boots: ${refusal?.code}`);
    const { version, securityVersion } = booted.bundle.meta;
    expect(this.offered.get(version), why).toBe(securityVersion);
    expect(securityVersion, why).toBeGreaterThanOrEqual(floor);
    if (this.#random.below(2) === 0) return;
    accepted(slots.confirm(booted.slot, trust));
    this.floor = securityVersion;
  }

  /** The first change of a record in the folder: STAGING, before a file of the slot is touched. */
  began(): Promise<void> {
    return new Promise((begun) => {
      const watcher = watch(this.state, { persistent: false }, () => {
        watcher.close();
        begun();
      });
    });
  }

  key(): Uint8Array {
    return accepted(loadIdentity(this.state)).keys.macKey;
  }
}

/** Waits for words on its errors; its end is as good, for who kills it then. */
function said(child: ChildProcess, words: RegExp): Promise<void> {
  let text = '';
  return new Promise((heard) => {
    child.stderr?.on('data', (chunk) => {
      text += String(chunk);
      if (words.test(text)) heard();
    });
    child.on('close', () => heard());
  });
}

interface Lane {
  readonly runs: number;
  readonly found: ReadonlyMap<string, number>;
}

/** One device that is killed so often; ends with the proof that it is a device as any other. */
async function killAgainAndAgain(kills: number, seed: number): Promise<Lane> {
  const random = new Random(seed);
  const bench = new Bench(random);
  const { confirmMs, installMs } = await measured(bench);
  let runs = 0;
  for (let kill = 0; kill < kills; runs++) {
    const confirms = random.below(2) === 0;
    const share = random.below(1000) / 1000;
    // An install says nothing before it is through; a confirm follows the words of the boot.
    const began = confirms ? undefined : bench.began();
    const child = bench.start(confirms ? 'run' : 'install', bench.pack().path);
    const mark = began ?? said(child, /integrity\.boot-verified/);
    if (await bench.kill(child, mark, share * (confirms ? confirmMs : installMs))) kill++;
    bench.judge(`seed ${seed}, kill ${kill}, ${confirms ? 'confirm' : 'install'}, ${share}`);
  }
  const last = bench.start('run', bench.pack().path);
  let words = '';
  last.stderr?.on('data', (chunk) => {
    words += String(chunk);
  });
  const [code] = await once(last, 'close');
  expect([code, words]).toEqual([0, expect.stringMatching(/mode nominal/)]);
  return { runs, found: bench.found };
}

/** How long the last parts of an install and of a confirm take here. */
async function measured(bench: Bench): Promise<{ confirmMs: number; installMs: number }> {
  const first = bench.start('run', bench.pack().path);
  const over = once(first, 'close');
  await said(first, /integrity\.boot-verified/);
  const verifiedMs = performance.now();
  await said(first, /integrity\.installed/);
  const confirmMs = (performance.now() - verifiedMs) / 2;
  await over;
  const began = bench.began();
  const second = once(bench.start('install', bench.pack().path), 'close');
  await began;
  const begunMs = performance.now();
  await second;
  bench.judge('before the first kill');
  return { confirmMs, installMs: performance.now() - begunMs };
}

describe('a kill', () => {
  it(`at ${KILLS} moments of install and confirm (seed ${SEED}) leaves a release that boots`, {
    timeout: 900_000,
  }, async () => {
    const startMs = performance.now();
    const lanes = await Promise.all(
      Array.from({ length: LANES }, (_, i) => killAgainAndAgain(KILLS / LANES, SEED + i)),
    );
    const runs = lanes.reduce((sum, lane) => sum + lane.runs, 0);
    const found = lanes.flatMap((lane) => [...lane.found]);
    const far = found.map(([states, count]) => `${count} x ${states}`).join('; ');
    const tookS = ((performance.now() - startMs) / 1000).toFixed(0);
    console.log(`${KILLS} kills in ${runs} runs, ${tookS} s; killed where the slots were: ${far}`);
  });
});
