import { accessSync, constants } from 'node:fs';
import * as z from 'zod';
import { nearest, parseYaml, readConfigText } from '../../shared/config/config.ts';
import type { YamlFile } from '../../shared/config/config.ts';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { Secret } from '../../shared/secret.ts';
import { isAddress } from './address.ts';
import { RegistriesInvalidError } from './errors.ts';
import { compileRewrite } from './rewrite.ts';
import type { Rewrite } from './rewrite.ts';

/** What `registries.yaml` says; keys are registries as image names begin: `docker.io`, `registry.example.com:5000`, `*`. */
export interface RegistriesFile {
  readonly mirrors: ReadonlyMap<string, Mirror>;
  readonly configs: ReadonlyMap<string, RegistryConfig>;
}
export interface Mirror {
  readonly endpoints: readonly string[];
  readonly rewrites: readonly Rewrite[];
}
export interface RegistryConfig {
  readonly credentials: Credentials | undefined;
  readonly tls: Tls;
}
export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: Secret }
  | { readonly kind: 'identity-token'; readonly token: Secret };
export interface Tls {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly skipVerify: boolean;
}

const flag = z.enum(['true', 'false'], 'it must be true or false').transform((value) => value === 'true');
/** `docker.io:` alone, with nothing below it, is an entry too. */
const orNothing = <T extends z.ZodType>(type: T) =>
  z.preprocess((value) => (value === '' || value === 'null' || value === '~' ? {} : value), type);

const readable = z.string().refine(isReadable, { error: (issue) => `${String(issue.input)} cannot be read` });
const TlsForm = z
  .strictObject({
    ca_file: readable.optional(),
    cert_file: readable.optional(),
    key_file: readable.optional(),
    insecure_skip_verify: flag.default(false),
  })
  .refine(({ cert_file: cert, key_file: key }) => (cert === undefined) === (key === undefined), {
    error: 'cert_file and key_file belong together: one of them is missing',
  });

const AuthForm = z.strictObject({
  username: z.string().optional(),
  password: z.string().optional(),
  auth: z.string().refine(isUserAndPassword, "it must be the base64 form of 'user:password'").optional(),
  identity_token: z.string().optional(),
});

const ConfigForm = z.strictObject({ auth: orNothing(AuthForm).optional(), tls: orNothing(TlsForm).optional() });
const MirrorForm = z.strictObject({
  endpoint: z
    .array(z.string().refine(isAddress, "it must be an address such as 'https://mirror.example.com'"))
    .default([]),
  rewrite: z.record(z.string(), z.string()).default({}),
});
const registryName = z
  .string()
  .refine(
    (name) => name === '*' || isAddress(name),
    "it must be a registry such as 'registry.example.com:5000', or '*'",
  );
const FileForm = orNothing(
  z.strictObject({
    mirrors: orNothing(z.record(registryName, orNothing(MirrorForm))).default({}),
    configs: orNothing(z.record(registryName, orNothing(ConfigForm))).default({}),
  }),
);

/**
 * k3s's `registries.yaml`. Scalars are taken as written: a password may look like a number.
 * @throws {UnreadableConfigError} @throws {RegistriesInvalidError} both name the line; neither has a value that may be secret
 * @see k3s docs "Private Registry Configuration"
 */
export async function readRegistries(
  path: string,
  { required }: { readonly required: boolean },
): Promise<RegistriesFile> {
  const yaml = parseYaml(path, readConfigText(path, required), 'failsafe');
  const parsed = FileForm.safeParse(yaml.toJS() ?? {});
  const [issue] = parsed.error?.issues ?? [];
  if (issue !== undefined) throw errorOf(path, yaml, issue);
  const { mirrors = {}, configs = {} } = parsed.data ?? {};
  const compiled = Object.entries(mirrors).map(async ([name, { endpoint, rewrite }]) => {
    const rewrites = Object.entries(rewrite).map(async ([pattern, replacement]) => {
      const key = ['mirrors', name, 'rewrite', pattern];
      return await compileRewrite(pattern, replacement).catch((error: unknown) => {
        throw new RegistriesInvalidError(path, yaml.lineOf(key), key.join('.'), notRegularExpression(error));
      });
    });
    return [name, { endpoints: endpoint, rewrites: await Promise.all(rewrites) }] as const;
  });
  return {
    mirrors: new Map(await Promise.all(compiled)),
    configs: mapValues(configs, ({ auth = {}, tls }) => ({
      credentials: credentialsOf(auth),
      tls: {
        caFile: tls?.ca_file,
        certFile: tls?.cert_file,
        keyFile: tls?.key_file,
        skipVerify: tls?.insecure_skip_verify ?? false,
      },
    })),
  };
}

function errorOf(file: string, yaml: YamlFile, issue: z.core.$ZodIssue): RegistriesInvalidError {
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    const path = [...issue.path, key];
    const known = [
      'mirrors',
      'configs',
      'endpoint',
      'rewrite',
      ...Object.keys(AuthForm.shape),
      'auth',
      'tls',
      'ca_file',
      'cert_file',
      'key_file',
      'insecure_skip_verify',
    ];
    return new RegistriesInvalidError(
      file,
      yaml.lineOf(path),
      path.join('.'),
      'there is no such key',
      nearest(key, known),
    );
  }
  const reason = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  return new RegistriesInvalidError(file, yaml.lineOf(issue.path), issue.path.join('.'), reason);
}

function credentialsOf(auth: z.infer<typeof AuthForm>): Credentials | undefined {
  const { username, password, identity_token: token } = auth;
  if (token !== undefined) return { kind: 'identity-token', token: new Secret(token) };
  if (auth.auth !== undefined) {
    const text = Buffer.from(auth.auth, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    return { kind: 'password', username: text.slice(0, colon), password: new Secret(text.slice(colon + 1)) };
  }
  if (username === undefined) return undefined;
  return { kind: 'password', username, password: new Secret(password ?? '') };
}

/** k3s takes Go's; what other programs have beyond it (`(?=`, `\\1`) is none of it. */
function notRegularExpression(error: unknown): string {
  const reason = messageOf(error).replace(/^error parsing regexp: /, '');
  return `it is not a regular expression of Go's, which k3s takes: ${reason}`;
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): ReadonlyMap<string, B> {
  return new Map(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}

function isUserAndPassword(text: string): boolean {
  return Buffer.from(text, 'base64').toString('utf8').includes(':');
}
