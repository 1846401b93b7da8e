/** The one part that is used: the whole library takes 12 MiB of memory, and most of it starts processes. */
declare module 'systeminformation/lib/memory.js' {
  import type { Systeminformation } from 'systeminformation';
  export function mem(): Promise<Systeminformation.MemData>;
}
