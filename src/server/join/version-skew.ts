import { VersionSkewError } from './errors.ts';

/** A kubelet may be this many minor versions older than kube-apiserver. @see Kubernetes "Version Skew Policy" */
const oldestMinor = 3;

/** @param node what the joiner says it would run, if it says so. @throws {VersionSkewError} */
export function checkVersionSkew(server: string, node: string | undefined): void {
  if (node === undefined) return;
  const behind = minorOf(server) - minorOf(node); // NaN where a build has no version stamp: nothing to compare
  if (behind < 0) throw new VersionSkewError({ server, node }, 'is newer than the server');
  if (behind > oldestMinor)
    throw new VersionSkewError({ server, node }, `is more than ${oldestMinor} minor versions older`);
}

function minorOf(version: string): number {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) * 1000 + Number(minor);
}
