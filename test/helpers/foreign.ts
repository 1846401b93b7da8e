/** Programs for arm64 on whatever the tests run on: as they are on an arm64 box, under qemu's user mode elsewhere. */
export const arm64Runner: readonly string[] = process.arch === 'arm64' ? [] : ['qemu-aarch64-static'];

/** Where Debian's cross packages keep the C libraries that Node needs. */
export const arm64Env = { PATH: '/usr/bin:/bin', QEMU_LD_PREFIX: '/usr/aarch64-linux-gnu' };
