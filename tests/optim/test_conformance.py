"""The table of the API page is what runs give, and nothing that ours offer fails."""

import inspect

import pytest
import torch

pytest.importorskip("expecttest", reason="torch.testing._internal needs expecttest")
from torch.testing._internal.common_optimizers import OptimizerInfo

if "has_capturable_arg" not in inspect.signature(OptimizerInfo).parameters:
    pytest.skip("this torch is older than OptimizerInfo's present form", allow_module_level=True)

from tests.optim.conformance.case import INFOS, NO_COMPILER
from tests.optim.conformance.table import BEHAVIOURS, PASSED, RESULTS, outcome, read_table, version

RENEW = "python -m tests.optim.conformance renews the table"


@pytest.mark.parametrize("name", INFOS)
@pytest.mark.parametrize("title", BEHAVIOURS)
def test_each_behaviour_is_as_the_table_says(title, name):
    stored_version, rows = read_table()
    result, reason = outcome(BEHAVIOURS[title], name)
    if reason == NO_COMPILER:
        pytest.skip(reason)
    assert name == "Adam" or result != "failed", reason
    if f"torch {version()}," in stored_version and not torch.cuda.is_available():
        assert result.replace("passed", PASSED) == rows[title][name], f"{reason}; {RENEW}"


def test_the_table_has_these_rows_and_its_sums():
    _, rows = read_table()
    assert list(rows) == [*BEHAVIOURS, *(f"**{one}**" for one in RESULTS)], RENEW
    for name in INFOS:
        column = [rows[title][name] for title in BEHAVIOURS]
        assert [rows[f"**{one}**"][name] for one in RESULTS] == [str(column.count(one)) for one in RESULTS], RENEW
