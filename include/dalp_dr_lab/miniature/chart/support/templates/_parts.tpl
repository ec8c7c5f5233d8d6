{{- define "support.labels" -}}
kots.io/app-slug: settlemint-dalp
app.kubernetes.io/part-of: dalp
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "support.security" -}}
automountServiceAccountToken: false
serviceAccountName: support
terminationGracePeriodSeconds: 2
securityContext: {runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, fsGroupChangePolicy: OnRootMismatch}
{{- end }}

{{- define "support.resources" -}}
resources:
  requests: {cpu: 10m, memory: 48Mi}
  limits: {memory: 256Mi}
{{- end }}

{{- define "support.probes" -}}
readinessProbe:
  httpGet: {path: /health/ready, port: http}
  periodSeconds: 2
  timeoutSeconds: 4
livenessProbe:
  httpGet: {path: /health/live, port: http}
  initialDelaySeconds: 10
  periodSeconds: 10
  timeoutSeconds: 3
{{- end }}

