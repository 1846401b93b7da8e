/**
 * What is built for: this machine's own kind of processor, or another by Go and the GNU cross tools.
 */
export interface Target {
  /** Node's name: `arm64`, `x64`. */
  readonly arch: string;
  /** Go's, Debian's, OCI's and a release's: `arm64`, `amd64`. */
  readonly name: string;
  readonly isForeign: boolean;
  readonly cc: string;
  readonly strip: string;
  /** Where Debian keeps its libraries: `aarch64-linux-gnu`. */
  readonly triplet: string;
}

const names: Readonly<Record<string, { readonly name: string; readonly gnu: string } | undefined>> = {
  x64: { name: 'amd64', gnu: 'x86_64' },
  arm64: { name: 'arm64', gnu: 'aarch64' },
};

/** @param wanted Node's name, or the one that a release has */
export function targetOf(wanted: string): Target {
  const [arch, known] = Object.entries(names).find(([node, other]) => wanted === node || wanted === other?.name) ?? [];
  if (arch === undefined || known === undefined) {
    throw new Error(`no build for ${wanted}: use one of ${Object.keys(names).join(', ')}`);
  }
  const isForeign = arch !== process.arch;
  const triplet = `${known.gnu}-linux-gnu`;
  const tool = (name: string) => (isForeign ? `${triplet}-${name}` : name);
  return { arch, name: known.name, isForeign, cc: tool('gcc'), strip: tool('strip'), triplet };
}
