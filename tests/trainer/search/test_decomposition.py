"""What a query is taken apart into."""

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.search.decomposition import LONGEST_QUERY, take_apart

MOST = 8
_graph = tf.function(
    lambda queries: take_apart(queries, MOST), input_signature=[tf.TensorSpec([None], tf.string)]
)


def interests(*queries):
    """Interests of each query, what is not wanted with a minus sign."""
    text, negated = _graph(tf.constant(queries, tf.string))
    return [
        [("-" if no else "") + part.decode() for part, no in zip(parts, noes, strict=True) if part]
        for parts, noes in zip(text.numpy(), negated.numpy(), strict=True)
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "slow romantic dramas, but also 80s science fiction with robots, nothing violent",
            ["slow romantic dramas", "80s science fiction with robots", "-violent"],
        ),
        ("I want comedies without romance", ["comedies", "-romance"]),
        ("no horror or war, but comedies", ["-horror", "-war", "comedies"]),
        ("don't want to watch musicals", ["-musicals"]),
        ("funny, not too scary", ["funny", "-scary"]),
        ("nothing but westerns", ["westerns"]),
        ("not only westerns and jazz", ["westerns", "jazz"]),
        ("Nottingham and nothingness", ["Nottingham", "nothingness"]),
        ("SLOW DRAMAS AND NO WAR", ["SLOW DRAMAS", "-WAR"]),
        ("a dog and definitely no cat", ["dog", "-cat"]),
        ("please show me something", []),
        ("the and or", []),
        ("", []),
        ("🎉🎉 ！。", []),
        ("不要恐怖片，我想看八十年代的科幻片和爱情片", ["-恐怖片", "八十年代的科幻片", "爱情片"]),
        ("推荐一些关于机器人的电影，但是不要太暴力的", ["机器人的电影", "-暴力"]),
        ("想看 sci-fi 和 romance，no horror", ["sci-fi", "romance", "-horror"]),
    ],
)
def test_a_query_is_taken_apart(query, expected):
    assert interests(query) == [expected]


def test_queries_of_a_batch_do_not_mix():
    assert interests("", "a dog, no cat", "？", "ship") == [[], ["dog", "-cat"], [], ["ship"]]


def test_no_query_at_all_has_no_interests():
    text, negated = _graph(tf.constant([], tf.string))
    assert text.shape == negated.shape == (0, 0)


def test_only_the_first_interests_count():
    assert interests(", ".join(f"thing{number}" for number in range(20))) == [
        [f"thing{number}" for number in range(MOST)]
    ]


def test_a_very_long_query_is_cut():
    assert interests("x" * 10_000) == [["x" * LONGEST_QUERY]]


@settings(max_examples=60)
@given(
    st.one_of(st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=60))
)
def test_any_bytes_can_be_taken_apart(query):
    text, negated = _graph(tf.constant([query, b"a dog, no cat"], tf.string))
    assert text.shape == negated.shape
    assert [part for part in text[1].numpy() if part] == [b"dog", b"cat"]
    for part in text[0].numpy():
        assert part.decode("utf-8") == part.decode("utf-8").strip()
