/** Whole verification, signatures included: a hundred times dearer, so it gets a small share. */
import { equalBytes } from '../../src/core/base/bytes.ts';
import { bytesSource } from '../../src/core/bundle/source.ts';
import { encodeCbor } from '../../src/core/cose/encode.ts';
import { openEnvelope } from '../../src/core/telemetry/envelope.ts';
import { verifyOrder } from '../../src/core/trust/operator-act.ts';
import { decodeRevocations } from '../../src/core/trust/revocation.ts';
import { decodeRoot } from '../../src/core/trust/root.ts';
import { verifyBundle } from '../../src/core/trust/verify.ts';
import { changeArchive } from './archive-changes.ts';
import { changeCbor } from './cbor-changes.ts';
import * as document from './documents.ts';
import * as memory from './guard-documents.ts';
import { changed, forged, sameBytes, type Target, trial } from './trial.ts';
import * as trust from './trust-documents.ts';

export const WHOLE_TARGETS: readonly Target[] = [
  {
    name: 'operator-order',
    share: 0.6,
    firstGate: /^cbor\./,
    trial(random) {
      if (random.oneIn(3)) {
        const order = random.pick(memory.ORDERS);
        const input = changed(order, () => changeCbor(order, random));
        return trial(input, () => verifyOrder(input, memory.ORDER_CONTEXT), forged);
      }
      const payload = random.pick(memory.ORDER_PAYLOADS);
      const input = memory.signedPayload(changed(payload, () => changeCbor(payload, random)));
      return trial(
        input,
        () => verifyOrder(input, memory.ORDER_CONTEXT),
        ({ operator: _, ...order }) => sameBytes(input, memory.signedOrder(order)),
      );
    },
  },
  {
    // The maker's own key over changed contents: everything behind the signature is reached.
    name: 'bundle-signed',
    share: 0.4,
    firstGate: /^(cbor|suit)\./,
    trial(random) {
      const input = changed(document.BUNDLE, () => {
        const meta = random.oneIn(8) ? document.META : changeCbor(document.META, random);
        const refit = document.manifestFor(meta);
        const manifest = random.oneIn(4) ? changeCbor(refit, random) : refit;
        return document.bundleOf(document.signedEnvelope(manifest, meta));
      });
      return trial<unknown>(input, () =>
        verifyBundle(bytesSource(input), 'install', document.TRUST, { keep: ['model', 'guard'] }),
      );
    },
  },
  {
    name: 'bundle-forged',
    share: 0.4,
    firstGate: /^bundle\.(header|truncated|too-large)$/,
    trial(random) {
      const input = changed(document.BUNDLE, () =>
        random.oneIn(2)
          ? changeArchive(document.BUNDLE_MEMBERS, random)
          : document.bundleOf(changeCbor(document.ENVELOPE, random)),
      );
      return trial(
        input,
        () => verifyBundle(bytesSource(input), 'install', document.TRUST, { keep: ['model'] }),
        forged,
      );
    },
  },
  {
    name: 'root-signed',
    share: 0.2,
    firstGate: /^cbor\./,
    trial(random) {
      if (random.oneIn(3)) {
        const input = changed(trust.ROOT, () => changeCbor(trust.ROOT, random));
        return trial(input, () => decodeRoot(input), forged);
      }
      const payload = changeCbor(trust.ROOT_PAYLOAD, random);
      const input = encodeCbor([payload, [trust.rootBlock(payload)]]);
      return trial<unknown>(input, () => decodeRoot(input));
    },
  },
  {
    name: 'revocations-signed',
    share: 0.2,
    firstGate: /^cbor\./,
    trial(random) {
      const root = trust.REVOCATION_ROOT;
      if (random.oneIn(3)) {
        const input = changed(trust.REVOCATIONS, () => changeCbor(trust.REVOCATIONS, random));
        return trial(input, () => decodeRevocations(input, root), forged);
      }
      const payload = changeCbor(trust.REVOCATION_PAYLOAD, random);
      const input = encodeCbor([payload, [trust.revocationBlock(payload)]]);
      return trial<unknown>(input, () => decodeRevocations(input, root));
    },
  },
  {
    name: 'telemetry-signed',
    share: 0.4,
    firstGate: /^cbor\./,
    trial(random) {
      const keyOf = (kid: Uint8Array): Uint8Array | undefined =>
        equalBytes(kid, document.DEVICE.thumbprint) ? document.DEVICE.publicKey : undefined;
      if (random.oneIn(3)) {
        const input = changed(document.SEALED, () => changeCbor(document.SEALED, random));
        return trial(input, () => openEnvelope(input, document.TOPIC, keyOf), forged);
      }
      const input = document.resealed(changeCbor(document.SEALED_PAYLOAD, random));
      return trial<unknown>(input, () => openEnvelope(input, document.TOPIC, keyOf));
    },
  },
];
