"""The one fact that changes under the tests of what is kept: how many days of vacation there are."""

from hypothesis import strategies as st

from tests.scenario.house import save_document

QUESTION = "How many vacation days do full-time employees have?"


async def save_days(knowledge, kb, days, source, tenant_id=1):
    """Save a document that says how many DAYS there are; another number is another version."""
    sentence = f"Full-time employees have {days} days of paid vacation in a calendar year."
    content = str(days).encode()
    await save_document(knowledge, kb, "Time off", sentence, source=source, content=content, tenant_id=tenant_id)


def steps(asking, *more):
    """Draw what happens one after another: questions as ASKING, changes of the document and of who may read it."""
    questions = st.sampled_from([QUESTION, QUESTION.upper(), "vacation of full-time employees"])
    return st.lists(
        st.one_of(
            st.tuples(st.just(asking), questions),
            st.tuples(st.just("change"), st.integers(20, 40)),
            st.tuples(st.just("remove"), st.just(0)),
            st.tuples(st.just("withdraw"), st.booleans()),
            *more,
        ),
        min_size=2,
        max_size=12,
    )
