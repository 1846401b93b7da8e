/** A machine whose owner has tightened what can be: kagent has to work there, or to say why not. */

/** Node's library comes with the system where /usr cannot be written. */
export const hardenedPackages = ['apparmor', 'libatomic1'] as const;

export const hardenedFileSystems = [
  '/usr /usr none bind,ro 0 0',
  '/var /var none bind,nosuid,nodev 0 0',
  'tmpfs /tmp tmpfs nosuid,nodev,noexec,size=32m 0 0',
  '/swapfile none swap sw 0 0',
] as const;

export const hardenedFiles: Readonly<Record<string, string>> = {
  '/etc/sysctl.d/60-hardened.conf': `kernel.unprivileged_userns_clone = 0
kernel.kptr_restrict = 2
kernel.dmesg_restrict = 1
kernel.yama.ptrace_scope = 2
fs.protected_regular = 2
net.ipv4.conf.all.rp_filter = 1
net.ipv4.conf.default.rp_filter = 1
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.all.send_redirects = 0
`,
  '/etc/profile.d/umask.sh': 'umask 027\n',
};

/** Of zeros it would have holes on the disk that is made of it, and the kernel swaps to none with holes. */
export const hardenedCommands = `yes | head -c 64M >/swapfile
chmod 600 /swapfile
mkswap /swapfile >/dev/null
`;

/** How a person installs kagent there. */
export const hardenedInstallation = 'umask 027; export INSTALL_KAGENT_BIN_DIR=/opt/kagent/bin;';
