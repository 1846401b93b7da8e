/** Whom kube-apiserver takes helm for: its certificate says so, and its rights name it. */
export const helmUser = 'kagent:helm-controller';

/** The bundle's `helm-release`, which carries out one thing about one release and ends. */
export interface HelmProgram {
  /** `onLine` is told of each line that it writes. @returns why it has not done it; undefined after a good end */
  run(
    request: object,
    options: { readonly timeoutMs: number; readonly onLine: (line: string) => void },
    signal: AbortSignal,
  ): Promise<{ readonly reason: string | undefined }>;
}
