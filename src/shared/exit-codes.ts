/** What the process says as it ends; systemd's and OpenRC's definitions of the service name them too. */
export const failedExitCode = 1;
/** Of wrong usage, which another start does not heal. */
export const wrongUsageExitCode = 2;
/** Of a kagent whose node was removed from its cluster: it is not to be started again. */
export const removedExitCode = 3;
