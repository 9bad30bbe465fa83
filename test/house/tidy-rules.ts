/** The rules of the tidy test: each takes a file's path and text and returns what is wrong. */
import ts from 'typescript';

/** `line: what is wrong`, one for each finding. */
export type TidyRule = (path: string, text: string) => string[];

export const FILE_LINES_MAX = 400;
export const FUNCTION_LINES_MAX = 70;

const FILE_NAMES_BANNED = /(^|[-.])(utils?|helpers?|common|shared|manager|misc|types)([-.]|$)/;
/** Split, so that this file keeps its own rule. */
const UNFINISHED = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`);
const STAND_INS = new RegExp(`\\b(${['st' + 'ub', 'place' + 'holder'].join('|')})(s|bed)?\\b`, 'i');
const MACHINE_PATH = /(?<![\w.\-/}])\/(?:home|root|work|Users)\/\w/;

export const fileName: TidyRule = (path) => {
  const name = path.slice(path.lastIndexOf('/') + 1);
  // The one door to the shared data folder outside the project.
  if (path === 'test/shared.ts' || !FILE_NAMES_BANNED.test(name)) return [];
  return [`1: the name ${name} says nothing about its content`];
};

export const fileLength: TidyRule = (_, text) => {
  const lines = text.trimEnd().split('\n').length;
  return lines > FILE_LINES_MAX ? [`${lines}: longer than ${FILE_LINES_MAX} lines`] : [];
};

export const unfinished: TidyRule = (_, text) => matching(text, UNFINISHED, 'unfinished work');

export const standIns: TidyRule = (_, text) => matching(text, STAND_INS, 'something unreal');

export const machinePaths: TidyRule = (_, text) => matching(text, MACHINE_PATH, 'a machine path');

/** The first thing in a file is the sentence that says what it is for. */
export const purpose: TidyRule = (_, text) => {
  const code = text.replace(/^#!.*\n/, '');
  return /^(\/\*\*?\s|\/\/ )/.test(code) ? [] : ['1: does not start with its purpose'];
};

export const functionLength: TidyRule = (path, text) =>
  visit(path, text, (node, lineOf) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return undefined;
    const lines = lineOf(node.getEnd()) - lineOf(node.getStart()) + 1;
    return lines > FUNCTION_LINES_MAX ? `a function of ${lines} lines` : undefined;
  });

/** Ways around the type checker and around a failure, and barrels. */
export const evasions: TidyRule = (path, text) => [
  ...visit(path, text, (node) => {
    if (ts.isNonNullExpression(node)) return 'a non-null assertion';
    if (ts.isAsExpression(node) && node.type.kind === ts.SyntaxKind.AnyKeyword) {
      return 'a cast to any';
    }
    if (ts.isCatchClause(node) && node.block.statements.length === 0) return 'an empty catch';
    if (ts.isExportDeclaration(node) && isStarExport(node)) return 'a barrel';
    return undefined;
  }),
  ...matching(text, /@ts-(ignore|nocheck)/, 'a silenced type error'),
];

/** Core gets time, chance and surroundings from its caller. */
export const purity: TidyRule = (path, text) => {
  if (!path.startsWith('src/core/')) return [];
  return visit(path, text, (node) => {
    if (ts.isNewExpression(node) && node.getText().startsWith('new Date')) {
      return (node.arguments?.length ?? 0) === 0 ? 'the time of day' : undefined;
    }
    if (!ts.isIdentifier(node) || isMemberName(node)) return undefined;
    if (['process', 'performance', 'console', 'setTimeout', 'setInterval'].includes(node.text)) {
      return `the global ${node.text}`;
    }
    const member = node.parent;
    if (!ts.isPropertyAccessExpression(member)) return undefined;
    const name = `${node.text}.${member.name.text}`;
    return ['Date.now', 'Math.random'].includes(name) ? name : undefined;
  });
};

/** The codes in every exported `*_FAULTS` table of a file. */
export function faultCodes(path: string, text: string): string[] {
  const codes: string[] = [];
  visit(path, text, (node) => {
    if (!ts.isVariableDeclaration(node) || !/_FAULTS$/.test(node.name.getText())) return undefined;
    if (node.initializer === undefined) return undefined;
    if (!ts.isObjectLiteralExpression(node.initializer)) return undefined;
    for (const { name } of node.initializer.properties) {
      if (name !== undefined && ts.isStringLiteral(name)) codes.push(name.text);
    }
    return undefined;
  });
  return codes;
}

function isStarExport({ exportClause }: ts.ExportDeclaration): boolean {
  return exportClause === undefined || ts.isNamespaceExport(exportClause);
}

/** `x.process` and `{ process: 1 }` name a member, not the global. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  return 'name' in parent && parent.name === node;
}

function visit(
  path: string,
  text: string,
  judge: (node: ts.Node, lineOf: (position: number) => number) => string | undefined,
): string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const lineOf = (position: number): number =>
    file.getLineAndCharacterOfPosition(position).line + 1;
  const found: string[] = [];
  const step = (node: ts.Node): void => {
    const wrong = judge(node, lineOf);
    if (wrong !== undefined) found.push(`${lineOf(node.getStart())}: ${wrong}`);
    ts.forEachChild(node, step);
  };
  step(file);
  return found;
}

function matching(text: string, pattern: RegExp, what: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    const found = pattern.exec(line);
    return found === null ? [] : [`${index + 1}: ${what}: ${found[0]}`];
  });
}
