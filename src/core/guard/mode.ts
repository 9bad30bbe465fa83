/**
 * The mode of the device as one total table.
 *
 *     NOMINAL <-> DEGRADED -> SAFE -> LOCKED        PAUSED by an operator from any but LOCKED
 *
 * NOMINAL and DEGRADED release model outputs; SAFE, PAUSED and LOCKED do not. SAFE heals by a passed
 * self-test or an operator; where an operator forced it, by an operator's release and nothing else
 * (FORCED in the table, SAFE to everybody outside). LOCKED is for a forked or replayed floor, a
 * runtime that does not match its manifest, or a root conflict, and only a signed release leaves it.
 * A refused install, command or signature and a failed report never change the mode: whoever holds
 * the broker or the sensor must not be able to lock a device.
 */

export type Mode = 'NOMINAL' | 'DEGRADED' | 'SAFE' | 'LOCKED' | 'PAUSED';

/** Where the table stands. FORCED is the SAFE of an operator, which no self-test heals. */
export type Standing = Mode | 'FORCED';

export type Cause =
  /** The booted bundle verified and its session passed the golden vectors. */
  | 'boot-verified'
  | 'bundle-refused-at-boot'
  /**
   * A slot did not match its digests and the recovery ladder goes on with the next one. Given after
   * `boot-verified` when it happened at boot: the device runs, with less redundancy.
   */
  | 'slot-corrupt'
  /** No slot is left to boot. */
  | 'recovery-exhausted'
  | 'floor-forked'
  | 'runtime-mismatch'
  | 'root-conflict'
  /**
   * The inference worker was ended, by its deadline or a crash, and starts again; a passed self-test
   * of the new one heals it.
   */
  | 'worker-killed'
  | 'respawn-exhausted'
  | 'self-test-passed'
  | 'self-test-failed'
  /** A broken assertion in Edgeward itself. */
  | 'internal-error'
  /** One sensor gives only bad frames; each of them has its own verdict already. */
  | 'sensor-bad'
  | 'sensor-recovered'
  | 'operator-pause'
  | 'operator-resume'
  | 'operator-force-safe'
  /** A signed release by an operator. */
  | 'operator-release'
  | 'install-refused'
  | 'command-refused'
  | 'signature-refused'
  | 'reporting-failed';

/** `before` is where a resume leads; outside PAUSED it equals `standing`. */
export interface ModeState {
  readonly standing: Standing;
  readonly before: Standing;
}

/** Nothing is verified yet, so nothing is released. */
export const MODE_AT_START: ModeState = { standing: 'SAFE', before: 'SAFE' };

/** What the state is called outside of this table. */
export function modeOf({ standing }: ModeState): Mode {
  return standing === 'FORCED' ? 'SAFE' : standing;
}

/**
 * The mode after a cause. While PAUSED, other causes move the mode that a resume restores: a pause
 * does not let the device forget that its self-test failed, and a lock goes through it.
 */
export function stepMode(state: ModeState, cause: Cause): ModeState {
  const { standing, before } = state;
  const next = MODES[standing][cause];
  if (next === 'BEFORE') return settled(before);
  if (next !== 'PAUSED') return settled(next);
  if (standing !== 'PAUSED') return { standing: 'PAUSED', before: standing };
  const under = MODES[before][cause];
  return under === 'PAUSED' || under === 'BEFORE' ? state : { standing: 'PAUSED', before: under };
}

/** Whether frames may be given to the model. */
export function mayInfer(mode: Mode): boolean {
  return MAY[mode].infer;
}

/** Whether a model output may leave, even one computed before the mode changed. */
export function mayRelease(mode: Mode): boolean {
  return MAY[mode].release;
}

/** Whether the golden vectors may run, which is how SAFE heals. LOCKED never infers. */
export function maySelfTest(mode: Mode): boolean {
  return MAY[mode].selfTest;
}

const MAY = {
  NOMINAL: { infer: true, release: true, selfTest: true },
  DEGRADED: { infer: true, release: true, selfTest: true },
  SAFE: { infer: false, release: false, selfTest: true },
  LOCKED: { infer: false, release: false, selfTest: false },
  PAUSED: { infer: false, release: false, selfTest: true },
} as const satisfies Record<Mode, { infer: boolean; release: boolean; selfTest: boolean }>;

