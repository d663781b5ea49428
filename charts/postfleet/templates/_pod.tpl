{{- /* What the pods of all roles have in common. The operator gives delivery and egress pods the same (operator/desired/pod.ts). */ -}}

{{- define "postfleet.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "postfleet.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "postfleet.podEnv" -}}
- { name: POSTFLEET_NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }
- { name: POSTFLEET_POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
- { name: POSTFLEET_POD_UID, valueFrom: { fieldRef: { fieldPath: metadata.uid } } }
- { name: POSTFLEET_NODE_NAME, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
- { name: POSTFLEET_IDENTITY_DIR, value: /var/run/postfleet-identity }
{{- end -}}

{{- define "postfleet.identityEnv" -}}
- { name: POSTFLEET_IDENTITY_URL, value: "https://postfleet-operator.{{ .Release.Namespace }}.svc:8443/v1/identity" }
{{- end -}}

{{- define "postfleet.natsEnv" -}}
- { name: POSTFLEET_NATS_URL, value: {{ include "postfleet.nats.url" . | quote }} }
- { name: POSTFLEET_NATS_REPLICAS, value: {{ include "postfleet.nats.servers" . | quote }} }
- { name: POSTFLEET_NATS_MONITOR_URL, value: {{ .Values.nats.monitorUrl | quote }} }
{{- end -}}

{{- define "postfleet.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: metrics }
  periodSeconds: 2
  failureThreshold: 60
  timeoutSeconds: 5
livenessProbe:
  httpGet: { path: /livez, port: metrics }
  periodSeconds: 10
  failureThreshold: 6
  timeoutSeconds: 5
readinessProbe:
  httpGet: { path: /readyz, port: metrics }
  periodSeconds: 3
  failureThreshold: 2
  timeoutSeconds: 5
{{- end -}}

{{- /* The token of our own audience is exchanged for a certificate; the ConfigMap holds pods back until the operator has made it. */ -}}
{{- define "postfleet.identityVolumes" -}}
- name: identity-token
  projected:
    sources:
      - serviceAccountToken: { audience: postfleet.io, expirationSeconds: 3600, path: token }
- name: ca
  configMap: { name: postfleet-ca }
- name: identity
  emptyDir: { medium: Memory, sizeLimit: 1Mi }
- name: tmp
  emptyDir: {}
{{- end -}}

{{- define "postfleet.identityMounts" -}}
- { name: identity-token, mountPath: /var/run/secrets/postfleet, readOnly: true }
- { name: ca, mountPath: /var/run/postfleet-ca, readOnly: true }
- { name: identity, mountPath: /var/run/postfleet-identity }
- { name: tmp, mountPath: /tmp }
{{- end -}}

{{- define "postfleet.spread" -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels: {{- include "postfleet.selector" . | nindent 12 }}
{{- end -}}
