/** What a device says of itself: who it is at its birth, and how it is from then on. */
import { sha256 } from '../../core/crypto/digest.ts';
import { type Birth, ueidOf } from '../../core/telemetry/birth.ts';
import { HEALTH_METRICS, type Health } from '../../core/telemetry/health.ts';
import { modeName } from '../../core/telemetry/vocabulary.ts';
import { payloadOf, type VerifiedBundle } from '../../core/trust/verify.ts';
import { newBootSeed } from '../platform/identity.ts';
import { sampleBoard } from '../platform/probes.ts';
import { bytesWritten } from '../store/files.ts';
import { bundleName } from './boot.ts';
import type { DeviceState } from './device-state.ts';
import type { GuardedSession } from './guarded-session.ts';
import type { ResolvedDevice } from './options.ts';
import type { Reporter } from './reporter.ts';
import type { Uplink } from './uplink.ts';
import { EDGEWARD_VERSION } from './version.ts';

export interface ReportedDevice {
  readonly options: ResolvedDevice;
  readonly state: DeviceState;
  readonly reporter: Reporter;
  readonly session: GuardedSession;
  readonly uplink: Uplink;
  readonly bundle: VerifiedBundle | undefined;
}

export function birthOf({ options, state, reporter, session, bundle }: ReportedDevice): Birth {
  const { signer } = state.identity.keys;
  const policy = bundle && payloadOf(bundle, 'guard');
  const { clockState } = reporter;
  return {
    ...(clockState !== 'unset' && {
      issuedAtSeconds: Math.floor(options.clock.unixMs() / 1000),
    }),
    ueid: ueidOf(sha256(signer.thumbprint)),
    uptimeSeconds: Math.floor(reporter.uptimeMs / 1000),
    bootCount: state.epoch.ok ? state.epoch.value : 0,
    bootSeed: newBootSeed(),
    softwareName: 'edgeward',
    softwareVersion: EDGEWARD_VERSION,
    board: options.board.name,
    identity: signer.thumbprint,
    bundles: bundle === undefined ? [] : [{ ...bundleName(bundle), signers: bundle.signers }],
    ...(policy && { policyDigest: sha256(policy) }),
    floorTier: state.floorTier,
    bootReason: 'start',
    clockState,
    metrics: HEALTH_METRICS,
    evidence: 'self-asserted',
    mode: modeName(session.mode),
  };
}

export async function healthOf(device: ReportedDevice): Promise<Health> {
  const { options, reporter, session, uplink } = device;
  const { temperatureMilliC, throttled } = await sampleBoard(options.board);
  const latency = session.latency();
  const { depth } = uplink.outbox;
  return {
    mode: modeName(session.mode),
    uptimeMs: reporter.uptimeMs,
    verdicts: session.verdicts,
    ...(latency && {
      latencyUs: { p50: latency.p50Us, p95: latency.p95Us, p99: latency.p99Us },
    }),
    queue: { ...depth, dropped: depth.dropped + reporter.suppressed },
    flashBytesWritten: bytesWritten(),
    memoryBytes: process.memoryUsage.rss(),
    ...(temperatureMilliC !== undefined && { temperatureMilliC }),
    ...(throttled !== undefined && { throttled }),
  };
}
