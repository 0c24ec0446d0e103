"""Links of public hostile texts are taken apart."""

import json
import re

from core.links import keep_allowed

ALLOWED = ["https://ok.test/a", "https://docs.ok.test/b_(c)?q=1", "hr@ok.test"]


def test_every_known_form_is_taken_apart_and_stays_where_it_is_allowed(shared_data):
    path = shared_data / "hostile" / "egress_forms.json"
    forms = json.loads(path.read_text())
    for name, form in forms.items():
        shown = keep_allowed(f"Before. {form}\nAfter.", ALLOWED)
        assert not re.search(r"evil|xn--|\u0430pple|3232235777|javascript:|mailto:|tg:|data:|<[!@]|@every", shown), name
        assert shown.startswith("Before. ")
        assert shown.endswith("\nAfter.")


def test_links_of_injected_texts_are_gone_whatever_stands_around_them(shared_data):
    forms = json.loads((shared_data / "hostile" / "egress_forms.json").read_text()).values()
    lines = (shared_data / "hostile" / "injection_instructions.jsonl").read_text().splitlines()
    for line in lines:
        text = json.loads(line)["text"]
        shown = keep_allowed("\n".join(f"{text} {form} {text}" for form in forms), ALLOWED)
        assert not re.search(r"evil\W?test|xn--|javascript:", shown)
