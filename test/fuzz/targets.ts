/** Every reader that outside bytes reach, each with documents to change and what must hold after. */
import { attempt, need, type Result } from '../../src/core/base/fault.ts';
import { decodeGolden, encodeGolden } from '../../src/core/bundle/golden-codec.ts';
import { differenceIn } from '../../src/core/bundle/golden-tolerance.ts';
import { readManifestEntry, walkPayloads } from '../../src/core/bundle/layout.ts';
import {
  decodeMetadata,
  encodeMetadata,
  type ModelMetadata,
} from '../../src/core/bundle/metadata.ts';
import { mergeIoSchema, readMakerMetadata } from '../../src/core/bundle/metadata-json.ts';
import { bytesSource } from '../../src/core/bundle/source.ts';
import { decodeCbor } from '../../src/core/cose/decode.ts';
import { encodeCbor } from '../../src/core/cose/encode.ts';
import { claimedKid, openSign1 } from '../../src/core/cose/sign1.ts';
import type { CborMap, CborValue } from '../../src/core/cose/value.ts';
import { sealRecord } from '../../src/core/crypto/mac.ts';
import { parseBoardProfile } from '../../src/core/device/profile.ts';
import { parseSafeOutput, safeOutputTensors } from '../../src/core/guard/safe-output.ts';
import { parseGuardSettings } from '../../src/core/guard/settings.ts';
import { decodeNpy, encodeNpy } from '../../src/core/numeric/npy.ts';
import { readGraph } from '../../src/core/onnx/graph.ts';
import { linearHead } from '../../src/core/onnx/linear-head.ts';
import { decodeTensor } from '../../src/core/onnx/tensor-proto.ts';
import { openEnvelope } from '../../src/core/suit/envelope.ts';
import { encodeManifest, parseManifest } from '../../src/core/suit/manifest.ts';
import { decodeBirth, encodeBirth } from '../../src/core/telemetry/birth.ts';
import { decodeEvent, encodeEvent } from '../../src/core/telemetry/event.ts';
import { decodeHealth, encodeHealth } from '../../src/core/telemetry/health.ts';
import { decodeStatus } from '../../src/core/telemetry/status.ts';
import { decodeFloor, encodeFloor } from '../../src/core/trust/floor.ts';
import { decodeRevocations } from '../../src/core/trust/revocation.ts';
import { decodeRoot } from '../../src/core/trust/root.ts';
import { changeArchive } from './archive-changes.ts';
import { changeBytes } from './byte-changes.ts';
import { changeCbor } from './cbor-changes.ts';
import * as document from './documents.ts';
import { GUARD_TARGETS } from './guard-targets.ts';
import { changeJson } from './json-changes.ts';
import { anyNpy } from './npy-changes.ts';
import { changeProto } from './proto-changes.ts';
import type { Random } from './random.ts';
import { changed, forged, sameBytes, type Target, type Trial, trial } from './trial.ts';
import * as trust from './trust-documents.ts';
import { WHOLE_TARGETS } from './whole-targets.ts';

const CBOR = /^cbor\./;

const cborOf = (original: Uint8Array, random: Random): Uint8Array =>
  changed(original, () => changeCbor(original, random));

