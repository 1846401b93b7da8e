/** What the built programs make of their command lines; none of them runs a cluster here. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { flagsOfPrograms, rulesOfPrograms } from '../../../scripts/component-args-doc.ts';
import { kubeProxyFlags } from '../../../src/agent/node/node.ts';
import { schedulerArguments } from '../../../src/server/control-plane/scheduler-config.ts';
import { commandLine, flagsOf } from '../../../src/shared/arguments/arguments.ts';

const binDir = process.env['KAGENT_TEST_COMPONENTS'] ?? resolve(import.meta.dirname, '../../../dist/components/bin');

function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((done) => {
    execFile(join(binDir, program), args, { maxBuffer: 16 * 1024 * 1024 }, (_error, out, err) => done(`${out}${err}`));
  });
}

test.each(Object.entries(flagsOfPrograms))(
  'the flags of %s are those in component-flags.json, and each rule is for one that it knows',
  async (program, flags) => {
    const help = await run(program, ['--help']);
    const named = [...help.matchAll(/^ +(?:-[a-z], )?--([a-z0-9-]+)/gm)].map(([, flag = '']) => flag);
    expect([...new Set(named)].toSorted()).toEqual(flags);
    const hidden = Object.keys(rulesOfPrograms[program] ?? {}).filter((flag) => !flags.includes(flag));
    for (const flag of hidden)
      expect(await run(program, [`--${flag}=7`, '--help'])).not.toMatch(`unknown flag: --${flag}`);
  },
);

const rules = rulesOfPrograms['kube-proxy'] ?? {};

/** A flag of kube-proxy, and what its configuration has then. */
const effects: readonly (readonly [arg: string, path: string, value: unknown])[] = [
  ['bind-address=10.0.0.7', 'bindAddress', '10.0.0.7'],
  ['bind-address-hard-fail', 'bindAddressHardFail', true],
  ['cluster-cidr=10.40.0.0/16', 'clusterCIDR', '10.40.0.0/16'],
  ['config-sync-period=7m', 'configSyncPeriod', '7m0s'],
  ['conntrack-max-per-core=7', 'conntrack.maxPerCore', 7],
  ['conntrack-min=7', 'conntrack.min', 7],
  ['conntrack-tcp-be-liberal=true', 'conntrack.tcpBeLiberal', true],
  ['conntrack-tcp-timeout-close-wait=7m', 'conntrack.tcpCloseWaitTimeout', '7m0s'],
  ['conntrack-tcp-timeout-established=7m', 'conntrack.tcpEstablishedTimeout', '7m0s'],
  ['conntrack-udp-timeout=7m', 'conntrack.udpTimeout', '7m0s'],
  ['conntrack-udp-timeout-stream=7m', 'conntrack.udpStreamTimeout', '7m0s'],
  ['detect-local-mode=NodeCIDR', 'detectLocalMode', 'NodeCIDR'],
  ['pod-bridge-interface=br7', 'detectLocal.bridgeInterface', 'br7'],
  ['pod-interface-name-prefix=veth', 'detectLocal.interfaceNamePrefix', 'veth'],
  ['feature-gates=AllAlpha=false', 'featureGates.AllAlpha', false],
  ['healthz-bind-address=0.0.0.0:7', 'healthzBindAddress', '0.0.0.0:7'],
  ['iptables-localhost-nodeports=false', 'iptables.localhostNodePorts', false],
  ['iptables-masquerade-bit=7', 'iptables.masqueradeBit', 7],
  ['iptables-min-sync-period=7s', 'iptables.minSyncPeriod', '7s'],
  ['iptables-sync-period=7m', 'iptables.syncPeriod', '7m0s'],
  ['kube-api-burst=7', 'clientConnection.burst', 7],
  ['kube-api-content-type=application/json', 'clientConnection.contentType', 'application/json'],
  ['kube-api-qps=7', 'clientConnection.qps', 7],
  ['masquerade-all=true', 'iptables.masqueradeAll', true],
  ['metrics-bind-address=0.0.0.0:7', 'metricsBindAddress', '0.0.0.0:7'],
  ['nodeport-addresses=10.0.0.0/8,127.0.0.0/8', 'nodePortAddresses', ['10.0.0.0/8', '127.0.0.0/8']],
  ['oom-score-adj=7', 'oomScoreAdj', 7],
  ['profiling=true', 'enableProfiling', true],
  ['proxy-mode=nftables', 'mode', 'nftables'],
  ['show-hidden-metrics-for-version=1.36', 'showHiddenMetricsForVersion', '1.36'],
  ['ipvs-exclude-cidrs=10.0.0.0/8', 'ipvs.excludeCIDRs', ['10.0.0.0/8']],
  ['ipvs-min-sync-period=7s', 'ipvs.minSyncPeriod', '7s'],
  ['ipvs-scheduler=lc', 'ipvs.scheduler', 'lc'],
  ['ipvs-strict-arp=true', 'ipvs.strictARP', true],
  ['ipvs-sync-period=7m', 'ipvs.syncPeriod', '7m0s'],
  ['ipvs-tcp-timeout=7m', 'ipvs.tcpTimeout', '7m0s'],
  ['ipvs-tcpfin-timeout=7m', 'ipvs.tcpFinTimeout', '7m0s'],
  ['ipvs-udp-timeout=7m', 'ipvs.udpTimeout', '7m0s'],
  ['log-flush-frequency=7s', 'logging.flushFrequency', '7s'],
  ['v=7', 'logging.verbosity', 7],
  ['vmodule=proxier=7', 'logging.vmodule', [{ filePattern: 'proxier', verbosity: 7 }]],
];
/** Its configuration has what it is given; what these do is upstream's own to try. */
const logsOfAnotherForm = /^log(-json|-text|ging-format)/;

