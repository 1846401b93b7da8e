/** A raw value and where it was said: `--node-name`, `KAGENT_NODE_NAME`, `/etc/kagent/config.yaml line 3`. */
export interface Said {
  readonly value: unknown;
  readonly origin: string;
}

/** By the setting's name in the schema: `nodeName`. */
export type Source = ReadonlyMap<string, Said>;
