/**
 * A guard inside somebody's own program: verify a bundle, run it, judge every frame. Without a
 * device's state: no telemetry, no floors; `startDevice` has those.
 */
import { attemptAsync, need, type Result } from '../../core/base/fault.ts';
import { cryptoSelfTest } from '../../core/crypto/self-test.ts';
import type { FrameContext } from '../../core/guard/guard.ts';
import { EMPTY_FLOOR } from '../../core/trust/floor.ts';
import { type VerifiedBundle, verifyBundle } from '../../core/trust/verify.ts';
import { loadBoardProfile, thisBoard } from '../platform/board.ts';
import { systemClock } from '../platform/clock.ts';
import { openBundleFile } from '../store/bundle-file.ts';
import { type FrameJudgement, GuardedSession } from './guarded-session.ts';
import { openModel, RUN_ROLES } from './loaded-model.ts';
import { checkGuardOptions, type GuardOptions } from './options.ts';
import { readRevocations, readRoot, trustContext } from './trust-state.ts';

export interface OpenGuard {
  readonly bundle: VerifiedBundle;
  /** One frame in, one judgement out; never rejects for what is in the frame or its context. */
  infer(frame: unknown, context?: FrameContext): Promise<FrameJudgement>;
  /** Ends the worker. */
  close(): Promise<void>;
}

/** Faults: those of `verifyBundle`, `openModel`, `store.*`, `platform.*`, `root.*`. */
export function openGuardResult(options: GuardOptions): Promise<Result<OpenGuard>> {
  return attemptAsync(async () => {
    checkGuardOptions(options);
    need(cryptoSelfTest());
    const { profile = 'development', hardwareClass, securityVersionMin } = options;
    const root = need(readRoot(options.root));
    const context = {
      ...trustContext(root, EMPTY_FLOOR, profile, hardwareClass, systemClock),
      revocations: readRevocations(options.revocations, root),
      ...(securityVersionMin === undefined ? {} : { securityVersionMin }),
    };
    const source = need(openBundleFile(options.bundle));
    const verified = verifyBundle(source, 'boot', context, { keep: RUN_ROLES });
    source.close();
    const board = need(await loadBoardProfile(options.board ?? thisBoard()));
    const model = need(await openModel(need(verified), board, systemClock));
    if (model.kernelsFault !== undefined) {
      const { code, message } = model.kernelsFault;
      process.emitWarning(`the guard takes longer, on the reference kernels: ${code}: ${message}`);
    }
    const session = new GuardedSession({ model, clock: systemClock }, 'boot-verified');
    return {
      bundle: model.bundle,
      infer: (frame, context) => session.infer(frame, context),
      close: () => session.close(),
    };
  });
}
