import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

interface ErrorClass {
  readonly file: string;
  readonly name: string;
  /** Its source. */
  readonly body: string;
  /** Empty where it is not the class's own. */
  readonly code: string;
  readonly fault: string;
}

const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({ file, text: readFileSync(join(root, 'src', file), 'utf8') }));

/** Every subclass of KagentError, as its source has it. */
const classes: readonly ErrorClass[] = files.flatMap(({ file, text }) =>
  [...text.matchAll(/class (\w+) extends KagentError \{\n(.*?)\n\}/gs)].map(([, name = '', body = '']) => ({
    file,
    name,
    body,
    code: /readonly code = '(\w+)';/.exec(body)?.[1] ?? '',
    fault: /readonly fault = '(\w+)';/.exec(body)?.[1] ?? '',
  })),
);
const named = classes.filter(({ code }) => code !== '');

test('every subclass of KagentError is looked at here', () => {
  expect(classes).toHaveLength(files.flatMap(({ text }) => text.split(' extends KagentError').slice(1)).length);
});

/** `CODE fault` of every error class. */
function codesInSource(): readonly string[] {
  return named.map(({ code, fault }) => `${code} ${fault}`);
}

function codesInDocs(): readonly string[] {
  const text = readFileSync(join(root, 'docs/errors.md'), 'utf8');
  return [...text.matchAll(/^\| `(\w+)` +\| (\w+) +\| \S/gm)].map(([, code, fault]) => `${code} ${fault}`);
}

test('docs/errors.md has each error of the source, with whose move it is, and no other', () => {
  expect(codesInDocs().toSorted()).toEqual(codesInSource().toSorted());
});

test('docs/errors.md is in alphabetical order, so that a code is found', () => {
  const codes = codesInDocs();
  expect(codes).toEqual(codes.toSorted());
});

test('no two errors share a code', () => {
  const codes = codesInSource().map((entry) => entry.split(' ')[0]);
  expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
});

/** Whose class has its code from elsewhere. */
const codeFromElsewhere = ['ForwardedError', 'JoinRefusedError', 'LocalRefusedError'];

test('an error without a code of its own is made of another error, and has its remedy', () => {
  const others = classes.filter(({ code }) => code === '');
  expect(others.map(({ name }) => name).toSorted()).toEqual(codeFromElsewhere);
  expect(others.filter(({ body }) => !body.includes('{ remedy }'))).toEqual([]);
});

/** Errors that are the operator's to act on, and whose remedy is none of the class's, with the reason. */
const withoutRemedy: Readonly<Record<string, string>> = {
  CONFIG_CLUSTER_SETTING: 'its next step is a sentence of its own, and has semicolons',
  CONFIG_COMPONENT_ARGUMENT: 'what to set instead is part of the rule, which docs/component-args.md shows as well',
  CONFIG_INVALID: 'what is allowed is in the reason, which is the schema’s',
  CONFIG_NOT_HERE: 'what to do instead is part of the reason, which docs/from-k3s.md shows as well',
  CONFIG_UNREADABLE: 'it names the line and what is wrong there',
  DRAIN_TIMEOUT: 'the pods that are left come last, after the next step',
  HELM_CHART_INVALID: 'each of the places that throw it has another, or none',
  HELM_REFERENCE: 'it names the object that is not there',
  HELM_RELEASE: 'the words of helm',
  IMAGE_LIST_FAILED: 'it is tried again; what helps is for each image another thing',
  LAB_FAILED: 'the words of whatever failed',
  LAB_HOST_NOT_FOUND: 'it names the hosts there are',
  MANIFEST_INVALID: 'it names the line and what is wrong there',
  MANIFEST_PRUNE: 'it is tried again; the reason is kube-apiserver’s',
  MANIFEST_UNREADABLE: 'the reason is the system’s',
  RELEASE_OTHER_VERSION: 'what it found and what belongs there are one sentence',
  SERVER_NETWORK_PLAN: 'each of the five places that throw it has another',
  SERVICE_DAEMON_FAILED: 'the sentence is the one the daemon ended with, remedy included',
  SERVICE_DEFINITION: 'each of the three places that throw it has another, or none',
  SERVICE_MANAGER_FAILED: 'the words of the service manager',
  SERVICE_NOT_READY: 'where there is more to read is a line of its own, after the last lines of the log',
  STORE_NO_SPACE: 'what is full and what to do about it are one sentence',
};

test('each error that is the operator’s to act on says what helps, apart from what happened', () => {
  const silent = named.filter(({ fault, body }) => fault === 'operator' && !/\bremedy\b/.test(body));
  expect(silent.map(({ code }) => code).toSorted()).toEqual(Object.keys(withoutRemedy));
});

/** Folders of `src` from which the API's files import, and its own. */
function roomsOfApi(): readonly string[] {
  const dir = join(root, 'src/server/api');
  const imports = readdirSync(dir).flatMap((file) =>
    [...readFileSync(join(dir, file), 'utf8').matchAll(/from '(\.\.?\/[^']+)'/g)].map(([, path = '']) =>
      relative(join(root, 'src'), dirname(resolve(dir, path))),
    ),
  );
  return [...new Set(imports)].filter((room) => room !== 'shared').toSorted();
}

test('each error that the API can answer a peer with has an HTTP status', () => {
  const rooms = roomsOfApi();
  expect(rooms).toEqual(
    expect.arrayContaining([
      ...['api', 'identity', 'join', 'nodes', 'pki', 'probe', 'release'].map((room) => `server/${room}`),
      'shared/protocol',
    ]),
  );
  const answered = named.filter(({ file, fault }) => fault === 'peer' && rooms.some((room) => dirname(file) === room));
  expect(answered.length).toBeGreaterThan(30);
  expect(answered.filter(({ body }) => !/override readonly httpStatus = 4\d\d;/.test(body))).toEqual([]);
});

test('wrong usage has an exit code of its own, and so has a node that was removed', () => {
  const ending = (word: string) =>
    named.filter(({ body }) => body.includes(`override readonly exitCode = ${word};`)).map(({ code }) => code);
  const usage = named.map(({ code }) => code).filter((code) => code.startsWith('CONFIG_'));
  expect(ending('wrongUsageExitCode').toSorted()).toEqual(usage.toSorted());
  expect(ending('removedExitCode')).toEqual(['NODE_REMOVED']);
});
