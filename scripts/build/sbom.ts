/**
 * The bill of materials (SPDX 2.3, JSON) and the notices that travel in the bundle.
 */
import { createHash } from 'node:crypto';
import type { Part } from './modules.ts';

export interface Document {
  readonly kagent: string;
  readonly arch: string;
  /** RFC 3339; the same for the same sources. */
  readonly created: string;
  /** What each component is made of. */
  readonly components: readonly {
    readonly name: string;
    readonly version: string;
    readonly licence: string;
    readonly parts: readonly Part[];
  }[];
}

interface Listed extends Pick<Part, 'name' | 'version' | 'licence' | 'patches'> {
  readonly id: string;
  readonly purl?: string;
}

export function sbom(document: Document): string {
  const root = { id: 'SPDXRef-kagent', name: 'kagent', version: document.kagent, licence: 'Apache-2.0' };
  const components = document.components.map((component) => ({
    ...component,
    id: idOf('component', component.name, component.version),
  }));
  const parts = unique(components.flatMap((component) => component.parts)).map((part) => ({
    ...part,
    id: idOf('part', keyOf(part)),
  }));
  const packages = [root, ...components, ...parts].map((part: Listed) => ({
    SPDXID: part.id,
    name: part.name,
    versionInfo: part.version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: part.licence,
    licenseDeclared: part.licence,
    copyrightText: 'NOASSERTION',
    ...(part.purl !== undefined
      ? { externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: part.purl }] }
      : {}),
    ...(part.patches !== undefined ? { sourceInfo: `changed by ${part.patches.join(', ')}` } : {}),
  }));
  const relation = (from: string, relationshipType: string, to: string) => ({
    spdxElementId: from,
    relationshipType,
    relatedSpdxElement: to,
  });
  const relationships = [
    relation('SPDXRef-DOCUMENT', 'DESCRIBES', root.id),
    ...components.map((component) => relation(root.id, 'CONTAINS', component.id)),
    ...components.flatMap((component) =>
      component.parts.map((part) => relation(component.id, 'CONTAINS', idOf('part', keyOf(part)))),
    ),
  ];
  const content = { packages, relationships };
  const fingerprint = createHash('sha256').update(JSON.stringify(content)).digest('hex');
  return `${JSON.stringify(
    {
      spdxVersion: 'SPDX-2.3',
      dataLicense: 'CC0-1.0',
      SPDXID: 'SPDXRef-DOCUMENT',
      name: `kagent-${document.kagent}-${document.arch}`,
      documentNamespace: `https://kagent.sh/spdx/kagent-${document.kagent}-${document.arch}-${fingerprint}`,
      creationInfo: { created: document.created, creators: ['Tool: kagent-build'] },
      ...content,
    },
    null,
    1,
  )}\n`;
}

/** Every licence and notice text once, under the names of all parts that carry it. */
export function notices(document: Document): string {
  const owners = new Map<string, string[]>();
  for (const part of unique(document.components.flatMap((component) => component.parts))) {
    const changed = part.patches === undefined ? '' : ` (changed by ${part.patches.join(', ')})`;
    const owner = `${part.name} ${part.version}${changed}`;
    for (const text of part.texts) owners.set(text, [...(owners.get(text) ?? []), owner]);
  }
  const sections = [...owners].map(([text, names]) => `${names.join('\n')}\n\n${text}\n`);
  const line = `${'-'.repeat(80)}\n`;
  return [
    `kagent ${document.kagent} contains the following software, under the licences given here.\n`,
    ...sections,
  ].join(line);
}

function unique(parts: readonly Part[]): Part[] {
  const byKey = new Map(parts.map((part) => [keyOf(part), part]));
  return [...byKey].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, part]) => part);
}

/** A module that one component has as it is and another one changed are two parts. */
function keyOf({ purl, patches = [] }: Part): string {
  return [purl, ...patches].join(' ');
}

function idOf(...words: readonly string[]): string {
  return `SPDXRef-${words.join('-').replaceAll(/[^A-Za-z0-9.-]+/g, '-')}`;
}
