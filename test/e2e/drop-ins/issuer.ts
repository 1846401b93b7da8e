import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPki } from '../../../src/server/pki/pki.ts';
import type { Box } from '../../helpers/cluster.ts';

/** An OpenID issuer on loopback of a box: two files, behind TLS. */
export interface Issuer {
  readonly url: string;
  /** In the box. */
  readonly caFile: string;
  token(claims: Readonly<Record<string, unknown>>): string;
}

/** @param dir in the box */
export async function openIssuer(box: Box, dir: string): Promise<Issuer> {
  const url = 'https://127.0.0.1:8443';
  const pkiDir = mkdtempSync(join(tmpdir(), 'kagent-test-'));
  const pki = await openPki(pkiDir);
  const named = { name: 'issuer', commonName: 'issuer', ipAddresses: ['127.0.0.1'] };
  const leaf = await pki.keepLeaf(pki.serverCa, { ...named, usages: ['server'] });
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const put = (name: string, text: string) => box.sh(`cat >${dir}/${name} <<'END'\n${text}\nEND`);
  await box.sh(`mkdir -p ${dir}/.well-known`);
  const discovery = { issuer: url, jwks_uri: `${url}/jwks`, id_token_signing_alg_values_supported: ['ES256'] };
  await put('.well-known/openid-configuration', JSON.stringify(discovery));
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'a', use: 'sig', alg: 'ES256' };
  await put('jwks', JSON.stringify({ keys: [jwk] }));
  await put('ca.pem', pki.serverCa.caPem);
  await put('cert.pem', readFileSync(leaf.certFile, 'utf8'));
  await put('key.pem', readFileSync(leaf.keyFile, 'utf8'));
  rmSync(pkiDir, { recursive: true });
  const serve = 'openssl s_server -quiet -WWW -accept 127.0.0.1:8443 -cert cert.pem -key key.pem';
  box.run(['sh', '-c', `cd ${dir} && exec ${serve}`]); // ends with the box
  const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  return {
    url,
    caFile: `${dir}/ca.pem`,
    token(claims) {
      const now = Math.floor(Date.now() / 1000);
      const text = `${encoded({ alg: 'ES256', kid: 'a' })}.${encoded({ iss: url, iat: now, exp: now + 600, ...claims })}`;
      const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${text}.${signature.toString('base64url')}`;
    },
  };
}
