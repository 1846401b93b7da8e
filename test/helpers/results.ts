/** Pages of docs/ whose results a run writes, between two marks. */

const begin = '<!-- results -->';
const end = '<!-- end of results -->';

export function resultsIn(document: string): string {
  return document.slice(document.indexOf(begin) + begin.length, document.indexOf(end));
}

export function withResults(document: string, results: string): string {
  const [from, to] = [document.indexOf(begin) + begin.length, document.indexOf(end)];
  return `${document.slice(0, from)}\n\n${results.trim()}\n\n${document.slice(to)}`;
}

/**
 * The document with the sections of these titles (`### …`), in their order: as just made, else as it has them if they have a table, else
 * as they are before any run.
 */
export function withSections(
  document: string,
  beforeAnyRun: ReadonlyMap<string, string>,
  made: ReadonlyMap<string, string>,
): string {
  const sections = new Map(beforeAnyRun);
  for (const section of resultsIn(document).split(/^(?=### )/m)) {
    const title = /^### (.*)$/m.exec(section)?.[1];
    if (title !== undefined && sections.has(title) && section.includes('\n| ')) sections.set(title, section);
  }
  for (const [title, section] of made) sections.set(title, section);
  return withResults(document, [...sections.values()].map((text) => text.trim()).join('\n\n'));
}
