{{- define "eventscache.labels" -}}
app.kubernetes.io/name: eventscache
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
