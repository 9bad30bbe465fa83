/** `node test/damage/main.ts`: the long damage run, all of it by whole verification. */
import { lineOf } from './damage.ts';
import { damageSuite, specimensOf } from './suite.ts';

const extent = { long: true, seed: 1 };
const start = performance.now();
let tried = 0;
let survived = 0;

for (const { name, bytes, judge } of specimensOf(extent)) {
  if (!judge(bytes).ok) survived++;
  console.log(`${name}: ${bytes.length} bytes, accepted as it is`);
}
for (const tally of damageSuite(extent)) {
  console.log(lineOf(tally));
  for (const place of [...tally.accepted, ...tally.thrown]) console.log(`FOUND ${place}`);
  tried += tally.tried;
  survived += tally.accepted.length + tally.thrown.length;
}
const seconds = ((performance.now() - start) / 1000).toFixed(0);
console.log(`${tried} damaged documents, ${survived} accepted or thrown, ${seconds} s`);
process.exitCode = survived > 0 || tried === 0 ? 1 : 0;
