/**
 * `bundle-format.md` says what the code does: its examples are regenerated, its limits and fault codes
 * are those of the code, and it names every member that the CDDL has.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../src/core/base/bytes.ts';
import { need } from '../../src/core/base/fault.ts';
import { FIELD_FAULTS } from '../../src/core/base/fields.ts';
import * as limits from '../../src/core/base/limits.ts';
import type { UnixMs } from '../../src/core/base/time.ts';
import { BUNDLE_FAULTS } from '../../src/core/bundle/faults.ts';
import { GOLDEN_FAULTS } from '../../src/core/bundle/golden-faults.ts';
import { FILE_ROLES } from '../../src/core/bundle/metadata.ts';
import { bytesSource } from '../../src/core/bundle/source.ts';
import { COSE_FAULTS } from '../../src/core/cose/faults.ts';
import { CRYPTO_FAULTS } from '../../src/core/crypto/faults.ts';
import { parseCallerSettings } from '../../src/core/guard/caller-settings.ts';
import { GUARD_FAULTS } from '../../src/core/guard/faults.ts';
import { POLICY_FAULTS } from '../../src/core/guard/policy-faults.ts';
import { DEFAULT_GUARD_SETTINGS } from '../../src/core/guard/settings.ts';
import { readGraph } from '../../src/core/onnx/graph.ts';
import { SUIT_FAULTS } from '../../src/core/suit/faults.ts';
import { openEnvelope } from '../../src/core/telemetry/envelope.ts';
import { decodeEvent, EVENT_TYPES, severityOf } from '../../src/core/telemetry/event.ts';
import { TELEMETRY_FAULTS } from '../../src/core/telemetry/faults.ts';
import { TRUST_FAULTS } from '../../src/core/trust/faults.ts';
import { EMPTY_FLOOR } from '../../src/core/trust/floor.ts';
import { OPERATOR_FAULTS } from '../../src/core/trust/operator-faults.ts';
import { decodeRoot } from '../../src/core/trust/root.ts';
import { verifyBundle } from '../../src/core/trust/verify.ts';
import { RUNTIME_FAULTS } from '../../src/host/runtime/faults.ts';
import { mismatch } from './cddl.ts';
import { bundle, EXAMPLES, event, model, root, TOPIC } from './cddl-examples.ts';
import { parseCddl } from './cddl-grammar.ts';

const folder = resolve(import.meta.dirname, '../../firmware-manifests');
const text = readFileSync(resolve(folder, 'bundle-format.md'), 'utf8');
const cddl = readFileSync(resolve(folder, 'edgeward.cddl'), 'utf8');

/** The blocks of the document by the words of the comment in front of them. */
const blocks = new Map(
  [...text.matchAll(/<!-- example: (.*) -->\n```\n([^`]*)\n?```\n/g)].map((found) => [
    found[1] as string,
    (found[2] as string).trimEnd(),
  ]),
);

function hexOf(name: string): Uint8Array {
  return fromHex((blocks.get(name) ?? '').replaceAll('\n', '')) as Uint8Array;
}

describe('the examples in bundle-format.md', () => {
  it.each(Object.entries(EXAMPLES))('are what the code makes: %s', (name, made) => {
    expect(blocks.get(name)).toBe(made);
  });

  it('are no others', () => {
    expect([...blocks.keys()]).toEqual(Object.keys(EXAMPLES));
  });

  it('verify as they are printed', () => {
    const grammar = parseCddl(cddl);
    expect(mismatch(grammar, 'suit-envelope', hexOf('manifest.suit, hex'))).toBeUndefined();
    expect(mismatch(grammar, 'root', hexOf('root.cbor, hex'))).toBeUndefined();
    expect(mismatch(grammar, 'sealed-telemetry', hexOf('event, hex'))).toBeUndefined();
    const trusted = need(decodeRoot(hexOf('root.cbor, hex')));
    expect(hexOf('root.cbor, hex')).toEqual(root);
    const verified = verifyBundle(bytesSource(bundle), 'install', {
      root: trusted,
      floors: EMPTY_FLOOR,
      profile: 'production',
      hardwareClass: 'generic-arm64',
      guardVersion: '0.1.0',
      nowMs: 1_790_000_000_000 as UnixMs,
    });
    expect(verified).toMatchObject({ ok: true, value: { meta: { name: 'relu' } } });
    const device = /device: .*\n +public key (\w+)/.exec(blocks.get('keys') ?? '')?.[1] ?? '';
    const opened = need(openEnvelope(hexOf('event, hex'), TOPIC, () => fromHex(device)));
    expect(decodeEvent(opened.body)).toMatchObject({ ok: true });
    expect(hexOf('event, hex')).toEqual(event);
    expect(readGraph(model)).toMatchObject({ ok: true });
  });
});

describe('bundle-format.md', () => {
  const stated = new Map(
    [...text.matchAll(/^\| ([A-Z][A-Z_]+) \| (\d+) \|/gm)].map((row) => [
      row[1] as string,
      Number(row[2]),
    ]),
  );

  it('states the limits of the code', () => {
    const known = new Map<string, unknown>(Object.entries(limits));
    for (const [name, value] of stated) expect(known.get(name), name).toBe(value);
  });

  it('states every limit that a reader of these formats holds', () => {
    const readers = [
      ...[
        'cose/decode',
        'cose/sign1',
        'cose/ml-dsa-sign1',
        'suit/envelope',
        'suit/manifest',
        'bundle/layout',
      ],
      ...[
        'bundle/metadata',
        'bundle/io-schema-codec',
        'bundle/golden-codec',
        'numeric/tensor',
        'trust/root',
      ],
      ...[
        'trust/root-codec',
        'trust/revocation',
        'trust/floor',
        'trust/admissible',
        'trust/operator-act',
        'guard/policy-codec',
        'guard/settings',
      ],
      ...['guard/sensor-settings', 'guard/temporal-output', 'guard/output-minimisation'],
      ...['guard/caller-settings', 'guard/caller-reference', 'guard/drift-policy', 'guard/pca'],
      ...['guard/vim', 'guard/knn'],
      ...['guard/input-policy', 'guard/input-layout', 'guard/image-statistics'],
      ...['guard/reference-ranks', 'guard/perturbation'],
      ...['guard/safe-output', 'telemetry/envelope'],
    ];
    const held = readers.flatMap((name) => {
      const source = readFileSync(resolve(folder, `../src/core/${name}.ts`), 'utf8');
      const names = /import \{([^}]*)\} from '\.\.\/base\/limits\.ts'/.exec(source)?.[1] ?? '';
      return names.match(/\w+/g) ?? [];
    });
    // How a reader works, and what a packer assumes: no other verifier needs them.
    const own = ['HASH_CHUNK_BYTES', 'AHEAD_CHUNK_BYTES', 'BATCH_MAX'];
    const wanted = [...new Set(held)].filter((name) => !own.includes(name));
    expect([...stated.keys()].sort()).toEqual(wanted.sort());
  });

  it('names no limit that its table lacks', () => {
    const named = text.match(/`[A-Z]+_[A-Z_]+`/g) ?? [];
    const unknown = named.map((name) => name.slice(1, -1)).filter((name) => !stated.has(name));
    expect(unknown).toEqual(['NAMES_IN_CAPITALS']);
  });

  it('names every fault of these formats, and none that does not exist', () => {
    const formats = [
      ...[
        COSE_FAULTS,
        SUIT_FAULTS,
        BUNDLE_FAULTS,
        GOLDEN_FAULTS,
        TRUST_FAULTS,
        OPERATOR_FAULTS,
        FIELD_FAULTS,
        POLICY_FAULTS,
      ],
      ...[TELEMETRY_FAULTS, CRYPTO_FAULTS],
    ].flatMap((table) => Object.keys(table));
    // Key files, a process's self-test, the maker's JSON, foreign signatures, where a device keeps its
    // floors and when it can do what an operator wants are other matters.
    const elsewhere =
      /^(key\.|operator\.(unsigned|locked|no-model|not-held|no-state)$|crypto\.(self-test|signature-file)$|metadata\.json$|cose\.curve$|floor\.(?!malformed|mac))/;
    const wanted = formats.filter((code) => !elsewhere.test(code));
    const families = new Set([...formats, 'guard.', 'runtime.'].map((code) => code.split('.')[0]));
    const named = (text.match(/`[a-z]+\.[a-z0-9-]+`/g) ?? [])
      .map((code) => code.slice(1, -1))
      .filter((code) => code !== 'root.cbor' && families.has(code.split('.')[0]))
      .filter((code) => !(EVENT_TYPES as readonly string[]).includes(code));
    const known = [...formats, ...Object.keys(GUARD_FAULTS), ...Object.keys(RUNTIME_FAULTS)];
    expect(named.filter((code) => !known.includes(code))).toEqual([]);
    expect(wanted.filter((code) => !named.includes(code))).toEqual([]);
  });

  it('names every member and word of the CDDL', () => {
    const words = cddl.replaceAll(/;.*|\.regexp ".*"/g, '').matchAll(/"([^"\n]*)"/g);
    const missing = [...words]
      .map((found) => found[1] as string)
      .filter((word) => {
        return !text.includes(`\`${word}\``) && !text.includes(`"${word}"`);
      });
    expect(missing).toEqual([]);
    const numbers = [...cddl.matchAll(/^ +(?:\? )?(-?\d+): /gm)].map((found) => found[1] as string);
    expect(numbers.filter((key) => !new RegExp(`(\\| |[{ ])${key}( \\||:)`).test(text))).toEqual(
      [],
    );
  });

  it('gives every event type its severity, every role and every default', () => {
    for (const type of EVENT_TYPES) {
      expect(text).toContain(`| \`${type}\` | ${severityOf(type)} |`);
    }
    for (const role of FILE_ROLES) expect(text).toContain(`| \`${role}\` |`);
    const { actions, callers, ...settings } = DEFAULT_GUARD_SETTINGS;
    const { principals, undeclared, ...evidence } = callers;
    for (const [name, value] of leaves({ ...settings, evidence })) {
      expect(text).toMatch(new RegExp(`^\\| \`${name}\` \\|.*\\| ${value} \\|$`, 'm'));
    }
    const sensor = need(parseCallerSettings({ principals: { eye: { kind: 'sensor' } } }));
    for (const [name, value] of Object.entries(undeclared)) {
      const seen = Reflect.get(sensor.principals.get('eye') ?? {}, name);
      expect(text).toMatch(new RegExp(`^\\| \`${name}\` \\|.*\\| ${value}, ${seen} \\|$`, 'm'));
    }
    expect(principals.size).toBe(0);
    expect(actions).toEqual({
      ...{ contract: 'substitute', sensor: 'substitute', output: 'substitute' },
      ...{ input: 'flag', novelty: 'flag', perturbation: 'flag', drift: 'flag' },
      ...{ caller: 'withhold', inference: 'substitute' },
    });
  });
});

/** Members and members of members. */
function leaves(settings: object): [name: string, value: unknown][] {
  return Object.entries(settings).flatMap(([name, value]) =>
    typeof value === 'object' ? leaves(value) : [[name, value] as [string, unknown]],
  );
}
