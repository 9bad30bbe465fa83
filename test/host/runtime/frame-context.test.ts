/** Who asks for a frame: read strictly, told less, and refused with a verdict where it is no context. */
import { describe, expect, it } from 'vitest';
import { ok, type Result } from '../../../src/core/base/fault.ts';
import { DEFAULT_CALLER_SETTINGS } from '../../../src/core/guard/caller-settings.ts';
import type { FrameContext } from '../../../src/core/guard/guard.ts';
import { DEFAULT_GUARD_SETTINGS } from '../../../src/core/guard/settings.ts';
import type { NamedTensors } from '../../../src/core/numeric/tensor.ts';
import { readContext } from '../../../src/host/runtime/frame-context.ts';
import { accepted, codeOf } from '../../core/base/outcome.ts';
import { ECHO_IO, frame, rowOf } from './releases.ts';
import { fresh, gate, scripted, sessionOf, settled, tensor } from './scripted-model.ts';

describe('a context', () => {
  it('names who asks and when the frame was taken, or neither', () => {
    expect(accepted(readContext({ principal: 'a', capturedAtMs: 5 }))).toEqual({
      ...{ principal: 'a', capturedAtMs: 5 },
    });
    expect(accepted(readContext({}))).toEqual({});
    expect(accepted(readContext(new Map([['principal', 'b']])))).toEqual({ principal: 'b' });
  });

  it.each<[unknown, string]>([
    [{ principle: 'a' }, 'field.unknown'],
    [{ principal: 7 }, 'field.type'],
    [{ principal: '' }, 'field.range'],
    [{ principal: 'x'.repeat(129) }, 'field.range'],
    [{ principal: '\ud800' }, 'field.range'],
    [{ capturedAtMs: Number.NaN }, 'field.type'],
    [{ capturedAtMs: '5' }, 'field.type'],
    [null, 'field.type'],
    ['gateway', 'field.type'],
    [[], 'field.type'],
  ])('is refused where it is none: %j', (value, code) => {
    expect(codeOf(readContext(value))).toBe(code);
  });

  it('may be an object of a class', () => {
    class Asked {
      get principal(): string {
        return 'a';
      }
    }
    expect(accepted(readContext(new Asked()))).toEqual({ principal: 'a' });
  });

  it('that throws when it is read is refused as well', () => {
    const hostile = {
      get principal(): string {
        throw new Error('no');
      },
    };
    expect(codeOf(readContext(hostile))).toBe('field.type');
  });
});

describe('a session', () => {
  it('answers a frame with a context that is none without the model, and as to a caller', async () => {
    const model = scripted();
    const { session } = sessionOf(model);
    const { verdict, source, reasons } = await session.infer(fresh(), {
      principle: 'a',
    } as FrameContext);
    expect([verdict, source, reasons[0]?.code]).toEqual([
      ...['substitute', 'safe', 'contract.not-tensors'],
    ]);
    expect(reasons[0]?.detail).not.toContain('principle');
    expect(model.counts.runs).toBe(0);
  });

  it('tells telemetry the numbers that it keeps from the caller', async () => {
    const { actions } = DEFAULT_GUARD_SETTINGS;
    const { session, events } = sessionOf(scripted({ actions: { ...actions, output: 'flag' } }));
    const { reasons, words } = await session.infer(frame(99, 1), { principal: 'somebody' });
    expect(reasons).toEqual([
      { code: 'output.range', check: 'output', detail: expect.any(String) },
    ]);
    expect(reasons[0]?.detail + words).not.toMatch(/\d/);
    const event = events.find(({ type }) => type === 'output.finding');
    expect(event).toMatchObject({ findings: [{ code: 'output.range', value: 99 }] });
  });

  it('gives a caller a released hold as it gives any output: minimised', async () => {
    const { actions } = DEFAULT_GUARD_SETTINGS;
    const settings = {
      actions: { ...actions, output: 'hold' },
      disclosure: { topK: 0, decimals: 0, features: false },
    } as const;
    const model = scripted(settings);
    const outputs = ECHO_IO.outputs.map((y) => ({ ...y, role: 'scores' }) as const);
    Object.assign(model.model.bundle.meta, { io: { ...ECHO_IO, outputs } });
    const { session, clock, events } = sessionOf(model);
    const answers = [undefined, { principal: 'somebody' }].map((context, n) =>
      session.infer(frame(99, 0.25 + n), context),
    );
    while (events.filter(({ type }) => type === 'operator.held').length < 2) await settled();
    for (const hold of [1, 2]) {
      session.operated.held.answer(hold, 'release', clock.monotonicMs());
    }
    const [own, theirs] = await Promise.all(answers);
    expect(rowOf(own?.outputs)).toEqual([99, 0.25]);
    expect(theirs).toMatchObject({ source: 'model', hold: { id: 2, ending: 'release' } });
    expect(rowOf(theirs?.outputs)).toEqual([99, 1]);
    expect(theirs?.words).toMatch(/^hold: /);
  });

  it('holds a caller to his budget, and the device’s own program to none', async () => {
    const meter = { kind: 'query', perSecond: 1, burst: 9, budget: 1 } as const;
    const callers = { ...DEFAULT_CALLER_SETTINGS, principals: new Map([['meter', meter]]) };
    const { session } = sessionOf(scripted({ callers }));
    const verdicts: string[] = [];
    for (const principal of ['meter', 'meter', undefined, undefined]) {
      const { verdict } = await session.infer(fresh(), principal ? { principal } : undefined);
      verdicts.push(verdict);
    }
    expect(verdicts).toEqual(['release', 'withhold', 'release', 'release']);
  });

  it('does not lose an acknowledgement to the frame under way', async () => {
    const model = scripted();
    const { session } = sessionOf(model);
    const slow = gate<Result<NamedTensors>>();
    model.answers.push(() => slow.promise);
    const answer = session.infer(fresh());
    await settled();
    let done = false;
    const acknowledged = session.operated.acknowledge('drift').then(() => {
      done = true;
    });
    await settled();
    expect(done).toBe(false);
    slow.open(ok(new Map([['y', tensor(0, 0)]])));
    await answer;
    await acknowledged;
  });
});
