/** One JSON line as people read it: `2026-01-02T03:04:05.678Z info  component ready component=kubelet tookMs=812`. */
export function toText(jsonLine: string): string {
  const { time, level, msg, ...fields } = JSON.parse(jsonLine) as Record<string, unknown>;
  const facts = Object.entries(fields).map(([key, value]) => ` ${key}=${toValue(value)}`);
  return `${String(time)} ${String(level).padEnd(5)} ${String(msg)}${facts.join('')}\n`;
}

function toValue(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}
