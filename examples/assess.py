#!/usr/bin/env python3
"""Sends one login to a running `elsewhere serve` and prints the verdict with its reasons.

    pip install grpcio grpcio-reflection protobuf
    python examples/assess.py [examples/login.json] [127.0.0.1:50061]

Needs no generated code: the messages come from the service itself, by reflection. Where tenants are configured, put
the bearer token into BEARER_TOKEN; where the service speaks TLS, open grpc.secure_channel instead.
"""

import os
import sys
from pathlib import Path

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

METHOD = "/elsewhere.v1.SessionRiskService/AssessSession"


def main():
    login = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("login.json")
    address = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1:50061"
    token = os.environ.get("BEARER_TOKEN")
    metadata = [("authorization", f"Bearer {token}")] if token else None
    try:
        with grpc.insecure_channel(address) as channel:
            print_verdict(assess(channel, login.read_text(), metadata))
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")


def assess(channel, request_json, metadata=None):
    """Calls AssessSession with a request in proto3 JSON and returns the verdict."""
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))

    def message(name):
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"elsewhere.v1.{name}"))

    call = channel.unary_unary(
        METHOD,
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=message("AssessSessionResponse").FromString,
    )
    request = json_format.Parse(request_json, message("AssessSessionRequest")())
    # Somebody is waiting to log in: never call without a deadline.
    return call(request, timeout=2.0, metadata=metadata).verdict


def name(message, field):
    """The name of an enum value, without the enum's own name in front."""
    descriptor = message.DESCRIPTOR.fields_by_name[field].enum_type
    number = getattr(message, field)
    value = descriptor.values_by_number.get(number)
    prefix = os.path.commonprefix([value.name for value in descriptor.values])
    return value.name[len(prefix):] if value else str(number)


def print_verdict(verdict):
    print(f"level        {name(verdict, 'risk_level')}")
    print(f"probability  {verdict.risk_probability:.3f}")
    print(f"advice       {name(verdict, 'advice')}{'  (answered before)' if verdict.replayed else ''}")
    print(f"log-odds     {verdict.risk_log_odds:+.2f}, the sum of")
    print(f"  {verdict.base_log_odds:+6.2f}  base: no evidence at all")
    for reason in verdict.reasons:
        first = beside(reason.evidence[0]) if reason.evidence else ""
        print(f"  {reason.contribution_log_odds:+6.2f}  {name(reason, 'code'):<32}{first}")
    print(f"  {verdict.residual_log_odds:+6.2f}  residual")


def beside(evidence):
    """A measurement, beside the range in which nine in ten are expected where there is one."""
    measured = f"{evidence.feature} {number(evidence.value)}"
    low = number(evidence.expected_low) if evidence.HasField("expected_low") else None
    high = number(evidence.expected_high) if evidence.HasField("expected_high") else None
    if low is None and high is None:
        return measured
    if low is None:
        return f"{measured}, expected at most {high}"
    if high is None:
        return f"{measured}, expected at least {low}"
    return f"{measured}, expected {low}" + (f" to {high}" if low != high else "")


def number(value):
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.3g}"


if __name__ == "__main__":
    main()
