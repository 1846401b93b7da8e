/** The CustomResourceDefinitions, with k3s's names, fields and columns, and kagent's own status. */

/** They stay when the controller is disabled: with them would go every HelmChart that people have written. */
const head = (plural: string, kind: string, shortName: string) => `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: ${plural}.helm.cattle.io
  annotations:
    kagent.sh/prune: "false"
spec:
  group: helm.cattle.io
  names: {kind: ${kind}, listKind: ${kind}List, plural: ${plural}, singular: ${kind.toLowerCase()}, shortNames: [${shortName}]}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
`;

/** Of both kinds. */
const valuesFields = `              values:
                description: Values of the chart, as YAML; over valuesContent.
                type: object
                x-kubernetes-preserve-unknown-fields: true
              valuesContent: {type: string, description: "Values of the chart, as a text of YAML."}
              valuesSecrets:
                description: Secrets with values, over the others.
                type: array
                items:
                  type: object
                  required: [name]
                  properties:
                    name: {type: string, description: A Secret of the same namespace.}
                    keys: {type: array, items: {type: string}, description: Which of its keys are values.}
                    ignoreUpdates: {type: boolean, description: "The Secret may be missing, and its changes upgrade nothing."}
              failurePolicy:
                description: >-
                  After a failed installation: reinstall removes what never ran and installs anew, abort leaves it as it is. After a
                  failed upgrade: reinstall rolls back to what ran and tries again, abort leaves it as it is.
                type: string
                enum: [reinstall, abort]
`;

const reference = (what: string) => `{type: object, properties: {name: {type: string}}, description: ${what}}`;
const ignored = 'Without effect; there is no job and no pod.';

const chartDefinition = `${head('helmcharts', 'HelmChart', 'hc')}    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Repo, type: string, jsonPath: .spec.repo, priority: 1}
    - {name: Chart, type: string, jsonPath: .spec.chart}
    - {name: Version, type: string, jsonPath: .spec.version}
    - {name: TargetNamespace, type: string, jsonPath: .spec.targetNamespace}
    - {name: Bootstrap, type: boolean, jsonPath: .spec.bootstrap, priority: 1}
    - {name: Revision, type: integer, jsonPath: .status.release.revision}
    - {name: Ready, type: string, jsonPath: ".status.conditions[?(@.type=='Ready')].status"}
    - {name: Reason, type: string, jsonPath: ".status.conditions[?(@.type=='Ready')].reason"}
    schema:
      openAPIV3Schema:
        description: A release of Helm's that is kept as this object says.
        type: object
        properties:
          spec:
            type: object
            properties:
              chart: {type: string, description: "Name of a chart in repo, or an https:// or oci:// address."}
              repo: {type: string, description: Address of the repository that has the chart.}
              version: {type: string, description: Version of the chart; the newest one unless said.}
              chartContent: {type: string, description: The chart's archive in base64; instead of chart.}
              targetNamespace: {type: string, description: Namespace of the release; this object's unless said.}
              createNamespace: {type: boolean, description: Make that namespace if it is missing.}
${valuesFields}              set:
                description: Values by helm's paths, over all others, as --set and --set-string.
                type: object
                additionalProperties: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}
              timeout: {type: string, description: "How long each hook may take: 5m unless said."}
              backOffLimit: {type: integer, format: int32, minimum: 0, description: After so many failures nothing is tried until something changes.}
              bootstrap: {type: boolean, description: Without effect; every chart is installed without a node.}
              repoCA: {type: string, description: Certificates in PEM that the repository is verified with.}
              repoCAConfigMap: ${reference('A ConfigMap of the same namespace with such certificates.')}
              authSecret: ${reference('A Secret of the same namespace with username and password.')}
              authPassCredentials: {type: boolean, description: Show them to other hosts too.}
              dockerRegistrySecret: ${reference('A Secret of the same namespace with .dockerconfigjson.')}
              insecureSkipTLSVerify: {type: boolean, description: Do not verify where the chart comes from.}
              plainHTTP: {type: boolean, description: Ask a registry without TLS.}
              helmVersion: {type: string, description: ${ignored}}
              jobImage: {type: string, description: ${ignored}}
              podSecurityContext: {type: object, x-kubernetes-preserve-unknown-fields: true, description: ${ignored}}
              securityContext: {type: object, x-kubernetes-preserve-unknown-fields: true, description: ${ignored}}
          status:
            type: object
            properties:
              observedGeneration: {type: integer, format: int64}
              configHash: {type: string, description: Of chart and values as they were last tried.}
              gaveUp: {type: boolean, description: "The last try failed, and there is no other until something changes."}
              jobName: {type: string, description: Of k3s; empty.}
              release:
                type: object
                properties:
                  name: {type: string}
                  namespace: {type: string}
                  revision: {type: integer}
                  chart: {type: string}
                  appVersion: {type: string}
              conditions:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [type]
                items:
                  type: object
                  required: [type, status]
                  properties:
                    type: {type: string}
                    status: {type: string}
                    reason: {type: string}
                    message: {type: string}
                    lastTransitionTime: {type: string, format: date-time}
`;

const configDefinition = `${head('helmchartconfigs', 'HelmChartConfig', 'hcc')}    schema:
      openAPIV3Schema:
        description: Values for the HelmChart of the same name and namespace that somebody else has written; they have the last word.
        type: object
        properties:
          spec:
            type: object
            properties:
${valuesFields}`;

export const definitions = [chartDefinition, configDefinition].join('---\n');

export const definitionPaths = ['helmcharts', 'helmchartconfigs'].map(
  (plural) => `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.helm.cattle.io`,
);
