/** Whom kube-apiserver takes helm for: its certificate says so, and its rights name it. */
export const helmUser = 'kagent:helm-controller';