const BELOW: readonly Target[] = [
  {
    name: 'cbor',
    share: 24,
    firstGate: CBOR,
    trial(random) {
      const input = cborOf(random.pick(document.CBOR_DOCUMENTS), random);
      return trial(
        input,
        () => decodeCbor(input, { tags: [18, 107], bytesMax: 64 * 1024 }),
        (value) => sameBytes(input, encodeCbor(value)),
      );
    },
  },
  {
    name: 'cose',
    share: 10,
    firstGate: CBOR,
    trial(random) {
      const { block, open } = random.pick(document.SIGN1_BLOCKS);
      const input = cborOf(block, random);
      // Verifying costs a hundred times what reading does: few cases get a key.
      const keyOf = random.oneIn(200) ? open.keyOf : () => undefined;
      if (random.oneIn(16)) return trial(input, () => claimedKid(input));
      return trial(input, () => openSign1(input, { ...open, keyOf }), forged);
    },
  },
  {
    name: 'cose-ml-dsa',
    share: 3,
    firstGate: CBOR,
    trial(random) {
      const input = cborOf(document.ML_DSA_BLOCK, random);
      return trial(input, () => document.openMlDsa(input, random.oneIn(4)), forged);
    },
  },
  {
    name: 'suit-envelope',
    share: 8,
    firstGate: CBOR,
    trial(random) {
      const input = random.oneIn(2)
        ? document.refitted(cborOf(document.MANIFEST, random), document.META)
        : cborOf(document.ENVELOPE, random);
      return trial(input, () =>
        attempt(() => {
          const envelope = need(openEnvelope(input));
          return { envelope, manifest: need(parseManifest(envelope.manifest)) };
        }),
      );
    },
  },
  {
    name: 'suit-manifest',
    share: 8,
    firstGate: CBOR,
    trial(random) {
      const input = random.oneIn(4)
        ? encodeManifest(document.anyManifest(random))
        : cborOf(document.MANIFEST, random);
      return trial(
        input,
        () => parseManifest(input),
        (manifest) => sameBytes(input, encodeManifest(manifest)),
      );
    },
  },
  {
    name: 'metadata',
    share: 10,
    firstGate: CBOR,
    trial(random) {
      const input = cborOf(document.META, random);
      return trial(
        input,
        () => decodeMetadata(input),
        (meta) => {
          readGuardRoom(meta);
          return sameBytes(input, encodeMetadata(meta));
        },
      );
    },
  },
  {
    name: 'bundle-walk',
    share: 5,
    firstGate: /^bundle\.(header|truncated|too-large)$/,
    trial(random) {
      const input = changed(document.BUNDLE, () => changeArchive(document.BUNDLE_MEMBERS, random));
      const keep = random.oneIn(2);
      const check = random.pick(['full', 'lazy'] as const);
      return trial(input, () =>
        attempt(() => {
          const source = bytesSource(input);
          const { endOffset } = need(readManifestEntry(source));
          const options = { keep: () => keep, check };
          return need(walkPayloads(source, endOffset, document.FILES, options));
        }),
      );
    },
  },
  {
    name: 'npy',
    share: 10,
    firstGate: /^npy\.(magic|version|header)$/,
    trial(random) {
      const input = random.oneIn(3) ? changeBytes(document.NPY, random) : anyNpy(random);
      return trial(
        input,
        () => decodeNpy(input),
        (tensor) => {
          const again = need(decodeNpy(encodeNpy(tensor)));
          const same = String(again.dims) === String(tensor.dims) && again.dtype === tensor.dtype;
          return same && again.data.length === tensor.data.length ? undefined : 'another tensor';
        },
      );
    },
  },
  {
    name: 'root',
    share: 4,
    firstGate: CBOR,
    trial(random) {
      // Without blocks the payload is read whole and `root.threshold` is its last gate.
      const payload = cborOf(trust.ROOT_PAYLOAD, random);
      const input = encodeCbor([payload, []]);
      return trial(input, () => decodeRoot(input), forged);
    },
  },
  {
    name: 'revocations',
    share: 3,
    firstGate: CBOR,
    trial(random) {
      // Without blocks the payload is read whole and `revocation.threshold` is its last gate.
      const input = encodeCbor([cborOf(trust.REVOCATION_PAYLOAD, random), []]);
      return trial(input, () => decodeRevocations(input, trust.REVOCATION_ROOT), forged);
    },
  },
  {
    name: 'telemetry-body',
    share: 8,
    firstGate: CBOR,
    trial: (random) => random.pick(BODIES)(random),
  },
  {
    name: 'maker-json',
    share: 6,
    firstGate: /^metadata\.json$/,
    trial: (random) => makerTrial(changeJson(document.MAKER_JSON, random)),
  },
  {
    name: 'guard-room',
    share: 5,
    firstGate: /^(cbor|metadata)\./,
    trial(random) {
      const original = encodeCbor(document.GUARD_MAPS);
      const input = cborOf(original, random);
      return trial(input, () =>
        attempt(() => {
          const maps = need(decodeCbor(input));
          const [settings, safeOutput] = Array.isArray(maps) ? (maps as CborValue[]) : [maps];
          need(parseGuardSettings(settings));
          const safe = need(parseSafeOutput(safeOutput));
          return need(safeOutputTensors(safe, document.GUARD_IO, 1e-3));
        }),
      );
    },
  },
  {
    name: 'golden',
    share: 5,
    firstGate: CBOR,
    trial(random) {
      const input = random.oneIn(4)
        ? changed(document.GOLDEN, () => changeBytes(document.GOLDEN, random))
        : cborOf(document.GOLDEN, random);
      return trial(
        input,
        () => decodeGolden(input),
        (golden) => {
          const [first] = golden.vectors;
          for (const [name, tolerance] of golden.tolerances) {
            const y = first?.outputs.get(name);
            if (y === undefined || differenceIn(y, y, tolerance) !== undefined) {
              return `the golden output ${name} differs from itself`;
            }
          }
          return sameBytes(input, encodeGolden(golden));
        },
      );
    },
  },
  {
    name: 'onnx',
    share: 8,
    firstGate: /^onnx\.malformed$/,
    trial(random) {
      const original = random.pick(document.MODELS);
      const input = changed(original, () => changeProto(original, random));
      return trial(input, () => examined(input));
    },
  },
  {
    name: 'floor',
    share: 5,
    firstGate: CBOR,
    trial(random) {
      const key = trust.MAC_KEY;
      if (random.oneIn(16)) {
        const input = changed(trust.FLOOR, () => changeBytes(trust.FLOOR, random));
        return trial(input, () => decodeFloor(input, key), forged);
      }
      const input = sealRecord(key, cborOf(trust.FLOOR_BODY, random));
      return trial(
        input,
        () => decodeFloor(input, key),
        (record) => sameBytes(input, encodeFloor(record, key)),
      );
    },
  },
  {
    name: 'status-and-board',
    share: 3,
    firstGate: /^telemetry\./,
    trial(random) {
      const status = random.oneIn(2);
      const input = changeJson(status ? document.STATUS : document.BOARD, random);
      if (status) return trial<unknown>(input, () => decodeStatus(input));
      return trial<unknown>(input, () => parseBoardProfile(parsedJson(input)));
    },
  },
];

