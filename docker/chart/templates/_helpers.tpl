{{/* Names: short enough for what Kubernetes appends. */}}
{{- define "perennial.name" -}}
{{- .Release.Name | trunc 30 | trimSuffix "-" -}}
{{- end -}}

{{- define "perennial.labels" -}}
app.kubernetes.io/name: perennial
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* (dict "top" $ "part" "mlflow") */}}
{{- define "perennial.selector" -}}
app.kubernetes.io/name: perennial
app.kubernetes.io/instance: {{ .top.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "perennial.meta" -}}
name: {{ include "perennial.name" .top }}-{{ .part }}
labels:
  {{- include "perennial.labels" .top | nindent 2 }}
  app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{/* What every container of ours may do: nothing but its work. */}}
{{- define "perennial.container" -}}
imagePullPolicy: {{ .Values.images.pullPolicy }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* (dict "top" $ "account" "airflow" or "") */}}
{{- define "perennial.pod" -}}
{{- if .account }}
serviceAccountName: {{ include "perennial.name" .top }}-{{ .account }}
{{- end }}
automountServiceAccountToken: {{ .account | empty | not }}
enableServiceLinks: false
securityContext:
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .top.Values.images.pullSecret }}
imagePullSecrets: [{name: {{ . }}}]
{{- end }}
{{- with .top.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .top.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* (dict "top" $ "name" "VARIABLE" "entry" "of-the-secret") */}}
{{- define "perennial.secretVariable" -}}
- name: {{ .name }}
  valueFrom: {secretKeyRef: {name: {{ .top.Values.secret }}, key: {{ .entry }}}}
{{- end -}}

{{/* (dict "top" $ "name" "VARIABLE" "database" "ledger") */}}
{{- define "perennial.database" -}}
{{- $role := .database | trimSuffix "_auth" -}}
{{- if .top.Values.postgres.inside -}}
{{- $password := printf "PASSWORD_OF_%s" (.name | upper) -}}
{{ include "perennial.secretVariable" (dict "top" .top "name" $password "entry" (printf "postgres-%s" $role)) }}
- name: {{ .name }}
  value: postgresql+psycopg2://{{ $role }}:$({{ $password }})@{{ include "perennial.name" .top }}-postgres/{{ .database }}
{{- else -}}
{{ include "perennial.secretVariable" (dict "top" .top "name" .name "entry" (printf "%s-database" (.database | replace "_" "-"))) }}
{{- end -}}
{{- end -}}

{{- define "perennial.mlflowUrl" -}}
{{- if .Values.mlflow.enabled -}}http://{{ include "perennial.name" . }}-mlflow:5000{{- else -}}{{ .Values.mlflow.external }}{{- end -}}
{{- end -}}

{{/* The service of the bucket: s3, gs or az; nothing where the state is a volume. */}}
{{- define "perennial.service" -}}
{{- .Values.state.bucket.url | splitList "://" | first -}}
{{- end -}}

{{/* The bucket, as every part is told of it. */}}
{{- define "perennial.bucket" -}}
{{- $service := include "perennial.service" . -}}
{{- with .Values.state.bucket -}}
PERENNIAL_STORE: {{ .url | quote }}
{{- if eq $service "s3" }}
PERENNIAL_STORE_REGION: {{ .region | quote }}
{{- end }}
{{- with .account }}
PERENNIAL_STORE_ACCOUNT: {{ . | quote }}
{{- end }}
{{- with .endpoint }}
PERENNIAL_STORE_ENDPOINT: {{ . | quote }}
{{- end }}
{{- if .ca }}
PERENNIAL_STORE_CA: /ca/ca.pem
{{- end }}
{{- end -}}
{{- end -}}

{{/* The variables of a key to the bucket, as pipelines/settings.py has them; in each row the whole row is a key. */}}
{{- define "perennial.keyRows" -}}
s3: [[AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]]
gs: [[GOOGLE_SERVICE_ACCOUNT_KEY]]
az: [[AZURE_STORAGE_ACCOUNT_KEY], [AZURE_STORAGE_SAS_TOKEN], [AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET]]
{{- end -}}

