/** k3s's settings of a node that kagent does not have, and what to do instead. A wish that is fulfilled anyway is accepted. */
import { kinds } from '../shared/config/config.ts';

const { unsupported } = kinds;
const containerdOnly = 'containerd is the one runtime that kagent has, and comes with it; leave this out';
const logs = 'the log goes where kagent was started, or to the service manager; redirect it there';
const bundled = "kagent's own images come with it and are never pulled; leave this out";
const vpn = "kagent speaks to no VPN's service; start the VPN yourself and name its address with node-ip";

export const k3sNodeSettings = {
  v: unsupported("log-level sets what is logged; a component's own is kubelet-arg 'v=4' and its like").meta({
    short: 'v',
  }),
  vmodule: unsupported(
    "log-level sets what is logged; a component's own is kubelet-arg 'vmodule=PATTERN=4' and its like",
  ),
  log: unsupported(logs).meta({ short: 'l' }),
  alsologtostderr: unsupported(logs),
  docker: unsupported(containerdOnly),
  containerRuntimeEndpoint: unsupported(containerdOnly),
  imageServiceEndpoint: unsupported(containerdOnly),
  embeddedRegistry: unsupported(
    'nodes do not hand images to each other; set up a mirror and name it in registries.yaml',
  ),
  airgapExtraRegistry: unsupported(bundled),
  systemDefaultRegistry: unsupported(bundled),
  flannelConf: unsupported(
    "the network is the cluster's: flannel-backend, cluster-cidr and flannel-iface say what it is",
  ),
  flannelCniConf: unsupported(
    'for a CNI configuration of your own say flannel-backend none and put it into /etc/cni/net.d',
  ),
  vpnAuth: unsupported(vpn),
  vpnAuthFile: unsupported(vpn),
  enablePprof: unsupported("a component has it by its own flag: kubelet-arg or kube-apiserver-arg 'profiling=true'"),
  rootless: unsupported('pods need root: run it as root, or inside a virtual machine'),
  preferBundledBin: unsupported('kagent brings iptables; where the host has its own, that one is used'),
  selinux: unsupported(
    'pods run without SELinux labels; set enable_selinux in a file agent/etc/containerd/conf.d/NAME.toml',
  ),
};
