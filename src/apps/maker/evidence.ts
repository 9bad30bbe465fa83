/** An evaluation that goes along in a bundle: of this very model and guard, whatever it found. */
import { toHex } from '../../core/base/bytes.ts';
import { sha256 } from '../../core/crypto/digest.ts';
import { refuseMaker } from './faults.ts';

export const EVIDENCE_PATH = 'evaluation.json';

/** What of an evaluation has to be as it says; the rest is carried as it is. */
interface Claims {
  readonly format?: unknown;
  readonly identity?: { readonly modelSha256?: unknown; readonly policySha256?: unknown };
  readonly verdict?: { readonly passed?: unknown };
}

/**
 * Whether the evaluation was passed. Its figures are the maker's word: the release key vouches for
 * them, no device checks them. Refuses with `maker.evidence` what is no evaluation of `evaluate`, or
 * one of another model or guard.
 */
export function evidenceVerdict(
  json: Uint8Array,
  modelSha256: Uint8Array,
  guard: Uint8Array | undefined,
): boolean {
  const { format, identity, verdict } = claimsIn(json);
  if (format !== 'edgeward-evaluation' || typeof verdict?.passed !== 'boolean') {
    throw refuseMaker('maker.evidence', 'the file is no evaluation of `edgeward evaluate --json`');
  }
  if (identity?.modelSha256 !== toHex(modelSha256)) {
    throw refuseMaker('maker.evidence', 'the evaluation is of another model');
  }
  if (guard === undefined || identity.policySha256 !== toHex(sha256(guard))) {
    throw refuseMaker('maker.evidence', 'the evaluation is of another guard policy');
  }
  return verdict.passed;
}

/** Of a file that is no JSON object: none. */
function claimsIn(json: Uint8Array): Claims {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(json);
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
