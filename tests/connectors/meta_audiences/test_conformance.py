"""The kit that every connector passes."""

from connectors.meta_audiences import CONNECTOR
from connectors.meta_audiences.config import MetaAudiencesConfig
from connectors.meta_audiences.sandbox import DEMO, sandbox
from connectors.sdk.testing.conformance import conformance

CONFIG = MetaAudiencesConfig.model_validate({**DEMO.settings, **DEMO.secrets})
TestMetaAudiences = conformance(CONNECTOR, cases=None, config=CONFIG, sandbox=sandbox)