{{/* The key to the bucket, for a container's `env`: what the Secret has of its service's variables, and nothing else of it. */}}
{{- define "perennial.bucketKey" -}}
{{- $secret := .Values.state.bucket.secret -}}
{{- $service := include "perennial.service" . -}}
{{- if and $secret $service -}}
{{- $rows := get (include "perennial.keyRows" . | fromYaml) $service -}}
{{- range $row := $rows }}
{{- range $row }}
- name: {{ . }}
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ . }}{{ if gt (len $rows) 1 }}, optional: true{{ end }}}}
{{- end }}
{{- end }}
{{- if eq $service "s3" }}
- name: AWS_SESSION_TOKEN
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: AWS_SESSION_TOKEN, optional: true}}
{{- end }}
{{- end -}}
{{- end -}}

{{/* The settings of all of Airflow's parts, in a ConfigMap. */}}
{{- define "perennial.settings" -}}
PERENNIAL_PLACE: {{ .Values.place }}
PERENNIAL_TARGET: {{ .Values.target }}
PERENNIAL_STATE: /state
PERENNIAL_KUBERNETES_NAMESPACE: {{ .Release.Namespace }}
PERENNIAL_STEPS_IMAGE: {{ .Values.images.steps | quote }}
PERENNIAL_SERVING_IMAGE: {{ .Values.images.serving | quote }}
PERENNIAL_SERVING_NATIVE_IMAGE: {{ .Values.images.servingNative | quote }}
PERENNIAL_SERVING_URL: http://{{ include "perennial.name" . }}-serving:8000
PERENNIAL_MLFLOW_URI: {{ include "perennial.mlflowUrl" . }}
PERENNIAL_MLFLOW_PROXIED: "true"
PERENNIAL_MLFLOW_PUBLIC_URL: {{ .Values.mlflow.url | quote }}
PERENNIAL_AIRFLOW_PUBLIC_URL: {{ .Values.airflow.url | quote }}
MLFLOW_TRACKING_URI: {{ include "perennial.mlflowUrl" . }}
MLFLOW_TRACKING_USERNAME: admin
PERENNIAL_REQUIRE_SIGNATURE: {{ .Values.signing.required | quote }}
{{- if ne .Values.airflow.executor "kubernetes" }}
PERENNIAL_EXECUTOR: {{ .Values.airflow.executor }}
{{- end }}
PERENNIAL_QUEUES: {{ .Values.airflow.queues | quote }}
{{- if .Values.state.bucket.url }}
{{ include "perennial.bucket" . }}
{{- with .Values.state.bucket.secret }}
PERENNIAL_KUBERNETES_SERVING_SECRET: {{ . }}
{{- end }}
{{- with .Values.state.bucket.ca }}
PERENNIAL_KUBERNETES_SERVING_CA: {{ . }}
PERENNIAL_KUBERNETES_STEPS_CA: {{ . }}
{{- end }}
{{- else }}
PERENNIAL_KUBERNETES_SERVING_VOLUME: {{ .Values.state.claim }}
PERENNIAL_KUBERNETES_STEPS_VOLUME: {{ .Values.state.claim }}
{{- end }}
{{- with .Values.signing.trust }}
PERENNIAL_TRUST: /trust
PERENNIAL_KUBERNETES_SERVING_TRUST: {{ . }}
PERENNIAL_KUBERNETES_STEPS_TRUST: {{ . }}
{{- end }}
{{- with .Values.personalKey }}
PERENNIAL_KUBERNETES_SERVING_PERSONAL_KEY: {{ . }}
{{- end }}
{{- with .Values.images.pullSecret }}
PERENNIAL_KUBERNETES_SERVING_PULL_SECRET: {{ . }}
PERENNIAL_KUBERNETES_STEPS_PULL_SECRET: {{ . }}
{{- end }}
{{- with .Values.stepsSecret }}
PERENNIAL_KUBERNETES_STEPS_SECRET: {{ . }}
{{- end }}
{{- if eq .Values.target "kubernetes" }}
PERENNIAL_KUBERNETES_DEPLOY_ACCOUNT: {{ include "perennial.name" . }}-deploy
{{- end }}
AIRFLOW__CORE__EXECUTOR: perennial_airflow.executors.{{ .Values.airflow.executor }}
AIRFLOW__CORE__AUTH_MANAGER: perennial_airflow.fab_log_in.NamedFabAuthManager
AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION: "False"
AIRFLOW__CORE__PARALLELISM: {{ .Values.airflow.parallelism | quote }}
AIRFLOW__CORE__EXECUTION_API_SERVER_URL: http://{{ include "perennial.name" . }}-airflow:8080/execution/
AIRFLOW__CORE__HOSTNAME_CALLABLE: perennial_airflow.pod_address.pod_address
AIRFLOW__API__BASE_URL: {{ .Values.airflow.url | quote }}
AIRFLOW__API__INSTANCE_NAME: Perennial
AIRFLOW__CELERY__WORKER_CONCURRENCY: {{ .Values.airflow.workerTasks | quote }}
AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER: "1"
AIRFLOW__CELERY__OPERATION_TIMEOUT: "30"
AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS: perennial_airflow.celery_config.CELERY_CONFIG
{{- if .Values.airflow.brokerCa }}
PERENNIAL_BROKER_CA: /broker-ca/ca.pem
{{- end }}
AIRFLOW__CELERY__EXTRA_CELERY_CONFIG: '{"imports": ["perennial_airflow.celery_worker"]}'
AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME: "0.3"
AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE: "10"
AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT: "120"
AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL: "30"
AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL: "30"
{{- if eq .Values.airflow.executor "kubernetes" }}
{{- /* A task's pod may wait for an image, or for a node that is just being made. */}}
AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT: "600"
AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES: "2"
AIRFLOW__KUBERNETES_EXECUTOR__NAMESPACE: {{ .Release.Namespace }}
AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE: /pods/task.yaml
AIRFLOW__KUBERNETES_EXECUTOR__WORKER_PODS_CREATION_BATCH_SIZE: {{ .Values.airflow.parallelism | quote }}
AIRFLOW__KUBERNETES_EXECUTOR__DELETE_WORKER_PODS: "True"
AIRFLOW__KUBERNETES_EXECUTOR__DELETE_WORKER_PODS_ON_FAILURE: "True"
AIRFLOW__KUBERNETES_EXECUTOR__TASK_PUBLISH_MAX_RETRIES: "60"
{{- else }}
AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT: "120"
AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES: "14"
{{- end }}
AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK: "True"
AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS: "20"
AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT: "60"
AIRFLOW__WORKERS__EXECUTION_API_RETRIES: "15"
AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX: "15"
AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST: '[{"name": "dags-folder", "classpath": "perennial_airflow.model_folders.ModelFolders", "kwargs": {}}]'
AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL: "3"
AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL: "1"
AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL: "120"
AIRFLOW__LOGGING__COLORED_CONSOLE_LOG: "False"
{{- if .Values.state.bucket.url }}
AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS: perennial_airflow.bucket_logs.LOGGING_CONFIG
{{- end }}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* (dict "top" $ "signs" true "task" false). A task in a pod of its own asks Airflow's API alone. */}}
{{- define "perennial.airflowEnvironment" -}}
envFrom:
  - configMapRef: {name: {{ include "perennial.name" .top }}-settings}
