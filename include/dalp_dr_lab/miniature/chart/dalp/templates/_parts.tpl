{{- define "dalp.labels" -}}
kots.io/app-slug: settlemint-dalp
app.kubernetes.io/part-of: dalp
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "dalp.security" -}}
automountServiceAccountToken: false
serviceAccountName: dalp
terminationGracePeriodSeconds: 2
securityContext: {runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, fsGroupChangePolicy: OnRootMismatch}
{{- end }}

{{- define "dalp.resources" -}}
resources:
  requests: {cpu: 10m, memory: 48Mi}
  limits: {memory: 256Mi}
{{- end }}

{{- define "dalp.probes" -}}
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

{{- define "dalp.databaseUser" -}}
- {name: DB_USER, valueFrom: {secretKeyRef: {name: dalp-pg-app, key: username}}}
- {name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: dalp-pg-app, key: password}}}
- {name: DB_NAME, valueFrom: {secretKeyRef: {name: dalp-pg-app, key: dbname}}}
{{- end }}
