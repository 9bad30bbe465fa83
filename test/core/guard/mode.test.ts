import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Cause,
  MODE_AT_START,
  MODES,
  type Mode,
  type ModeState,
  mayInfer,
  mayRelease,
  maySelfTest,
  modeOf,
  type Standing,
  stepMode,
} from '../../../src/core/guard/mode.ts';

const CAUSES = Object.keys(MODES.NOMINAL) as Cause[];
const STANDINGS = Object.keys(MODES) as Standing[];
const ALL = STANDINGS.filter((one): one is Mode => one !== 'FORCED');
const causes = fc.array(fc.constantFrom(...CAUSES), { maxLength: 12 });
const settled = (standing: Standing): ModeState => ({ standing, before: standing });
const reached = (...steps: Cause[]): ModeState => steps.reduce(stepMode, MODE_AT_START);
const walk = (steps: readonly Cause[]): ModeState => reached(...steps);

describe('the mode table', () => {
  it('is total: every mode answers every cause with a mode', () => {
    for (const standing of STANDINGS) {
      expect(Object.keys(MODES[standing])).toEqual(CAUSES);
      for (const cause of CAUSES) expect(ALL).toContain(modeOf(stepMode(settled(standing), cause)));
    }
  });

  it('starts SAFE and becomes NOMINAL by a verified boot', () => {
    expect(modeOf(MODE_AT_START)).toBe('SAFE');
    expect(modeOf(reached('boot-verified'))).toBe('NOMINAL');
  });

  it('goes down by failures and up by a passed self-test', () => {
    expect(modeOf(reached('boot-verified', 'worker-killed'))).toBe('DEGRADED');
    expect(modeOf(reached('boot-verified', 'worker-killed', 'self-test-passed'))).toBe('NOMINAL');
    expect(modeOf(reached('boot-verified', 'worker-killed', 'respawn-exhausted'))).toBe('SAFE');
    expect(modeOf(reached('boot-verified', 'self-test-failed', 'self-test-passed'))).toBe(
      'NOMINAL',
    );
    expect(modeOf(reached('boot-verified', 'slot-corrupt'))).toBe('DEGRADED');
    expect(modeOf(reached('boot-verified', 'internal-error'))).toBe('SAFE');
    expect(modeOf(reached('boot-verified', 'self-test-failed', 'operator-release'))).toBe(
      'DEGRADED',
    );
  });

  it('locks for a forked floor, a runtime mismatch and a root conflict only', () => {
    for (const standing of STANDINGS.filter((name) => name !== 'LOCKED')) {
      const after = (cause: Cause): Mode => modeOf(stepMode(settled(standing), cause));
      const locking = CAUSES.filter((cause) => after(cause) === 'LOCKED');
      expect(locking).toEqual(['floor-forked', 'runtime-mismatch', 'root-conflict']);
    }
  });

  it('leaves LOCKED by a signed release only, and then to SAFE', () => {
    fc.assert(
      fc.property(causes, (steps) => {
        const unsigned = steps.filter((cause) => cause !== 'operator-release');
        expect(modeOf(unsigned.reduce(stepMode, reached('floor-forked')))).toBe('LOCKED');
      }),
    );
    expect(reached('floor-forked', 'operator-release')).toEqual(settled('SAFE'));
  });

  it.each(['install-refused', 'command-refused', 'signature-refused', 'reporting-failed'] as const)(
    'is not moved by %s',
    (cause) => {
      fc.assert(
        fc.property(causes, (steps) => {
          const state = walk(steps);
          expect(stepMode(state, cause)).toEqual(state);
        }),
      );
    },
  );

  it('lets a sensor degrade, and never more', () => {
    for (const standing of STANDINGS) {
      const next = stepMode(settled(standing), 'sensor-bad').standing;
      expect(next).toBe(standing === 'NOMINAL' ? 'DEGRADED' : standing);
    }
  });
});

describe('PAUSED', () => {
  it('restores the mode before it', () => {
    for (const before of ['NOMINAL', 'DEGRADED', 'SAFE', 'FORCED'] as const) {
      const paused = stepMode(settled(before), 'operator-pause');
      expect(paused).toEqual({ standing: 'PAUSED', before });
      expect(stepMode(stepMode(paused, 'operator-pause'), 'operator-resume')).toEqual(
        settled(before),
      );
    }
    expect(modeOf(reached('root-conflict', 'operator-pause'))).toBe('LOCKED');
  });

  it('remembers what happened meanwhile, and is no way around a lock', () => {
    const paused = reached('boot-verified', 'operator-pause');
    const failed = stepMode(paused, 'self-test-failed');
    expect(failed).toEqual({ standing: 'PAUSED', before: 'SAFE' });
    expect(stepMode(failed, 'operator-resume')).toEqual(settled('SAFE'));
    expect(stepMode(paused, 'runtime-mismatch')).toEqual(settled('LOCKED'));
  });

  it('resumes to where the same causes would have led without the pause', () => {
    const others = causes.map((list) => list.filter((cause) => !/pause|resume/.test(cause)));
    fc.assert(
      fc.property(others, others, (first, meanwhile) => {
        const plain = walk([...first, ...meanwhile]);
        const paused = walk([...first, 'operator-pause', ...meanwhile, 'operator-resume']);
        expect(paused).toEqual(plain);
      }),
      { numRuns: 500 },
    );
  });

  it('is left by a resume or a lock only', () => {
    fc.assert(
      fc.property(causes, fc.constantFrom(...CAUSES), (steps, cause) => {
        const state = stepMode(walk(steps), 'operator-pause');
        fc.pre(state.standing === 'PAUSED');
        const mode = modeOf(stepMode(state, cause));
        if (mode !== 'PAUSED' && mode !== 'LOCKED') expect(cause).toBe('operator-resume');
      }),
    );
  });
});

describe('SAFE that an operator forced', () => {
  it('is SAFE to everybody else, wherever it came from', () => {
    for (const standing of ['NOMINAL', 'DEGRADED', 'SAFE', 'FORCED'] as const) {
      const forced = stepMode(settled(standing), 'operator-force-safe');
      expect([forced, modeOf(forced)]).toEqual([settled('FORCED'), 'SAFE']);
    }
    expect(reached('floor-forked', 'operator-force-safe')).toEqual(settled('LOCKED'));
  });

  it('is healed by an operator release and by nothing else, through a pause as well', () => {
    fc.assert(
      fc.property(causes, causes, (before, after) => {
        const others = after.filter((cause) => cause !== 'operator-release');
        const state = others.reduce(stepMode, walk([...before, 'operator-force-safe']));
        expect(mayRelease(modeOf(state))).toBe(false);
        expect(mayRelease(modeOf(stepMode(state, 'operator-resume')))).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('leads through the SAFE that a self-test heals', () => {
    const released = reached('boot-verified', 'operator-force-safe', 'operator-release');
    expect(released).toEqual(settled('SAFE'));
    expect(modeOf(stepMode(released, 'self-test-passed'))).toBe('NOMINAL');
  });
});

describe('what a mode permits', () => {
  it('infers and releases in NOMINAL and DEGRADED only', () => {
    expect(ALL.filter(mayInfer)).toEqual(['NOMINAL', 'DEGRADED']);
    expect(ALL.filter(mayRelease)).toEqual(['NOMINAL', 'DEGRADED']);
    expect(ALL.filter(maySelfTest)).toEqual(ALL.filter((mode) => mode !== 'LOCKED'));
  });
});
