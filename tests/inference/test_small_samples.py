from __future__ import annotations

import pytest

from alc_stats.errors import DeclarationError
from alc_stats.inference import small_sample_choice


@pytest.mark.parametrize(
    ("clusters", "treated", "mixed", "method"),
    [
        (40, 5, False, "randomisation"),
        (40, 35, True, "randomisation"),
        (40, 6, False, "CR2"),
        (12, 6, False, "wild bootstrap"),
        (12, 6, True, "kenward-roger"),
        (13, None, True, "CR2"),
        (4, None, False, "wild bootstrap"),
        (2, None, True, "kenward-roger"),
    ],
)
def test_the_design_decides(clusters: int, treated: int | None, mixed: bool, method: str) -> None:
    choice = small_sample_choice(clusters, treated=treated, mixed=mixed)
    assert choice.method == method
    assert choice.sentence.endswith(".")


@pytest.mark.parametrize(("clusters", "treated"), [(1, None), (8, 0), (8, 8)])
def test_nothing_to_compare_is_refused(clusters: int, treated: int | None) -> None:
    with pytest.raises(DeclarationError, match="a single cluster, or none on one side"):
        small_sample_choice(clusters, treated=treated)
