"""Reading the book's text: what counts as a symbol, as a formula, and as words."""

import pytest

from publishing.prose import formulas, symbols, visible_text, without_exercises


@pytest.mark.parametrize(
    ("formula", "found"),
    [
        (r"\hat{D}_i^{-t}", [r"\hat D", "t"]),
        (r"M\ddot\theta = -\gamma M\dot{\theta} + F", ["M", r"\theta", r"\gamma", "M", r"\theta", "F"]),
        (r"\tilde\beta_{1,t}\,\mathcal{L} \mathbb E[x]", [r"\tilde \beta", r"\mathcal L", r"\mathbb E", "x"]),
        (r"\sigma_{\theta_{a_{b}}}^2 \leq \sqrt a\sin b \text{ if } c", [r"\sigma", "a", "b", "c"]),
        (r"\begin{aligned} Left &= \tfrac12h \\ \mathrm{FIM}(x) &= \text{const.} \end{aligned}", ["h", "x"]),
        (r"\eta\lambda\ell", [r"\eta", r"\lambda", r"\ell"]),
    ],
)
def test_symbols_are_letters_with_their_marks_and_without_indices_and_words(formula: str, found: list[str]) -> None:
    assert symbols(formula) == found


def test_formulas_stand_between_dollars_and_in_environments_but_not_in_code() -> None:
    text = "A $a$,\n$$b = c$$ (eq:1)\n`$d$`\n```\n$e$\n```\n\\begin{align*}f\\end{align*} costs \\$5 or $g\n+ h$."
    assert list(formulas(text)) == ["a", "b = c", "f", "g\n+ h"]


def test_exercises_and_solutions_of_both_forms_are_left_out() -> None:
    plain = ":::{exercise}\n:label: ex-1\nOne.\n:::\n"
    folded = ":::{solution-start} ex-1\n:class: dropdown\n:::\nTwo.\n\n:::{solution-end}\n:::\n"
    assert without_exercises(f"Before.\n{plain}{folded}After.").split() == ["Before.", "After."]


def test_words_are_what_a_reader_reads() -> None:
    text = (
        "(here)=\n# A title\n\n:::{tip}\n:class: x\nSee [the page](a/b.md#c), {eq}`eq:1` and $x^2$.\n:::\n| a |\n| - |"
    )
    assert " ".join(visible_text(text).split()) == "# A title See the page, … and …. | a |"
