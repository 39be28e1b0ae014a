"""What the entrance promises: to whom a door opens, and to nobody else."""

import base64
import hashlib

from runtime import entrance


def test_the_token_of_a_door_has_128_bits_that_only_the_secret_key_and_its_id_give():
    token = entrance.token_of("a secret", "0123456789abcdef")
    assert len(token) == 22 and len(base64.urlsafe_b64decode(token + "==")) == 16
    assert token == entrance.token_of("a secret", "0123456789abcdef"), "the same in every process"
    assert token not in {
        entrance.token_of("a secret", "0123456789abcdee"),
        entrance.token_of("b secret", "0123456789abcdef"),
    }
    assert entrance.hash_of(token) == hashlib.sha256(token.encode()).hexdigest()
