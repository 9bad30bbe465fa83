/** Limits that were chosen for each other stay so. */
import { describe, expect, it } from 'vitest';
import * as limits from '../../../src/core/base/limits.ts';
import {
  ML_DSA_65_PUBLIC_KEY_BYTES,
  ML_DSA_65_SIGNATURE_BYTES,
} from '../../../src/core/crypto/ml-dsa.ts';

describe('limits', () => {
  it('are positive whole numbers', () => {
    for (const [name, value] of Object.entries(limits)) {
      expect(Number.isSafeInteger(value) && value > 0, name).toBe(true);
    }
  });

  it('leave room in the manifest for all signatures, all components and the metadata', () => {
    // A component has at most: id 150, parameters 130, validate 8, install 90 bytes; its file entry
    // in the metadata 190. The maker's own words get what is left: more than a third.
    const large = limits.ML_DSA_SIGNATURES_MAX;
    const signatures =
      large * limits.ML_DSA_BLOCK_BYTES_MAX +
      (limits.SIGNATURES_MAX - large) * limits.SIGNATURE_BLOCK_BYTES_MAX;
    const components = limits.BUNDLE_FILES_MAX * (150 + 130 + 8 + 90 + 190);
    expect(signatures + components).toBeLessThan((limits.MANIFEST_BYTES_MAX * 2) / 3);
  });

  it('tell the two kinds of signature blocks apart by their size, and hold each', () => {
    expect(ML_DSA_65_SIGNATURE_BYTES).toBeGreaterThan(limits.SIGNATURE_BLOCK_BYTES_MAX);
    expect(limits.ML_DSA_BLOCK_BYTES_MAX).toBeGreaterThan(ML_DSA_65_SIGNATURE_BYTES + 64);
    const base64 = Math.ceil(ML_DSA_65_SIGNATURE_BYTES / 3) * 4;
    expect(limits.SIGNATURE_FILE_BYTES_MAX).toBeGreaterThan(base64 + base64 / 64);
  });

  it('let a root name twice the ML-DSA-65 keys that can sign, current and retired', () => {
    const keys = limits.ML_DSA_SIGNATURES_MAX * 2 * 2 * (ML_DSA_65_PUBLIC_KEY_BYTES + 40);
    const others = limits.ROOT_SIGNATURES_MAX * limits.SIGNATURE_BLOCK_BYTES_MAX;
    expect(keys + others).toBeLessThan((limits.ROOT_BYTES_MAX * 2) / 3);
  });

  it('never announce more items than a manifest has bytes', () => {
    expect(limits.CBOR_ITEMS_MAX).toBeGreaterThanOrEqual(limits.MANIFEST_BYTES_MAX);
  });

  it('let a root name as many keys as can sign, and more', () => {
    expect(limits.ROOT_KEYS_MAX).toBeGreaterThanOrEqual(limits.SIGNATURES_MAX);
    // A step carries the thresholds of both roots.
    expect(limits.ROOT_SIGNATURES_MAX).toBe(2 * limits.SIGNATURES_MAX);
    // A key entry has 50 bytes. There are five roles with retired keys, the root role, and the root
    // role before; 128 patterns of 66 bytes; a signature block has under 200 bytes. All of it fits.
    const keys = limits.ROOT_KEYS_MAX * 50 * (2 * 5 + 1 + 1);
    expect(keys + 128 * 66 + limits.ROOT_SIGNATURES_MAX * 200 + 1_000).toBeLessThan(
      limits.ROOT_BYTES_MAX,
    );
  });

  it('let a revocation list be as long as its parts may be', () => {
    // A digest has 34 bytes, a minimum at most 170.
    const bytes =
      (limits.REVOKED_KEYS_MAX + limits.REVOKED_MANIFESTS_MAX) * 34 +
      limits.REVOCATION_MINIMUMS_MAX * 170 +
      limits.SIGNATURES_MAX * limits.SIGNATURE_BLOCK_BYTES_MAX;
    expect(bytes).toBeLessThan(limits.REVOCATION_BYTES_MAX);
  });

  it('leave room for a million steps of what only rises', () => {
    const last = Number.MAX_SAFE_INTEGER;
    expect(last / limits.SECURITY_VERSION_STEP_MAX).toBeGreaterThan(1e6);
    expect(last / limits.REVOCATION_STEP_MAX).toBeGreaterThan(1e6);
    // Unix seconds are a security version that people choose.
    expect(limits.SECURITY_VERSION_STEP_MAX).toBeGreaterThan(4_000_000_000);
  });

  it('hold what may run in memory, and what a ustar size field can say', () => {
    expect(limits.GUARD_POLICY_BYTES_MAX).toBeLessThan(limits.PAYLOAD_IN_MEMORY_BYTES_MAX);
    expect(limits.PAYLOAD_IN_MEMORY_BYTES_MAX).toBeLessThan(limits.BUNDLE_FILE_BYTES_MAX);
    expect(limits.BUNDLE_FILE_BYTES_MAX).toBeLessThan(8 ** 11);
    expect(limits.HASH_CHUNK_BYTES).toBeLessThan(limits.PAYLOAD_IN_MEMORY_BYTES_MAX);
  });

  it('keep one message, the queue and its memory in proportion', () => {
    expect(limits.ENVELOPE_BYTES_MAX * limits.IN_FLIGHT_MAX).toBeLessThanOrEqual(
      limits.QUEUE_BYTES_MAX,
    );
    expect(limits.IN_FLIGHT_MAX).toBeLessThan(limits.QUEUE_MESSAGES_MAX);
  });

  it('outlast an outage of a day in health messages alone, or say so', () => {
    // 1,024 messages at one a minute: 17 hours. Longer outages drop the oldest and count them.
    const hours = (limits.QUEUE_MESSAGES_MAX * limits.HEALTH_PERIOD_MS) / 3_600_000;
    expect(hours).toBeGreaterThan(12);
  });

  it('order waits: first try, pause, keep-alive, health', () => {
    expect(limits.BACKOFF_FIRST_MS).toBeLessThan(limits.BACKOFF_MAX_MS);
    expect(limits.BACKOFF_STABLE_MS).toBeGreaterThan(limits.CONNECT_DEADLINE_MS);
    expect(limits.KEEPALIVE_SECONDS * 1000).toBeLessThanOrEqual(limits.HEALTH_PERIOD_MS);
    expect(limits.PUBACK_DEADLINE_MS).toBeLessThan(limits.HEALTH_PERIOD_MS);
    expect(limits.RUN_DEADLINE_MS).toBeLessThan(limits.SESSION_DEADLINE_MS);
    expect(limits.SESSION_DEADLINE_MS).toBeLessThan(limits.DEADLINE_MS_MAX);
    expect(limits.LOOK_US).toBeLessThan(limits.RUN_DEADLINE_MS);
    expect(limits.RESPAWN_WINDOW_MS).toBeGreaterThan(limits.SESSION_DEADLINE_MS);
  });

  it('bound tensors by elements and by bytes alike', () => {
    expect(limits.TENSOR_ELEMENTS_MAX * 4).toBeLessThanOrEqual(limits.TENSOR_BYTES_MAX);
    expect(limits.BATCH_MAX * limits.FEATURES_MAX).toBeLessThan(limits.TENSOR_ELEMENTS_MAX);
  });
});
