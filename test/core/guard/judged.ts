/** A frame as the guard judges its novelty, for tests of what lies behind it. */
import { assert } from '../../../src/core/base/fault.ts';
import { type CheckScore, judgeScore } from '../../../src/core/guard/joint.ts';
import { scoreNovelty } from '../../../src/core/guard/novelty.ts';
import type { GuardPolicy } from '../../../src/core/guard/policy.ts';
import { referenceKernels } from '../../../src/core/numeric/reference.ts';

export function judgedNovelty(
  policy: GuardPolicy,
  logits: Float32Array,
  features: Float32Array | undefined,
): CheckScore {
  const score = scoreNovelty(policy.novelty, referenceKernels, logits, features).score;
  const judged = judgeScore(policy.checks, 'novelty', score);
  assert(judged !== undefined, 'every policy judges novelty');
  return judged;
}
