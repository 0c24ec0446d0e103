"""What is kept out of the logs."""

from pydantic import SecretStr

from bots.settings import Settings, secrets


def test_each_key_of_a_list_is_a_secret_by_itself():
    hidden = secrets(Settings(slack_encryption_keys=SecretStr("the-newest-key, an-older-key,")))
    assert {"the-newest-key", "an-older-key"} <= set(hidden)
