/**
 * What a caller is told of a judgement (guard 7): the verdict and the codes of the reasons. Scores,
 * p-values and thresholds are left out, because who learns by how much a frame failed can search for
 * one that does not. The record of the device and its telemetry hold all of it.
 */
import type { IoSchema } from '../bundle/io-schema.ts';
import { principalOf } from './caller-settings.ts';
import { FINDINGS, type Finding } from './findings.ts';
import type { Judgement } from './guard.ts';
import { minimised } from './output-minimisation.ts';
import type { GuardSettings } from './settings.ts';

/**
 * The judgement for whoever asked: whole for the device's own program, which has no principal. A
 * named one gets codes without numbers; what the model gave is minimised for it as the settings say,
 * unless the signed settings declare it a sensor. A declared safe output is nobody's secret.
 */
export function disclosed<T extends Judgement>(
  judged: T,
  principal: string | undefined,
  schema: IoSchema,
  settings: GuardSettings,
): T {
  if (principal === undefined) return judged;
  const { novelty: _, input: __, outputs, source, reasons, drift, ...rest } = judged;
  const ofModel = source === 'model' || source === 'last-good';
  const asks = principalOf(settings.callers, principal).kind === 'query';
  const told: Judgement = {
    ...rest,
    source,
    outputs: outputs && ofModel && asks ? minimised(outputs, schema, settings.disclosure) : outputs,
    reasons: reasons.map(codeOnly),
    ...(drift && { drift: drift.map(codeOnly) }),
    words: wordsOf(judged),
  };
  // All other members of T are those of `rest`.
  return told as T;
}

function codeOnly({ code, check }: Finding): Finding {
  return { code, check, detail: FINDINGS[code] };
}

function wordsOf({ verdict, reasons: [first] }: Judgement): string {
  return first === undefined ? verdict : `${verdict}: ${FINDINGS[first.code]}`;
}
