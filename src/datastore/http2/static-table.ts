/** The header fields that both sides know from the beginning, by their number. Spec: RFC 7541, appendix A. */
import { HeaderField } from './header-field.ts';

const fields: readonly string[] = [
  ':authority',
  ':method GET',
  ':method POST',
  ':path /',
  ':path /index.html',
  ':scheme http',
  ':scheme https',
  ...['200', '204', '206', '304', '400', '404', '500'].map((status) => `:status ${status}`),
  'accept-charset',
  'accept-encoding gzip, deflate',
  'accept-language',
  'accept-ranges',
  'accept',
  'access-control-allow-origin',
  'age',
  'allow',
  'authorization',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'etag',
  'expect',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'link',
  'location',
  'max-forwards',
  'proxy-authenticate',
  'proxy-authorization',
  'range',
  'referer',
  'refresh',
  'retry-after',
  'server',
  'set-cookie',
  'strict-transport-security',
  'transfer-encoding',
  'user-agent',
  'vary',
  'via',
  'www-authenticate',
];

/** The first is number 1; there is no number 0. */
export const staticTable: readonly (HeaderField | undefined)[] = [undefined, ...fields.map(parse)];

function parse(field: string): HeaderField {
  const space = field.indexOf(' ');
  return space < 0 ? new HeaderField(field, '') : new HeaderField(field.slice(0, space), field.slice(space + 1));
}
