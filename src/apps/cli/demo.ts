/** `edgeward demo`: the main job on embedded defaults, told as it happens, compared at the end. */
import { compare } from '../demo/expectation.ts';
import { type Narrator, type Played, play } from '../demo/scenario.ts';
import { EXIT_DEMO } from './exit-codes.ts';
import { judgementLine } from './judgement-line.ts';
import { note, type Progress, progress, say, sayJson, styled } from './terminal.ts';

export interface DemoOptions {
  readonly keep?: boolean;
  readonly json?: boolean;
}

/** Exit code 3 on any difference from what is expected. */
export async function demo(options: DemoOptions): Promise<void> {
  const startMs = performance.now();
  const played = await play(narrator(options.json === true ? note : say, startMs));
  try {
    const { seen, differences } = compare(played);
    const seconds = Number(((performance.now() - startMs) / 1000).toFixed(1));
    if (options.json === true) {
      sayJson({
        ok: differences.length === 0,
        seconds,
        seen,
        differences,
        ...messageCounts(played),
      });
    } else summarize(played, seen, differences, seconds);
    if (differences.length > 0) process.exitCode = EXIT_DEMO;
    if (options.keep === true) await keepRunning(played);
  } finally {
    await played.close();
  }
}

function narrator(tell: (line: string) => void, startMs: number): Narrator {
  let bar: Progress | undefined;
  let frames = 0;
  const stamped = (text: string): void => {
    const seconds = ((performance.now() - startMs) / 1000).toFixed(2).padStart(6);
    tell(`${styled('dim', `${seconds}s`)}  ${text}`);
  };
  return {
    step: (title) => tell(`\n${styled('bold', title)}`),
    line: (text) => stamped(text),
    progress(done, total) {
      bar ??= progress('calibrating', total);
      bar.advance();
      if (done === total) bar.done();
    },
    frame(name, judgement) {
      stamped(
        judgementLine(`frame ${String(++frames).padStart(2)}  ${name.padEnd(48)}`, judgement),
      );
    },
    message({ outcome, code, words }) {
      if (outcome === 'hint') return;
      const mark = outcome === 'verified' ? styled('green', 'verified') : styled('red', 'CAUGHT  ');
      stamped(`  subscriber: ${mark} ${words}${outcome === 'caught' ? ` (${code})` : ''}`);
    },
  };
}

function summarize(
  played: Played,
  seen: Readonly<Record<string, Readonly<Record<string, number>>>>,
  differences: readonly string[],
  seconds: number,
): void {
  say(`\n${styled('bold', 'Summary')}`);
  for (const [what, outcomes] of Object.entries(seen)) {
    const counts = Object.entries(outcomes).map(([outcome, count]) => `${count} x ${outcome}`);
    say(`  ${what.padEnd(26)} ${counts.join(', ')}`);
  }
  const { verified, caught } = messageCounts(played);
  say(`  signed messages            ${verified} verified by a subscriber with the public key only`);
  say(`  hostile messages           ${caught} planted and caught`);
  for (const difference of differences) say(`  ${styled('red', 'DIFFERENT')}  ${difference}`);
  const verdict =
    differences.length === 0
      ? styled('green', 'everything as expected')
      : styled('red', `${differences.length} differences`);
  say(`  ${verdict}, ${seconds} s`);
}

function messageCounts({ messages }: Played): { verified: number; caught: number } {
  const count = (wanted: string): number =>
    messages.filter(({ outcome }) => outcome === wanted).length;
  return { verified: count('verified'), caught: count('caught') };
}

/** The device stays up, in SAFE, reporting; a person can look with any MQTT client. */
async function keepRunning({ brokerUrl, device }: Played): Promise<void> {
  note(
    `\nbroker ${brokerUrl}, device ${device.name} in ${device.mode}; subscribe to edgeward/v1/#`,
  );
  note('Ctrl-C ends it.');
  const timer = setInterval(() => void device.reportHealth(), 5_000);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  clearInterval(timer);
}
