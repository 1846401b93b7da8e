/**
 * @module
 * The log: a constant lower-case sentence and the facts as fields.
 * Knows: levels, the two line formats, that nothing in a line acts on a terminal or pushes all other lines out. Leaves to others: where children's lines go (process/), events for people (events/).
 */
import { pino } from 'pino';
import { plainText } from '../plain-text/plain-text.ts';
import { toText } from './text.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  /** Each request. */
  debug(message: string, fields?: LogFields): void;
  /** A life-cycle step; silent at rest. */
  info(message: string, fields?: LogFields): void;
  /** May heal by itself. */
  warn(message: string, fields?: LogFields): void;
  /** Something is lost, a person is needed. */
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Log;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'text' | 'json';
  /** Gets whole lines, each with its newline. */
  readonly write: (line: string) => void;
}

/** A log that can change its level while it runs; children follow. */
export interface RootLog extends Log {
  setLevel(level: LogLevel): void;
}

/** Of one field: an error's chain of causes has room. */
const maxFieldChars = 8192;

const cut = (value: unknown): unknown => (typeof value === 'string' ? value.slice(0, maxFieldChars) : value);

export function createLog(options: LogOptions): RootLog {
  const current = { level: options.level };
  const engine = pino(
    {
      level: 'debug',
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, cut(value)])),
      },
      serializers: { error: (error: unknown) => cut(error instanceof Error ? error.message : error) },
    },
    // In JSON too: `\u009b` is how it writes that character.
    { write: (line: string) => options.write(plainText(options.format === 'json' ? line : toText(line))) },
  );
  const wrap = (target: pino.Logger): Log => {
    const at =
      (level: LogLevel) =>
      (message: string, fields: LogFields = {}) => {
        if (severity[level] >= severity[current.level]) target[level](fields, message);
      };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => wrap(target.child(fields)),
    };
  };
  return { ...wrap(engine), setLevel: (level) => void (current.level = level) };
}

/** Of a line that `write` was given, in either format. */
export function levelOf(line: string): LogLevel {
  const [, inText, inJson] =
    /^(?:\S+ (debug|info|warn|error) |\{.*?"level":"(debug|info|warn|error)")/.exec(line) ?? [];
  return (inText ?? inJson ?? 'info') as LogLevel;
}

const severity: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Says nothing; for tests and for commands that print their own words. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLog,
};
