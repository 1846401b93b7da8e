import { ServerUrlError } from './errors.ts';

const supervisorPort = '9345';
const apiserverPort = '6443';

/**
 * The supervisor's address: people give kube-apiserver's, or none at all.
 * @throws {ServerUrlError}
 */
export function supervisorUrl(text: string): string {
  const trimmed = text.trim();
  const url = URL.parse(trimmed.includes('://') ? trimmed : `https://${trimmed}`);
  if (url === null || url.hostname === '') throw new ServerUrlError(text, 'it is not a URL');
  if (url.protocol !== 'https:')
    throw new ServerUrlError(text, `it begins with ${url.protocol}// and not with https://`);
  if (url.pathname !== '/' || url.search !== '') throw new ServerUrlError(text, 'it has a path after the host');
  // URL drops a port of 443, so that `https://host:443` means the supervisor's port too.
  const port = url.port === '' || url.port === apiserverPort ? supervisorPort : url.port;
  return `https://${url.hostname}:${port}`;
}
