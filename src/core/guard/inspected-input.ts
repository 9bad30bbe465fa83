/** The input statistics of one frame, taken once, whoever asks first. */
import type { NamedTensors } from '../numeric/tensor.ts';
import type { Finding } from './findings.ts';
import { inputScore, statisticsOf, strangestStatistic } from './input-statistics.ts';
import { type CheckScore, judgeScore } from './joint.ts';
import type { GuardPolicy } from './policy.ts';
import { alarmFinding, notScored } from './seen-frame.ts';

/** What the input-statistics check found in a frame. */
export interface Inspected {
  readonly score: CheckScore | undefined;
  readonly findings: readonly Finding[];
}

export const NOT_INSPECTED: Inspected = { score: undefined, findings: [] };

/** The check on these inputs; `inputs` are not written to any more. */
export function inspection(policy: GuardPolicy | undefined, inputs: NamedTensors): () => Inspected {
  let made: Inspected | undefined;
  return () => {
    made ??= inspected(policy, inputs);
    return made;
  };
}

function inspected(policy: GuardPolicy | undefined, inputs: NamedTensors): Inspected {
  if (policy?.input === undefined) return NOT_INSPECTED;
  const raw = inputScore(policy.input, inputs.get(policy.input.input));
  const score = judgeScore(policy.checks, 'input', raw);
  return { score, findings: inputFindings(policy, inputs, score) };
}

function inputFindings(
  policy: GuardPolicy | undefined,
  inputs: NamedTensors,
  judged: CheckScore | undefined,
): readonly Finding[] {
  if (policy?.input === undefined || judged?.alarm !== true) return [];
  const { input, layout } = policy.input;
  const tensor = inputs.get(input);
  const statistics = tensor && statisticsOf(layout, tensor);
  if (statistics === undefined || !Number.isFinite(judged.score)) {
    return [notScored('input.not-scored', 'the input has no finite statistics', judged)];
  }
  const strangest = strangestStatistic(policy.input, statistics);
  const also = strangest && `strangest is ${strangest.name}, ${strangest.value.toPrecision(4)}`;
  return [alarmFinding('input.unlike-calibration', judged, also)];
}
