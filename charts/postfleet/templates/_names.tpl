{{- /* Labels and addresses that several templates share. */ -}}

{{- define "postfleet.labels" -}}
app.kubernetes.io/name: postfleet
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "postfleet.selector" -}}
app.kubernetes.io/name: postfleet
app.kubernetes.io/component: {{ . }}
{{- end -}}

{{- define "postfleet.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- /* The operator may be upgraded alone: that restarts no mail pod. */ -}}
{{- define "postfleet.operatorImage" -}}
{{ .Values.image.repository }}:{{ .Values.operator.imageTag | default .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "postfleet.nats.servers" -}}
{{ if eq .Values.nats.profile "ha" }}3{{ else }}1{{ end }}
{{- end -}}

{{- define "postfleet.nats.url" -}}
{{- if .Values.nats.url -}}
{{ .Values.nats.url }}
{{- else -}}
{{- $urls := list -}}
{{- range $n := until (int (include "postfleet.nats.servers" .)) -}}
{{- $urls = append $urls (printf "tls://postfleet-nats-%d.postfleet-nats.%s.svc:4222" $n $.Release.Namespace) -}}
{{- end -}}
{{ join "," $urls }}
{{- end -}}
{{- end -}}

{{- define "postfleet.databaseSecret" -}}
{{ .Values.postgres.existingSecret | default "postfleet-database" }}
{{- end -}}

{{- define "postfleet.ingress.hostname" -}}
{{ .Values.ingress.hostname | default (printf "postfleet-ingress.%s.svc" .Release.Namespace) }}
{{- end -}}
