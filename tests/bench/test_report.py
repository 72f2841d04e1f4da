"""The report of a bench: what it says, what it refuses to say, and that what models wrote does nothing in it."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest
from made_bench import CASES, HOSTILE, STRATEGIES, made_bench

from outthink.bench.report import write
from outthink.bench.report.examples import MOST
from outthink.core.errors import InputError

READ = {"style", "pre", "h1", "p", "th", "article"}
VOID = {"meta", "link", "br", "wbr", "img", "hr", "input"}


class Page(HTMLParser):
    """A page as a browser's parser sees it: elements with attributes, text by the element it stands in."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        for tag in READ.intersection(self.open):
            self.texts[tag][-1] += data

    def ids(self):
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    def links(self):
        return [attributes["href"] for tag, attributes in self.elements if tag == "a"]


def small(tmp_path, **changes):
    """The files of a bench of two strategies on two questions."""
    summary = {
        "data": {"path": "/somewhere/data.jsonl", "questions": 2, "fingerprint": "ab"},
        "strategies": [
            {"strategy": "direct", "model": "m", "accuracy": 0.40, "accuracy_ci": [0.33, 0.47], "tokens_mean": 100},
            {"strategy": "vote", "model": "m", "accuracy": 0.55, "accuracy_ci": [0.48, 0.62], "tokens_mean": 1600},
        ],
        "pairs": [pair("direct", "vote", -0.15, [-0.21, -0.09], told=True, detectable=0.06, ratio=0.0625)],
    }
    rows = [
        {"strategy": s, "model": "m", "id": q, "repeat": 0, "correct": float(s == "vote"), "answer": "7"}
        for q in ("q1", "q2")
        for s in ("direct", "vote")
    ]
    questions = [{"id": q, "question": f"What is {q}?", "gold": "7", "samples": []} for q in ("q1", "q2")]
    tmp_path.joinpath("summary.json").write_text(json.dumps(summary | changes))
    tmp_path.joinpath("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tmp_path.joinpath("questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    return tmp_path


def pair(a, b, diff, ci, *, told, detectable, ratio=1.0):
    return {
        "a": a, "b": b, "accuracy_diff": diff, "accuracy_diff_ci": ci, "holm_p": 0.001 if told else 0.3,
        "detectable_difference": detectable, "distinguishable": told, "token_ratio": ratio,
        "token_ratio_ci": [ratio * 0.9, ratio * 1.1],
    }  # fmt: skip


def plain(text):
    """No-break spaces and minus signs as a keyboard writes them."""
    return text.replace("\u202f", " ").replace("\u00a0", " ").replace("\u2212", "-")


def written(directory):
    """The page and the Markdown of a bench."""
    write(directory)
    return Page(directory.joinpath("report.html").read_text()), plain(directory.joinpath("report.md").read_text())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Every made bench with its report, written once."""
    benches = {}
    for name, how in CASES.items():
        few = {"repeats": min(how.get("repeats", 3), 3), "questions": 48}
        directory = made_bench(tmp_path_factory.mktemp(name), **(how | few))
        assert [path.name for path in write(directory)] == ["report.html", "report.md", "table.csv"]
        benches[name] = directory
    return benches


@pytest.fixture(scope="module")
def pages(made):
    """Their pages as parsed."""
    return {name: Page(directory.joinpath("report.html").read_text()) for name, directory in made.items()}


@pytest.mark.parametrize("case", CASES)
def test_a_page_is_whole_and_asks_for_nothing(pages, case):
    page = pages[case]
    assert page.open == []
    assert page.unbalanced == []
    assert len(page.ids()) == len(set(page.ids()))
    for tag, attributes in page.elements:
        assert tag not in ("script", "img", "iframe", "object", "base", "form")
        assert not any(name.startswith("on") for name in attributes)
        assert all((attributes.get(name) or "#").startswith(("#", "data:")) for name in ("href", "src", "xlink:href"))
    assert "url(" not in page.texts["style"][0]
    assert "@import" not in page.texts["style"][0]


@pytest.mark.parametrize("case", CASES)
def test_every_link_leads_to_an_example_and_there_are_not_too_many(pages, case):
    page = pages[case]
    examples = [name for name in page.ids() if name.startswith("example-")]
    led = {link.removeprefix("#") for link in page.links()}
    assert led <= set(page.ids())
    assert 0 < len(examples) <= MOST
    assert bool(led & set(examples)) == (case not in ("one", "zero"))  # zero: nobody won or lost anything
    assert led - set(examples) == {name for name in page.ids() if not name.startswith("example-")}


def test_what_a_model_wrote_is_shown_to_the_letter_and_does_nothing(tmp_path):
    hostile = [HOSTILE, "<!-- ", "]]>", "&amp; &lt;b&gt;", "{% for x in y %}", "</details></div><style>*{display:none}"]
    sample = [{"text": text, "answer": text, "correct": 0.0, "tokens": 1} for text in hostile]
    small(tmp_path)
    row = {"id": "q1", "question": HOSTILE, "gold": "</title><script>", "samples": sample}
    tmp_path.joinpath("questions.jsonl").write_text(json.dumps(row) + "\n")
    page, _ = written(tmp_path)
    assert page.unbalanced == []
    assert [tag for tag, _ in page.elements if tag in ("script", "img", "style")] == ["style"]
    assert set(hostile) <= set(page.texts["pre"])
    assert "</title><script>" in page.texts["pre"]


def test_what_hides_or_turns_text_round_is_made_visible(tmp_path):
    small(tmp_path)
    row = {"id": "q1", "question": "a\x00b\x1b[31mc\u202ed\r\ne", "gold": "7"}
    tmp_path.joinpath("questions.jsonl").write_text(json.dumps(row) + "\n")
    assert "a\u2400b\u241b[31mc[U+202E]d\ne" in written(tmp_path)[0].texts["pre"]


def test_long_text_is_cut_and_says_so(tmp_path):
    small(tmp_path)
    tmp_path.joinpath("questions.jsonl").write_text(json.dumps({"id": "q1", "question": "x" * 5000}) + "\n")
    assert f"{'x' * 4000}…\n[1,000 characters more]" in written(tmp_path)[0].texts["pre"]


def test_the_page_and_the_text_open_with_who_beats_whom_by_how_much(tmp_path):
    page, text = written(small(tmp_path))
    said = "answers 55.0 % right: 15.0 points more than direct [+9.0, +21.0], for 16.0 times the tokens."
    assert plain(page.texts["h1"][0]) == f"vote {said}"
    assert said in text.replace("`", "")
    assert "on 2 questions is 6.0 points; nothing below it is ranked" in text


def test_a_difference_that_was_not_told_apart_ranks_nothing(tmp_path):
    pairs = [pair("direct", "vote", -0.15, [-0.33, 0.03], told=False, detectable=0.25, ratio=0.0625)]
    page, text = written(small(tmp_path, pairs=pairs))
    assert plain(page.texts["h1"][0]).startswith("No strategy could be told apart from another")
    assert "on 2 questions, differences of up to 25.0 points would go unseen" in plain(page.texts["h1"][0])
    assert "better" not in text.partition("## Strategies")[0]
    assert "| cannot tell |" in text
    assert "| better |" not in text


def test_without_a_verdict_of_the_bench_both_significance_and_size_are_asked_for(tmp_path):
    def headline(p, detectable):
        found = pair("direct", "vote", -0.15, [-0.21, -0.09], told=True, detectable=detectable)
        found |= {"distinguishable": None, "holm_p": p}
        return written(small(tmp_path, pairs=[found]))[0].texts["h1"][0]

    assert headline(0.01, 0.1).startswith("vote")
    assert headline(0.06, 0.1).startswith("No strategy")
    assert headline(0.01, 0.2).startswith("No strategy")


def test_a_dearer_strategy_that_is_worse_is_said_to_be_worse(tmp_path):
    pairs = [pair("vote", "direct", -0.10, [-0.15, -0.05], told=True, detectable=0.06, ratio=16)]
    page, text = written(small(tmp_path, pairs=pairs))
    assert page.texts["h1"][0].startswith("No strategy beat the cheapest, direct")
    assert "Less accurate than `direct`, and dearer: `vote` (by 10.0 points [+5.0, +15.0])" in text


def test_strategies_that_were_not_compared_are_only_measured(tmp_path):
    page, text = written(small(tmp_path, pairs=[]))
    assert page.texts["h1"][0] == "2 strategies were measured; none was compared with another."
    assert "differences" not in page.ids()
    assert "## Differences" not in text


def test_one_strategy_has_nothing_to_differ_from(pages):
    page = pages["one"]
    assert re.match(r"self-consistency\(n=16\) answers \d\d\.\d % \[", plain(page.texts["h1"][0]))
    assert not {"differences", "won"} & set(page.ids())


def test_what_nobody_measured_has_no_column_and_no_section(pages):
    page = pages["nulls"]
    assert not {"scaling", "confidence", "difficulty", "savings", "stops"} & set(page.ids())
    titles = [title.strip() for title in page.texts["th"]]
    assert "tokens" in titles
    assert not {"calls", "dollars", "FLOPs", "seconds, p50"} & set(titles)


def test_live_runs_show_seconds_and_the_exact_test_and_say_that_they_ran_live(pages):
    page = pages["live"]
    assert {"seconds, p50", "p (McNemar)"} <= {title.strip() for title in page.texts["th"]}
    assert "Every strategy ran live." in page.texts["p"][1]
    replay = pages["full"]
    assert "replayed on the recorded samples in 3 random orders" in replay.texts["p"][1]
    assert "p (McNemar)" not in {title.strip() for title in replay.texts["th"]}


def test_where_a_strategy_won_and_lost_is_counted_against_the_mean_of_the_others(tmp_path):
    page, _ = written(small(tmp_path))
    direct, vote = (" ".join(article.split()) for article in page.texts["article"])
    assert "0 won, 2 lost, 0 about even" in direct
    assert "2 won, 0 lost, 0 about even" in vote
    assert "What is q1? 100 % against 0 %" in plain(vote)


def test_the_table_holds_each_strategy_as_it_was_measured(made):
    rows = list(csv.DictReader(io.StringIO(made["full"].joinpath("table.csv").read_text())))
    summary = json.loads(made["full"].joinpath("summary.json").read_text())
    assert [row["strategy"] for row in rows] == list(STRATEGIES)
    for row, one in zip(rows, summary["strategies"], strict=True):
        assert float(row["accuracy"]) == one["accuracy"]
        assert [float(row["accuracy_low"]), float(row["accuracy_high"])] == one["accuracy_ci"]
        assert row["usd_mean"] == ""


def test_every_markdown_table_is_square(made):
    for directory in made.values():
        for table in re.findall(r"(?:^\|.*\n)+", directory.joinpath("report.md").read_text(), re.M):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_the_same_files_give_the_same_bytes(made):
    names = ("report.html", "report.md", "table.csv")
    before = [made["full"].joinpath(name).read_bytes() for name in names]
    write(made["full"])
    assert [made["full"].joinpath(name).read_bytes() for name in names] == before


def test_bounds_are_drawn_where_no_technique_has_a_curve(tmp_path):
    page, _ = written(small(tmp_path, oracle_curve=[[1, 0.4], [2, 0.6]], random_curve=[[1, 100, 0.4, 0.3, 0.5]]))
    assert "scaling" in page.ids()
    page, _ = written(small(tmp_path, random_curve=[[1, 100, 0.4, 0.3, 0.5]]))
    assert "scaling" not in page.ids()


def test_a_bench_of_old_with_nothing_optional_is_reported(tmp_path):
    least = {"strategies": [{"strategy": "direct", "accuracy": 0.5}]}
    tmp_path.joinpath("summary.json").write_text(json.dumps(least))
    page, text = written(tmp_path)
    assert plain(page.texts["h1"][0]) == "direct answers 50.0 % of the questions right."
    assert "| `direct` | 50.0 % |" in text


def test_files_that_cannot_be_read_are_named_with_the_line(tmp_path):
    with pytest.raises(InputError, match=r"summary\.json cannot be read"):
        write(tmp_path)
    small(tmp_path)
    with tmp_path.joinpath("rows.jsonl").open("a") as file:
        file.write('{"strategy": "dir')
    with pytest.raises(InputError, match=r"rows\.jsonl line 5 cannot be read"):
        write(tmp_path)
    tmp_path.joinpath("summary.json").write_text('{"strategies": []}')
    with pytest.raises(InputError, match="no strategies"):
        write(tmp_path)
    tmp_path.joinpath("summary.json").write_text("[1]")
    with pytest.raises(InputError, match="no summary of a bench"):
        write(tmp_path)


def test_the_assets_are_part_of_the_package():
    from importlib.resources import files

    assert {"page.css", "page.html.j2"} <= {one.name for one in files("outthink.bench.report").iterdir()}
