import { flannelGroup } from '../join/join.ts';

/** CEL, of a policy whose parameter is each other Node: whether that one is Ready. */
export const otherIsReady = `params.?status.?conditions.orValue([]).exists(c, c.type == 'Ready' && c.status == 'True')`;

/** Each node of the cluster is a parameter: the policy is asked once for each. */
export const eachNode = `
  paramRef:
    selector: {}
    parameterNotFoundAction: Allow`;

export interface PolicyHead {
  readonly name: string;
  /** For which of its objects the policy is asked once each. */
  readonly paramKind?: 'Node';
  readonly rules: readonly { readonly operations: string; readonly resources: string }[];
  /** Name and CEL expression. */
  readonly conditions: readonly (readonly [string, string])[];
}

/** A policy up to what it asks: `variables` and `validations` follow. Without an answer the request is refused. */
export function policyHead({ name, paramKind, rules, conditions }: PolicyHead): string {
  const param = paramKind === undefined ? '' : `\n  paramKind:\n    apiVersion: v1\n    kind: ${paramKind}`;
  const resourceRules = rules.map(
    ({ operations, resources }) => `
    - apiGroups: [""]
      apiVersions: [v1]
      operations: [${operations}]
      resources: [${resources}]`,
  );
  const matchConditions = conditions.map(
    ([what, expression]) => `\n  - name: ${what}\n    expression: "${expression}"`,
  );
  return `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: ${name}
spec:
  failurePolicy: Fail${param}
  matchConstraints:
    resourceRules:${resourceRules.join('')}
  matchConditions:${matchConditions.join('')}`;
}

/** Of a kubelet. */
export const byKubelet = ['node', "'system:nodes' in request.userInfo.groups"] as const;
/** Of a node's flanneld. */
export const byFlannel = ['flannel', `'${flannelGroup}' in request.userInfo.groups`] as const;

/** The policy holds everywhere. @param more below its `spec` */
export function bindingTo(policy: string, more = ''): string {
  return `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: ${policy}
spec:
  policyName: ${policy}
  validationActions: [Deny]${more}`;
}
