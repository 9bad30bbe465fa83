/**
 * What a scan can find in a model: data about the file, not a failure of Edgeward. A maker who
 * knows why a finding is there waives it by its code, in the signed metadata.
 */
import { SCAN_FINDINGS_LISTED_MAX } from '../base/limits.ts';

/** Closed, and API: a code is never reworded. */
export type ScanCode =
  | 'scan.external-data'
  | 'scan.external-path'
  | 'scan.custom-domain'
  | 'scan.unknown-operator'
  | 'scan.tensor-size'
  | 'scan.tensor-data'
  | 'scan.loop-depth'
  | 'scan.function'
  | 'scan.sparse-tensor'
  | 'scan.metadata-size'
  | 'scan.unknown-field'
  | 'scan.merged-message';

/** `high`: it can reach out of the model or exhaust the board; `low`: it only hides something. */
export type ScanSeverity = 'high' | 'medium' | 'low';

export interface ScanFinding {
  readonly code: ScanCode;
  readonly severity: ScanSeverity;
  /** The way to it through the messages of the file, for example `graph.node[3].attribute[0].t`. */
  readonly place: string;
  /** What was seen, in words. Names from the file are quoted and cut. */
  readonly detail: string;
}

export interface ScanReport {
  /** In the order of the file, at most `SCAN_FINDINGS_LISTED_MAX` of each code. */
  readonly findings: readonly ScanFinding[];
  /** How many there are of each code that was found. */
  readonly counts: ReadonlyMap<ScanCode, number>;
}

/** Every code with its severity and its meaning in one sentence. */
export const SCAN_FINDINGS: Readonly<
  Record<ScanCode, { readonly severity: ScanSeverity; readonly meaning: string }>
> = {
  'scan.external-data': {
    severity: 'high',
    meaning: 'A tensor lies in another file, which is not in the bundle.',
  },
  'scan.external-path': {
    severity: 'high',
    meaning:
      'The file of an external tensor is named by something else than a plain relative path.',
  },
  'scan.custom-domain': {
    severity: 'medium',
    meaning: 'A node or function belongs to a domain that is not of the ONNX standard.',
  },
  'scan.unknown-operator': {
    severity: 'medium',
    meaning: 'An operator is not among the standard ones that ONNX Runtime Web has.',
  },
  'scan.tensor-size': {
    severity: 'high',
    meaning: 'A constant is, or becomes when the model is loaded, larger than a tensor may be.',
  },
  'scan.tensor-data': {
    severity: 'high',
    meaning: 'The data of a tensor do not fill its dimensions, or fill more than them.',
  },
  'scan.loop-depth': {
    severity: 'medium',
    meaning: 'Loops, conditions or scans are nested so that the work multiplies.',
  },
  'scan.function': {
    severity: 'medium',
    meaning: 'The model brings functions of its own, which can stand for any operator.',
  },
  'scan.sparse-tensor': {
    severity: 'medium',
    meaning: 'A sparse tensor can be any size once it is unpacked.',
  },
  'scan.metadata-size': {
    severity: 'low',
    meaning: 'The properties carry more than descriptions need.',
  },
  'scan.unknown-field': {
    severity: 'low',
    meaning: 'The file has a field that is not of the ONNX format, or of another type than there.',
  },
  'scan.merged-message': {
    severity: 'medium',
    meaning:
      'A part that stands once in a model is given in pieces, which readers may join differently.',
  },
};

export const SCAN_CODES: readonly ScanCode[] = Object.keys(SCAN_FINDINGS) as ScanCode[];

/** Collects findings; what is listed is bounded whatever the file holds. */
export class FindingList {
  readonly #findings: ScanFinding[] = [];
  readonly #counts = new Map<ScanCode, number>();

  /** `place` is asked only for findings that are listed. */
  add(code: ScanCode, place: () => string, detail: string): void {
    const count = (this.#counts.get(code) ?? 0) + 1;
    this.#counts.set(code, count);
    if (count > SCAN_FINDINGS_LISTED_MAX) return;
    const { severity } = SCAN_FINDINGS[code];
    this.#findings.push({ code, severity, place: place(), detail });
  }

  report(): ScanReport {
    return { findings: this.#findings, counts: this.#counts };
  }
}
