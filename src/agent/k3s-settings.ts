/** k3s's settings of a node that kagent does not have, and what to do instead. A wish that is fulfilled anyway is accepted. */
import { kinds } from '../shared/config/config.ts';

const { notHere } = kinds;
const containerdOnly = 'containerd is the one runtime that kagent has, and comes with it; leave this out';
const logs = 'the log goes where kagent was started, or to the service manager; redirect it there';
const bundled = "kagent's own images come with it and are never pulled; leave this out";
const vpn = "kagent speaks to no VPN's service; start the VPN yourself and name its address with node-ip";

export const k3sNodeSettings = {
  v: notHere("how much is said is log-level; a component's own is kubelet-arg 'v=4' and its like").meta({ short: 'v' }),
  vmodule: notHere("how much is said is log-level; a component's own is kubelet-arg 'vmodule=PATTERN=4' and its like"),
  log: notHere(logs).meta({ short: 'l' }),
  alsologtostderr: notHere(logs),
  docker: notHere(containerdOnly),
  containerRuntimeEndpoint: notHere(containerdOnly),
  imageServiceEndpoint: notHere(containerdOnly),
  embeddedRegistry: notHere('nodes do not hand images to each other; set up a mirror and name it in registries.yaml'),
  airgapExtraRegistry: notHere(bundled),
  systemDefaultRegistry: notHere(bundled),
  flannelConf: notHere("the network is the cluster's: flannel-backend, cluster-cidr and flannel-iface say what it is"),
  flannelCniConf: notHere(
    'for a CNI configuration of your own say flannel-backend none and put it into /etc/cni/net.d',
  ),
  vpnAuth: notHere(vpn),
  vpnAuthFile: notHere(vpn),
  enablePprof: notHere("a component has it by its own flag: kubelet-arg or kube-apiserver-arg 'profiling=true'"),
  rootless: notHere('pods need root: run it as root, or inside a virtual machine'),
  preferBundledBin: notHere(
    'iptables, nft and conntrack are those of this box; install what kagent check says is missing',
  ),
  selinux: notHere(
    'pods run without SELinux labels; set enable_selinux in a file agent/etc/containerd/conf.d/NAME.toml',
  ),
};
