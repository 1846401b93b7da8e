/**
 * @module
 * Which kagent this is. The constants are put in when the executable is built; in development they are these.
 */
declare const KAGENT_VERSION: string | undefined;
declare const KAGENT_BUILD_DATE: string | undefined;

/** Semver, as in package.json. */
export const version = typeof KAGENT_VERSION === 'string' ? KAGENT_VERSION : '0.1.0';

/** RFC 3339, the day of the sources' last change: a clock before it is wrong. */
export const buildDate = typeof KAGENT_BUILD_DATE === 'string' ? KAGENT_BUILD_DATE : '2026-11-01T00:00:00Z';

/** Below zero if `a` is older than `b`; both as `1.2.3`. */
export function compareVersions(a: string, b: string): number {
  const [one, other] = [a, b].map((text) => text.split('-', 1).join('').split('.').map(Number));
  for (const index of [0, 1, 2]) {
    const difference = (one?.[index] ?? 0) - (other?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
