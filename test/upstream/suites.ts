/** Which of Kubernetes' own end-to-end tests are run, and which of those are left out, each with its reason. */

export interface LeftOut {
  /** Of full names, as `--ginkgo.skip` takes them: Go's regular expressions, of those that JavaScript has too. */
  readonly tests: string;
  /** A sentence for docs/upstream-tests.md. */
  readonly reason: string;
}

export interface Suite {
  /** How KAGENT_UPSTREAM names it. */
  readonly name: string;
  readonly title: string;
  /** As `--ginkgo.focus`. */
  readonly tests: string;
  /** Of another suite. */
  readonly except?: string;
  readonly leftOut: readonly LeftOut[];
  /** How many tests run at a time. */
  readonly atATime: number;
  /** Minutes, on two processors. */
  readonly takesMinutes: number;
}

const noSctp: LeftOut = {
  tests: String.raw`\[Feature:SCTPConnectivity\]`,
  reason: 'it connects by SCTP, which the kernel of the machine that tests has not',
};

const otherClouds: LeftOut = {
  tests: 'LocalVolumeType: gce-localssd',
  reason: 'it is about disks of Google’s machines',
};

export const suites: readonly Suite[] = [
  {
    name: 'netpol',
    title: 'NetworkPolicies',
    tests: String.raw`\[Feature:NetworkPolicy\]|\[sig-network\] Netpol`,
    leftOut: [noSctp],
    atATime: 3,
    takesMinutes: 30,
  },
  {
    name: 'load-balancer',
    title: 'Services of type LoadBalancer',
    tests: String.raw`\[Feature:LoadBalancer\]`,
    except: 'during rolling update',
    leftOut: [
      {
        tests: 'load balancer cleanup finalizer',
        reason:
          'it looks for the finalizer of the cloud providers’ controller; addresses of nodes need no clean-up when a Service goes',
      },
      {
        tests: 'ExternalTrafficPolicy: Local',
        reason:
          'it waits for an address before it makes the first pod, and expects that one address to lead to every node; with the policy Local only nodes with a pod are named, as in k3s',
      },
      {
        tests: 'switch session affinity for LoadBalancer service with Local traffic policy',
        reason: 'it expects one address to lead to the pods of several nodes, with the policy Local',
      },
    ],
    // A port of a node belongs to one Service, and all of these want port 80.
    atATime: 1,
    takesMinutes: 30,
  },
  {
    name: 'load-balancer-rolling',
    title: 'Services of type LoadBalancer while their pods are replaced',
    tests: String.raw`\[Feature:LoadBalancer\].*during rolling update`,
    leftOut: [],
    atATime: 1,
    takesMinutes: 40,
  },
  {
    name: 'hpa',
    title: 'HorizontalPodAutoscaler by CPU',
    tests: String.raw`\[Feature:HPA\].*scale resource: CPU`,
    except: String.raw`\[Slow\]`,
    leftOut: [],
    // What they burn has to be there.
    atATime: 2,
    takesMinutes: 30,
  },
  {
    name: 'hpa-slow',
    title: 'HorizontalPodAutoscaler by CPU, those that upstream calls slow',
    tests: String.raw`\[Feature:HPA\].*scale resource: CPU.*\[Slow\]`,
    leftOut: [],
    atATime: 2,
    takesMinutes: 90,
  },
  {
    name: 'provisioning',
    title: 'Dynamic provisioning by local-path',
    tests: String.raw`External Storage \[Driver: local-path\]|PersistentVolumes Default StorageClass`,
    leftOut: [
      {
        tests: String.raw`\[Disruptive\]`,
        reason: 'it stops the kubelet by SSH and systemd, which hosts of a lab have not',
      },
      {
        tests: 'with any volume data source',
        reason: 'its populator is of a repository of its own, whose images are not made here',
      },
    ],
    atATime: 4,
    takesMinutes: 20,
  },
  {
    name: 'local-volumes',
    title: 'PersistentVolumes of folders and devices of a node',
    tests: 'PersistentVolumes-local|PV Protection|PVC Protection',
    leftOut: [otherClouds],
    atATime: 3,
    takesMinutes: 20,
  },
  {
    name: 'ingress',
    title: 'The API of Ingresses and their classes',
    tests: 'Ingress API|IngressClass',
    leftOut: [],
    atATime: 2,
    takesMinutes: 2,
  },
  {
    name: 'conformance-network',
    title: 'What every conformant cluster can do: networks',
    tests: String.raw`\[sig-network\].*\[Conformance\]`,
    except: 'Ingress API|IngressClass API',
    leftOut: [],
    atATime: 3,
    takesMinutes: 30,
  },
  {
    name: 'conformance-storage',
    title: 'What every conformant cluster can do: volumes',
    tests: String.raw`\[sig-storage\].*\[Conformance\]`,
    leftOut: [],
    atATime: 3,
    takesMinutes: 20,
  },
];

/** @param names of `KAGENT_UPSTREAM`, with commas between them; all without it */
export function chosenSuites(names: string | undefined): readonly Suite[] {
  if (names === undefined) return suites;
  return names.split(',').map((name) => {
    const suite = suites.find((one) => one.name === name);
    if (suite === undefined) throw new Error(`no suite "${name}": ${suites.map((one) => one.name).join(', ')}`);
    return suite;
  });
}
