/** Reading CDDL (RFC 8610) into a grammar: the part that `cddl.ts` names, everything else refused. */

export type CddlType =
  | { readonly kind: 'choice'; readonly types: readonly CddlType[] }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'literal'; readonly value: string | number }
  | {
      readonly kind: 'range';
      readonly low: number;
      readonly high: number;
      readonly float: boolean;
    }
  | { readonly kind: 'tag'; readonly tag: number; readonly type: CddlType }
  | { readonly kind: 'array' | 'map'; readonly entries: readonly CddlEntry[] }
  | {
      readonly kind: 'control';
      readonly operator: string;
      readonly target: CddlType;
      readonly argument: CddlType;
    };

/** Either a value, with its key in a map, or a group of entries. */
export interface CddlEntry {
  readonly min: number;
  readonly max: number;
  readonly key?: CddlType;
  readonly value?: CddlType;
  readonly group?: readonly CddlEntry[];
}

export type CddlRule =
  | { readonly kind: 'type'; readonly type: CddlType }
  | { readonly kind: 'group'; readonly entries: readonly CddlEntry[] };

export type Grammar = ReadonlyMap<string, CddlRule>;

/** The names of RFC 8610 appendix D that are in use. */
export const PRELUDE: ReadonlyMap<string, (value: unknown) => boolean> = new Map<
  string,
  (value: unknown) => boolean
>([
  ['int', (value) => typeof value === 'bigint' || Number.isSafeInteger(value)],
  ['float', (value) => typeof value === 'number' && !Number.isSafeInteger(value)],
  ['bstr', (value) => value instanceof Uint8Array],
  ['tstr', (value) => typeof value === 'string'],
  ['bool', (value) => typeof value === 'boolean'],
  ['true', (value) => value === true],
  ['null', (value) => value === null],
]);

const CONTROLS = ['.size', '.cbor', '.regexp'];
const NAME = /^[A-Za-z][A-Za-z0-9-]*$/;
const NUMBER = /^-?\d/;
const TOKEN =
  /\s+|;[^\n]*|("[^"\\\n]*"|#\d\.\d+|\.\.\.?|\.[a-z]+|=>|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[A-Za-z][A-Za-z0-9-]*|\/\/|[=/(){}[\],:?*+])/y;

/** Throws where the text is no CDDL of this part, names a rule twice or one that does not exist. */
export function parseCddl(text: string): Grammar {
  const parser = new Parser(tokensOf(text));
  const grammar = parser.rules();
  for (const name of parser.named) {
    if (!grammar.has(name) && !PRELUDE.has(name)) throw new Error(`${name} is not defined`);
  }
  for (const name of PRELUDE.keys()) {
    if (grammar.has(name)) throw new Error(`${name} is a name of the prelude`);
  }
  return grammar;
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const start = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (found === null) throw new Error(`no CDDL here: ${text.slice(start, start + 20)}`);
    if (found[1] !== undefined) tokens.push(found[1]);
  }
  return tokens;
}

