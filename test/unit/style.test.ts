import { relative, resolve } from 'node:path';
import { SyntaxKind } from 'typescript/unstable/ast';
import type { Node, SourceFile } from 'typescript/unstable/ast';
import { API } from 'typescript/unstable/sync';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** What the linter has no rule for, or none that counts as a reader does. The compiler parses: no text is taken for code. */
const root = resolve(import.meta.dirname, '../..');
const maxFileLines = 300;
const maxFunctionLines = 60;

const functions: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.ArrowFunction,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
]);

let compiler: API;
let sources: readonly SourceFile[] = [];

beforeAll(() => {
  compiler = new API({ cwd: root });
  const [project] = compiler.updateSnapshot({ openProjects: [resolve(root, 'tsconfig.json')] }).getProjects();
  if (project === undefined) throw new Error('tsconfig.json is no project');
  sources = project.program
    .getSourceFileNames()
    .filter((name) => /^(src|test|bench|scripts)\//.test(relative(root, name)))
    .flatMap((name) => project.program.getSourceFile(name) ?? []);
});

afterAll(() => compiler.close());

const nameOf = (source: SourceFile): string => relative(root, source.fileName);
const inSrc = (): readonly SourceFile[] => sources.filter((source) => nameOf(source).startsWith('src/'));
const linesOf = (text: string): number => text.split('\n').length;

/** Those of these kinds, wherever they are. */
function nodesOf(source: SourceFile, kinds: ReadonlySet<SyntaxKind>): readonly Node[] {
  const found: Node[] = [];
  const visit = (node: Node): void => {
    if (kinds.has(node.kind)) found.push(node);
    node.forEachChild(visit);
  };
  visit(source);
  return found;
}

/** `src/main.ts:12` */
function placeOf(source: SourceFile, node: Node): string {
  return `${nameOf(source)}:${linesOf(source.text.slice(0, node.getStart(source)))}`;
}

describe('the style of the house', () => {
  test('the compiler has read all of it', () => {
    expect(inSrc().length).toBeGreaterThan(400);
  });

  test(`no file of src/ has more than ${maxFileLines} lines`, () => {
    const long = inSrc()
      .map((source) => ({ name: nameOf(source), lines: linesOf(source.text.trimEnd()) }))
      .filter(({ lines }) => lines > maxFileLines);
    expect(long).toEqual([]);
  });

  test(`no function of src/ has more than ${maxFunctionLines} lines`, () => {
    const long = inSrc().flatMap((source) =>
      nodesOf(source, functions)
        .map((node) => ({ node, lines: linesOf(source.text.slice(node.getStart(source), node.end)) }))
        .filter(({ lines }) => lines > maxFunctionLines)
        .map(({ node, lines }) => `${placeOf(source, node)} has ${lines}`),
    );
    expect(long).toEqual([]);
  });

  test('members are private by #; a constructor, for which the language has no #, may say private', () => {
    const words: ReadonlySet<SyntaxKind> = new Set([SyntaxKind.PrivateKeyword, SyntaxKind.ProtectedKeyword]);
    const wrong = sources.flatMap((source) =>
      nodesOf(source, words)
        .filter((node) => node.parent.kind !== SyntaxKind.Constructor)
        .map((node) => placeOf(source, node)),
    );
    expect(wrong).toEqual([]);
  });
});
