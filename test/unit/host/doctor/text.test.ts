import { expect, test } from 'vitest';
import { allChecks, diagnosisJson, diagnosisText, whatToDo } from '../../../../src/host/doctor/doctor.ts';
import type { Diagnosis, Finding } from '../../../../src/host/doctor/doctor.ts';

const taken: Finding = {
  check: 'ports',
  severity: 'fatal',
  what: 'port 6443 (kube-apiserver) is taken by nginx (pid 812)',
  why: 'kagent cannot start',
  fix: 'stop it',
  code: 'HOST_PORT_TAKEN',
  canFix: false,
};
const ufw: Finding = {
  check: 'ufw',
  severity: 'warning',
  what: 'ufw is on',
  why: 'it drops',
  fix: 'ufw disable',
  canFix: true,
};

const text = (
  findings: readonly Finding[],
  fine: readonly string[],
  isVerbose = false,
  notLooked: Diagnosis['notLooked'] = [],
) => diagnosisText({ findings, fine, notLooked }, [], { checks: allChecks, isVerbose });

test('a person reads what was found, why it matters and what helps, and how many checks are fine', () => {
  expect(text([taken, ufw], ['clock', 'root']))
    .toBe(`fatal    ports: port 6443 (kube-apiserver) is taken by nginx (pid 812)
         why: kagent cannot start
         fix: stop it

warning  ufw: ufw is on
         why: it drops
         fix: ufw disable (kagent doctor --fix does it)

1 that would keep kagent from starting, 1 to see to; 2 checks are fine.`);
});

test('all being well is one line; asked for, each check has its own, in groups', () => {
  expect(text([], ['clock', 'root'])).toBe('2 checks are fine.');
  expect(text([], ['clock', 'root'], true)).toBe(`Privileges
  ok  root: kagent runs as root

Clock
  ok  clock: the clock is not before the day kagent was built

2 checks are fine.`);
});

test('what was not checked is counted apart, and its reason is shown to who asks for it', () => {
  const notLooked = [{ check: 'ports', because: 'kagent runs, and has them' }];
  expect(text([], ['root'], false, notLooked)).toBe('1 check is fine, 1 had nothing to check (--verbose says why).');
  expect(text([], ['root'], true, notLooked)).toBe(`Privileges
  ok  root: kagent runs as root

Not checked
  --  ports: kagent runs, and has them

1 check is fine, 1 had nothing to check (--verbose says why).`);
});

test('what was repaired comes first', () => {
  const repairs = [{ check: 'ufw', what: 'ufw allow 9345/tcp' }];
  const shown = diagnosisText({ findings: [], fine: ['ufw'], notLooked: [] }, repairs, {
    checks: allChecks,
    isVerbose: false,
  });
  expect(shown).toBe('fixed    ufw: ufw allow 9345/tcp\n1 check is fine.');
});

test('a program reads whether the box is fit, and everything else', () => {
  expect(JSON.parse(diagnosisJson({ findings: [ufw], fine: ['root'], notLooked: [] }, []))).toEqual({
    fit: true,
    findings: [ufw],
    fine: ['root'],
    notLooked: [],
    fixed: [],
  });
  expect(JSON.parse(diagnosisJson({ findings: [taken], fine: [], notLooked: [] }, []))).toMatchObject({ fit: false });
});

test('the last screen of an installation has what is left to do, and nothing else', () => {
  const note: Finding = { ...ufw, severity: 'note' };
  const repairs = [{ check: 'swap', what: 'swapoff' }];
  expect(whatToDo({ findings: [ufw, note], fine: ['root'], notLooked: [] }, repairs)).toEqual([
    'fixed    swap: swapoff',
    'warning  ufw: ufw is on',
    '         fix: ufw disable (kagent doctor --fix does it)',
  ]);
  expect(whatToDo({ findings: [note], fine: [], notLooked: [] }, [])).toEqual([]);
});
