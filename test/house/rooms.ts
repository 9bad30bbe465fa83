/** Reads `src/rooms.json` and turns it into rules for dependency-cruiser. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { IFlattenedRuleSet } from 'dependency-cruiser';

export interface Room {
  readonly name: string;
  /** `node:fs` also covers `node:fs/promises`; `node:*` and `@scope/*` cover all of theirs. */
  readonly packages: readonly string[];
}

export interface Rooms {
  /** From the lowest up; inside a floor a room may import the rooms before it. */
  readonly floors: readonly { readonly name: string; readonly rooms: readonly Room[] }[];
  /** Single files over all floors. */
  readonly above: readonly Room[];
  /** Packages that exactly one file may import. */
  readonly soleImporters: Readonly<Record<string, string>>;
}

export const projectRoot: string = resolve(import.meta.dirname, '../..');

export function readRooms(): Rooms {
  return JSON.parse(readFileSync(resolve(projectRoot, 'src/rooms.json'), 'utf8')) as Rooms;
}

type Rule = NonNullable<IFlattenedRuleSet['forbidden']>[number];
type Condition = Record<string, string | readonly string[] | boolean>;

/** Every rule of the house; whatever no rule allows is an error. */
export function rulesOf(rooms: Rooms): Rule[] {
  const rules: Rule[] = [
    rule('no-cycle', { path: '^src/' }, { circular: true }),
    rule('unresolved', { path: '^src/' }, { couldNotResolve: true }),
  ];
  const open: string[] = [];
  for (const floor of rooms.floors) {
    for (const { name, packages } of floor.rooms) {
      const place = `src/${floor.name}/${name}/`;
      open.push(place);
      rules.push(...placeRules(place, open, packages));
    }
  }
  for (const { name, packages } of rooms.above) {
    rules.push(...placeRules(`src/${name}`, [...open, `src/${name}`], packages));
  }
  for (const [name, importer] of Object.entries(rooms.soleImporters)) {
    const from = { path: '^src/', pathNot: `^${escaped(importer)}$` };
    rules.push(rule(`sole-importer ${name}`, from, { path: packagePattern(name) }));
  }
  return rules;
}

function placeRules(place: string, open: readonly string[], packages: readonly string[]): Rule[] {
  const from = { path: `^${escaped(place)}` };
  const allowed = packages.map(packagePattern);
  const inSource = { path: '^src/', pathNot: open.map((room) => `^${escaped(room)}`) };
  const outside = { pathNot: ['^src/', ...allowed] };
  return [rule(`order ${place}`, from, inSource), rule(`package ${place}`, from, outside)];
}

/** dependency-cruiser drops `node:` where the bare name exists, and refuses nested repetition. */
function packagePattern(name: string): string {
  if (name === 'node:*') return '^(?:node:)?[a-z_0-9/]+$';
  if (name.startsWith('node:')) return `^(?:node:)?${escaped(name.slice(5))}(?:$|/)`;
  const path = escaped(name.endsWith('/*') ? name.slice(0, -2) : name);
  return `(?:^|/)node_modules/${path}/`;
}

function rule(name: string, from: Condition, to: Condition): Rule {
  return { name, severity: 'error', from, to } as Rule;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
