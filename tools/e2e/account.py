#!/usr/bin/env python3
"""An AWS account on loopback: moto, with what moto lacks that the program needs, and a name server.

    account.py PORT [DNS-ADDRESS:PORT]

The name server answers NS of each hosted zone of the account with the zone's name servers, and A below it with 127.0.0.1: the domain looks
delegated to whoever asks this server.
"""
import io
import json
import os
import socketserver
import struct
import sys
import threading
from collections import defaultdict

os.environ.setdefault("MOTO_ACM_VALIDATION_WAIT", "1")

from moto.backends import get_backend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.ec2.models.launch_templates import LaunchTemplateBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple
from werkzeug.wrappers import Response


class Gaps:
    """What moto 5.2 lacks. Each method is named after an operation and gets its request. It returns the answer, None for moto's own, or a
    function that completes moto's."""

    def __init__(self):
        self.rules, self.allowed, self.completed = {}, {}, False
        self.subscribers, self.tags = defaultdict(list), defaultdict(list)

    # Application Auto Scaling has no tags.
    def AnyScaleFrontendService_ListTagsForResource(self, _):
        return {"Tags": {}}

    # ECR does not scan an image that is pushed.
    def AmazonEC2ContainerRegistry_V20150921_DescribeImages(self, _):
        scanned = {"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindingsSummary": {"findingSeverityCounts": {}}}
        return lambda answer: answer | {"imageDetails": [image | scanned for image in answer["imageDetails"]]}

    # ECS has no deployments of services, and starts no tasks. POST /complete lets those of the services seem to run.
    def AmazonEC2ContainerServiceV20141113_ListServiceDeployments(self, _):
        return {"serviceDeployments": []}

    def complete(self, _):
        self.completed = True
        return {}

    def AmazonEC2ContainerServiceV20141113_DescribeServices(self, _):
        return self.with_running_tasks if self.completed else None

    @staticmethod
    def with_running_tasks(answer):
        for service in answer["services"]:
            for counted in [service, *service["deployments"]]:
                counted |= {"runningCount": service["desiredCount"], "pendingCount": 0}
            for deployment in service["deployments"][:1]:
                deployment["rolloutState"] = "COMPLETED"
        return answer

    # Step Functions does not validate, and has no versions.
    def AWSStepFunctions_ListStateMachineVersions(self, _):
        return {"stateMachineVersions": []}

    def AWSStepFunctions_ValidateStateMachineDefinition(self, _):
        return {"result": "OK", "diagnostics": []}

    # Secrets Manager does not cancel the rotation of a secret that RDS manages.
    def secretsmanager_CancelRotateSecret(self, _):
        return {}

    # Budgets have no tags, and notifications no subscribers.
    def AWSBudgetServiceGateway_CreateBudget(self, request):
        self.tags[request["Budget"]["BudgetName"]] = request.get("ResourceTags", [])

    def AWSBudgetServiceGateway_ListTagsForResource(self, request):
        return {"ResourceTags": self.tags[request["ResourceARN"].rsplit("/", 1)[-1]]}

    def AWSBudgetServiceGateway_CreateNotification(self, request):
        self.subscribers[self.notification(request)] = request["Subscribers"]

    def AWSBudgetServiceGateway_DescribeSubscribersForNotification(self, request):
        return {"Subscribers": self.subscribers[self.notification(request)]}

    @staticmethod
    def notification(request):
        n = request["Notification"]
        return request["BudgetName"], n["NotificationType"], n["ComparisonOperator"], float(n["Threshold"])

    # Queues have no RedriveAllowPolicy, and return a RedrivePolicy in another form.
    def AmazonSQS_SetQueueAttributes(self, request):
        policy = request["Attributes"].get("RedriveAllowPolicy")
        if policy is not None:
            self.allowed[request["QueueUrl"]] = policy
            return {}

    def AmazonSQS_GetQueueAttributes(self, request):
        text = self.allowed.get(request["QueueUrl"])
        policy = {"RedriveAllowPolicy": text} if text else {}
        if request.get("AttributeNames") == ["RedriveAllowPolicy"]:
            return {"Attributes": policy}
        if request.get("AttributeNames") == ["All"]:
            return lambda answer: {"Attributes": self.compact(answer.get("Attributes", {})) | policy}

    @staticmethod
    def compact(attributes):
        redrive = attributes.get("RedrivePolicy")
        return attributes | ({"RedrivePolicy": json.dumps(json.loads(redrive), separators=(",", ":"))} if redrive else {})

    # X-Ray has no sampling rules. Its operations are paths.
    def CreateSamplingRule(self, request):
        rule = dict(request["SamplingRule"])
        rule["RuleARN"] = f"arn:aws:xray:us-east-1:123456789012:sampling-rule/{rule['RuleName']}"
        self.rules[rule["RuleName"]] = rule
        self.tags[rule["RuleARN"]] = request.get("Tags", [])
        return {"SamplingRuleRecord": {"SamplingRule": rule}}

    def GetSamplingRules(self, _):
        return {"SamplingRuleRecords": [{"SamplingRule": rule} for rule in self.rules.values()]}

    def DeleteSamplingRule(self, request):
        return {"SamplingRuleRecord": {"SamplingRule": self.rules.pop(request["RuleName"], None)}}

    def ListTagsForResource(self, request):
        return {"Tags": self.tags[request["ResourceARN"]]}


