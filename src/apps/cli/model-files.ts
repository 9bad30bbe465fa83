/** The maker's model named on the command line, with its metadata file. */
import { need } from '../../core/base/fault.ts';
import { METADATA_JSON_BYTES_MAX, PAYLOAD_IN_MEMORY_BYTES_MAX } from '../../core/base/limits.ts';
import { readMakerMetadata } from '../../core/bundle/metadata-json.ts';
import type { ScanCode } from '../../core/onnx/scan-findings.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { type MakerModel, openMakerModel } from '../maker/maker-model.ts';
import { admitModel } from '../maker/scanning.ts';

/**
 * Scans the model before anything opens it. Refuses with `store.*`, `scan.findings` and what
 * `openMakerModel` gives.
 */
export async function openModelFiles(
  modelPath: string,
  metadataPath: string | undefined,
): Promise<MakerModel> {
  const bytes = need(readFileBounded(modelPath, PAYLOAD_IN_MEMORY_BYTES_MAX));
  const json =
    metadataPath === undefined
      ? undefined
      : need(readFileBounded(metadataPath, METADATA_JSON_BYTES_MAX));
  need(admitModel(bytes, waivedIn(json)));
  return need(await openMakerModel(bytes, json));
}

function waivedIn(json: Uint8Array | undefined): readonly ScanCode[] {
  return json === undefined ? [] : need(readMakerMetadata(json)).waive;
}