env:
  {{- include "perennial.bucketKey" .top | nindent 2 }}
  - {name: POD_ADDRESS, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: status.podIP}}}
  {{- include "perennial.database" (dict "top" .top "name" "PERENNIAL_LEDGER_URL" "database" "ledger") | nindent 2 }}
  {{- if not .task }}
  {{- include "perennial.database" (dict "top" .top "name" "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" "database" "airflow") | nindent 2 }}
  {{- include "perennial.secretVariable" (dict "top" .top "name" "AIRFLOW__CORE__FERNET_KEY" "entry" "airflow-fernet") | nindent 2 }}
  {{- include "perennial.secretVariable" (dict "top" .top "name" "AIRFLOW__API__SECRET_KEY" "entry" "airflow-api") | nindent 2 }}
  {{- include "perennial.secretVariable" (dict "top" .top "name" "AIRFLOW__API_AUTH__JWT_SECRET" "entry" "airflow-jwt") | nindent 2 }}
  {{- end }}
  {{- include "perennial.secretVariable" (dict "top" .top "name" "MLFLOW_TRACKING_PASSWORD" "entry" "mlflow-admin") | nindent 2 }}
  {{- if eq .top.Values.airflow.executor "celery" }}
  {{- if eq .top.Values.airflow.broker "inside" }}
  {{- include "perennial.secretVariable" (dict "top" .top "name" "PASSWORD_OF_BROKER" "entry" "broker") | nindent 2 }}
  - name: AIRFLOW__CELERY__BROKER_URL
    value: redis://:$(PASSWORD_OF_BROKER)@{{ include "perennial.name" .top }}-broker:6379/0
  {{- else }}
  {{- include "perennial.secretVariable" (dict "top" .top "name" "AIRFLOW__CELERY__BROKER_URL" "entry" "broker-url") | nindent 2 }}
  {{- end }}
  {{- end }}
  {{- if and .signs .top.Values.signing.required }}
  {{- include "perennial.secretVariable" (dict "top" .top "name" "PERENNIAL_SIGNING_KEY" "entry" "signing") | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "perennial.airflowMounts" -}}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- if .Values.state.bucket.url }}
  - {name: logs, mountPath: /airflow/logs}
  {{- else }}
  - {name: state, mountPath: /airflow/logs, subPath: airflow/logs}
  {{- end }}
  - {name: state, mountPath: /state}
{{- if .Values.state.bucket.ca }}
  - {name: ca, mountPath: /ca, readOnly: true}
{{- end }}
{{- if .Values.airflow.brokerCa }}
  - {name: broker-ca, mountPath: /broker-ca, readOnly: true}
{{- end }}
{{- if .Values.signing.trust }}
  - {name: trust, mountPath: /trust, readOnly: true}
{{- end }}
{{- end -}}