class Account:
    """Answers the requests that Gaps knows, and passes on the others."""

    def __init__(self, moto):
        self.moto, self.gaps = moto, Gaps()

    def __call__(self, env, start):
        body = b""
        if env.get("CONTENT_LENGTH"):
            body = env["wsgi.input"].read(int(env["CONTENT_LENGTH"]))
            env["wsgi.input"] = io.BytesIO(body)
        name = env.get("HTTP_X_AMZ_TARGET", env["PATH_INFO"].strip("/")).replace(".", "_")
        gap = getattr(self.gaps, name, None) if name[:1].isupper() or "_" in name or name == "complete" else None
        result = gap(json.loads(body or b"{}")) if gap else None
        if callable(result):
            moto = Response.from_app(self.moto, env)
            result = result(json.loads(moto.get_data())) if moto.status_code == 200 else None
            env["wsgi.input"] = io.BytesIO(body)
        if result is None:
            return self.moto(env, start)
        content = json.dumps(result).encode()
        start("200 OK", [("Content-Type", env.get("CONTENT_TYPE", "application/json")), ("Content-Length", str(len(content)))])
        return [content]


class NameServer(socketserver.BaseRequestHandler):
    NS, A = 2, 1

    def handle(self):
        query, socket = self.request
        labels, end = [], 12
        while query[end]:
            labels.append(query[end + 1:end + 1 + query[end]].decode().lower())
            end += 1 + query[end]
        name, kind = ".".join(labels), struct.unpack(">H", query[end + 1:end + 3])[0]
        zones = {z.name.rstrip("."): z for z in get_backend("route53")["123456789012"]["aws"].zones.values()}
        zone = next((z for n, z in zones.items() if name == n or name.endswith("." + n)), None)
        answers = []
        if kind == self.NS and name in zones:
            answers = [b"".join(bytes([len(label)]) + label.encode() for label in server.rstrip(".").split(".")) + b"\0"
                       for server in zones[name].delegation_set.name_servers]
        elif kind == self.A and zone:
            answers = [bytes([127, 0, 0, 1])]
        code = 0x8180 if zone else 0x8183  # an answer, or no such name
        records = b"".join(struct.pack(">HHHIH", 0xC00C, kind, 1, 60, len(data)) + data for data in answers)
        socket.sendto(query[:2] + struct.pack(">HHHHH", code, 1, len(answers), 0, 0) + query[12:end + 5] + records, self.client_address)


def delete_vpc_endpoints(self, vpce_ids=None, delete=VPCBackend.delete_vpc_endpoints):
    """Removes the endpoints, as EC2 does. moto keeps them with a state that the provider waits for in vain."""
    delete(self, vpce_ids)
    for endpoint in vpce_ids or []:
        self.vpc_end_points.pop(endpoint, None)


def create_launch_template(self, name, description, data, tags, create=LaunchTemplateBackend.create_launch_template):
    """Keeps the tags of the template itself out of its data. moto adds them to those of what it launches."""
    launched = [s for s in data.get("TagSpecifications", []) if s["ResourceType"] != "launch-template"]
    return create(self, name, description, data | {"TagSpecifications": launched}, tags)


def put_composite_alarm(self):
    """Stores a composite alarm, which moto can describe and not create."""
    result = self.put_metric_alarm()
    alarm = self.cloudwatch_backend.alarms[self._get_param("AlarmName")]
    alarm.actions_suppressor = self._get_param("ActionsSuppressor")
    alarm.actions_suppressor_wait_period = self._get_param("ActionsSuppressorWaitPeriod")
    alarm.actions_suppressor_extension_period = self._get_param("ActionsSuppressorExtensionPeriod")
    return result


def main():
    CloudWatchResponse.put_composite_alarm = put_composite_alarm
    LaunchTemplateBackend.create_launch_template = create_launch_template
    VPCBackend.delete_vpc_endpoints = delete_vpc_endpoints
    if len(sys.argv) > 2:
        host, _, port = sys.argv[2].rpartition(":")
        names = socketserver.ThreadingUDPServer((host, int(port)), NameServer)
        threading.Thread(target=names.serve_forever, daemon=True).start()
    WSGIRequestHandler.protocol_version = "HTTP/1.1"  # connections stay open, as AWS's do
    run_simple("127.0.0.1", int(sys.argv[1]), Account(DomainDispatcherApplication(create_backend_app)), threaded=True)


if __name__ == "__main__":
    main()
