/**
 * @module
 * Which names a node may have: an RFC 1123 subdomain that is also a label's value, since the kubelet registers its name as
 * `kubernetes.io/hostname` and is refused for ever with a longer one.
 */
const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const maxNodeNameChars = 63;

export const nodeNameRule = `at most ${maxNodeNameChars} lower-case letters, digits, "-" and ".", a letter or digit at the ends and beside each "."`;

export function isNodeName(name: string): boolean {
  return name.length <= maxNodeNameChars && dnsSubdomain.test(name);
}
