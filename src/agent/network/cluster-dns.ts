import { Resolver } from 'node:dns/promises';
import { conditionTracker } from '../../shared/component/component.ts';
import type { Component, ComponentName, ConditionTracker } from '../../shared/component/component.ts';
import { messageOf, systemCode, withRemedy } from '../../shared/errors.ts';
import type { EventLog } from '../../shared/events/events.ts';
import type { Log } from '../../shared/log/log.ts';
import { addressTowards } from '../../host/probe/probe.ts';
import type { ClusterSettings } from '../../shared/protocol/join.ts';
import { pause } from '../../shared/pause.ts';

export interface ClusterDnsOptions {
  readonly after: readonly ComponentName[];
  /** Known when the node has joined. */
  readonly settings: () => ClusterSettings;
  readonly events: EventLog;
  readonly log: Log;
  readonly ask?: AskDns;
  readonly timing?: DnsTiming;
}

/** Resolves with the code of the failure; undefined when there was an answer. */
export type AskDns = (server: string, name: string) => Promise<string | undefined>;

export interface DnsTiming {
  /** While there is no answer. */
  readonly retryMs: number;
  /** While there is one. */
  readonly checkEveryMs: number;
  /** After the start of the node, before a missing answer counts. */
  readonly startMs: number;
  /** Later: a Pod of CoreDNS that moves is away for a moment. */
  readonly graceMs: number;
}

const usualTiming: DnsTiming = { retryMs: 500, checkEveryMs: 60_000, startMs: 60_000, graceMs: 5000 };
/** Not yet a fault, and no longer what every start has. */
const explainedAfterMs = 10_000;
const slowestRetryMs = 10_000;
const answerWithinMs = 2000;

/**
 * Whether the cluster's DNS answers this host over its Service's address: kube-proxy's rules are there, a Pod of CoreDNS is
 * reached, and it was Ready, which it is only after it has reached kube-apiserver from a Pod's network. Keeps no start
 * waiting: `Unknown` until there is an answer, or until there should have been one.
 */
export function clusterDns(options: ClusterDnsOptions): Component {
  const { after, ask = askDns, timing = usualTiming, events, log } = options;
  const condition = conditionTracker();
  const stopping = new AbortController();
  let work = Promise.resolve();

  const { answers, fails } = tellingOf(condition, events, log);
  const follow = async (settings: ClusterSettings): Promise<void> => {
    const { clusterDns: server, clusterDomain } = settings;
    const name = `kubernetes.default.svc.${clusterDomain}`;
    let failingSinceMs: number | undefined = performance.now();
    let graceMs = timing.startMs;
    while (!stopping.signal.aborted) {
      const code = await ask(server, name);
      if (code === undefined) {
        answers(server);
        failingSinceMs = undefined;
        graceMs = timing.graceMs;
        await pause(timing.checkEveryMs, stopping.signal);
        continue;
      }
      failingSinceMs ??= performance.now();
      const failingMs = performance.now() - failingSinceMs;
      const failure = failureOf(code, settings);
      if (failingMs >= graceMs) fails(failure);
      else if (failingMs >= explainedAfterMs)
        condition.set('Unknown', 'NotAnsweredYet', withRemedy(failure.what, failure.remedy), failure.remedy);
      await pause(Math.min(slowestRetryMs, Math.max(timing.retryMs, failingMs / 10)), stopping.signal);
    }
  };

  return {
    name: 'cluster-dns',
    after,
    async start() {
      const settings = options.settings();
      if (settings.disableCoredns === true)
        return condition.set('True', 'NotApplicable', 'the cluster was made without CoreDNS of kagent’s (--disable)');
      condition.set('Unknown', 'NotAnsweredYet', `no answer from ${settings.clusterDns} yet`);
      work = follow(settings);
    },
    async stop() {
      stopping.abort();
      await work;
    },
    health: () => condition.current(),
  };
}

/** Says each change once: in the condition, the log and as an event. */
function tellingOf(condition: ConditionTracker, events: EventLog, log: Log) {
  const answers = (server: string): void => {
    const before = condition.current().status;
    condition.set('True', 'Answers', '');
    if (before === 'True') return;
    log.info('cluster DNS answers', { server });
    if (before === 'False')
      events.record({ type: 'Normal', reason: 'ClusterDNSAnswers', regarding: 'cluster-dns', message: server });
  };
  const fails = ({ what, remedy }: Failure): void => {
    const isNew = condition.current().status !== 'False';
    const message = withRemedy(what, remedy);
    condition.set('False', 'NoAnswer', message, remedy);
    if (!isNew) return;
    log.warn('cluster DNS does not answer', { message });
    events.record({ type: 'Warning', reason: 'ClusterDNSNotAnswering', regarding: 'cluster-dns', message });
  };
  return { answers, fails };
}

interface Failure {
  readonly what: string;
  readonly remedy: string;
}

function failureOf(code: string, { clusterDns: server, clusterDomain, serviceCidr }: ClusterSettings): Failure {
  const remedy =
    "see 'kagent doctor' for a firewall, and on a server: kagent kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide";
  switch (code) {
    case 'ENETUNREACH':
      return {
        what: `this host has no route to ${server}`,
        remedy: `ip route add ${serviceCidr} dev INTERFACE, or add a default route`,
      };
    case 'ECONNREFUSED':
      return {
        what: `no Pod of CoreDNS is Ready (${server} refuses): it has not started, or does not reach kube-apiserver`,
        remedy,
      };
    case 'ETIMEOUT':
      return {
        what: `no answer from ${server} within ${answerWithinMs / 1000} s: packets to CoreDNS, or its answers, are dropped`,
        remedy,
      };
    default:
      return {
        what: `${server} does not resolve names of ${clusterDomain} (${code})`,
        remedy: 'see on a server: kagent kubectl -n kube-system logs deployment/coredns',
      };
  }
}

/** @param server an address, or `address:port` */
export async function askDns(server: string, name: string): Promise<string | undefined> {
  const resolver = new Resolver({ timeout: answerWithinMs, maxTimeout: answerWithinMs, tries: 1 });
  resolver.setServers([server]);
  try {
    await addressTowards(server.split(':')[0] ?? server); // the resolver has one code for "refused" and "no route"
    await resolver.resolve4(name);
    return undefined;
  } catch (error) {
    return systemCode(error) ?? messageOf(error);
  }
}
