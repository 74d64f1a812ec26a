// What alerts say on AWS, as Go templates. The title is the one that Alertmanager has elsewhere. Text is for e-mail; there
// is no link to a silence in it, since the service's Alertmanager answers signed requests only. JSON is for notify-slack:
// Go's %q writes a string as JSON does, but for control characters, which none of our labels and texts has.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** More alerts of one group than these are only counted: a message holds 256 KB. */
const ALERTS_IN_JSON = 50

const AWS = `{{- define "elemta.aws.subject" -}}
{{ if eq .Status "resolved" }}[RESOLVED]{{ else if eq .CommonLabels.escalation "second" }}[ESCALATED]{{ else }}[{{ .CommonLabels.severity | toUpper }}]{{ end }} {{ .CommonLabels.alertname }}
{{- end -}}

{{- define "elemta.aws.text" -}}
{{ template "elemta.title" . }}
{{ range .Alerts }}
{{ with .Annotations.description }}{{ . }}{{ else }}{{ .Annotations.summary }}{{ end }}
{{ if eq .Status "resolved" }}Over since {{ .EndsAt.UTC.Format "2006-01-02 15:04 MST" }}, began {{ else }}Since {{ end }}{{ .StartsAt.UTC.Format "2006-01-02 15:04 MST" }}
{{- range .Labels.SortedPairs }}{{ if not (match "^(alertname|severity|team|slo|escalation|escalates)$" .Name) }} · {{ .Name }} {{ .Value }}{{ end }}{{ end }}
{{ with .Annotations.runbook_url }}Runbook:   {{ . }}
{{ end }}{{ with .Annotations.dashboard_url }}Dashboard: {{ . }}
{{ end }}{{ end }}
{{- end -}}

{{- define "elemta.aws.pairs" -}}
{ {{- range $n, $pair := . }}{{ if $n }},{{ end }}{{ printf "%q:%q" $pair.Name $pair.Value }}{{ end -}} }
{{- end -}}

{{- define "elemta.aws.json" -}}
{"source":"elemta","status":{{ printf "%q" .Status }},"receiver":{{ printf "%q" .Receiver }},"count":{{ len .Alerts }},"group":{{ template "elemta.aws.pairs" .GroupLabels.SortedPairs }},"alerts":[
{{- range $n, $alert := .Alerts }}{{ if lt $n ${ALERTS_IN_JSON} }}{{ if $n }},{{ end -}}
{"status":{{ printf "%q" $alert.Status }},"labels":{{ template "elemta.aws.pairs" $alert.Labels.SortedPairs }},"annotations":{{ template "elemta.aws.pairs" $alert.Annotations.SortedPairs }},"startsAt":{{ printf "%q" ($alert.StartsAt.UTC.Format "2006-01-02T15:04:05Z") }},"endsAt":{{ printf "%q" ($alert.EndsAt.UTC.Format "2006-01-02T15:04:05Z") }},"fingerprint":{{ printf "%q" $alert.Fingerprint }}}
{{- end }}{{ end }}]}
{{- end -}}
`

/** Texts by the names under which the configuration asks for them. */
export const ALERT_TEMPLATES: Readonly<Record<string, string>> = {
  elemta: readFileSync(join(import.meta.dirname, '../alertmanager/templates/elemta.tmpl'), 'utf8'),
  elemta_aws: AWS,
}
