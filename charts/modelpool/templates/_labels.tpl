{{/*
Labels. `matchLabels` never change in the life of a release, because a Deployment's selector cannot; `labels` may.
Both take (dict "root" $ "component" "operator"|"gateway").
*/}}

{{- define "modelpool.matchLabels" -}}
app.kubernetes.io/name: {{ include "modelpool.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "modelpool.labels" -}}
{{ include "modelpool.matchLabels" . }}
{{ include "modelpool.releaseLabels" .root }}
{{- end -}}

{{/* What every object of the release carries, whatever its component. Takes the root context. */}}
{{- define "modelpool.releaseLabels" -}}
app.kubernetes.io/part-of: modelpool
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with include "modelpool.usersLabels" .Values.commonLabels }}
{{ . }}
{{- end }}
{{- end -}}

{{/*
Labels of the user's, without those by which Deployments, Services and the NetworkPolicies of pools and of this release
select the pods: the latter let in gateways by `component` and `part-of`. Takes the labels.
*/}}
{{- define "modelpool.usersLabels" -}}
{{- $p := "app.kubernetes.io/" -}}
{{- with omit (. | default dict) (print $p "name") (print $p "instance") (print $p "component") (print $p "part-of") -}}
{{ toYaml . }}
{{- end -}}
{{- end -}}
