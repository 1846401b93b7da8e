import { X509Certificate } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { availableParallelism, freemem, loadavg, release, totalmem, uptime } from 'node:os';
import { basename } from 'node:path';
import { isToBeTold } from '../../shared/component/component.ts';
import type { NotReady } from '../../shared/component/component.ts';
import { readBytes, readFileIfReadable, readText } from '../../shared/files/files.ts';
import type { ProcessStatus } from '../../host/process/process.ts';
import type { Facts } from '../../shared/protocol/channel.ts';
import type { ChannelOptions } from './types.ts';

export interface LookOptions {
  readonly processes: () => readonly ProcessStatus[];
  readonly notReady: () => readonly NotReady[];
  /** Whose disk is measured. */
  readonly dataDir: string;
  readonly certificatePaths: () => readonly string[];
}

const mostNotReady = 64;
const maxMessageChars = 1024;
const certificatesEveryMs = 60_000;

/** What a heartbeat tells of this box; nothing in it starts a process. */
export function createLook({ processes, notReady, dataDir, certificatePaths }: LookOptions): ChannelOptions['look'] {
  let certificates = { readAtMs: Number.NEGATIVE_INFINITY, list: [] as ReturnType<typeof readCertificates> };
  return async () => {
    const disk = await statfs(dataDir);
    if (performance.now() - certificates.readAtMs > certificatesEveryMs) {
      certificates = { readAtMs: performance.now(), list: readCertificates(certificatePaths()) };
    }
    const pressure = readPressure();
    return {
      children: processes().map(({ name, state, restarts, lastExit }) => ({
        name,
        state,
        restarts,
        ...(lastExit !== undefined && { lastExit: lastExit.slice(0, 300) }),
      })),
      notReady: notReady()
        .filter((one) => isToBeTold(one, Date.now()))
        .slice(0, mostNotReady)
        .map(({ name, condition: { reason, message, lastTransitionTime } }) => ({
          name,
          reason,
          message: message.slice(0, maxMessageChars),
          since: lastTransitionTime,
        })),
      ...(pressure !== undefined && { pressure }),
      memory: { totalBytes: totalmem(), availableBytes: freemem() }, // `MemAvailable`, in spite of its name
      disk: { path: dataDir, sizeBytes: disk.blocks * disk.bsize, freeBytes: disk.bavail * disk.bsize },
      load1: loadavg()[0] ?? 0,
      uptimeSeconds: Math.round(uptime()),
      certificates: certificates.list,
    };
  };
}

/** What of a box does not change while it is up. */
export function factsOf(): Facts {
  const name = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(readFileIfReadable('/etc/os-release') ?? '')?.[1];
  return {
    os: name ?? 'Linux',
    kernel: release(),
    arch: process.arch === 'x64' ? 'amd64' : process.arch,
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
  };
}

function readCertificates(paths: readonly string[]) {
  return paths.map((path) => {
    const { validFromDate, validToDate } = new X509Certificate(readBytes(path));
    return {
      name: basename(path, '.crt'),
      notBefore: validFromDate.toISOString(),
      notAfter: validToDate.toISOString(),
    };
  });
}

/** @see kernel Documentation/accounting/psi.rst */
function readPressure(): { readonly cpu: number; readonly memory: number; readonly io: number } | undefined {
  const of = (what: string) => Number(/^some avg10=([\d.]+)/.exec(readText(`/proc/pressure/${what}`))?.[1]);
  try {
    return { cpu: of('cpu'), memory: of('memory'), io: of('io') };
  } catch {
    return undefined; // a kernel without it, or booted with psi=0
  }
}
