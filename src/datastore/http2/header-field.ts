/** One header field, and what is wrong with it, found once for all the times it comes back through the table. */

/** @see RFC 9110 section 5.6.2, without the upper case that RFC 9113 section 8.2.1 forbids */
const fieldName = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const connectionSpecific = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

export class HeaderField {
  readonly name: string;
  /** Latin1, as it came. */
  readonly value: string;
  /** RFC 9113 sections 8.2.1 and 8.2.2. */
  readonly isMalformed: boolean;

  constructor(name: string, value: string) {
    this.name = name;
    this.value = value;
    this.isMalformed =
      !fieldName.test(name) ||
      connectionSpecific.has(name) ||
      (name === 'te' && value !== 'trailers') ||
      hasControl(value);
  }

  get isPseudo(): boolean {
    return this.name.startsWith(':');
  }
}

function hasControl(value: string): boolean {
  return value.includes('\0') || value.includes('\r') || value.includes('\n');
}
