{{/*
Every name of the chart. Nothing else composes one.
All take the root context.
*/}}

{{- define "modelpool.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The release's name, with the chart's when it is not in it already. Short enough for the longest suffix. */}}
{{- define "modelpool.fullname" -}}
{{- $name := include "modelpool.name" . -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- .Values.fullnameOverride | default $full | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "modelpool.operator.name" -}}
{{- include "modelpool.fullname" . }}-operator
{{- end -}}

{{- define "modelpool.gateway.name" -}}
{{- include "modelpool.fullname" . }}-gateway
{{- end -}}

{{/* Cluster-wide objects carry the namespace, so that two releases of one name do not fight over them. */}}
{{- define "modelpool.operator.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "modelpool.operator.name" .) -}}
{{- end -}}

{{- define "modelpool.gateway.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "modelpool.gateway.name" .) -}}
{{- end -}}

{{/* The Secret with the release key; empty where engines have no keys. */}}
{{- define "modelpool.engineKey.secretName" -}}
{{- with .Values.engineKey -}}
{{- if and .enabled (or .secretName $.Values.gateway.enabled) -}}
{{- .secretName | default (printf "%s-engine-key" (include "modelpool.fullname" $)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "modelpool.operator.serviceAccountName" -}}
{{- $account := .Values.operator.serviceAccount -}}
{{- $account.name | default ($account.create | ternary (include "modelpool.operator.name" .) "default") -}}
{{- end -}}

{{- define "modelpool.gateway.serviceAccountName" -}}
{{- $account := .Values.gateway.serviceAccount -}}
{{- $account.name | default ($account.create | ternary (include "modelpool.gateway.name" .) "default") -}}
{{- end -}}
