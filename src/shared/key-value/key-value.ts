/**
 * @module
 * What kagent's rooms keep in the datastore under `/kagent/`: small texts.
 * Knows: the shape alone. Leaves to others: where it is (datastore/etcd gives a KeyClient).
 */
export interface KeyValue {
  get(key: string): Promise<string | undefined>;
  put(key: string, value: string): Promise<void>;
  /** One transaction: writes unless the key exists. @returns whether it wrote */
  create(key: string, value: string): Promise<boolean>;
  /** @returns whether it was there */
  delete(key: string): Promise<boolean>;
  /** In the order of keys. */
  list(prefix: string): Promise<{ readonly entries: ReadonlyMap<string, string> }>;
}
