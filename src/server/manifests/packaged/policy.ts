/** CEL, of a policy whose parameter is each other Node: whether that one is Ready. */
export const otherIsReady = `params.?status.?conditions.orValue([]).exists(c, c.type == 'Ready' && c.status == 'True')`;

/** Each node of the cluster is a parameter: the policy is asked once for each. */
export const eachNode = `
  paramRef:
    selector: {}
    parameterNotFoundAction: Allow`;

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
