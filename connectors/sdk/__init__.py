"""What a connector imports from the hub: these names, `connectors.sdk.testing`, for file drops `connectors.sdk.files`,
for ad audiences `connectors.sdk.audiences`.

Anything else is private.
"""

from connectors.sdk.auth import ApiKey, Basic, Bearer, Rotating
from connectors.sdk.breaker import Breaker
from connectors.sdk.calls import Call, Heard
from connectors.sdk.config import ConnectionConfig, HubPath, known_zone, zone_validator
from connectors.sdk.deliver import (
    Accepted,
    Change,
    Deferred,
    Outcome,
    Rejected,
    Shown,
    Step,
    Unknown,
    in_turn,
    outcomes,
)
from connectors.sdk.errors import (
    ConfigError,
    ContractError,
    HubBug,
    HubError,
    RejectedError,
    TransientError,
    UnansweredError,
)  # fmt: skip
from connectors.sdk.http import Http, Reply, standard_retry_after
from connectors.sdk.redact import redacted, sample
from connectors.sdk.spec import (
    CAPABILITIES,
    SDK_VERSION,
    ConnectorSpec,
    FileDrop,
    Offer,
    Page,
    Pages,
    Record,
    Resource,
    Since,
    Sink,
    Snapshot,
    by_calls,
)  # fmt: skip

__all__ = [
    "CAPABILITIES", "SDK_VERSION", "Accepted", "ApiKey", "Basic", "Bearer", "Breaker", "Call", "Change",
    "ConfigError", "ConnectionConfig", "ConnectorSpec", "ContractError", "Deferred", "FileDrop", "Heard", "Http",
    "HubBug", "HubError", "HubPath", "Offer", "Outcome", "Page", "Pages", "Record", "Rejected", "RejectedError",
    "Reply", "Resource", "Rotating", "Shown", "Since", "Sink", "Snapshot", "Step", "TransientError", "UnansweredError",
    "Unknown", "by_calls", "in_turn", "known_zone", "outcomes", "redacted", "sample", "standard_retry_after",
    "zone_validator",
]  # fmt: skip