/** `BEFORE` is the mode that was remembered when PAUSED began. */
export const MODES: Readonly<Record<Standing, Readonly<Record<Cause, Standing | 'BEFORE'>>>> = {
  NOMINAL: {
    'boot-verified': 'NOMINAL',
    'bundle-refused-at-boot': 'SAFE',
    'slot-corrupt': 'DEGRADED',
    'recovery-exhausted': 'SAFE',
    'floor-forked': 'LOCKED',
    'runtime-mismatch': 'LOCKED',
    'root-conflict': 'LOCKED',
    'worker-killed': 'DEGRADED',
    'respawn-exhausted': 'SAFE',
    'self-test-passed': 'NOMINAL',
    'self-test-failed': 'SAFE',
    'internal-error': 'SAFE',
    'sensor-bad': 'DEGRADED',
    'sensor-recovered': 'NOMINAL',
    'operator-pause': 'PAUSED',
    'operator-resume': 'NOMINAL',
    'operator-force-safe': 'FORCED',
    'operator-release': 'NOMINAL',
    'install-refused': 'NOMINAL',
    'command-refused': 'NOMINAL',
    'signature-refused': 'NOMINAL',
    'reporting-failed': 'NOMINAL',
  },
  DEGRADED: {
    'boot-verified': 'DEGRADED',
    'bundle-refused-at-boot': 'SAFE',
    'slot-corrupt': 'DEGRADED',
    'recovery-exhausted': 'SAFE',
    'floor-forked': 'LOCKED',
    'runtime-mismatch': 'LOCKED',
    'root-conflict': 'LOCKED',
    'worker-killed': 'DEGRADED',
    'respawn-exhausted': 'SAFE',
    'self-test-passed': 'NOMINAL',
    'self-test-failed': 'SAFE',
    'internal-error': 'SAFE',
    'sensor-bad': 'DEGRADED',
    'sensor-recovered': 'NOMINAL',
    'operator-pause': 'PAUSED',
    'operator-resume': 'DEGRADED',
    'operator-force-safe': 'FORCED',
    'operator-release': 'DEGRADED',
    'install-refused': 'DEGRADED',
    'command-refused': 'DEGRADED',
    'signature-refused': 'DEGRADED',
    'reporting-failed': 'DEGRADED',
  },
  SAFE: {
    'boot-verified': 'NOMINAL',
    'bundle-refused-at-boot': 'SAFE',
    'slot-corrupt': 'SAFE',
    'recovery-exhausted': 'SAFE',
    'floor-forked': 'LOCKED',
    'runtime-mismatch': 'LOCKED',
    'root-conflict': 'LOCKED',
    'worker-killed': 'SAFE',
    'respawn-exhausted': 'SAFE',
    'self-test-passed': 'NOMINAL',
    'self-test-failed': 'SAFE',
    'internal-error': 'SAFE',
    'sensor-bad': 'SAFE',
    'sensor-recovered': 'SAFE',
    'operator-pause': 'PAUSED',
    'operator-resume': 'SAFE',
    'operator-force-safe': 'FORCED',
    // A person vouches and nothing is proven yet: NOMINAL only after a passed self-test.
    'operator-release': 'DEGRADED',
    'install-refused': 'SAFE',
    'command-refused': 'SAFE',
    'signature-refused': 'SAFE',
    'reporting-failed': 'SAFE',
  },
  FORCED: {
    'boot-verified': 'FORCED',
    'bundle-refused-at-boot': 'FORCED',
    'slot-corrupt': 'FORCED',
    'recovery-exhausted': 'FORCED',
    'floor-forked': 'LOCKED',
    'runtime-mismatch': 'LOCKED',
    'root-conflict': 'LOCKED',
    'worker-killed': 'FORCED',
    'respawn-exhausted': 'FORCED',
    'self-test-passed': 'FORCED',
    'self-test-failed': 'FORCED',
    'internal-error': 'FORCED',
    'sensor-bad': 'FORCED',
    'sensor-recovered': 'FORCED',
    'operator-pause': 'PAUSED',
    'operator-resume': 'FORCED',
    'operator-force-safe': 'FORCED',
    // What happened while it was forced is not known any more: a self-test comes first.
    'operator-release': 'SAFE',
    'install-refused': 'FORCED',
    'command-refused': 'FORCED',
    'signature-refused': 'FORCED',
    'reporting-failed': 'FORCED',
  },
  LOCKED: {
    'boot-verified': 'LOCKED',
    'bundle-refused-at-boot': 'LOCKED',
    'slot-corrupt': 'LOCKED',
    'recovery-exhausted': 'LOCKED',
    'floor-forked': 'LOCKED',
    'runtime-mismatch': 'LOCKED',
    'root-conflict': 'LOCKED',
    'worker-killed': 'LOCKED',
    'respawn-exhausted': 'LOCKED',
    'self-test-passed': 'LOCKED',
    'self-test-failed': 'LOCKED',
    'internal-error': 'LOCKED',
    'sensor-bad': 'LOCKED',
    'sensor-recovered': 'LOCKED',
    'operator-pause': 'LOCKED',
    'operator-resume': 'LOCKED',
    'operator-force-safe': 'LOCKED',
    // The way out leads through SAFE: verification and self-test come first.
    'operator-release': 'SAFE',
    'install-refused': 'LOCKED',
    'command-refused': 'LOCKED',
    'signature-refused': 'LOCKED',
    'reporting-failed': 'LOCKED',
  },
  PAUSED: {
    'boot-verified': 'PAUSED',
    'bundle-refused-at-boot': 'PAUSED',
    'slot-corrupt': 'PAUSED',
    'recovery-exhausted': 'PAUSED',
    'floor-forked': 'LOCKED',
    'runtime-mismatch': 'LOCKED',
    'root-conflict': 'LOCKED',
    'worker-killed': 'PAUSED',
    'respawn-exhausted': 'PAUSED',
    'self-test-passed': 'PAUSED',
    'self-test-failed': 'PAUSED',
    'internal-error': 'PAUSED',
    'sensor-bad': 'PAUSED',
    'sensor-recovered': 'PAUSED',
    'operator-pause': 'PAUSED',
    'operator-resume': 'BEFORE',
    'operator-force-safe': 'PAUSED',
    'operator-release': 'PAUSED',
    'install-refused': 'PAUSED',
    'command-refused': 'PAUSED',
    'signature-refused': 'PAUSED',
    'reporting-failed': 'PAUSED',
  },
};

function settled(standing: Standing): ModeState {
  return { standing, before: standing };
}
