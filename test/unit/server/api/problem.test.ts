import { expect, test } from 'vitest';
import { problemOf, problemResponse } from '../../../../src/server/api/problem.ts';
import { PortTakenError } from '../../../../src/server/api/api.ts';
import { NodeNameTakenError } from '../../../../src/server/identity/identity.ts';
import { EtcdCallError } from '../../../../src/datastore/client/client.ts';
import { KubeError } from '../../../../src/kube/kube.ts';
import { TokenWrongError, TooManyAttemptsError } from '../../../../src/server/join/join.ts';

test.each([
  [new TokenWrongError(), 401, 'TOKEN_WRONG'],
  [new NodeNameTakenError('box'), 409, 'NODE_NAME_TAKEN'],
  [new TooManyAttemptsError(4), 429, 'TOO_MANY_ATTEMPTS'],
])('%s is told to the peer', (error, status, code) => {
  expect(problemOf(error)).toMatchObject({ status, code, detail: error.message, remedy: error.remedy });
});

const ours = [
  new Error('password is hunter2'),
  new PortTakenError('0.0.0.0', 1, undefined),
  'hunter2',
  new KubeError('GET /api/v1/nodes', 403, 'hunter2'),
  new EtcdCallError(14, 'hunter2'),
];

test.each(ours)('what is not the peer’s to repair shows no words of ours, and is worth asking again', (error) => {
  const problem = problemOf(error);
  expect(problem).toMatchObject({ status: 500, code: 'INTERNAL' });
  expect(JSON.stringify(problem)).not.toMatch(/hunter2|--supervisor-port|at .*\.ts/);
});

test('root on the host hears what kube-apiserver said', () => {
  const error = new KubeError('DELETE /api/v1/nodes/a', 403, 'a webhook says no');
  expect(problemOf(error, { isRoot: true })).toMatchObject({
    status: 500,
    code: 'KUBE_REQUEST',
    detail: error.message,
  });
});

test('a title comes from the code, since a bundler may give a class another name', () => {
  const error = new NodeNameTakenError('box');
  error.name = 'NodeNameTakenError2';
  expect(problemOf(error).title).toBe('NodeNameTaken');
});

test('a response says its type and when to come back', async () => {
  const response = problemResponse(new TooManyAttemptsError(4));
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('retry-after')).toBe('4');
  expect(await response.json()).toMatchObject({ title: 'TooManyAttempts', status: 429 });
});
