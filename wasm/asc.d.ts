/**
 * What the build calls of AssemblyScript's compiler. Its own declarations bring the globals of
 * AssemblyScript programs, `console` among them, into every file that is checked with them.
 */
declare const asc: {
  main(
    argv: readonly string[],
    options?: { writeFile?(name: string, contents: Uint8Array | string, baseDir: string): void },
  ): Promise<{ readonly error: Error | null; readonly stderr: object }>;
};

// biome-ignore lint/style/noDefaultExport: that is how the package exports it
export default asc;
