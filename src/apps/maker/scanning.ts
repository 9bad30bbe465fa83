/** The scan as a gate: what it finds must be known to the maker, who waives it by its code. */
import { attempt, need, type Result } from '../../core/base/fault.ts';
import { scanModel } from '../../core/onnx/scan.ts';
import type { ScanCode, ScanFinding, ScanReport } from '../../core/onnx/scan-findings.ts';
import { refuseMaker } from './faults.ts';

/** Gives the codes that were found and waived. Faults: those of `admitReport`, `onnx.*`. */
export function admitModel(
  model: Uint8Array,
  waive: readonly ScanCode[],
): Result<readonly ScanCode[]> {
  return attempt(() => need(admitReport(need(scanModel(model)), waive)));
}

/** The same of a scan that was made already. Fault: `scan.findings` where one is not waived. */
export function admitReport(
  report: ScanReport,
  waive: readonly ScanCode[],
): Result<readonly ScanCode[]> {
  return attempt(() => {
    const found = [...report.counts.keys()];
    const open = found.filter((code) => !waive.includes(code));
    if (open.length > 0) throw refuseMaker('scan.findings', openText(report, open));
    return found;
  });
}

/** `code at place: detail`, for people. */
export function findingText({ code, place, detail }: ScanFinding): string {
  return `${code} at ${place}: ${detail}`;
}

function openText({ findings, counts }: ScanReport, open: readonly ScanCode[]): string {
  const first = findings.find(({ code }) => open.includes(code));
  const total = open.reduce((sum, code) => sum + (counts.get(code) ?? 0), 0);
  const all = `${total} in all: ${open.join(', ')}`;
  return first === undefined ? all : `${findingText(first)}; ${all}`;
}
