/** Says when scripts run on another Node than the one the lockfile names. Plain JavaScript, so that any Node can run it. */
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    `Edgeward's own scripts need Node 24, this is ${process.versions.node}.\n` +
      'npm uses the one of the `node` package when its install script ran: run `npm rebuild node`,\n' +
      'or install again without --ignore-scripts.\n',
  );
  process.exitCode = 1;
}
