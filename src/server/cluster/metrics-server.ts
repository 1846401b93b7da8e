/** What the program, its rights and the way to it have to agree about. */
export const metricsServer = {
  /** On loopback of the server. */
  port: 10_253,
  user: 'kagent:metrics-server',
} as const;
