/** Writes docs/config.md out of the schemas: `node scripts/config-doc.ts`. A unit test compares the two. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { AgentConfig, nodeSettings } from '../src/agent/config.ts';
import { serverSettings } from '../src/server/config.ts';
import { unsupportedSettingsOf, settingsOf } from '../src/shared/config/config.ts';
import type { Setting } from '../src/shared/config/config.ts';

export function configDoc(): string {
  const node = z.strictObject(nodeSettings);
  const nodeNames = new Set(settingsOf(node).map((setting) => setting.name));
  const agentOnly = settingsOf(AgentConfig).filter((setting) => !nodeNames.has(setting.name));
  return `# Configuration

Every setting has one name in three spellings: the flag \`--node-name\`, the variable \`KAGENT_NODE_NAME\` and the key
\`node-name\` in \`/etc/kagent/config.yaml\`. A flag takes precedence over a variable, a variable over the file, the file over the default. Files in
\`/etc/kagent/config.yaml.d\` follow in the order of their names: a key replaces, \`key+\` appends to a list.
\`--config FILE\` (or \`KAGENT_CONFIG_FILE\`) names another file. Lists are given as several flags or items, or separated by
commas, in a file too; blanks around an item mean nothing. In arguments for components (\`*-arg\`) a comma is a comma.
Text in a file is taken as it is written: \`token: 0011\` has its zeros.

\`kagent config show [server|agent]\` prints the settings that apply and where each was set, \`kagent config validate [FILE]\` checks a
file, \`kagent config default\` prints one with every setting, commented out.

A key or flag that does not exist is an error that names the line and the nearest one that does: nothing is ignored.
Server and agents may share one file; each takes what is its own.

Registries have [a file of their own](registries.md). What has no setting goes into files that components read after kagent's own:

- \`/var/lib/kagent/agent/etc/containerd/conf.d/*.toml\`: containerd's configuration, version 4 as \`config.toml\` beside the folder. A table's
  keys replace those that kagent wrote; read when kagent starts. Templates (\`config.toml.tmpl\`) are refused.
- \`/var/lib/kagent/agent/etc/kubelet.conf.d/*.conf\`: KubeletConfiguration, in the order of names; read when kagent starts.
- \`--kube-apiserver-arg\`, \`--kubelet-arg\` and their like: flags of a component; [docs/component-args.md](component-args.md) says what becomes of each.

## \`kagent server\`

${table(settingsOf(z.strictObject(serverSettings)))}
## \`kagent server\` and \`kagent agent\`: the node

${table(settingsOf(node))}
## \`kagent agent\`

${table(agentOnly)}
## k3s's settings that kagent does not have

Each of these is an error with this message, unless it asks for what is the case anyway (\`false\`, and what is in brackets). \`K3S_*\` variables are
not read: the variable of a setting begins with \`KAGENT_\`.

${foreignTable([z.strictObject({ ...serverSettings, ...nodeSettings }), AgentConfig])}`;
}

function foreignTable(schemas: readonly z.ZodObject[]): string {
  const all = new Map(schemas.flatMap(unsupportedSettingsOf).map((setting) => [setting.key, setting]));
  return [...all.values()]
    .map(({ key, description, accepts }) => {
      const fine = accepts.length === 0 ? '' : ` (${accepts.map((value) => `\`${value}\``).join(', ')})`;
      return `- \`--${key}\`${fine}: ${description}\n`;
    })
    .join('');
}

function table(settings: readonly Setting[]): string {
  return settings.map((setting) => `- \`--${setting.key}\`: ${setting.description}${shownDefault(setting)}\n`).join('');
}

function shownDefault({ kind, defaultValue }: Setting): string {
  if (kind === 'list' || kind === 'args') return '; a list';
  return defaultValue === undefined ? '' : `; default \`${JSON.stringify(defaultValue).replaceAll('"', '')}\``;
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, '../docs/config.md'), configDoc());
