/** A server's supervisor as people write it: who joins, and who prints the line for joining. */
import { KagentError } from './errors.ts';

export class ServerUrlError extends KagentError {
  readonly code = 'JOIN_URL';
  readonly fault = 'operator';
  constructor(url: string, reason: string) {
    super(`--url ${url} is not usable: ${reason}`, { remedy: 'give it as https://SERVER:9345' });
  }
}

const supervisorPort = '9345';
const apiserverPort = '6443';
/** Nothing a shell would read as more than a word. */
const plainHost = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$/;

/**
 * The supervisor's address: people give kube-apiserver's, or none at all.
 * @param usualPort what is meant without a port
 * @throws {ServerUrlError}
 */
export function supervisorUrl(text: string, usualPort = supervisorPort): string {
  const trimmed = text.trim();
  const url = URL.parse(trimmed.includes('://') ? trimmed : `https://${trimmed}`);
  if (url === null || url.hostname === '') throw new ServerUrlError(text, 'it is not a URL');
  if (!plainHost.test(url.hostname)) throw new ServerUrlError(text, `${url.hostname} is no name or address of a host`);
  if (url.protocol !== 'https:')
    throw new ServerUrlError(text, `it begins with ${url.protocol}// and not with https://`);
  if (url.pathname !== '/' || url.search !== '') throw new ServerUrlError(text, 'it has a path after the host');
  // URL drops a port of 443, so that `https://host:443` means the supervisor's port too.
  const port = url.port === '' || url.port === apiserverPort ? usualPort : url.port;
  return `https://${url.hostname}:${port}`;
}
