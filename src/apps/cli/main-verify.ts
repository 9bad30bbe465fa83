/**
 * `edgeward verify FILE --root ROOT [--json]`, as CommonJS with nothing else in it: its start counts
 * at every boot. Any other form of the command goes the long way, where all options are read.
 */
import { framed } from './frame.ts';
import { verify } from './verify.ts';

const [file, flag, root, ...more] = process.argv.slice(3);
const [json] = more;
const isPlain =
  isValue(file) &&
  flag === '--root' &&
  isValue(root) &&
  (json === undefined || (json === '--json' && more.length === 1));

if (isPlain) {
  const verified = framed(() => verify(file, { root, json: json !== undefined }));
  // All is written by now; to end at once saves the taking down of the heap.
  void verified.then(() => process.exit());
} else void import('./main.ts');

function isValue(text: string | undefined): text is string {
  return text !== undefined && !text.startsWith('-');
}
