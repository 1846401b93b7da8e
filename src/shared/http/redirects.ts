import type { IncomingMessage } from 'node:http';
import type { OutsideAgents } from './agents.ts';
import { discard, openHttp } from './request.ts';
import type { HttpRequest } from './request.ts';

export const mostRedirects = 5;

export interface OutsideRequest extends Omit<HttpRequest, 'agent' | 'socketPath' | 'url'> {
  readonly url: URL;
}

export interface Answer {
  readonly response: IncomingMessage;
  /** Whose answer it is, after redirects: `https://storage.example.com`. */
  readonly origin: string;
}

/**
 * Follows redirects of what has no body; what proves who asks is not shown to another origin.
 * @returns the last answer, which is a redirect itself if there were too many
 */
export async function follow(first: OutsideRequest, agents: OutsideAgents, signal: AbortSignal): Promise<Answer> {
  let request = first;
  for (let left = mostRedirects; ; left -= 1) {
    const response = await openHttp({ ...request, url: request.url.href, agent: agents.to(request.url) }, signal);
    const { location = '' } = response.headers;
    if (!isRedirect(response) || left === 0 || request.body !== undefined) {
      return { response, origin: request.url.origin };
    }
    discard(response);
    const url = new URL(location, request.url);
    const { authorization, ...others } = request.headers ?? {};
    const isSameOrigin = url.origin === request.url.origin && authorization !== undefined;
    request = { ...request, url, headers: isSameOrigin ? { ...others, authorization } : others };
  }
}

export function isRedirect({ statusCode = 0, headers }: IncomingMessage): boolean {
  return [301, 302, 303, 307, 308].includes(statusCode) && headers.location !== undefined;
}
