"""What a connector tells: never a secret, never a person."""

from collections.abc import Iterator

from connectors.sdk.deliver import outcomes
from connectors.sdk.spec import Since
from connectors.sdk.testing.builders import a_change
from connectors.sdk.testing.kit import NOW, DoesNotApply, Kit, Vendor, overheard, require
from connectors.sdk.testing.rules.writing import ABOUT, VALUES

PERSON = ("+77000000001", "7000000001", "buyer1@example.com")


def nothing_secret_or_personal_is_told(kit: Kit) -> None:
    """Vendors quote requests in their refusals; what they say there ends up in logs and on screens."""
    if not kit.networked:
        raise DoesNotApply("it speaks to no network")
    quoted = ", ".join((*kit.secrets, *PERSON))
    for status in (400, 401, 403, 500):
        with overheard() as told, kit.anybody(status, f'{{"error": "cannot serve {quoted}"}}') as vendor:
            told.extend(_everything(kit, vendor))
        told.extend(f"{attempt.method} {attempt.path} {attempt.outcome}" for attempt in vendor.watch.attempts)
        for secret in kit.secrets:
            require(not any(secret in line for line in told), f"a secret is told after a {status}")
        for fact in PERSON:
            shown = next((line for line in told if fact in line), None)
            require(shown is None, f"a phone or e-mail is told after a {status}; pass vendors' words through `sample`")


def _everything(kit: Kit, vendor: Vendor) -> Iterator[str]:
    """Texts of all errors and outcomes that come from reading and writing everything."""
    for resource in kit.spec.resources:
        try:
            list(resource.extract(vendor.config, Since(now=NOW, open_keys=("1001",))))
        except AssertionError:
            raise
        except Exception as error:
            yield str(error)
    for sink in kit.spec.sinks:
        value = VALUES.get(sink.capabilities[0])
        if sink.mode == "delta" and value is not None and not sink.by_point:
            facts = ABOUT.get(sink.capabilities[0], {})
            change = a_change(sink.capabilities[0], "SKU-1", value, external_id="1001", **facts)
            yield from (
                f"{getattr(one, 'message', '')} {getattr(one, 'why', '')}"
                for one in outcomes(sink, vendor.config, [change])
            )
