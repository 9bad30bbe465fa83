/** A short run of the fuzzer, and proof that it would find something: `npm run fuzz` is the long one. */
import { describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../../src/core/base/bytes.ts';
import type { Result } from '../../src/core/base/fault.ts';
import { decodeMetadata } from '../../src/core/bundle/metadata.ts';
import { readMakerMetadata } from '../../src/core/bundle/metadata-json.ts';
import { bytesSource } from '../../src/core/bundle/source.ts';
import { decodeCbor } from '../../src/core/cose/decode.ts';
import { openSign1 } from '../../src/core/cose/sign1.ts';
import { parseBoardProfile } from '../../src/core/device/profile.ts';
import { decodeGuardPolicy } from '../../src/core/guard/policy-codec.ts';
import { decodeNpy } from '../../src/core/numeric/npy.ts';
import { readGraph } from '../../src/core/onnx/graph.ts';
import { parseManifest } from '../../src/core/suit/manifest.ts';
import { decodeStatus } from '../../src/core/telemetry/status.ts';
import { decodeFloor } from '../../src/core/trust/floor.ts';
import { decodeRevocations } from '../../src/core/trust/revocation.ts';
import { decodeRoot } from '../../src/core/trust/root.ts';
import { verifyBundle } from '../../src/core/trust/verify.ts';
import { codeOf } from '../core/base/outcome.ts';
import * as document from './documents.ts';
import { TARGETS as PLANTED } from './planted-targets.ts';
import { Random, seedOf } from './random.ts';
import { runFuzz } from './run.ts';
import { TARGETS } from './targets.ts';
import * as trust from './trust-documents.ts';

const moduleOf = (name: string): string => new URL(`./${name}.ts`, import.meta.url).href;

describe('the fuzzer', () => {
  it('finds no crash and no hang, and reaches what lies behind the first gates', async () => {
    const report = await runFuzz({
      cases: 12_000,
      seed: 7,
      targets: TARGETS,
      targetsModule: moduleOf('targets'),
    });
    expect(report.problems).toEqual([]);
    expect(report.hangs).toBe(0);
    expect(report.cases).toBeGreaterThanOrEqual(12_000);
    expect(report.targets.map(({ name }) => name)).toEqual(TARGETS.map(({ name }) => name));
    for (const { name, cases, behindFirstGate, codes } of report.targets) {
      const reached = { name, share: behindFirstGate / cases, answers: Object.keys(codes).length };
      expect(reached.share, name).toBeGreaterThan(0.1);
      expect(reached.answers, name).toBeGreaterThan(3);
    }
  });

  it('plays the same cases for the same seed, and others for another', () => {
    const inputs = (seed: number): string[] =>
      TARGETS.map((target) => toHex(target.trial(new Random(seedOf(seed, target.name, 3))).input));
    expect(inputs(1)).toEqual(inputs(1));
    expect(inputs(2).filter((input, i) => input === inputs(1)[i])).toEqual([]);
  });

  it('starts from documents that their readers accept', () => {
    const readers: [string, Result<unknown>][] = [
      ['bundle', verifyBundle(bytesSource(document.BUNDLE), 'install', document.TRUST)],
      ['metadata', decodeMetadata(document.META)],
      ['manifest', parseManifest(document.MANIFEST)],
      ['root', decodeRoot(trust.ROOT)],
      ['revocations', decodeRevocations(trust.REVOCATIONS, trust.REVOCATION_ROOT)],
      ['floor', decodeFloor(trust.FLOOR, trust.MAC_KEY)],
      ['npy', decodeNpy(document.NPY)],
      ['status', decodeStatus(utf8(JSON.stringify(document.STATUS)))],
      ['board', parseBoardProfile(document.BOARD)],
      ['json', readMakerMetadata(utf8(JSON.stringify(document.MAKER_JSON)))],
      ...document.SIGN1_BLOCKS.map(
        ({ block, open }) => ['block', openSign1(block, open)] as [string, Result<unknown>],
      ),
      ...document.POLICIES.map(
        (policy) => ['policy', decodeGuardPolicy(policy)] as [string, Result<unknown>],
      ),
      ...document.MODELS.map((model) => ['model', readGraph(model)] as [string, Result<unknown>]),
      ...document.CBOR_DOCUMENTS.map(
        (bytes) => ['cbor', decodeCbor(bytes, { tags: [18, 107] })] as [string, Result<unknown>],
      ),
    ];
    expect(readers.map(([name, result]) => [name, codeOf(result)])).toEqual(
      readers.map(([name]) => [name, 'accepted']),
    );
  });
});

describe('of readers with a planted defect it', () => {
  const run = (only: string, index?: number) =>
    runFuzz({
      cases: 300,
      seed: 3,
      targets: PLANTED,
      targetsModule: moduleOf('planted-targets'),
      only,
      ...(only === 'hangs' ? { hangMs: 1_500 } : {}),
      ...(index === undefined ? {} : { index }),
    });

  it('clears the sound one', async () => {
    expect(await run('sound')).toMatchObject({ problems: [], hangs: 0, cases: 300 });
  });

  it.each([
    ['throws', /^threw RangeError: out of range/],
    ['takes what it is told', /^asked for 134217\d+ bytes of memory/],
    ['makes much of little', /^more than 4224 values from 64 bytes$/],
    ['invents a code', /^the unknown fault cbor\.new$/],
    ['leaves the way forward out', /^the unknown fault cbor\.size$/],
    ['breaks the line', /^the message of cbor\.size is not one line$/],
    ['accepts a forgery', /^accepted, although nobody signed it$/],
    ['hangs', /^does not end$/],
  ])('finds the one that %s, and finds it again by its number', async (name, wrong) => {
    const { problems, hangs } = await run(name);
    expect(hangs).toBe(name === 'hangs' ? 1 : 0);
    const [first] = problems;
    expect(first?.wrong).toMatch(wrong);
    const again = await run(name, first?.index ?? -1);
    expect(again.problems.map((problem) => problem.wrong.split('\n')[0])).toEqual([
      first?.wrong.split('\n')[0],
    ]);
  });
});
