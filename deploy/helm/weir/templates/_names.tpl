{{- define "weir.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "weir.labels" -}}
app.kubernetes.io/part-of: weir
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* The role is of the whole cluster, so its name tells releases apart. */ -}}
{{- define "weir.role" -}}
weir-{{ .Release.Namespace }}
{{- end }}

{{- /* Settings as variables of the environment. */ -}}
{{- define "weir.settings" -}}
{{- range $key, $value := . }}
- name: WEIR_{{ upper $key }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}
