export interface Where {
  /** The lab's. */
  readonly name: string;
  readonly host: string;
}

export interface UpFlags {
  readonly name: string;
  readonly servers: number;
  readonly agents: number;
  readonly dataDir?: string;
  readonly serverFlags: readonly string[];
}

/** What the commands do; a test passes others. */
export interface LabActions {
  /** Before each command. @throws {LabNotRootError} @throws {LabToolMissingError} */
  require(command: string): void;
  up(flags: UpFlags): Promise<void>;
  ls(flags: { readonly output?: string }): Promise<void>;
  exec(where: Where, command: readonly string[]): Promise<void>;
  down(flags: { readonly name: string }): Promise<void>;
  on(where: Where): Promise<void>;
  /** A command of lab.sh and its values: `unplug`, `loss 30`. */
  change(where: Where, args: readonly string[]): Promise<void>;
}
