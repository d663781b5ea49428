{{- /* What each role may say and hear in NATS. Its user is the DNS name of its certificate; a certificate without a user is refused. */ -}}

{{- define "postfleet.nats.readBucket" -}}
{{- range list "STREAM.INFO.KV_%s" "STREAM.MSG.GET.KV_%s" "DIRECT.GET.KV_%s.>" "CONSUMER.CREATE.KV_%s" "CONSUMER.CREATE.KV_%s.>" "CONSUMER.INFO.KV_%s.>" "CONSUMER.DELETE.KV_%s.>" "CONSUMER.MSG.NEXT.KV_%s.>" -}}
"$JS.API.{{ printf . $ }}", {{ end -}}
"$JS.FC.KV_{{ . }}.>"
{{- end -}}

{{- define "postfleet.nats.users" -}}
# Acknowledgements name the stream either at once or after domain and account.
{
  user: "ingress.postfleet.internal"
  permissions: {
    publish: {
      allow: [
        "mail.>"
        "$JS.API.INFO", "$JS.API.CONSUMER.INFO.BOUNCES.ingress", "$JS.API.CONSUMER.MSG.NEXT.BOUNCES.ingress"
        "$JS.ACK.BOUNCES.>", "$JS.ACK.*.*.BOUNCES.>"
        "$KV.complaints.>"
        {{ include "postfleet.nats.readBucket" "fleet" }}
        {{ include "postfleet.nats.readBucket" "complaints" }}
      ]
      # Transfers are between delivery pods.
      deny: ["mail.*.*.transfer"]
    }
    subscribe: { allow: ["_INBOX_ingress.>"] }
  }
}
{
  user: "delivery.postfleet.internal"
  permissions: {
    publish: {
      allow: [
        "mail.*.*.transfer", "bounce.*", "memory.*.*"
        # A consumer of its own only of what it remembers.
        "$JS.API.CONSUMER.CREATE.*.*.memory.>"
        "$JS.API.INFO", "$JS.API.CONSUMER.INFO.*.*", "$JS.API.CONSUMER.MSG.NEXT.*.*", "$JS.ACK.>"
        # When a shard's stream was made, before anything of it is acknowledged.
        "$JS.API.STREAM.INFO.*"
        {{ include "postfleet.nats.readBucket" "fleet" }}
        {{ include "postfleet.nats.readBucket" "leases" }}
      ]
      deny: [
        "$JS.API.CONSUMER.MSG.NEXT.BOUNCES.*", "$JS.ACK.BOUNCES.>", "$JS.ACK.*.*.BOUNCES.>", "$JS.API.STREAM.INFO.BOUNCES"
        "$JS.API.STREAM.INFO.KV_warmup", "$JS.API.STREAM.INFO.KV_limits", "$JS.API.STREAM.INFO.KV_complaints"
      ]
    }
    subscribe: { allow: ["_INBOX_delivery.>"] }
  }
}
{
  user: "egress.postfleet.internal"
  permissions: {
    publish: {
      allow: [
        "$JS.API.INFO", "$KV.leases.>", "$KV.warmup.>", "$KV.limits.>"
        {{ include "postfleet.nats.readBucket" "fleet" }}
        {{ include "postfleet.nats.readBucket" "leases" }}
        {{ include "postfleet.nats.readBucket" "warmup" }}
        {{ include "postfleet.nats.readBucket" "limits" }}
        {{ include "postfleet.nats.readBucket" "complaints" }}
      ]
    }
    subscribe: { allow: ["_INBOX_egress.>"] }
  }
}
{
  user: "operator.postfleet.internal"
  permissions: {
    # It makes and counts streams; the mail in them is not its business.
    publish: {
      allow: ["$JS.API.>", "$KV.fleet.>", "$KV.warmup.>", "$JS.FC.>"]
      deny: ["$JS.API.CONSUMER.MSG.NEXT.>"]
    }
    subscribe: { allow: ["_INBOX_operator.>"] }
  }
}
{{- end -}}