class Parser {
  readonly named = new Set<string>();
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  rules(): Grammar {
    const grammar = new Map<string, CddlRule>();
    while (this.#at < this.#tokens.length) {
      const name = this.#take();
      if (!NAME.test(name)) throw new Error(`${name} is no name of a rule`);
      if (grammar.has(name)) throw new Error(`${name} is defined twice`);
      this.#expect('=');
      // A rule in parentheses is a group here, never a type.
      grammar.set(
        name,
        this.#accept('(')
          ? { kind: 'group', entries: this.#entries(')') }
          : { kind: 'type', type: this.#type() },
      );
    }
    return grammar;
  }

  #type(): CddlType {
    const types = [this.#controlled()];
    while (this.#accept('/')) types.push(this.#controlled());
    return types.length === 1 ? (types[0] as CddlType) : { kind: 'choice', types };
  }

  #controlled(): CddlType {
    const target = this.#plain();
    const operator = this.#peek();
    if (operator === '..') return this.#range(target);
    if (operator?.startsWith('.') !== true) return target;
    this.#take();
    if (!CONTROLS.includes(operator)) throw new Error(`${operator} is not understood`);
    return { kind: 'control', operator, target, argument: this.#plain() };
  }

  #range(low: CddlType): CddlType {
    const lowText = this.#tokens[this.#at - 1] as string;
    this.#expect('..');
    const highText = this.#peek() as string;
    const high = this.#plain();
    const [least, most] = [low, high].map((end) => (end.kind === 'literal' ? end.value : ''));
    const float = isFloat(lowText);
    if (typeof least !== 'number' || typeof most !== 'number' || float !== isFloat(highText)) {
      throw new Error(`${lowText}..${highText} is no range`);
    }
    return { kind: 'range', low: least, high: most, float };
  }

  #plain(): CddlType {
    const token = this.#take();
    if (token === '(') {
      const type = this.#type();
      this.#expect(')');
      return type;
    }
    if (token === '[') return { kind: 'array', entries: this.#entries(']') };
    if (token === '{') return { kind: 'map', entries: this.#entries('}') };
    if (token.startsWith('"')) return { kind: 'literal', value: token.slice(1, -1) };
    if (token.startsWith('#6.')) return this.#tag(Number(token.slice(3)));
    if (NUMBER.test(token)) return { kind: 'literal', value: Number(token) };
    if (!NAME.test(token)) throw new Error(`${token} is no type`);
    this.named.add(token);
    return { kind: 'name', name: token };
  }

  #tag(tag: number): CddlType {
    this.#expect('(');
    const type = this.#type();
    this.#expect(')');
    return { kind: 'tag', tag, type };
  }

  #entries(end: string): CddlEntry[] {
    const entries: CddlEntry[] = [];
    while (!this.#accept(end)) {
      const [min, max] = this.#occurrence();
      entries.push({ min, max, ...this.#member() });
      if (!this.#accept(',') && this.#peek() !== end) throw new Error(`${end} or , expected`);
    }
    return entries;
  }

  #occurrence(): [min: number, max: number] {
    if (this.#accept('?')) return [0, 1];
    const counts = NUMBER.test(this.#peek() ?? '') && this.#peek(1) === '*';
    const min = counts ? Number(this.#take()) : 0;
    if (!this.#accept('*')) return [1, 1];
    // In a map a number may also be the key that follows: `* 1: int` is not in use.
    return [min, NUMBER.test(this.#peek() ?? '') ? Number(this.#take()) : Infinity];
  }

  #member(): Omit<CddlEntry, 'min' | 'max'> {
    const start = this.#at;
    const first = this.#take();
    if (this.#accept(':')) return { key: literalKey(first), value: this.#type() };
    if (first === '(' && !this.#isKeyInParentheses()) return { group: this.#entries(')') };
    this.#at = start;
    const value = this.#type();
    return this.#accept('=>') ? { key: value, value: this.#type() } : { value };
  }

  /** Whether the parentheses that just opened hold the type of a key. */
  #isKeyInParentheses(): boolean {
    let depth = 1;
    let at = this.#at;
    for (; depth > 0 && at < this.#tokens.length; at++) {
      const token = this.#tokens[at] as string;
      if ('([{'.includes(token)) depth++;
      if (')]}'.includes(token)) depth--;
    }
    return this.#tokens[at] === '=>';
  }

  #peek(ahead: number = 0): string | undefined {
    return this.#tokens[this.#at + ahead];
  }

  #take(): string {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new Error('the text ends early');
    return token;
  }

  #accept(token: string): boolean {
    if (this.#peek() !== token) return false;
    this.#at++;
    return true;
  }

  #expect(token: string): void {
    if (!this.#accept(token)) throw new Error(`${token} expected, not ${this.#peek()}`);
  }
}

function literalKey(token: string): CddlType {
  if (token.startsWith('"')) return { kind: 'literal', value: token.slice(1, -1) };
  if (NUMBER.test(token)) return { kind: 'literal', value: Number(token) };
  if (NAME.test(token)) return { kind: 'literal', value: token };
  throw new Error(`${token} is no key`);
}

function isFloat(text: string): boolean {
  return /[.e]/.test(text);
}
