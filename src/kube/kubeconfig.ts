/**
 * The text of a kubeconfig: how a client finds an API server and proves who it is.
 * Spec: client-go `clientcmd/api/v1` Config.
 */
export interface KubeconfigOptions {
  /** `https://host:port`. */
  readonly server: string;
  readonly user: string;
  /** Paths are read anew when the files change; texts are copied into the kubeconfig, which then stands alone. */
  readonly ca: FileOrText;
  readonly certificate: FileOrText;
  readonly key: FileOrText;
}
export type FileOrText = { readonly file: string } | { readonly text: string };

export function kubeconfigText(options: KubeconfigOptions): string {
  const { server, user, ca, certificate, key } = options;
  return `apiVersion: v1
kind: Config
clusters:
- name: default
  cluster:
    server: ${JSON.stringify(server)}
    ${entry('certificate-authority', ca)}
users:
- name: ${JSON.stringify(user)}
  user:
    ${entry('client-certificate', certificate)}
    ${entry('client-key', key)}
contexts:
- name: default
  context:
    cluster: default
    user: ${JSON.stringify(user)}
current-context: default
`;
}

/** JSON strings are YAML strings too. */
function entry(name: string, value: FileOrText): string {
  if ('file' in value) return `${name}: ${JSON.stringify(value.file)}`;
  return `${name}-data: ${Buffer.from(value.text).toString('base64')}`;
}
