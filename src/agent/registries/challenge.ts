/**
 * What a registry that answers 401 wants to see.
 * Spec: RFC 9110 section 11; "Token Authentication Specification" and "OAuth 2" of the distribution project.
 */
import * as z from 'zod';
import type { Credentials } from './file.ts';
import { textOf } from '../../shared/http/http.ts';
import type { Answer, OutsideRequest } from '../../shared/http/http.ts';

export interface Authorization {
  /** The header's value. */
  readonly value: string;
  readonly untilMs: number;
}

interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const TokenAnswer = z.object({
  token: z.string().optional(),
  access_token: z.string().optional(),
  expires_in: z.number().optional(),
});
/** The specification's, for an answer that does not say. */
const defaultSeconds = 60;
const maxAnswerBytes = 1024 * 1024;

/**
 * Whoever asked the question is to be who the credentials are for; the realm it names is its own choice.
 * @returns undefined if the credentials are not of a kind that is asked for, or were refused
 */
export async function answerChallenge(
  header: string,
  { credentials, isTls }: { readonly credentials: Credentials; readonly isTls: boolean },
  ask: (request: OutsideRequest) => Promise<Answer>,
): Promise<Authorization | undefined> {
  const challenges = parseChallenges(header);
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer')?.parameters;
  if (bearer?.['realm'] !== undefined) {
    const realm = new URL(bearer['realm']);
    // What came over TLS does not leave in the clear.
    if (isTls && realm.protocol !== 'https:') return undefined;
    return await fetchToken(realm, bearer, credentials, ask);
  }
  if (!challenges.some(({ scheme }) => scheme === 'basic') || credentials.kind !== 'password') return undefined;
  return { value: basic(credentials), untilMs: Infinity };
}

async function fetchToken(
  realm: URL,
  { service, scope }: Readonly<Record<string, string>>,
  credentials: Credentials,
  ask: (request: OutsideRequest) => Promise<Answer>,
): Promise<Authorization | undefined> {
  const wanted = { ...(service !== undefined && { service }), ...(scope !== undefined && { scope }) };
  const { response } = await ask(tokenRequest(realm, wanted, credentials));
  const text = await textOf(response, maxAnswerBytes);
  if (response.statusCode !== 200) return undefined;
  const answer = TokenAnswer.parse(JSON.parse(text));
  const token = answer.token ?? answer.access_token;
  if (token === undefined) return undefined;
  const seconds = Math.max(answer.expires_in ?? defaultSeconds, defaultSeconds);
  return { value: `Bearer ${token}`, untilMs: Date.now() + seconds * 900 };
}

function tokenRequest(url: URL, wanted: Readonly<Record<string, string>>, credentials: Credentials): OutsideRequest {
  if (credentials.kind === 'password') {
    for (const [name, value] of Object.entries(wanted)) url.searchParams.set(name, value);
    return { method: 'GET', url, headers: { authorization: basic(credentials) } };
  }
  const grant = { grant_type: 'refresh_token', refresh_token: credentials.token.reveal(), client_id: 'kagent' };
  return {
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ ...grant, ...wanted }).toString(),
  };
}

function basic({ username, password }: Extract<Credentials, { readonly kind: 'password' }>): string {
  return `Basic ${Buffer.from(`${username}:${password.reveal()}`).toString('base64')}`;
}

/** Far longer than any that is meant. */
const maxHeaderLength = 8192;

/** `Bearer realm="https://auth.example.com/token",service="registry"` */
export function parseChallenges(header: string): readonly Challenge[] {
  return header
    .slice(0, maxHeaderLength)
    .split(/(?<=^|[\s,])(?=(?:Bearer|Basic)(?:\s|$))/i)
    .flatMap((text) => {
      const [, scheme, rest = ''] = /^(\w+)\s*(.*)$/s.exec(text) ?? [];
      if (scheme === undefined) return [];
      const found = rest.matchAll(/\b(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))/g);
      const parameters = Object.fromEntries(
        [...found].map(([, name = '', quoted, bare = '']) => [name, quoted ?? bare]),
      );
      return [{ scheme: scheme.toLowerCase(), parameters }];
    });
}