export const TARGETS: readonly Target[] = [...BELOW, ...GUARD_TARGETS, ...WHOLE_TARGETS];

type BodyTrial = (random: Random) => Trial;

const BODIES: readonly BodyTrial[] = [
  bodyTrial(document.BIRTH, decodeBirth, encodeBirth),
  bodyTrial(document.HEALTH, decodeHealth, encodeHealth),
  ...document.EVENTS.map((event) => bodyTrial(event, decodeEvent, encodeEvent)),
];

function bodyTrial<T>(
  original: Uint8Array,
  decode: (body: CborValue) => Result<T>,
  encode: (value: T) => CborMap,
): BodyTrial {
  return (random) => {
    const input = cborOf(original, random);
    return trial(
      input,
      () => attempt(() => need(decode(need(decodeCbor(input))))),
      (value) => sameBytes(input, encodeCbor(encode(value))),
    );
  };
}

/** What the guard room makes of the maps that the bundle room passes on unread. */
function readGuardRoom(meta: ModelMetadata): void {
  parseGuardSettings(meta.guard);
  if (meta.safeOutput === undefined) return;
  const safe = parseSafeOutput(meta.safeOutput);
  if (safe.ok) safeOutputTensors(safe.value, meta.io, 1e-3);
}

/** What a maker's file makes is written, and read by the device, or refused with a fault. */
function makerTrial(input: Uint8Array): Trial {
  return trial<unknown>(input, () =>
    attempt(() => {
      const maker = need(readMakerMetadata(input));
      const io = need(mergeIoSchema(document.GRAPH_INPUTS, document.GRAPH_OUTPUTS, maker));
      const { inputs: _, outputs: __, ...stated } = maker;
      const written = encodeMetadata({ ...document.METADATA, ...stated, io });
      const read = decodeMetadata(written);
      if (read.ok) readGuardRoom(read.value);
      return need(read);
    }),
  );
}

/** The graph, and everything that a caller may then ask of it. */
function examined(model: Uint8Array): Result<unknown> {
  return attempt(() => {
    const graph = need(readGraph(model));
    for (const tensor of graph.initializers.values()) decodeTensor(tensor);
    const heads = graph.outputs.map(({ name }) => linearHead(graph, name));
    const [scores] = heads;
    return scores && need(scores);
  });
}

function parsedJson(input: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(input));
  } catch (thrown) {
    return String(thrown);
  }
}