const dir = mkdtempSync(join(tmpdir(), 'kagent-test-'));
afterAll(() => rmSync(dir, { recursive: true }));
const kubeconfig = join(dir, 'kubeconfig');
beforeAll(() => {
  const cluster = { name: 'a', cluster: { server: 'https://127.0.0.1:1' } };
  const context = { name: 'a', context: { cluster: 'a' } };
  const whole = { apiVersion: 'v1', kind: 'Config', clusters: [cluster], contexts: [context], 'current-context': 'a' };
  writeFileSync(kubeconfig, JSON.stringify(whole));
});

const ours = kubeProxyFlags({
  facts: {
    hasSysResource: true,
    cgroupVersion: 'v2',
    cgroupDriver: 'systemd',
    systemdIsInit: true,
    logindWaits: false,
    resolvConfPath: '/etc/resolv.conf',
    defaultInterface: 'eth0',
    nodeIp: '192.0.2.7',
    nodeName: 's1',
    conntrackWritable: false,
    iptablesFlavour: 'nft',
  },
  settings: {
    clusterCidr: '10.42.0.0/16',
    serviceCidr: '10.43.0.0/16',
    clusterDns: '10.43.0.10',
    clusterDomain: 'cluster.local',
    flannelBackend: 'vxlan',
  },
  kubeconfigPath: kubeconfig,
});
let files = 0;
async function configurationOf(...args: readonly string[]): Promise<unknown> {
  const file = join(dir, `${(files += 1)}.yaml`);
  const said = await run('kube-proxy', [...commandLine(ours, flagsOf(args), rules), `--write-config-to=${file}`]);
  expect(said).toContain('Wrote configuration');
  return parse(readFileSync(file, 'utf8'));
}
const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce((inner, key) => (inner as Readonly<Record<string, unknown>> | undefined)?.[key], value);

test('what kagent itself says to kube-proxy is in its configuration', async () => {
  expect(await configurationOf()).toMatchObject({
    clientConnection: { kubeconfig },
    hostnameOverride: 's1',
    clusterCIDR: '10.42.0.0/16',
    mode: 'iptables',
    iptables: { localhostNodePorts: true, minSyncPeriod: '500ms', syncPeriod: '30s' },
    conntrack: { maxPerCore: 0, min: 0 },
    oomScoreAdj: -999,
    healthzBindAddress: '127.0.0.1:10256',
    metricsBindAddress: '127.0.0.1:10249',
  });
});

test.each(effects)('kube-proxy-arg %s has its effect', async (arg, path, value) => {
  const mode = arg.startsWith('ipvs-') ? ['proxy-mode=ipvs'] : [];
  expect(at(await configurationOf(...mode, arg), path)).toEqual(value);
});

test('no flag of kube-proxy is left untried', () => {
  const tried = new Set(effects.map(([arg]) => arg.split('=', 1)[0] ?? ''));
  const untried = (flagsOfPrograms['kube-proxy'] ?? []).filter((flag) => {
    const rule = rules[flag];
    const isRefused = rule?.becomes === 'refused' && rule.when === undefined;
    return !tried.has(flag) && !isRefused && !logsOfAnotherForm.test(flag);
  });
  expect(untried).toEqual(['cleanup', 'init-only', 'write-config-to']); // refused, unless they are false
});

test('a value that kube-proxy cannot use ends it with its own words', async () => {
  const said = await run('kube-proxy', commandLine(ours, flagsOf(['proxy-mode=nonsense']), rules));
  expect(said).toContain('nonsense');
  expect(said).toMatch(/must be .*iptables.*ipvs.*nftables/);
});

test('a configuration of the operator’s and flags beside it are what kube-scheduler has', async () => {
  const [file, path, written] = ['operators.yaml', 'scheduler.json', 'written.yaml'].map((name) => join(dir, name));
  const head = 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n';
  writeFileSync(file ?? '', `${head}parallelism: 7\nprofiles: [{schedulerName: mine}]\n`);
  const args = [`config=${file}`, 'kube-api-qps=77', 'kube_api_burst=99', 'contention-profiling=false'];
  const flags = { kubeconfig, 'leader-elect': 'false', profiling: 'false' };
  const merged = schedulerArguments(flags, flagsOf(args), { path: path ?? '', give: (one) => one });
  const line = commandLine(merged.ours, merged.theirs, rulesOfPrograms['kube-scheduler'] ?? {});
  await run('kube-scheduler', [...line, '--secure-port=0', `--write-config-to=${written}`]);
  expect(parse(readFileSync(written ?? '', 'utf8'))).toMatchObject({
    parallelism: 7,
    profiles: [{ schedulerName: 'mine' }],
    clientConnection: { kubeconfig, qps: 77, burst: 99 },
    leaderElection: { leaderElect: false },
    enableProfiling: false,
    enableContentionProfiling: false,
  });
});
