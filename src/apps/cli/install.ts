/** `edgeward install` and `approve`: an update comes in, and waits for the next boot or for a word. */
import { attemptAsync, need, type Result } from '../../core/base/fault.ts';
import { verifyTwice } from '../../core/crypto/second-opinion.ts';
import type { InstallOptions, Staged } from '../../core/update/install.ts';
import type { Slots } from '../../core/update/slots.ts';
import { changeSlots } from '../../host/runtime/maintenance.ts';
import { openBundleFile } from '../../host/store/bundle-file.ts';
import { refuseCli } from './faults.ts';
import { paced } from './paced-stream.ts';
import { maintenanceOf, type StateFolderOptions } from './state-folder.ts';
import { progress, say, sayJson, styled } from './terminal.ts';

interface InstallCommandOptions extends StateFolderOptions {
  readonly hold?: boolean;
  readonly golden?: boolean;
}

/** Refuses with whatever the slots refuse; what runs is untouched then. */
export async function install(file: string, options: InstallCommandOptions): Promise<void> {
  const { hold = false, golden = false } = options;
  if (golden && (hold || file === '-')) {
    throw refuseCli('cli.option', '--golden takes a file, and nothing waits in the factory slot');
  }
  const staged = need(
    await changeSlots(maintenanceOf(options), async ({ slots, trust }) => {
      const bar = bytesBar();
      const how = {
        ...{ trust, activate: !hold },
        // New here, and rare: both implementations judge its signatures.
        signatureCheck: verifyTwice,
        onProgress: bar.show,
      };
      try {
        return need(
          file === '-' ? await fromStdin(slots, how) : fromFile(slots, file, golden, how),
        );
      } finally {
        bar.done();
      }
    }),
  );
  tell(staged, options, golden ? 'factory' : hold ? 'waits' : 'next boot');
}

export async function approve(options: StateFolderOptions): Promise<void> {
  const slot = need(
    await changeSlots(maintenanceOf(options), ({ slots }) => need(slots.activate())),
  );
  if (options.json === true) sayJson({ approved: slot });
  else say(`slot ${slot}: the next boot tries it`);
}

function fromFile(
  slots: Slots,
  file: string,
  golden: boolean,
  how: InstallOptions,
): Result<Staged> {
  const source = openBundleFile(file);
  if (!source.ok) return source;
  try {
    return golden ? slots.provision(source.value, how) : slots.install(source.value, how);
  } finally {
    source.value.close();
  }
}

function fromStdin(slots: Slots, how: InstallOptions): Promise<Result<Staged>> {
  return attemptAsync(async () => {
    const stream = slots.openInstall(how);
    try {
      for await (const chunk of paced(process.stdin)) need(stream.push(chunk));
    } catch (thrown) {
      stream.abort();
      // A read that is still waited for would keep this process.
      process.stdin.destroy();
      throw thrown;
    }
    return need(stream.finish());
  });
}

function bytesBar() {
  let bar: ReturnType<typeof progress> | undefined;
  let told = 0;
  return {
    show(doneBytes: number, totalBytes: number): void {
      bar ??= progress('installing', totalBytes);
      bar.advance(doneBytes - told);
      told = doneBytes;
    },
    done(): void {
      bar?.done();
    },
  };
}

const NEXT = {
  'next boot': 'the next boot tries it, and confirms it when it runs as it should',
  waits: 'it waits for `edgeward approve`',
  factory: 'it stands as the last one to fall back to',
} as const;

function tell(
  { slot, bundle, reusedBytes }: Staged,
  { json }: StateFolderOptions,
  next: keyof typeof NEXT,
): void {
  const { name, version, securityVersion } = bundle.meta;
  if (json === true) {
    sayJson({ staged: slot, name, version, securityVersion, reusedBytes, next });
    return;
  }
  say(`${styled('green', 'staged')} ${name} ${version} in slot ${slot}: ${NEXT[next]}`);
  if (reusedBytes > 0) say(`  ${reusedBytes} bytes were on the device already`);
}
