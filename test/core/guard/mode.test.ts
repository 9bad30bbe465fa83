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
  stepMode,
} from '../../../src/core/guard/mode.ts';

const CAUSES = Object.keys(MODES.NOMINAL) as Cause[];
const ALL = Object.keys(MODES) as Mode[];
const causes = fc.array(fc.constantFrom(...CAUSES), { maxLength: 12 });
const settled = (mode: Mode): ModeState => ({ mode, before: mode });
const reached = (...steps: Cause[]): ModeState => steps.reduce(stepMode, MODE_AT_START);
const walk = (steps: readonly Cause[]): ModeState => reached(...steps);

describe('the mode table', () => {
  it('is total: every mode answers every cause with a mode', () => {
    for (const mode of ALL) {
      expect(Object.keys(MODES[mode])).toEqual(CAUSES);
      for (const cause of CAUSES) expect(ALL).toContain(stepMode(settled(mode), cause).mode);
    }
  });

  it('starts SAFE and becomes NOMINAL by a verified boot', () => {
    expect(MODE_AT_START.mode).toBe('SAFE');
    expect(reached('boot-verified').mode).toBe('NOMINAL');
  });

  it('goes down by failures and up by a passed self-test', () => {
    expect(reached('boot-verified', 'worker-killed').mode).toBe('DEGRADED');
    expect(reached('boot-verified', 'worker-killed', 'self-test-passed').mode).toBe('NOMINAL');
    expect(reached('boot-verified', 'worker-killed', 'respawn-exhausted').mode).toBe('SAFE');
    expect(reached('boot-verified', 'self-test-failed', 'self-test-passed').mode).toBe('NOMINAL');
    expect(reached('boot-verified', 'slot-corrupt').mode).toBe('DEGRADED');
    expect(reached('boot-verified', 'internal-error').mode).toBe('SAFE');
    expect(reached('boot-verified', 'operator-force-safe', 'operator-release').mode).toBe(
      'DEGRADED',
    );
  });

  it('locks for a forked floor, a runtime mismatch and a root conflict only', () => {
    for (const mode of ALL.filter((name) => name !== 'LOCKED')) {
      const locking = CAUSES.filter((cause) => stepMode(settled(mode), cause).mode === 'LOCKED');
      expect(locking).toEqual(['floor-forked', 'runtime-mismatch', 'root-conflict']);
    }
  });

  it('leaves LOCKED by a signed release only, and then to SAFE', () => {
    fc.assert(
      fc.property(causes, (steps) => {
        const unsigned = steps.filter((cause) => cause !== 'operator-release');
        expect(unsigned.reduce(stepMode, reached('floor-forked')).mode).toBe('LOCKED');
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
    for (const mode of ALL) {
      const next = stepMode(settled(mode), 'sensor-bad').mode;
      expect(next).toBe(mode === 'NOMINAL' ? 'DEGRADED' : mode);
    }
  });
});

describe('PAUSED', () => {
  it('restores the mode before it', () => {
    for (const mode of ['NOMINAL', 'DEGRADED', 'SAFE'] as const) {
      const paused = stepMode(settled(mode), 'operator-pause');
      expect(paused).toEqual({ mode: 'PAUSED', before: mode });
      expect(stepMode(stepMode(paused, 'operator-pause'), 'operator-resume')).toEqual(
        settled(mode),
      );
    }
    expect(reached('root-conflict', 'operator-pause').mode).toBe('LOCKED');
  });

  it('remembers what happened meanwhile, and is no way around a lock', () => {
    const paused = reached('boot-verified', 'operator-pause');
    const failed = stepMode(paused, 'self-test-failed');
    expect(failed).toEqual({ mode: 'PAUSED', before: 'SAFE' });
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
        fc.pre(state.mode === 'PAUSED');
        const { mode } = stepMode(state, cause);
        if (mode !== 'PAUSED' && mode !== 'LOCKED') expect(cause).toBe('operator-resume');
      }),
    );
  });
});

describe('what a mode permits', () => {
  it('infers and releases in NOMINAL and DEGRADED only', () => {
    expect(ALL.filter(mayInfer)).toEqual(['NOMINAL', 'DEGRADED']);
    expect(ALL.filter(mayRelease)).toEqual(['NOMINAL', 'DEGRADED']);
    expect(ALL.filter(maySelfTest)).toEqual(ALL.filter((mode) => mode !== 'LOCKED'));
  });
});
