import { certificatesIn } from '../../shared/certificates/certificates.ts';
import { parseToken } from '../../shared/token/token.ts';
import { HostHeaderError } from './errors.ts';

/** A name or an address, with a port: nothing a shell would read as more than a word. */
const plainHost = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/**
 * scripts/install.sh with its two settings filled in: where it was fetched, and the CA that vouches for that.
 * @throws {HostHeaderError}
 */
export function installerFor(options: {
  readonly script: string;
  readonly host: string;
  readonly caPem: string;
}): string {
  const { script, host, caPem } = options;
  if (!plainHost.test(host)) throw new HostHeaderError();
  return (
    script
      .replace(/^RELEASE_ADDRESS=$/m, `RELEASE_ADDRESS=https://${host}/release`)
      // Certificates alone: base64 has no quote.
      .replace(/^RELEASE_CA=$/m, () => `RELEASE_CA='${certificatesIn(caPem).join('\n')}'`)
  );
}

/** The CA is the right one by then: what is left is the name in the certificate, or the time. */
function notNamed(url: string): string {
  const host = new URL(url).hostname;
  return [
    `$u answers, but the server’s certificate is not for ${host}: start the server with --tls-san ${host}, or type the line`,
    `of 'kagent token join-command' for another address of it (and see that this host’s clock is right: $(date))`,
  ].join(' ');
}

/**
 * One line for a root shell on a box that has `sh`, and curl or wget. Of what is not yet trusted it takes the CA alone and
 * compares its checksum with the one in the token; everything after that is vouched for by this CA. The token is
 * never an argument of a program, where other users would see it.
 */
export function joinLine({ url, token }: { readonly url: string; readonly token: string }): string {
  const fetched = (curl: string, wget: string, path: string) =>
    `{ curl -sSf --noproxy '*' ${curl} $u/${path} || wget -nv -O- --no-proxy ${wget} $u/${path}; }`;
  return [
    `(u=${url} c=$(mktemp); trap 'rm -f $c' 0;`,
    `${fetched('-k', '--no-check-certificate', 'cacerts')} >$c;`,
    `if echo "${parseToken(token).caHash}  $c" | sha256sum -c >/dev/null 2>&1;`,
    `then if s=$(${fetched('--cacert $c', '--ca-certificate=$c', 'install.sh')} 2>/dev/null);`,
    `then KAGENT_URL=$u KAGENT_TOKEN=${token} sh -c "$s" - agent;`,
    `else echo "${notNamed(url)}; nothing was run" >&2; false; fi;`,
    `else echo "$u is not reached, or is not the server this line is from: nothing was run" >&2; false; fi)`,
  ].join(' ');
}
