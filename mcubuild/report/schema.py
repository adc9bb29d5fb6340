"""The JSON schema of report.json, for programs that read it."""

import json

from mcubuild.report.model import VERSION, Report


def report_schema() -> str:
    """JSON schema (draft 2020-12) of report.json, as text."""
    described = Report.model_json_schema(by_alias=True, mode="serialization")
    described["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    described["title"] = "mcubuild report"
    described["description"] = (
        f"report.json, version {VERSION} ('schema'). {described['properties']['schema']['description']}"
    )
    return json.dumps(described, indent=2, sort_keys=True) + "\n"
