import { join } from 'node:path';

/** The path of a manifest of these stories. */
export const manifest = (name: string) => join(import.meta.dirname, 'manifests', `${name}.yaml`);
