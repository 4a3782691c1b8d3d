"""Archives through the public validators: `bagit` for the bag, `roc-validator` for the crate in it, both without network.

    python check.py ARCHIVE.tar.zst …        (tests/validators.sh makes the environment and the archives)

The crate validator fetches two JSON-LD contexts from w3id.org. They are answered from here instead: that of RO-Crate 1.1
is the copy that the `rocrate` package ships, that of Workflow Run Crate is its eight terms on top.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import bagit
import rdflib.plugins.shared.jsonld.context as jsonld
from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester

RO_CRATE = "https://w3id.org/ro/crate/1.1/context"
WORKFLOW_RUN = "https://w3id.org/ro/terms/workflow-run"
# https://w3id.org/ro/wfrun/workflow: "Workflow Run RO-Crate terms".
TERMS = ["ParameterConnection", "connection", "sourceParameter", "targetParameter", "md5", "sha1", "sha256", "sha512"]

# Found, not imported: the package itself would want more packages.
[PACKAGE] = importlib.util.find_spec("rocrate").submodule_search_locations
SHIPPED = json.loads((Path(PACKAGE) / "data/ro-crate.jsonld").read_text())
assert SHIPPED["@id"] == RO_CRATE, f"the `rocrate` package ships {SHIPPED['@id']}"
CONTEXTS = {
    RO_CRATE: {"@context": SHIPPED["@context"]},
    f"{WORKFLOW_RUN}/context": {"@context": {term: f"{WORKFLOW_RUN}#{term}" for term in TERMS}},
}


class Answer:
    status_code = 200
    ok = True
    headers = {"Content-Type": "application/ld+json"}

    def __init__(self, url):
        self.url = url

    def json(self):
        return CONTEXTS[self.url]


# An address that is not known raises KeyError: a check that wants another one fails rather than being passed over.
HttpRequester.get = lambda _self, url, **_options: Answer(url)
jsonld.source_to_json = lambda url, *_arguments, **_options: (CONTEXTS[str(url)], None)

PROFILES = ["ro-crate-1.1", "workflow-ro-crate-1.0", "process-run-crate-0.5", "workflow-run-crate-0.5", "provenance-run-crate-0.5"]


def check(archive):
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["tar", "-xf", archive, "-C", scratch], check=True)
        [folder] = Path(scratch).iterdir()
        bagit.Bag(str(folder)).validate()
        print(f"{archive.name}: bagit {bagit.VERSION}: valid")
        for profile in PROFILES:
            settings = services.ValidationSettings(
                rocrate_uri=models.URI(str(folder / "data")),
                profile_identifier=profile,
                requirement_severity=models.Severity.REQUIRED,
            )
            result = services.validate(settings)
            issues = result.get_issues()
            for issue in issues:
                print(f"    {issue.check.identifier} {issue.severity.name}: {issue.message} {issue.violatingEntity or ''}")
            passed = len(result.executed_checks) - len(result.failed_checks)
            print(f"{archive.name}: {profile}: {len(issues)} issues, {passed} checks passed")
            assert not issues and passed > 0 and result.passed()


for path in sys.argv[1:]:
    check(Path(path))
