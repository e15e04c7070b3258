{{/*
What the operator's and the gateway's Pods have in common.
All take (dict "root" $ "component" "operator"|"gateway"); the component names its part of the values.
*/}}

{{- define "modelpool.image" -}}
{{- $image := (index .root.Values .component).image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "modelpool.podMetadata" -}}
{{- $values := index .root.Values .component -}}
labels:
  {{- include "modelpool.labels" . | nindent 2 }}
  {{- with include "modelpool.usersLabels" $values.podLabels }}
  {{- . | nindent 2 }}
  {{- end }}
{{- with $values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Everything of a Pod's spec but its containers. */}}
{{- define "modelpool.podSettings" -}}
{{- $values := index .root.Values .component -}}
serviceAccountName: {{ include (printf "modelpool.%s.serviceAccountName" .component) .root }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- with .root.Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The fields of the one container that both programs fill alike; follows `args`. */}}
{{- define "modelpool.containerSettings" -}}
{{- $values := index .root.Values .component -}}
image: {{ include "modelpool.image" . }}
imagePullPolicy: {{ $values.image.pullPolicy }}
{{- with $values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
