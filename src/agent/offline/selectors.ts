import { isJson } from '../../kube/kube.ts';
import type { KubeObject } from '../../kube/kube.ts';

export type Filter = (object: KubeObject) => boolean;

/**
 * A label selector as URLs have it: `app=web,tier in (a,b),!headless`.
 * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
 * @returns undefined if it is not understood
 */
export function labelFilter(selector: string): Filter | undefined {
  const requirements = selector
    .split(/,(?![^(]*\))/) // not the commas in brackets
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map(requirement);
  if (requirements.includes(undefined)) return undefined;
  return ({ metadata }) => requirements.every((holds) => holds?.(metadata.labels ?? {}));
}

type Labels = Readonly<Record<string, string>>;

function requirement(text: string): ((labels: Labels) => boolean) | undefined {
  const set = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(text);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    const values = list.split(',').map((value) => value.trim());
    const isIn = (labels: Labels) => key in labels && values.includes(labels[key] ?? '');
    return operator === 'in' ? isIn : (labels) => !isIn(labels);
  }
  const equals = /^([^\s=!]+)\s*(==|=|!=)\s*([^\s=!]*)$/.exec(text);
  if (equals !== null) {
    const [, key = '', operator, value] = equals;
    return operator === '!=' ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  const exists = /^(!?)\s*([^\s=!()]+)$/.exec(text);
  if (exists === null) return undefined;
  const [, not, key = ''] = exists;
  return not === '!' ? (labels) => !(key in labels) : (labels) => key in labels;
}

/** A field selector: `spec.nodeName=a1,status.phase!=Failed`. @returns undefined if it is not understood */
export function fieldFilter(selector: string): Filter | undefined {
  const terms = selector.split(',').filter((text) => text !== '');
  const filters = terms.map((term) => {
    const match = /^([\w.]+)(==|=|!=)(.*)$/.exec(term);
    if (match === null) return undefined;
    const [, path = '', operator, value] = match;
    return (object: KubeObject) => (fieldAt(object, path) === value) === (operator !== '!=');
  });
  if (filters.includes(undefined)) return undefined;
  return (object) => filters.every((holds) => holds?.(object));
}

/** The one name a field selector asks for, if it does. */
export function selectedName(selector: string): string | undefined {
  return /(?:^|,)metadata\.name==?([^,]+)/.exec(selector)?.[1];
}

function fieldAt(object: KubeObject, path: string): string {
  let value: unknown = object;
  for (const name of path.split('.')) value = isJson(value) ? value[name] : undefined;
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
}
