/**
 * How trust moves from one root to the next: version N + 1 stands when a threshold of the root keys
 * of N and of its own signed it, one step at a time. A device that was away for long walks a chain.
 */
import { equalBytes, toHex } from '../base/bytes.ts';
import { attempt, need, type Result } from '../base/fault.ts';
import { ROOT_CHAIN_MAX } from '../base/limits.ts';
import { refuseTrust } from './faults.ts';
import { completeRoot, decodeRoot, inspectRoot, missingOf, type RootSet } from './root.ts';

/**
 * The next root, when it follows this one by exactly one version. Faults: those of `decodeRoot`,
 * `root.step` (another version, a successor of another root, or one that changes what may not
 * change), `root.threshold`.
 */
export function acceptRoot(current: RootSet, nextBytes: Uint8Array): Result<RootSet> {
  return attempt(() => {
    const reading = need(inspectRoot(nextBytes));
    const next = completeRoot(reading);
    if (next.version !== current.version + 1) {
      throw refuseTrust('root.step', `version ${next.version} does not follow ${current.version}`);
    }
    if (!next.previous || !equalBytes(next.previous.sha256, current.sha256)) {
      throw refuseTrust('root.step', `version ${next.version} follows another root than this one`);
    }
    // The threshold of N is what N says, whatever N + 1 claims about it.
    const { threshold } = current.roles.root;
    const missing = missingOf(current.roles.root, reading.signers);
    if (missing > 0) {
      const count = threshold - missing;
      throw refuseTrust('root.threshold', `${count} of ${threshold} signatures of the root before`);
    }
    checkKept(current, next);
    return next;
  });
}

/**
 * The newest root to which a chain leads from a trusted one. `chain` ascends; roots that the device
 * is past are skipped. Faults: those of `acceptRoot`, `root.differs` (another root of the current
 * version), `root.malformed` (too many at once).
 */
export function walkRoots(current: RootSet, chain: readonly Uint8Array[]): Result<RootSet> {
  return attempt(() => {
    checkCount(chain);
    return chain.reduce((trusted, bytes) => {
      const { content, sha256 } = need(inspectRoot(bytes));
      if (content.version > trusted.version) return need(acceptRoot(trusted, bytes));
      if (content.version === trusted.version && !equalBytes(sha256, trusted.sha256)) {
        throw refuseTrust('root.differs', `two roots have version ${trusted.version}`);
      }
      return trusted;
    }, current);
  });
}

/**
 * The newest root for a device that pins one by digest, from its image or its floor record: the file
 * with that digest is trusted, and what follows it by a walk. Faults: those of `walkRoots`,
 * `root.missing` (no file has the digest).
 */
export function newestRoot(pinned: Uint8Array, files: readonly Uint8Array[]): Result<RootSet> {
  return attempt(() => {
    checkCount(files);
    const at = files.findIndex((bytes) => equalBytes(need(inspectRoot(bytes)).sha256, pinned));
    const first = files[at];
    if (first === undefined) {
      throw refuseTrust('root.missing', `no file holds the root ${toHex(pinned)}`);
    }
    return need(walkRoots(need(decodeRoot(first)), files.slice(at + 1)));
  });
}

/** What a device relies on and no later root may take away. */
function checkKept(current: RootSet, next: RootSet): void {
  // A development chain never becomes a production one: its keys lay about.
  if (next.production !== current.production) {
    throw refuseTrust('root.step', 'a root cannot turn from development to production or back');
  }
  // Devices that recorded a list could verify none any more, and would stay in their safe output.
  if (current.roles.revocation !== undefined && next.roles.revocation === undefined) {
    throw refuseTrust('root.step', 'the revocation role cannot be dropped');
  }
}

function checkCount(files: readonly Uint8Array[]): void {
  if (files.length <= ROOT_CHAIN_MAX) return;
  throw refuseTrust('root.malformed', `${files.length} roots, at most ${ROOT_CHAIN_MAX} at once`);
}
