from dataclasses import replace

import pytest

from core.answerable import BAR, answerable, bar_of, merge
from core.documents import Passage
from core.ranking import RANKING, rerank
from core.terms import terms

LEAVE = Passage(
    1, 1, "HR", "Leave policy", "leave.md", (), 3, "Annual leave of thirty days is granted to staff.", 2.0, 1.1, 0.6
)
QUESTION = "How many days of annual leave do I get?"


def lexical(passage, coverage):
    return replace(passage, cosine=None, coverage=coverage)


def test_a_close_passage_is_good_enough():
    assert answerable(QUESTION, [LEAVE])


def test_one_good_passage_among_poor_ones_is_enough():
    assert answerable(QUESTION, [replace(LEAVE, cosine=0.05, text="Printers."), LEAVE])


@pytest.mark.parametrize(
    ("question", "cosine"),
    [("Who painted the Mona Lisa?", 0.1), ("How many days are there on Mars?", 0.2), ("Is it?", 0.3), ("", 0.0)],
)
def test_an_off_topic_question_is_not_answerable(question, cosine):
    assert not answerable(question, [replace(LEAVE, cosine=cosine, coverage=0.2)])


def test_no_passages_are_not_good_enough():
    assert not answerable(QUESTION, [])


def test_a_paraphrase_without_a_shared_word_needs_a_high_cosine():
    question = "What is my vacation entitlement?"
    assert answerable(question, [replace(LEAVE, cosine=0.62)])
    assert not answerable(question, [replace(LEAVE, cosine=0.5)])


def test_passages_of_several_places_are_merged_by_how_close_they_are_whatever_they_scored_there():
    near = replace(LEAVE, chunk_id=2, cosine=0.5)
    far = replace(LEAVE, chunk_id=3, text="Printers.", cosine=0.1, score=9.0)
    assert [passage.chunk_id for passage in merge(QUESTION, [near, far], [LEAVE])] == [1, 2, 3]
    assert [passage.chunk_id for passage in merge(QUESTION, [far], [lexical(LEAVE, 1.0)])] == [1, 3]


def test_without_vectors_words_decide():
    assert answerable(QUESTION, [lexical(LEAVE, 1.0)])
    assert not answerable("How many planets are there?", [lexical(LEAVE, 0.1)])


def test_a_bot_without_a_threshold_uses_the_measured_one():
    assert bar_of(None) == BAR


def test_the_measured_threshold_may_be_written_out():
    assert bar_of(BAR.threshold) == BAR


@pytest.mark.parametrize("passage", [LEAVE, lexical(LEAVE, 1.0)], ids=["with vectors", "without"])
def test_a_stricter_bot_lets_a_passage_go_and_a_laxer_one_takes_it_up(passage):
    assert answerable(QUESTION, [passage], bar_of(0.4))
    assert not answerable(QUESTION, [passage], bar_of(1.39))
    far = replace(passage, text="Printers.", cosine=passage.cosine and 0.3, coverage=0.5)
    assert not answerable(QUESTION, [far])
    assert answerable(QUESTION, [far], bar_of(0.1))


def test_the_ends_of_the_scale_take_every_passage_and_none():
    for passage in (replace(LEAVE, cosine=1.0, text=QUESTION), lexical(replace(LEAVE, text=QUESTION), 5.0)):
        assert answerable(QUESTION, [passage], bar_of(1.38))
        assert not answerable(QUESTION, [passage], bar_of(2))
    for passage in (replace(LEAVE, cosine=0.0, text=""), lexical(replace(LEAVE, text=""), 0.0)):
        assert answerable("Who painted the Mona Lisa?", [passage], bar_of(0))


def test_the_title_counts_as_text():
    without = replace(LEAVE, title="", text="Thirty days are granted.", cosine=0.3)
    assert not answerable("days of leave policy", [without])
    assert answerable("days of leave policy", [replace(without, title="Leave policy")])


def test_a_phrase_lifts_a_passage_over_scattered_words():
    scattered = replace(LEAVE, chunk_id=2, text="Leave the annual report on the desk.", score=2.1)
    asked = terms("annual leave")
    assert [passage.chunk_id for passage in rerank(asked, [scattered, LEAVE], 2)] == [1, 2]
    assert rerank(asked, [scattered, LEAVE], 1)[0].score == pytest.approx(2.0 + RANKING.phrase_weight)


def test_rerank_keeps_order_and_scores_where_there_is_no_phrase():
    passages = [LEAVE, replace(LEAVE, chunk_id=2)]
    assert rerank(["leav"], passages, 5) == passages
