import { isIPv4 } from 'node:net';
import * as z from 'zod';
import { contains } from '../../shared/ipv4/ipv4.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';
import { canonical, isNodeAddress } from './address.ts';
import type { NameRules } from './names.ts';
import { NodeAddressInvalidError, NodeAddressReservedError, NodeAddressTakenError } from './errors.ts';

export interface AddressClaim {
  readonly nodeName: string;
  /** By which other nodes reach it. */
  readonly internalIps: readonly string[];
  /** By which it is reached from outside the cluster: several nodes may be behind one router. */
  readonly externalIps: readonly string[];
  /** The address its connection comes from. */
  readonly seenAs: string;
  /** Another name that this machine has had, proved by its password. */
  readonly formerName?: string | undefined;
}

const Decided = z.object({
  internalIps: z.array(z.string()),
  externalIps: z.array(z.string()),
});
/** What belongs to a node, by this server's decision. */
export type DecidedAddresses = Readonly<z.infer<typeof Decided>>;

export interface MovedAddress {
  readonly address: string;
  readonly from: string;
  readonly to: string;
}

export interface AddressRules extends Pick<NameRules, 'ownNode' | 'heardAtMs'> {
  /** Every address of this server, as they are now. */
  readonly ownAddresses: () => readonly string[];
  readonly ranges: { readonly clusterCidr: string; readonly serviceCidr: string };
  /** A node that is not connected has lost an address to one whose connection came from it. */
  readonly onMoved: (moved: MovedAddress) => void;
}

/** Which addresses belong to which node. Kept under `/kagent/nodes/<name>/addresses`. */
export class NodeAddresses {
  readonly #store: KeyValue;
  readonly #rules: AddressRules;
  readonly #byNode = new Map<string, DecidedAddresses>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: AddressRules & { readonly store: KeyValue }) {
    this.#store = options.store;
    this.#rules = options;
  }

  async load(): Promise<void> {
    const { entries } = await this.#store.list(nodesPrefix);
    for (const [key, text] of entries) this.heard(key, text);
  }

  /** Another server has written this, or deleted it. */
  heard(key: string, text: string | undefined): void {
    const nodeName = nodeOfKey(key);
    if (nodeName === undefined) return;
    if (text === undefined) this.#byNode.delete(nodeName);
    else this.#byNode.set(nodeName, Decided.parse(JSON.parse(text)));
  }

  of(nodeName: string): DecidedAddresses | undefined {
    return this.#byNode.get(nodeName);
  }

  /** The node whose own address this is; those of routers are nobody's. */
  owner(address: string): string | undefined {
    for (const [nodeName, { internalIps }] of this.#byNode) if (internalIps.includes(address)) return nodeName;
    return undefined;
  }

  /**
   * @throws {NodeAddressInvalidError} @throws {NodeAddressReservedError} it is the server's own, a pod's, or a Service's
   * @throws {NodeAddressTakenError} it is another node's
   */
  check(claim: AddressClaim): void {
    const { nodeName, internalIps, externalIps, seenAs, formerName } = canonically(claim);
    for (const address of [...internalIps, ...externalIps]) {
      if (!isNodeAddress(address)) throw new NodeAddressInvalidError(address);
      const reserved = nodeName === this.#rules.ownNode ? undefined : this.#reservedFor(address);
      if (reserved !== undefined) throw new NodeAddressReservedError(address, reserved);
      const other = this.#otherOwner(address, nodeName);
      if (other === undefined || other === formerName) continue;
      // This process has looked at the box itself: the node was called otherwise before.
      if (nodeName === this.#rules.ownNode && this.#rules.ownAddresses().includes(address)) continue;
      const isShown = internalIps.includes(address) && seenAs === address;
      if (!isShown || this.#rules.heardAtMs(other).isConnected) throw new NodeAddressTakenError(address, other, seenAs);
    }
  }

  /** The addresses are the node's after this, or it throws as `check`. */
  decide(claim: AddressClaim): Promise<DecidedAddresses> {
    const decided = this.#last.then(() => this.#decide(claim));
    this.#last = decided.catch(() => {});
    return decided;
  }

  async forget(nodeName: string): Promise<void> {
    this.#byNode.delete(nodeName);
    await this.#store.delete(keyOf(nodeName));
  }

  async #decide(claim: AddressClaim): Promise<DecidedAddresses> {
    this.check(claim);
    const { nodeName, internalIps, externalIps } = canonically(claim);
    const decided = { internalIps: [...internalIps], externalIps: [...externalIps] };
    for (const address of decided.internalIps) {
      const other = this.#otherOwner(address, nodeName);
      if (other !== undefined) await this.#take(address, other, nodeName);
    }
    await this.#write(nodeName, decided);
    return decided;
  }

  /** As when a router gives the address of a box that is off to another one. */
  async #take(address: string, from: string, to: string): Promise<void> {
    const { internalIps = [], externalIps = [] } = this.#byNode.get(from) ?? {};
    await this.#write(from, { internalIps: internalIps.filter((one) => one !== address), externalIps });
    this.#rules.onMoved({ address, from, to });
  }

  async #write(nodeName: string, decided: DecidedAddresses): Promise<void> {
    const text = JSON.stringify(decided);
    if (text !== JSON.stringify(this.#byNode.get(nodeName))) await this.#store.put(keyOf(nodeName), text);
    this.#byNode.set(nodeName, decided);
  }

  #otherOwner(address: string, nodeName: string): string | undefined {
    const owner = this.owner(address);
    return owner === nodeName ? undefined : owner;
  }

  #reservedFor(address: string): string | undefined {
    const { ranges, ownAddresses } = this.#rules;
    if (ownAddresses().includes(address)) return "the server's own";
    if (!isIPv4(address)) return undefined;
    if (contains(ranges.clusterCidr, address)) return `of the pods' range ${ranges.clusterCidr}`;
    return contains(ranges.serviceCidr, address) ? `of the Services' range ${ranges.serviceCidr}` : undefined;
  }
}

function canonically(claim: AddressClaim): AddressClaim {
  const each = (addresses: readonly string[]) => [...new Set(addresses.map(canonical))];
  return { ...claim, internalIps: each(claim.internalIps), externalIps: each(claim.externalIps) };
}

const nodesPrefix = '/kagent/nodes/';

function keyOf(nodeName: string): string {
  return `${nodesPrefix}${nodeName}/addresses`;
}

function nodeOfKey(key: string): string | undefined {
  const [nodeName, last, ...more] = key.slice(nodesPrefix.length).split('/');
  return last === 'addresses' && more.length === 0 ? nodeName : undefined;
}
