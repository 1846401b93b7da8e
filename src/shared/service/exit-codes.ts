/** Of a kagent whose node was removed from its cluster: it is not to be started again. */
export const removedExitCode = 3;
