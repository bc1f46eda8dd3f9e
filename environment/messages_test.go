package environment

// invalid is what each testdata/invalid-*.yaml is rejected with.
var invalid = map[string]string{
	"account": `
Pulumi.staging.yaml:5: account: "1234" is not valid; give the AWS account's twelve digits, in quotes
    5 |     account: "1234"
`,
	"alias": `
Pulumi.staging.yaml:4: prefix: expected text, got an alias; write the value out
    4 |     prefix: *name
`,
	"architecture": `
Pulumi.staging.yaml:9: image.architecture: "arm" is not a valid value; give x86_64 or arm64
    9 |     image: {repository: balancer-api, architecture: arm}
`,
	"autoscaling-fixed": `
Pulumi.staging.yaml:11: services.api.autoscaling: there is nothing to scale between 1 and 1 tasks; give a larger tasks.max, or remove it
   11 |       api: {cpu: 512, memory: 1024, autoscaling: {cpuPercent: 60}}
`,
	"autoscaling-missing": `
Pulumi.staging.yaml:11: services.api.autoscaling: it is missing: without it, tasks never grow from 1 to 2; give a target such as {cpuPercent: 60}, or give tasks.max the value of tasks.min
   11 |       api: {cpu: 512, memory: 1024, tasks: {min: 1, max: 2}}
`,
	"autoscaling-nothing": `
Pulumi.staging.yaml:11: services.api.autoscaling: it has no target; give cpuPercent, memoryPercent or requestsPerMinute
   11 |       api: {cpu: 512, memory: 1024, tasks: {min: 1, max: 2}, autoscaling: {}}
`,
	"autoscaling-percent": `
Pulumi.staging.yaml:11: services.api.autoscaling.cpuPercent: 95 is out of range; give a number from 10 to 90
Pulumi.staging.yaml:11: services.api.autoscaling.memoryPercent: 5 is out of range; give a number from 10 to 90
   11 |       api: {cpu: 512, memory: 1024, tasks: {min: 1, max: 2}, autoscaling: {cpuPercent: 95, memoryPercent: 5}}
`,
	"autoscaling-requests": `
Pulumi.staging.yaml:11: services.api.autoscaling.requestsPerMinute: -1 is out of range; give how many requests a minute one task can take
   11 |       api: {cpu: 512, memory: 1024, tasks: {min: 1, max: 2}, autoscaling: {requestsPerMinute: -1}}
`,
	"autoscaling-worker": `
Pulumi.staging.yaml:12: services.worker.autoscaling.requestsPerMinute: the worker has no load balancer that counts requests; remove it
   12 |       worker: {cpu: 256, memory: 512, command: [work], tasks: {min: 1, max: 2}, autoscaling: {requestsPerMinute: 100}}
`,
	"backup-days": `
Pulumi.staging.yaml:12: database.backupDays: 36 is out of range; give a number from 0 to 35
   12 |     database: {instanceClass: db.t3.small, backupDays: 36}
`,
	"backup": `
Pulumi.staging.yaml:14: deployment.backup: "tape" is not a valid value; give snapshot or none
   14 |     deployment: {backup: tape}
`,
	"binary": `
Pulumi.staging.yaml: it is not a text file; write YAML in UTF-8
`,
	"block-twice": `
Pulumi.staging.yaml:16: config.v3-backend:environment: it is given twice, first in line 2; keep one of the two
   16 |   v3-backend:environment: {}
`,
	"schedule": `
Pulumi.staging.yaml:15: schedule.awake: "7-20" are not hours of a day; give the beginning and the end in hours and minutes, such as 07:00-20:00
   15 |     schedule: {awake: Mon-Fri 7-20 Europe/Berlin}
`,
	"schedule-protected": `
Pulumi.staging.yaml:16: schedule.awake: a protected environment never sleeps; remove it
   16 |     schedule: {awake: "Mon-Fri 07:00-20:00 Europe/Berlin"}
`,
	"schedule-region": `
Pulumi.staging.yaml:16: schedule.awake: the schedule mutes alarms of eu-central-1 only, and the alarm v3-backend-staging-outside of monitoring.level: full is in us-east-1; remove it, set monitoring.level to enhanced, or put the environment in us-east-1
   16 |     schedule: {awake: "Mon-Fri 07:00-20:00 Europe/Berlin"}
`,
	"schedule-zone": `
Pulumi.staging.yaml:15: schedule.awake: there is no time zone "CET"; give a name of the IANA time zone database, such as Europe/Berlin or UTC
   15 |     schedule: {awake: "Mon-Fri 07:00-20:00 CET"}
`,
	"bool-text": `
Pulumi.staging.yaml:7: protected: expected true or false, got the text "no"; write true or false, without quotes
    7 |     protected: no
`,
	"bracket": `
Pulumi.staging.yaml:13: it is not YAML: ',' or ']' must be specified; check the indentation, the brackets and the quotes around this line
   13 |     configuration: {required: [NODE_ENV}
`,
	"branch": `
Pulumi.staging.yaml:15: delivery.branch: it is missing; name the branch that is deployed
   15 |     delivery: {trigger: push}
`,
	"budget": `
Pulumi.staging.yaml:14: budget.monthlyUSD: 0 is out of range; give a number from 1 to 1000000
   14 |     budget: {monthlyUSD: 0}
`,
	"cidr-host-bits": `
Pulumi.staging.yaml:8: network.cidr: 10.20.0.1/16 has bits set behind its mask; write 10.20.0.0/16
    8 |     network: {cidr: 10.20.0.1/16}
`,
	"cidr-ipv6": `
Pulumi.staging.yaml:8: network.cidr: "fd00::/16" is not an IPv4 CIDR block; give an IPv4 range such as 10.20.0.0/16
    8 |     network: {cidr: "fd00::/16"}
`,
	"cidr-missing": `
Pulumi.staging.yaml:8: network.cidr: it is missing; give an IPv4 range such as 10.20.0.0/16
    8 |     network: {zones: 2}
`,
	"cidr-public": `
Pulumi.staging.yaml:8: network.cidr: 11.20.0.0/16 is not private; use a range of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16
    8 |     network: {cidr: 11.20.0.0/16}
`,
	"cidr-small": `
Pulumi.staging.yaml:8: network.cidr: /24 is too large or too small for the VPC and its subnets; use a range from /16 to /20
    8 |     network: {cidr: 10.20.0.0/24}
`,
	"cidr": `
Pulumi.staging.yaml:8: network.cidr: "10.20.0.0/33" is not an IPv4 CIDR block; give an IPv4 range such as 10.20.0.0/16
    8 |     network: {cidr: 10.20.0.0/33}
`,
	"comment-only": `
Pulumi.staging.yaml: it is empty; copy another environment's file and change its values
`,
	"config-list": `
Pulumi.staging.yaml:1: config: expected keys, got a list; give it the key "v3-backend:environment"
    1 | config: [1]
`,
	"cpu": `
Pulumi.staging.yaml:11: services.api.cpu: Fargate has no task of 500 CPU units; give 256, 512, 1024, 2048, 4096, 8192 or 16384
   11 |       api: {cpu: 500, memory: 1024}
`,
	"critical-findings": `
Pulumi.staging.yaml:9: image.criticalFindings: "ignore" is not a valid value; give warn or fail
    9 |     image: {repository: balancer-api, criticalFindings: ignore}
`,
	"database-name": `
Pulumi.staging.yaml:12: database.name: "My-DB" is not valid; use lower-case letters, digits and underscores
   12 |     database: {instanceClass: db.t3.small, name: My-DB}
`,
	"database-user": `
Pulumi.staging.yaml:12: database.user: "1st" is not valid; use lower-case letters, digits and underscores
   12 |     database: {instanceClass: db.t3.small, user: 1st}
`,
	"domain-name": `
Pulumi.staging.yaml:7: domain.name: "staging_api.example.com" is not valid; give the environment's host name, such as api.example.com
    7 |     domain: {root: example.com, name: staging_api.example.com}
`,
	"domain-outside": `
Pulumi.staging.yaml:7: domain.name: "staging-api.example.org" is outside its root domain "example.com"; give a name that ends in .example.com, or correct domain.root
    7 |     domain: {root: example.com, name: staging-api.example.org}
`,
	"domain-root": `
Pulumi.staging.yaml:7: domain.root: "example" is not valid; give the hosted zone's name, such as example.com
    7 |     domain: {root: example, name: staging-api.example.com}
`,
	"email": `
Pulumi.staging.yaml:14: monitoring.emails[0]: "ops" is not an e-mail address; give an address such as ops@example.com
   14 |     monitoring: {emails: [ops]}
`,
	"email-twice": `
Pulumi.staging.yaml:14: monitoring.emails[1]: ops@example.com is listed twice; remove it
   14 |     monitoring: {emails: [ops@example.com, ops@example.com]}
`,
	"recipients-missing": `
Pulumi.staging.yaml:14: monitoring.emails: it is missing: with the level enhanced, alarms would notify no one; give at least one address, such as [ops@example.com], or an endpoint in monitoring.webhooks
   14 |     monitoring: {level: enhanced}
`,
	"webhook-basic": `
Pulumi.staging.yaml:14: monitoring.webhooks: basic monitoring has no topic that notifies webhooks; set monitoring.level to enhanced, or remove them
   14 |     monitoring: {webhooks: [https://…]}
`,
	"webhook-secret": `
Pulumi.staging.yaml:17: monitoring.webhooks[0]: it is not an https URL; give the https URL of an endpoint that confirms subscriptions of SNS itself, without a key in it
   17 |         - http://…
Pulumi.staging.yaml:18: monitoring.webhooks[1]: a webhook of hooks.slack.com does not confirm subscriptions of SNS, and its URL is a secret; for Slack and Teams, configure Amazon Q Developer in chat applications for the topic, which needs no URL here
   18 |         - https://…
Pulumi.staging.yaml:19: monitoring.webhooks[2]: a webhook URL of events.eu.pagerduty.com is a secret; keep it out of the file: after the first deployment, subscribe it with ` + "`" + `aws sns subscribe` + "`" + `; status counts it
   19 |         - https://…
Pulumi.staging.yaml:20: monitoring.webhooks[3]: it has a user name or a password; keep it out of the file: after the first deployment, subscribe it with ` + "`" + `aws sns subscribe` + "`" + `; status counts it
   20 |         - https://…
Pulumi.staging.yaml:21: monitoring.webhooks[4]: it has a query or a fragment, which may be a secret; keep it out of the file: after the first deployment, subscribe it with ` + "`" + `aws sns subscribe` + "`" + `; status counts it
   21 |         - https://…
Pulumi.staging.yaml:22: monitoring.webhooks[5]: a part of its path looks like a key; keep it out of the file: after the first deployment, subscribe it with ` + "`" + `aws sns subscribe` + "`" + `; status counts it
   22 |         - https://…
Pulumi.staging.yaml:24: monitoring.webhooks[7]: it is listed twice; remove it
   24 |         - https://…
`,
	"webhook-text": `
Pulumi.staging.yaml:14: monitoring.webhooks: expected a list, got the text "https://…"; give a list, in square brackets
   14 |     monitoring: {level: enhanced, webhooks: "https://…"}
`,
	"empty-block": `
Pulumi.staging.yaml:2: config.v3-backend:environment: it is empty; copy the block from another environment's file
    2 |   v3-backend:environment:
`,
	"empty": `
Pulumi.staging.yaml: it is empty; copy another environment's file and change its values
`,
	"engine-version": `
Pulumi.staging.yaml:12: database.engineVersion: "9.6" is not valid; give a major version of PostgreSQL from 14 on, such as "16"
   12 |     database: {instanceClass: db.t3.small, engineVersion: "9.6"}
`,
	"engine-version-minor": `
Pulumi.staging.yaml:12: database.engineVersion: "16.8" is a minor version, which RDS upgrades by itself and never downgrades; give the major version alone: "16"
   12 |     database: {instanceClass: db.t3.small, engineVersion: "16.8"}
`,
	"firewall-protected": `
Pulumi.staging.yaml:15: firewall.enabled: the environment is protected, and nothing would filter or limit its requests; set it to true, or remove it
   15 |     firewall: {enabled: false}
`,
	"health-check-empty": `
Pulumi.staging.yaml:11: services.api.healthCheck: [] does not begin with CMD or CMD-SHELL and a command; give it in Docker's form, such as ["CMD-SHELL", "kill -0 1"]
   11 |       api: {cpu: 512, memory: 1024, healthCheck: []}
`,
	"health-check": `
Pulumi.staging.yaml:11: services.api.healthCheck: ["curl" "localhost"] does not begin with CMD or CMD-SHELL and a command; give it in Docker's form, such as ["CMD-SHELL", "kill -0 1"]
   11 |       api: {cpu: 512, memory: 1024, healthCheck: [curl, localhost]}
`,
	"health-interval": `
Pulumi.staging.yaml:14: deployment.health.interval: 100ms is out of range; give a time from 1s to 6h
   14 |     deployment: {health: {interval: 100ms}}
`,
	"health-tries": `
Pulumi.staging.yaml:14: deployment.health.tries: 0 is out of range; give a number from 1 to 100
   14 |     deployment: {health: {tries: 0}}
`,
	"indentation": `
Pulumi.staging.yaml:3: it is not YAML: mapping value is not allowed in this context; check the indentation, the brackets and the quotes around this line
    3 |     name: staging
`,
	"instance-class": `
Pulumi.staging.yaml:12: database.instanceClass: "t3.small" is not valid; give an RDS instance class such as db.t3.small
   12 |     database: {instanceClass: t3.small}
`,
	"key-twice": `
Pulumi.staging.yaml:7: region: it is given twice, first in line 6; keep one of the two
    7 |     region: eu-west-1
`,
	"list-item": `
Pulumi.staging.yaml:13: configuration.required[1]: expected text, got a list; put the value in quotes
   13 |     configuration: {required: [NODE_ENV, [A]]}
`,
	"list-text": `
Pulumi.staging.yaml:13: configuration.required: expected a list, got the text "NODE_ENV"; give a list, in square brackets
   13 |     configuration: {required: NODE_ENV}
`,
	"log-retention": `
Pulumi.staging.yaml:14: monitoring.logRetentionDays: CloudWatch has no retention of 8 days; give one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
   14 |     monitoring: {logRetentionDays: 8}
`,
	"many": `
Pulumi.staging.yaml:6: region: "Virginia" is not valid; give a region such as us-east-1
    6 |     region: Virginia
Pulumi.staging.yaml:11: services.api.cpu: Fargate has no task of 300 CPU units; give 256, 512, 1024, 2048, 4096, 8192 or 16384
   11 |       api: {cpu: 300, memory: 1024}
Pulumi.staging.yaml:14: budget.monthlyUSD: 0 is out of range; give a number from 1 to 1000000
   14 |     budget: {monthlyUSD: 0}
`,
	"mapping-number": `
Pulumi.staging.yaml:8: network: expected keys, got 5; give it keys such as cidr on lines of their own
    8 |     network: 5
`,
	"max-receives": `
Pulumi.staging.yaml:14: queue.maxReceives: 0 is out of range; give a number from 1 to 1000
   14 |     queue: {maxReceives: 0}
`,
	"memory-small": `
Pulumi.staging.yaml:11: services.api.memory: Fargate has no task of 256 CPU units with 4096 MiB; with 256 CPU units give 512, 1024, 2048
   11 |       api: {cpu: 256, memory: 4096}
`,
	"memory": `
Pulumi.staging.yaml:11: services.api.memory: Fargate has no task of 512 CPU units with 8192 MiB; with 512 CPU units give 1024, 2048, 3072, 4096
   11 |       api: {cpu: 512, memory: 8192}
`,
	"merge": `
Pulumi.staging.yaml:5: <<: other keys are merged here; write the keys out
    5 |     <<: {region: us-east-1}
`,
	"migrations-command": `
Pulumi.staging.yaml:14: deployment.migrations.command: it is empty; give the command as a list, such as ["npx", "prisma", "migrate", "deploy"]
   14 |     deployment: {migrations: {command: []}}
`,
	"migrations-order": `
Pulumi.staging.yaml:14: deployment.migrations.order: "during" is not a valid value; give before or after
   14 |     deployment: {migrations: {order: during}}
`,
	"migrations-size": `
Pulumi.staging.yaml:14: deployment.migrations.memory: Fargate has no task of 256 CPU units with 4096 MiB; with 256 CPU units give 512, 1024, 2048
   14 |     deployment: {migrations: {cpu: 256, memory: 4096}}
`,
	"migrations-timeout": `
Pulumi.staging.yaml:14: deployment.migrations.timeout: 0s is out of range; give a time from 1s to 6h
   14 |     deployment: {migrations: {timeout: 0s}}
`,
	"monitoring-level": `
Pulumi.staging.yaml:14: monitoring.level: "some" is not a valid value; give basic, enhanced or full
   14 |     monitoring: {level: some}
`,
	"name-all": `
Pulumi.staging.yaml:3: name: "all" means every environment; choose another name
    3 |     name: all
`,
	"name-characters": `
Pulumi.staging.yaml:3: name: "Staging" is not valid; use lower-case letters, digits and single hyphens between them, such as v3-backend
    3 |     name: Staging
`,
	"name-long": `
Pulumi.staging.yaml:3: name: "quality-assurance" has 17 characters; use at most 14 characters
    3 |     name: quality-assurance
`,
	"name-collides": `
Pulumi.staging.yaml:3: name: "production-eu" begins with production's name: permissions for production's resources would match this environment's; choose a name that begins otherwise, such as prod-eu
    3 |     name: production-eu
`,
	"branch-variable": `
Pulumi.staging.yaml:15: delivery.branch: "$branch" is not valid; name the branch that is deployed
   15 |     delivery: {branch: $branch, trigger: push}
`,
	"name-missing": `
Pulumi.staging.yaml:2: name: it is missing; call it "staging"
    2 |   v3-backend:environment:
`,
	"name-other": `
Pulumi.staging.yaml:3: name: the stack staging is the environment "staging", not "qa"; call it "staging", or rename the file to Pulumi.qa.yaml
    3 |     name: qa
`,
	"nat": `
Pulumi.staging.yaml:8: network.nat: "none" is not a valid value; give instance, single or per-zone
    8 |     network: {cidr: 10.20.0.0/16, nat: none}
`,
	"nat-protected": `
Pulumi.staging.yaml:9: network.nat: a NAT instance disconnects all tasks from the internet while it is replaced, and the environment is protected; give single or per-zone
    9 |     network: {cidr: 10.20.0.0/16, nat: instance}
`,
	"no-block": `
Pulumi.staging.yaml:1: config: it has no key "v3-backend:environment"; copy the block from another environment's file
    1 | config:
`,
	"no-config": `
Pulumi.staging.yaml:1: it has no key "config"; copy the block from another environment's file
    1 | encryptionsalt: v1
`,
	"not-a-mapping": `
Pulumi.staging.yaml:1: expected keys, got the text "just some text"; give it the key "config"
    1 | just some text
`,
	"number-fraction": `
Pulumi.staging.yaml:11: services.api.cpu: expected a whole number, got 5.5; give a whole number, in digits and without quotes
   11 |       api: {cpu: 5.5, memory: 1024}
`,
	"number-nothing": `
Pulumi.staging.yaml:11: services.api.cpu: expected a whole number, got nothing; give a whole number, in digits and without quotes, or remove the key
   11 |       api: {cpu:, memory: 1024}
`,
	"number-octal": `
Pulumi.staging.yaml:11: services.api.cpu: expected a whole number, got 0512; give a whole number, in digits and without quotes
   11 |       api: {cpu: 0512, memory: 1024}
`,
	"number-quoted": `
Pulumi.staging.yaml:11: services.api.cpu: expected a whole number, got the text "512"; give a whole number, in digits and without quotes
   11 |       api: {cpu: "512", memory: 1024}
`,
	"number-text": `
Pulumi.staging.yaml:11: services.api.cpu: expected a whole number, got the text "many"; give a whole number, in digits and without quotes
   11 |       api: {cpu: many, memory: 1024}
`,
	"number-too-large": `
Pulumi.staging.yaml:11: services.api.cpu: expected a whole number, got a number that is too large; give a whole number, in digits and without quotes
   11 |       api: {cpu: 99999999999999999999, memory: 1024}
`,
	"optional-required": `
Pulumi.staging.yaml:13: configuration.optional[1]: NODE_ENV is required already; remove it from one of the two lists
Pulumi.staging.yaml:13: configuration.optional[2]: "9LIVES" is not valid; use letters, digits and underscores
Pulumi.staging.yaml:13: configuration.optional[3]: LOG_LEVEL is listed twice; remove it
   13 |     configuration: {required: [NODE_ENV], optional: [LOG_LEVEL, NODE_ENV, "9LIVES", LOG_LEVEL]}
`,
	"connections": `
Pulumi.staging.yaml:12: database.connections: 0 is out of range; give a number from 1 to 1000
   12 |     database: {instanceClass: db.t3.small, connections: 0}
`,
	"pool-timeout": `
Pulumi.staging.yaml:12: database.poolTimeout: 1.5s is not a whole number of seconds; give whole seconds
   12 |     database: {instanceClass: db.t3.small, poolTimeout: 1500ms}
`,
	"password-rotation": `
Pulumi.staging.yaml:12: database.passwordRotationDays: 0 is out of range; give a number from 1 to 1000
   12 |     database: {instanceClass: db.t3.small, passwordRotationDays: 0}
`,
	"prefix-long": `
Pulumi.staging.yaml:4: prefix: the target group's name would have 34 characters, AWS allows 32; use a prefix that is 2 shorter
    4 |     prefix: balancer-v3-backend
`,
	"prefix": `
Pulumi.staging.yaml:4: prefix: "v3--backend" is not valid; use lower-case letters, digits and single hyphens between them, such as v3-backend
    4 |     prefix: v3--backend
`,
	"production-backup-days": `
Pulumi.production.yaml:13: database.backupDays: production must keep its backups for more than 1 days; give at least 7
   13 |     database: {instanceClass: db.t3.small, multiZone: true, deletionProtection: true, backupDays: 1}
`,
	"production-deletable": `
Pulumi.production.yaml:13: database.deletionProtection: production requires it; set it to true
   13 |     database: {instanceClass: db.t3.small, multiZone: true, backupDays: 30}
`,
	"production-everything": `
Pulumi.production.yaml:2: protected: production requires it; set it to true
Pulumi.production.yaml:2: deployment.backup: production must be backed up before a deployment; set it to snapshot
    2 |   v3-backend:environment:
Pulumi.production.yaml:12: database.multiZone: production requires it; set it to true
Pulumi.production.yaml:12: database.deletionProtection: production requires it; set it to true
   12 |     database: {instanceClass: db.t3.small}
Pulumi.production.yaml:15: delivery.approval: production requires it; set it to true
Pulumi.production.yaml:15: delivery.trigger: production must not be deployed by a push; set it to manual
   15 |     delivery: {branch: production, trigger: push}
`,
	"production-no-snapshot": `
Pulumi.production.yaml:16: deployment.backup: production must be backed up before a deployment; set it to snapshot
   16 |     deployment: {backup: none}
`,
	"production-one-zone": `
Pulumi.production.yaml:13: database.multiZone: production requires it; set it to true
   13 |     database: {instanceClass: db.t3.small, deletionProtection: true, backupDays: 30}
`,
	"production-push": `
Pulumi.production.yaml:17: delivery.trigger: production must not be deployed by a push; set it to manual
   17 |     delivery: {branch: production, trigger: push, approval: true}
`,
	"production-unapproved": `
Pulumi.production.yaml:17: delivery.approval: production requires it; set it to true
   17 |     delivery: {branch: production, trigger: manual}
`,
	"production-unprotected": `
Pulumi.production.yaml:2: protected: production requires it; set it to true
    2 |   v3-backend:environment:
`,
	"queue-retention": `
Pulumi.staging.yaml:14: queue.retentionDays: 15 is out of range; give a number from 1 to 14
   14 |     queue: {retentionDays: 15}
`,
	"rate-limit": `
Pulumi.staging.yaml:14: firewall.rateLimit: 5 is out of range; give a number from 10 to 2000000000
   14 |     firewall: {rateLimit: 5}
`,
	"region": `
Pulumi.staging.yaml:6: region: "us-east" is not valid; give a region such as us-east-1
    6 |     region: us-east
`,
	"region-partition": `
Pulumi.staging.yaml:6: region: us-gov-west-1 is outside the partition aws, the only one that is supported; give a region such as us-east-1
    6 |     region: us-gov-west-1
`,
	"repository": `
Pulumi.staging.yaml:9: image.repository: "Balancer" is not valid; give the ECR repository's name, such as balancer-api
    9 |     image: {repository: Balancer}
`,
	"required-missing": `
Pulumi.staging.yaml:2: configuration.required: it is missing; list the variables that the application needs
    2 |   v3-backend:environment:
`,
	"required-name": `
Pulumi.staging.yaml:13: configuration.required[0]: "NODE-ENV" is not valid; use letters, digits and underscores
   13 |     configuration: {required: [NODE-ENV]}
`,
	"required-twice": `
Pulumi.staging.yaml:13: configuration.required[2]: NODE_ENV is listed twice; remove it
   13 |     configuration: {required: [NODE_ENV, SENTRY_DSN, NODE_ENV]}
`,
	"rollback": `
Pulumi.staging.yaml:14: deployment.rollback: "maybe" is not a valid value; give automatic or manual
   14 |     deployment: {rollback: maybe}
`,
	"verified-in": `
Pulumi.staging.yaml:14: deployment.verifiedIn[1]: an image would have to be verified here before it is deployed here; name another environment, such as staging
Pulumi.staging.yaml:14: deployment.verifiedIn[2]: development is listed twice; remove it
Pulumi.staging.yaml:14: deployment.verifiedIn[3]: "Prod!" is not valid; name another environment, such as staging
   14 |     deployment: {verifiedIn: [dev, staging, development, "Prod!"]}
`,
	"rollout-alarms": `
Pulumi.staging.yaml:14: deployment.rollout.alarms[0]: the environment has no alarm "api-5x"; did you mean api-5xx? give alb-5xx, api-5xx, api-unhealthy, api-latency, api-cpu, api-memory, db-cpu, db-connections, jobs-age or jobs-dead
Pulumi.staging.yaml:14: deployment.rollout.alarms[2]: api-5xx is listed twice; remove it
Pulumi.staging.yaml:14: deployment.rollout.alarms[3]: the environment has no alarm "worker-cpu"; give alb-5xx, api-5xx, api-unhealthy, api-latency, api-cpu, api-memory, db-cpu, db-connections, jobs-age or jobs-dead
Pulumi.staging.yaml:14: deployment.rollout.alarms[4]: api-tasks cannot judge a rollout: a new version is not its cause; give alb-5xx, api-5xx, api-unhealthy, api-latency, api-cpu, api-memory, db-cpu, db-connections, jobs-age or jobs-dead
   14 |     deployment: {rollout: {alarms: [api-5x, api-5xx, api-5xx, worker-cpu, api-tasks]}}
`,
	"rollout-bake": `
Pulumi.staging.yaml:14: deployment.rollout.bake: 30s is out of range; give a time from 1m to 6h
   14 |     deployment: {rollout: {bake: 30s}}
`,
	"rollout-timeout": `
Pulumi.staging.yaml:14: deployment.rollout.timeout: 7h is out of range; give a time from 1s to 6h
   14 |     deployment: {rollout: {timeout: 7h}}
`,
	"scheduler-tasks": `
Pulumi.staging.yaml:12: services.scheduler.tasks: 2 schedulers would run every job 2 times; give min: 1 and max: 1
   12 |       scheduler: {cpu: 256, memory: 512, command: [tick], tasks: {min: 2}}
`,
	"shared-account": `
Pulumi.shared.yaml:4: account: "12" is not valid; give the AWS account's twelve digits, in quotes
    4 |     account: "12"
`,
	"shared-domain": `
Pulumi.shared.yaml:6: rootDomain: "example" is not valid; give the hosted zone's name, such as example.com
    6 |     rootDomain: example
`,
	"shared-github-environment": `
Pulumi.shared.yaml:10: github.environments[0]: "Dev" is not valid; give a GitHub environment such as staging
   10 |       environments: ["Dev"]
`,
	"shared-github-production": `
Pulumi.shared.yaml:10: github.environments[1]: production has a role of its own; remove it
   10 |       environments: [staging, production]
`,
	"shared-github-repository": `
Pulumi.shared.yaml:9: github.repositories[0]: "v3-backend" is not valid; give OWNER/NAME, or OWNER@ID/NAME@ID where GitHub's tokens have the IDs
Pulumi.shared.yaml:9: github.repositories[1]: "balancer@12/v3-backend" is not valid; give OWNER/NAME, or OWNER@ID/NAME@ID where GitHub's tokens have the IDs
Pulumi.shared.yaml:9: github.repositories[2]: "balancer@*/v3-backend@*" is not valid; give OWNER/NAME, or OWNER@ID/NAME@ID where GitHub's tokens have the IDs
Pulumi.shared.yaml:9: github.repositories[3]: "repo:balancer/v3-backend" is not valid; give OWNER/NAME, or OWNER@ID/NAME@ID where GitHub's tokens have the IDs
    9 |       repositories: [v3-backend, balancer@12/v3-backend, "balancer@*/v3-backend@*", "repo:balancer/v3-backend"]
`,
	"shared-keep-images": `
Pulumi.shared.yaml:7: repository.keepImages: 0 is out of range; give a number from 1 to 1000
    7 |     repository: {name: balancer-api, keepImages: 0}
`,
	"shared-no-repositories": `
Pulumi.shared.yaml:9: github.repositories: it is missing; list the repositories that may deploy, as OWNER/NAME
    9 |       repositories: []
`,
	"shared-prefix": `
Pulumi.shared.yaml:3: prefix: "V3" is not valid; use lower-case letters, digits and single hyphens between them, such as v3-backend
    3 |     prefix: V3
`,
	"shared-region": `
Pulumi.shared.yaml:5: region: "here" is not valid; give a region such as us-east-1
    5 |     region: here
`,
	"shared-repository": `
Pulumi.shared.yaml:7: repository.name: it is missing; give the ECR repository's name, such as balancer-api
    7 |     repository: {name: ""}
`,
	"shared-unknown-key": `
Pulumi.shared.yaml:6: root: unknown key; did you mean rootDomain? the keys here are prefix, account, region, rootDomain, repository, github
    6 |     root: example.com
`,
	"shared-untagged-days": `
Pulumi.shared.yaml:7: repository.untaggedDays: 400 is out of range; give a number from 1 to 365
    7 |     repository: {name: balancer-api, untaggedDays: 400}
`,
	"snapshots-kept": `
Pulumi.staging.yaml:14: deployment.snapshotsKept: 0 is out of range; give a number from 1 to 90
   14 |     deployment: {snapshotsKept: 0}
`,
	"spot-protected": `
Pulumi.staging.yaml:12: services.api.spot: the environment is protected, and AWS may stop all tasks of its API at any time; set it to false, or remove it
   12 |       api: {cpu: 512, memory: 1024, spot: true}
`,
	"spot-scheduler": `
Pulumi.staging.yaml:12: services.scheduler.spot: AWS may stop the only task of the scheduler at any time, and no other one runs its jobs; set it to false, or remove it
   12 |       scheduler: {cpu: 256, memory: 512, command: [tick], spot: true}
`,
	"storage-room": `
Pulumi.staging.yaml:12: database.maxStorageGiB: 100 leaves no room to grow from 100; give at least 110
   12 |     database: {instanceClass: db.t3.small, storageGiB: 100, maxStorageGiB: 100}
`,
	"storage": `
Pulumi.staging.yaml:12: database.storageGiB: 10 is out of range; give a number from 20 to 65536
   12 |     database: {instanceClass: db.t3.small, storageGiB: 10}
`,
	"tab": `
Pulumi.staging.yaml:4: it is not YAML: found character '	' that cannot start any token; check the indentation, the brackets and the quotes around this line
    4 | 	prefix: v3-backend
`,
	"tasks-many": `
Pulumi.staging.yaml:11: services.api.tasks.max: 200 is out of range; give a number from 1 to 100
   11 |       api: {cpu: 512, memory: 1024, tasks: {min: 2, max: 200}, autoscaling: {cpuPercent: 60}}
`,
	"tasks-max-zero": `
Pulumi.staging.yaml:11: services.api.tasks.max: 0 is less than the minimum 1; give at least tasks.min
   11 |       api: {cpu: 512, memory: 1024, tasks: {max: 0}}
`,
	"tasks-max": `
Pulumi.staging.yaml:11: services.api.tasks.max: 2 is less than the minimum 3; give at least tasks.min
   11 |       api: {cpu: 512, memory: 1024, tasks: {min: 3, max: 2}}
`,
	"tasks-min": `
Pulumi.staging.yaml:11: services.api.tasks.min: 0 is out of range; give a number from 1 to 100
   11 |       api: {cpu: 512, memory: 1024, tasks: {min: 0}}
`,
	"tests": `
Pulumi.staging.yaml:15: delivery.tests[1]: "smoke" is not a valid value; give unit, integration or security
   15 |     delivery: {branch: staging, trigger: push, tests: [unit, smoke]}
`,
	"text-number": `
Pulumi.staging.yaml:5: account: expected text, got 123456789012; put the value in quotes
    5 |     account: 123456789012
`,
	"time-number": `
Pulumi.staging.yaml:14: deployment.rollout.timeout: expected a time, got 15; give a time such as 90s, 15m or 1h30m
   14 |     deployment: {rollout: {timeout: 15}}
`,
	"time-text": `
Pulumi.staging.yaml:14: deployment.rollout.timeout: expected a time, got the text "soon"; give a time such as 90s, 15m or 1h30m
   14 |     deployment: {rollout: {timeout: soon}}
`,
	"trigger": `
Pulumi.staging.yaml:15: delivery.trigger: it is missing; give push or manual
   15 |     delivery: {branch: staging}
`,
	"two-documents": `
Pulumi.staging.yaml:16: a second YAML document begins here; keep one
   16 | ---
`,
	"unknown-key": `
Pulumi.staging.yaml:11: services.api.cpuu: unknown key; did you mean cpu? the keys here are cpu, memory, tasks, command, healthCheck, spot, autoscaling
   11 |       api: {cpuu: 512, memory: 1024}
`,
	"unknown-section": `
Pulumi.staging.yaml:8: networks: unknown key; did you mean network? the keys here are name, prefix, account, region, protected, domain, network, image, services, database, queue, configuration, monitoring, firewall, budget, schedule, deployment, delivery
    8 |     networks: {cidr: 10.20.0.0/16}
`,
	"visibility": `
Pulumi.staging.yaml:14: queue.visibilityTimeout: 13h is out of range; give a time from 1s to 12h
   14 |     queue: {visibilityTimeout: 13h}
`,
	"worker-command": `
Pulumi.staging.yaml:12: services.worker.command: it is missing: without one, the worker would start a second API; give the command as a list, such as ["bun", "run", "worker"]
   12 |       worker: {cpu: 256, memory: 512}
`,
	"zones": `
Pulumi.staging.yaml:8: network.zones: 4 is out of range; give a number from 2 to 3
    8 |     network: {cidr: 10.20.0.0/16, zones: 4}
`,
}
