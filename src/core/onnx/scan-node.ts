/** What a scan asks of a node: is its operator a standard one, and does it fill a tensor. */
import type { Bytes } from '../base/bytes.ts';
import { ATTRIBUTE, NODE } from './proto.ts';
import {
  type ConstantScope,
  type FilledTensors,
  headOf,
  SHAPE_BYTES_MAX,
  wholeNumbers,
} from './scan-constants.ts';
import type { FindingList } from './scan-findings.ts';
import { STANDARD_OPERATORS } from './scan-operators.ts';
import { elementBytes } from './scan-tensor.ts';
import { bytesOf, integersOf, textOf, type WireField, wireFields } from './wire.ts';

const FLOAT32_BYTES = 4;
const QUOTED_CHARS_MAX = 64;

export class NodeJudge {
  readonly #found: FindingList;
  readonly #place: () => string;
  readonly #scope: ConstantScope;
  readonly #filled: FilledTensors;
  readonly #inputs: string[] = [];
  readonly #attributes: Bytes[] = [];
  #op = '';
  #domain = '';
  #output = '';

  constructor(
    found: FindingList,
    place: () => string,
    scope: ConstantScope,
    filled: FilledTensors,
  ) {
    this.#found = found;
    this.#place = place;
    this.#scope = scope;
    this.#filled = filled;
  }

  field(no: number, field: WireField): void {
    if (no === NODE.opType) this.#op = textOf(field);
    else if (no === NODE.domain) this.#domain = textOf(field);
    else if (no === NODE.attribute) this.#attributes.push(bytesOf(field));
    else if (no === NODE.input && this.#inputs.length < 2) this.#inputs.push(textOf(field));
    else if (no === NODE.output && this.#output === '') this.#output = textOf(field);
  }

  end(): void {
    const domain = this.#domain === 'ai.onnx' ? '' : this.#domain;
    const known = STANDARD_OPERATORS.get(domain);
    const op = quoted(this.#op);
    if (known === undefined) {
      const detail = `the operator ${op} is of the domain ${quoted(domain)}`;
      this.#found.add('scan.custom-domain', this.#place, detail);
    } else if (!known.has(this.#op)) {
      this.#found.add('scan.unknown-operator', this.#place, `the operator ${op} is not known`);
    }
    if (domain === '') this.#constants();
  }

  #constants(): void {
    const [first = '', second = ''] = this.#inputs;
    if (this.#op === 'Constant') {
      const values = constantOf(this.#attributes);
      if (values !== undefined) this.#scope.values.set(this.#output, values);
    } else if (this.#op === 'ConstantOfShape') {
      this.#fill(first, filledBytes(this.#attributes));
    } else if (this.#op === 'Expand') this.#fill(second, 1);
  }

  #fill(shape: string, bytesEach: number): void {
    this.#filled.add({
      op: this.#op,
      shape,
      elementBytes: bytesEach,
      scope: this.#scope,
      place: this.#place,
    });
  }
}

/** A name from the file, made fit for a line of text. */
function quoted(name: string): string {
  return JSON.stringify(
    name.length > QUOTED_CHARS_MAX ? `${name.slice(0, QUOTED_CHARS_MAX)}...` : name,
  );
}

/** The whole numbers of a Constant node: `value`, `value_ints` or `value_int`. */
function constantOf(attributes: readonly Bytes[]): readonly number[] | undefined {
  const values: number[] = [];
  for (const field of attributes.flatMap((body) => [...wireFields(body)])) {
    if (field.no === ATTRIBUTE.tensor) {
      const head = headOf(bytesOf(field));
      return head === undefined ? undefined : wholeNumbers(head);
    }
    if (field.no !== ATTRIBUTE.int && field.no !== ATTRIBUTE.ints) continue;
    if (field.body.length > SHAPE_BYTES_MAX || values.length > SHAPE_BYTES_MAX) return undefined;
    values.push(...integersOf(field));
  }
  return values.length === 0 ? undefined : values;
}

/** Bytes of an element that ConstantOfShape makes: those of its `value`, else a float32. */
function filledBytes(attributes: readonly Bytes[]): number {
  for (const field of attributes.flatMap((body) => [...wireFields(body)])) {
    const head = field.no === ATTRIBUTE.tensor ? headOf(bytesOf(field)) : undefined;
    if (head !== undefined) return elementBytes(head.dataType) ?? FLOAT32_BYTES;
  }
  return FLOAT32_BYTES;
}
