import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  buildTopic,
  isRetained,
  isSignedKind,
  parseTopic,
  TOPIC_KINDS,
} from '../../../src/core/telemetry/topic.ts';

const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);

describe('topic', () => {
  it('parses what it builds', () => {
    fc.assert(
      fc.property(id, id, fc.constantFrom(...TOPIC_KINDS), (group, device, kind) => {
        const topic = buildTopic({ group, device, kind });
        expect(topic.ok && parseTopic(topic.value)).toEqual({
          ok: true,
          value: { group, device, kind },
        });
      }),
    );
  });

  it('is total: every other text is a fault, and what parses is built again alike', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ maxLength: 300 }),
          fc.string({ maxLength: 80 }).map((rest) => `edgeward/v1/${rest}`),
          fc.array(fc.string({ maxLength: 70 }), { maxLength: 6 }).map((parts) => parts.join('/')),
        ),
        (topic) => {
          const parsed = parseTopic(topic);
          if (parsed.ok) expect(buildTopic(parsed.value)).toEqual({ ok: true, value: topic });
          else expect(['telemetry.topic', 'telemetry.id']).toContain(parsed.fault.code);
        },
      ),
    );
  });

  it.each([
    ['edgeward/v2/g/d/event', 'telemetry.topic'],
    ['edgeward/v1/g/d/alarm', 'telemetry.topic'],
    ['edgeward/v1/g/d', 'telemetry.topic'],
    ['edgeward/v1/g/d/event/', 'telemetry.topic'],
    ['edgeward/v1/g/d/json', 'telemetry.topic'],
    ['edgeward/v1/g.1/d/event', 'telemetry.id'],
    ['edgeward/v1/+/d/event', 'telemetry.id'],
    ['edgeward/v1/g/#', 'telemetry.id'],
    ['edgeward/v1//d/event', 'telemetry.id'],
    [`edgeward/v1/g/${'d'.repeat(65)}/event`, 'telemetry.id'],
    [`edgeward/v1/${'/'.repeat(10_000)}`, 'telemetry.topic'],
  ])('refuses %s', (topic, code) => {
    expect(parseTopic(topic)).toMatchObject({ ok: false, fault: { code } });
  });

  it('refuses to build with an id that would be another topic', () => {
    expect(buildTopic({ group: 'a/b', device: 'd', kind: 'event' })).toMatchObject({
      ok: false,
      fault: { code: 'telemetry.id' },
    });
  });

  it('signs what is evidence and retains what is state', () => {
    expect(TOPIC_KINDS.filter(isSignedKind)).toEqual(['birth', 'health', 'event']);
    expect(TOPIC_KINDS.filter((kind) => !isRetained(kind))).toEqual(['event']);
  });
});
