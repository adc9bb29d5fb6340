"""The JSON schema of report.json, for programs that read it."""

import json

from mcubuild.report.model import Report


def report_schema() -> str:
    """JSON schema (draft 2020-12) of report.json, as text."""
    described = Report.model_json_schema(by_alias=True, mode="serialization")
    described["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    described["title"] = "mcubuild report"
    return json.dumps(described, indent=2, sort_keys=True) + "\n"
