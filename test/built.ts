/** The built program, where it is that of the sources. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** Why `dist/` cannot stand for the sources; empty where it can. */
export function whyStale(): string {
  const built = join(root, 'dist/cli.cjs');
  if (!existsSync(built)) return 'there is no dist/, run `npm run build`';
  const builtMs = statSync(built).mtimeMs;
  const newer = ['src', 'devices'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, name))
      .filter((path) => /\.(ts|json|onnx)$/.test(path))
      .filter((path) => statSync(join(root, path)).mtimeMs > builtMs),
  );
  return newer.length === 0 ? '' : `dist/ is older than ${newer[0]}, run \`npm run build\``;
}

/** What a user starts, and starts five times sooner; the sources themselves while they are edited. */
export const PROGRAM: string = join(
  root,
  whyStale() === '' ? 'dist/cli.cjs' : 'src/apps/cli/main.ts',
);
