/** The maker's model named on the command line, with its metadata file. */
import { need } from '../../core/base/fault.ts';
import { METADATA_JSON_BYTES_MAX, PAYLOAD_IN_MEMORY_BYTES_MAX } from '../../core/base/limits.ts';
import { readFileBounded } from '../../host/store/files.ts';
import { type MakerModel, openMakerModel } from '../maker/maker-model.ts';

/** Refuses with `store.*` and what `openMakerModel` gives. */
export async function openModelFiles(
  modelPath: string,
  metadataPath: string | undefined,
): Promise<MakerModel> {
  const bytes = need(readFileBounded(modelPath, PAYLOAD_IN_MEMORY_BYTES_MAX));
  const json =
    metadataPath === undefined
      ? undefined
      : need(readFileBounded(metadataPath, METADATA_JSON_BYTES_MAX));
  return need(await openMakerModel(bytes, json));
}
