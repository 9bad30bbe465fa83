/** One judgement as a line: JSON with stable names for programs, words for people. */
import type { Finding } from '../../core/guard/findings.ts';
import { halfToNumber } from '../../core/numeric/float16.ts';
import type { NamedTensors, Tensor } from '../../core/numeric/tensor.ts';
import type { FrameJudgement } from '../../host/runtime/guarded-session.ts';
import { styled } from './terminal.ts';

const SHOWN_VALUES = 6;
const STYLES = {
  release: 'green',
  flag: 'yellow',
  substitute: 'red',
  hold: 'red',
  withhold: 'red',
} as const;

/** The form that `edgeward infer --json` documents. */
export function judgementJson(row: number, judgement: FrameJudgement): Record<string, unknown> {
  const { verdict, source, outputs, novelty, input, reasons, drift, hold, mode } = judgement;
  return {
    row,
    verdict,
    source,
    outputs: outputs === undefined ? {} : plainOutputs(outputs),
    ...(novelty === undefined ? {} : { novelty }),
    ...(input === undefined ? {} : { input }),
    reasons: reasons.map(plainFinding),
    ...(drift === undefined ? {} : { drift: drift.map(plainFinding) }),
    ...(hold === undefined ? {} : { hold }),
    mode,
  };
}

export function judgementLine(name: string, judgement: FrameJudgement): string {
  const { verdict, outputs, novelty, input, reasons, drift = [], hold } = judgement;
  const p = novelty === undefined ? '' : `  p=${novelty.p.toPrecision(3)}`;
  const ofInput = input === undefined ? '' : `  input p=${input.p.toPrecision(3)}`;
  const waited = hold === undefined ? '' : `  hold ${hold.id}: ${hold.ending}`;
  const found = [reasons[0], ...drift.filter((alarm) => alarm !== reasons[0])];
  const why = found
    .map((one) => (one === undefined ? '' : `  ${one.code}: ${one.detail}`))
    .join('');
  const judged = `${styled(STYLES[verdict], verdict.padEnd(10))}${p}${ofInput}${waited}`;
  return `${name}  ${judged}  ${shown(outputs)}${why}`;
}

function plainFinding({ code, value, threshold, p, detail }: Finding): Record<string, unknown> {
  return { code, value, threshold, ...(p === undefined ? {} : { p }), detail };
}

function plainOutputs(outputs: NamedTensors): Record<string, readonly (number | string)[]> {
  return Object.fromEntries([...outputs].map(([name, tensor]) => [name, plainData(tensor)]));
}

/** 64-bit integers beyond the safe range become texts, so that no digit is lost. */
function plainData({ dtype, data }: Tensor): readonly (number | string)[] {
  if (!ArrayBuffer.isView(data)) return data;
  if (dtype === 'float16') return Array.from(data as Uint16Array, halfToNumber);
  return Array.from(data as ArrayLike<number | bigint>, (value) => {
    if (typeof value === 'number') return value;
    const small = Number(value);
    return Number.isSafeInteger(small) ? small : String(value);
  });
}

function shown(outputs: NamedTensors | undefined): string {
  const [first] = outputs ?? [];
  if (first === undefined) return 'no output';
  const [name, tensor] = first;
  const values = plainData(tensor).slice(0, SHOWN_VALUES);
  const texts = values.map((value) => (typeof value === 'number' ? value.toPrecision(4) : value));
  return `${name}=[${texts.join(', ')}${tensor.data.length > SHOWN_VALUES ? ', ...' : ''}]`;
}
