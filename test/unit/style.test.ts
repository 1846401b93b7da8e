import { relative, resolve } from 'node:path';
import { type Node, SyntaxKind, type SourceFile } from 'typescript/unstable/ast';
import { API } from 'typescript/unstable/sync';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/**
 * What the linter has no rule for. The compiler parses, so that neither a text nor a comment is taken for code.
 */
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

/** Every node below this one, itself too. */
function nodesOf(node: Node): readonly Node[] {
  const nodes = [node];
  node.forEachChild((child) => void nodes.push(...nodesOf(child)));
  return nodes;
}

function linesOf(source: SourceFile, node: Node): { readonly first: number; readonly count: number } {
  const before = source.text.slice(0, node.getStart(source)).split('\n').length;
  return { first: before, count: source.text.slice(node.getStart(source), node.end).split('\n').length };
}

describe('the style of the house', () => {
  test('the compiler has read all of it', () => {
    expect(inSrc().length).toBeGreaterThan(400);
  });

  test(`no file of src/ has more than ${maxFileLines} lines`, () => {
    const long = inSrc()
      .map((source) => ({ name: nameOf(source), lines: source.text.trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > maxFileLines);
    expect(long).toEqual([]);
  });

  test(`no function of src/ has more than ${maxFunctionLines} lines`, () => {
    const long = inSrc().flatMap((source) =>
      nodesOf(source)
        .filter((node) => functions.has(node.kind))
        .map((node) => ({ node, ...linesOf(source, node) }))
        .filter(({ count }) => count > maxFunctionLines)
        .map(({ first, count }) => `${nameOf(source)}:${first} has ${count}`),
    );
    expect(long).toEqual([]);
  });

  test('members are private by #, which the language keeps; a constructor, for which it has no #, may say private', () => {
    const words: ReadonlySet<SyntaxKind> = new Set([SyntaxKind.PrivateKeyword, SyntaxKind.ProtectedKeyword]);
    const wrong = sources.flatMap((source) =>
      nodesOf(source)
        .filter((node) => words.has(node.kind) && node.parent.kind !== SyntaxKind.Constructor)
        .map((node) => `${nameOf(source)}:${linesOf(source, node).first}`),
    );
    expect(wrong).toEqual([]);
  });
});
