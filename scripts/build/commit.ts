/** What is asked of git. */

/** When the commit was made; with the option git answers as well where the checkout is another user's, as with sudo. */
export const dateOfCommit = ['-c', 'safe.directory=*', 'log', '-1', '--format=%ct'] as const;
