/** CBOR diagnostic notation (RFC 8949 section 8, with `<< >>` of RFC 8610 appendix G.3), indented. */
import { toHex } from '../../src/core/base/bytes.ts';
import type { CborValue } from '../../src/core/cose/value.ts';
import { type Node, opened, Tagged, Wrapped } from './cddl-damage.ts';

const WIDTH = 96;

/** Byte strings that hold CBOR are opened; those that are ASCII names are written as such. */
export function diagnosed(value: CborValue): string {
  return lines(opened(value), '').join('\n');
}

/** Hexadecimal in lines of 40 bytes. */
export function hexLines(bytes: Uint8Array): string {
  return (toHex(bytes).match(/.{1,80}/g) ?? []).join('\n');
}

function lines(node: Node, before: string): string[] {
  const flat = before + inline(node);
  if (flat.length <= WIDTH) return [flat];
  if (node instanceof Wrapped) return around(node.inner, `${before}<< `, ' >>');
  if (node instanceof Tagged) return around(node.inner, `${before}${node.tag}(`, ')');
  if (Array.isArray(node))
    return nested(
      before,
      '[',
      ']',
      node.map((entry) => lines(entry, '')),
    );
  if (!(node instanceof Map)) return [flat];
  const members = [...node].map(([key, member]) =>
    lines(member as Node, `${JSON.stringify(key)}: `),
  );
  return nested(before, '{', '}', members);
}

function around(node: Node, before: string, after: string): string[] {
  const inner = lines(node, before);
  return [...inner.slice(0, -1), `${inner.at(-1)}${after}`];
}

function nested(before: string, open: string, close: string, entries: string[][]): string[] {
  const inside = entries.flatMap((entry, i) => {
    const last = i === entries.length - 1 ? '' : ',';
    return [...entry.slice(0, -1), `${entry.at(-1)}${last}`].map((line) => `  ${line}`);
  });
  return [`${before}${open}`, ...inside, close];
}

function inline(node: Node): string {
  if (node instanceof Wrapped) return `<< ${inline(node.inner)} >>`;
  if (node instanceof Tagged) return `${node.tag}(${inline(node.inner)})`;
  if (node instanceof Uint8Array) return bytesText(node);
  if (Array.isArray(node)) return `[${node.map(inline).join(', ')}]`;
  if (node instanceof Map) {
    const members = [...node].map(([key, value]) => `${JSON.stringify(key)}: ${inline(value)}`);
    return `{${members.join(', ')}}`;
  }
  return typeof node === 'string' ? JSON.stringify(node) : String(node);
}

function bytesText(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes);
  return /^[#A-Za-z0-9._-]{2,}$/.test(text) ? `'${text}'` : `h'${toHex(bytes)}'`;
}
