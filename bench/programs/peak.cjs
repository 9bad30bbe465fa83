// Loaded into a program whose memory is measured: writes its peak (VmHWM, bytes) where it ends.
const { readFileSync, writeFileSync } = require('node:fs');

process.on('exit', () => {
  const kib = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1];
  writeFileSync(process.env.EDGEWARD_BENCH_PEAK, String(kib * 1024));
});
