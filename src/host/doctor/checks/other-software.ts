import { fine, note, unreadable, warning } from '../check.ts';
import type { Check } from '../check.ts';
import { processNames, namesBelow } from './reading.ts';

/** Names of processes; those of the first kind are upstream's and so also kagent's. */
const shared = ['kubelet', 'kube-apiserver', 'kube-proxy'];
const others = ['k3s-server', 'k3s-agent', 'k3s', 'rke2', 'k0s', 'kubelite', 'minikube'];

const traces: Readonly<Record<string, string>> = {
  '/etc/kubernetes/manifests': 'kubeadm',
  '/var/lib/rancher/k3s': 'k3s',
  '/var/lib/rancher/rke2': 'rke2',
  '/var/lib/k0s': 'k0s',
  '/var/snap/microk8s': 'microk8s',
};

export const otherSoftwareChecks: readonly Check[] = [
  {
    name: 'other-kubernetes',
    group: 'Other software',
    title: 'no other Kubernetes runs on this box',
    why: 'two kubelets take each other’s pods for left-over ones, and both want the same ports, rules and folders',
    fix: 'stop and uninstall it, or give kagent a box of its own',
    forNodes: true,
    look({ root, isRunning }) {
      if (root.read('/proc/self/status') === undefined) return unreadable('/proc');
      const running = processNames(root);
      const found = [...(isRunning ? [] : shared), ...others].filter((name) => running.has(name));
      return found.length === 0
        ? fine
        : warning(`${found.join(', ')} ${found.length === 1 ? 'runs' : 'run'} here already`);
    },
  },
  {
    name: 'left-over-kubernetes',
    group: 'Other software',
    title: 'no other Kubernetes was installed on this box',
    why: 'its service may start it at the next boot, and its rules and devices may still be there',
    fix: 'uninstall it with its own tool (kubeadm reset, k3s-uninstall.sh, …)',
    forNodes: true,
    look({ root }) {
      const found = Object.entries(traces).filter(([path]) => namesBelow(root, path).length > 0);
      return found.length === 0 ? fine : note(found.map(([path, name]) => `${name} has left ${path}`).join(', '));
    },
  },
  {
    name: 'nm-cloud-setup',
    group: 'Other software',
    title: 'nm-cloud-setup does not change routes',
    why: 'on cloud images of RHEL it adds rules of its own that take pods’ packets off their path',
    fix: 'systemctl disable --now nm-cloud-setup.service nm-cloud-setup.timer && reboot',
    forNodes: true,
    look({ root }) {
      const wants = [
        'timers.target.wants/nm-cloud-setup.timer',
        'network.target.wants/nm-cloud-setup.service',
        'NetworkManager.service.wants/nm-cloud-setup.service',
      ];
      const enabled = wants.some((name) => root.read(`/etc/systemd/system/${name}`) !== undefined);
      return enabled ? warning('nm-cloud-setup is enabled') : fine;
    },
    async repair(_box, repairTools) {
      const units = ['nm-cloud-setup.service', 'nm-cloud-setup.timer'];
      await repairTools.run(['systemctl', 'disable', '--now', ...units], ['systemctl', 'enable', '--now', ...units]);
      return ['nm-cloud-setup is disabled: its rules go with the next boot'];
    },
  },
  {
    name: 'network-manager',
    group: 'Other software',
    title: 'NetworkManager leaves the pods’ devices alone',
    why: 'it manages the devices of pods as its own, and removes their addresses and routes',
    fix: 'name cni*, flannel* and veth* under unmanaged-devices in /etc/NetworkManager/conf.d',
    forNodes: true,
    look({ root }) {
      if (root.realPath('/run/NetworkManager') === undefined) return fine;
      const folder = '/etc/NetworkManager/conf.d';
      const texts = namesBelow(root, folder).map((name) => root.read(`${folder}/${name}`) ?? '');
      const isTold = texts.some((text) => /unmanaged-devices=.*(cni|flannel)/.test(text));
      return isTold ? fine : warning('NetworkManager runs, and has not been told to leave cni0 and flannel.1 alone');
    },
    async repair(_box, repairTools) {
      const path = '/etc/NetworkManager/conf.d/kagent.conf';
      repairTools.writeFile(
        path,
        '[keyfile]\nunmanaged-devices=interface-name:cni*;interface-name:flannel*;interface-name:veth*\n',
      );
      await repairTools.run(['nmcli', 'general', 'reload'], ['nmcli', 'general', 'reload']);
      return [`${path} tells NetworkManager to leave the pods’ devices alone`];
    },
  },
];
