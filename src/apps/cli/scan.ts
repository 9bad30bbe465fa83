/** `edgeward scan`: what a maker should know of a model before signing it. Nothing of it is run. */
import { need } from '../../core/base/fault.ts';
import { METADATA_JSON_BYTES_MAX, PAYLOAD_IN_MEMORY_BYTES_MAX } from '../../core/base/limits.ts';
import { readMakerMetadata } from '../../core/bundle/metadata-json.ts';
import { scanModel } from '../../core/onnx/scan.ts';
import { SCAN_FINDINGS, type ScanReport } from '../../core/onnx/scan-findings.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { admitReport, findingText } from '../maker/scanning.ts';
import { printable, say, sayJson, styled } from './terminal.ts';

export interface ScanOptions {
  readonly metadata?: string;
  readonly json?: boolean;
}

/** Refuses with `scan.findings` after it has told them, `store.*`, `onnx.*`, `metadata.*`. */
export function scan(file: string, options: ScanOptions): void {
  const model = need(readFileBounded(file, PAYLOAD_IN_MEMORY_BYTES_MAX));
  const waive =
    options.metadata === undefined
      ? []
      : need(readMakerMetadata(need(readFileBounded(options.metadata, METADATA_JSON_BYTES_MAX))))
          .waive;
  const report = need(scanModel(model));
  if (options.json === true) {
    const { findings, counts } = report;
    const waived = [...counts.keys()].filter((code) => waive.includes(code));
    sayJson({ file, findings, counts: Object.fromEntries(counts), waived });
  } else show(file, report, waive);
  need(admitReport(report, waive));
}

function show(file: string, { findings, counts }: ScanReport, waive: readonly string[]): void {
  if (counts.size === 0) say(`${styled('green', 'nothing found')} in ${file}`);
  for (const [code, count] of counts) {
    const { severity, meaning } = SCAN_FINDINGS[code];
    const waived = waive.includes(code) ? styled('dim', ' (waived)') : '';
    say(`${styled(severity === 'high' ? 'red' : 'yellow', code)}  ${severity}, ${count}${waived}`);
    say(`  ${meaning}`);
    const listed = findings.filter((finding) => finding.code === code);
    for (const finding of listed) say(printable(`    ${findingText(finding)}`));
    if (listed.length < count) say(`    and ${count - listed.length} more`);
  }
}
