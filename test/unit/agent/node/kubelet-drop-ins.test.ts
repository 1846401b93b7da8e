import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dropInDir, kubeletHealthz } from '../../../../src/agent/node/kubelet-drop-ins.ts';
import { flagsOf } from '../../../../src/shared/arguments/arguments.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

function folders() {
  const dir = temporaryDir();
  const [operators, other, composed] = [join(dir, 'operators'), join(dir, 'other'), join(dir, 'composed')];
  for (const one of [operators, other]) mkdirSync(one);
  const put = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const texts = (path: string) =>
    readdirSync(path)
      .toSorted()
      .map((name) => readFileSync(join(path, name), 'utf8'));
  return { operators, other, composed, put, texts };
}

test('without flags of the operator the kubelet reads the operator’s folder itself', () => {
  const { operators, composed } = folders();
  mkdirSync(composed); // of an earlier start
  expect(dropInDir([], operators, composed)).toBe(operators);
  expect(existsSync(composed)).toBe(false);
});

test('a file and a folder of flags are read with those of the folder, in this order: file, folder, folder of the flag', () => {
  const { operators, other, composed, put, texts } = folders();
  const file = put('file.yaml', 'maxPods: 1');
  put('operators/20.conf', 'maxPods: 3');
  put('operators/10.conf', 'maxPods: 2');
  put('operators/notes.txt', 'nothing');
  put('other/10.conf', 'maxPods: 4');
  expect(dropInDir(flagsOf([`config=${file}`, `config-dir=${other}`]), operators, composed)).toBe(composed);
  expect(texts(composed)).toEqual(['maxPods: 1', 'maxPods: 2', 'maxPods: 3', 'maxPods: 4']);
  dropInDir(flagsOf([`config=${file}`]), operators, composed);
  expect(texts(composed)).toEqual(['maxPods: 1', 'maxPods: 2', 'maxPods: 3']);
});

test('what cannot be read is refused by its name', () => {
  const { operators, composed } = folders();
  const of = (arg: string) => () => dropInDir(flagsOf([arg]), operators, composed);
  expect(of('config=/nowhere')).toThrow("kubelet-arg 'config=/nowhere' cannot be set: it cannot be read (ENOENT)");
  expect(of('config-dir=/nowhere')).toThrow(
    "kubelet-arg 'config-dir=/nowhere' cannot be set: it cannot be read (ENOENT)",
  );
});

test('the kubelet is asked where its files and flags say that it answers', () => {
  const { operators, put } = folders();
  const own = { host: '127.0.0.1', port: 10_248 };
  const at = (...args: readonly string[]) => kubeletHealthz(own, operators, flagsOf(args));
  expect(at()).toEqual(own);
  put('operators/10.conf', 'healthzPort: 7\n');
  put('operators/20.conf', '{"healthzBindAddress": "10.0.0.7"}');
  put('operators/30.conf', 'broken: [');
  expect(at()).toEqual({ host: '10.0.0.7', port: 7 });
  expect(at('healthz-port=8', 'healthz-bind-address=0.0.0.0')).toEqual({ host: '127.0.0.1', port: 8 });
});