{{- define "perennial.stateVolume" -}}
- name: state
{{- if .Values.state.bucket.url }}
  emptyDir: {}
{{- else }}
  persistentVolumeClaim: {claimName: {{ .Values.state.claim }}}
{{- end }}
{{- end -}}

{{- define "perennial.airflowVolumes" -}}
volumes:
  - {name: tmp, emptyDir: {}}
{{- if .Values.state.bucket.url }}
  - {name: logs, emptyDir: {}}
{{- end }}
  {{- include "perennial.stateVolume" . | nindent 2 }}
{{- with .Values.state.bucket.ca }}
  - {name: ca, configMap: {name: {{ . }}}}
{{- end }}
{{- with .Values.airflow.brokerCa }}
  - {name: broker-ca, configMap: {name: {{ . }}}}
{{- end }}
{{- with .Values.signing.trust }}
  - {name: trust, configMap: {name: {{ . }}}}
{{- end }}
{{- end -}}

{{/* A part of Airflow waits until the init Job has migrated the databases. */}}
{{- define "perennial.waitForDatabase" -}}
initContainers:
  - name: wait
    image: {{ .Values.images.airflow }}
    {{- include "perennial.container" . | nindent 4 }}
    args: [db, check-migrations, --migration-wait-timeout, "600"]
    {{- include "perennial.airflowEnvironment" (dict "top" . "signs" false) | nindent 4 }}
    {{- include "perennial.airflowMounts" . | nindent 4 }}
{{- end -}}

{{/* The pod of one task, with the executor `kubernetes`. */}}
{{- define "perennial.taskPod" -}}
apiVersion: v1
kind: Pod
metadata:
  labels:
    {{- include "perennial.selector" (dict "top" . "part" "task") | nindent 4 }}
spec:
  {{- include "perennial.pod" (dict "top" . "account" "airflow") | nindent 2 }}
  restartPolicy: Never
  # A first process does not listen to signals that it has no handler for.
  shareProcessNamespace: true
  terminationGracePeriodSeconds: 120
  containers:
    - name: base
      image: {{ .Values.images.airflow }}
      # It runs the executor's arguments, which begin with a command of their own.
      command: [python, -P, /app/plugins/perennial_airflow/pod_task.py]
      {{- include "perennial.container" . | nindent 6 }}
      resources: {{ .Values.airflow.resources.worker | toJson }}
      {{- include "perennial.airflowEnvironment" (dict "top" . "signs" true "task" true) | nindent 6 }}
      {{- include "perennial.airflowMounts" . | nindent 6 }}
  {{- include "perennial.airflowVolumes" . | nindent 2 }}
{{- end -}}
