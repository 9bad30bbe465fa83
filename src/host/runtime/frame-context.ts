/** What comes with a frame, held to its form: a misspelt `principal` would switch a budget off. */
import { attempt, type Result } from '../../core/base/fault.ts';
import { Fields, refuseField } from '../../core/base/fields.ts';
import { PRINCIPAL_CHARS_MAX } from '../../core/base/limits.ts';
import { isPrincipalName } from '../../core/guard/caller-settings.ts';
import type { FrameContext } from '../../core/guard/guard.ts';

/** Faults: `field.*`. */
export function readContext(value: unknown): Result<FrameContext> {
  return attempt(() => {
    const fields = Fields.of('context', copyOf(value));
    const principal = fields.optional('principal', (name) =>
      fields.text(name, PRINCIPAL_CHARS_MAX),
    );
    const capturedAtMs = fields.optional('capturedAtMs', (name) => fields.number(name));
    fields.done();
    if (principal !== undefined && !isPrincipalName(principal)) {
      throw refuseField('field.range', `${fields.at('principal')} is no name of a principal`);
    }
    return { principal, capturedAtMs };
  });
}

/** Read once; a member that cannot even be read is refused like one of the wrong type. */
function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Map) return value;
  try {
    // An object of a class has its getters elsewhere; it must not lose its principal by that.
    const { principal, capturedAtMs } = value as FrameContext;
    return Array.isArray(value) ? value : { ...value, principal, capturedAtMs };
  } catch (thrown) {
    throw refuseField('field.type', `the context cannot be read: ${String(thrown)}`);
  }
}

/** Of a frame whose context could not be read: a caller, in doubt, and one with no rights. */
export const NOBODY: FrameContext = { principal: '' };
