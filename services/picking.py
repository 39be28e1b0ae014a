"""Picks the few messages that tell most of what was said: whole ones, with no word that was not said.

It knows no language: what is approved, answered and asked shows by itself, and which words matter is found in the room.
The same messages give the same.
"""

import itertools
import math
import re
from collections import Counter, defaultdict

MOST = 7  # as many as one reads at a glance
SHARE = 3  # of what was said at most every third: a short talk is read whole
LOOKED_INTO = 300  # characters, from the beginning and from the end: by then it has said what it is about
TERMS = 24  # of a message: who says more with more words has no more weight by that
SAME = 0.85  # of the words of the longer one: in a sentence of seven words, all but one
ROUNDS, DAMPING = 2, 0.85  # so near to where it begins is where it ends; the latter is PageRank's

# Of scripts without spaces between words; there, pairs of characters stand for words.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003fffd"
MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0dff"  # within words, beside letters
WORD = re.compile(rf"[^\W{UNSPACED}]+(?:[{MARKS}]+[^\W{UNSPACED}]*)*|([{UNSPACED}]+)")
ENOUGH = re.compile(rf"(?:\w\W*+){{12}}|(?:[{UNSPACED}]\W*+){{5}}")  # "Yes, I agree" is less
# With which a question ends; none of an address. That of Greek looks like a semicolon, and may be written as one.
ASKING = re.compile(r"""[?⁇⁈⁉]["'»”’)\]*_]*(?!\S)|[？؟⸮՞፧]|[\u0370-\u03ff\u1f00-\u1fff][;\u037e](?!\S)""")


def summarise(room):
    """At most seven messages of the `views.transcript` of a room, in its order: [{"seq", "kind"}]. They are the first
    of each kind, then the second of each, until it is enough; none says nearly the same as another."""
    messages, rank = room["messages"], ranks(room["messages"])
    said = {one["seq"]: one["text"] for one in messages if "text" in one and ENOUGH.search(one["text"][:LOOKED_INTO])}
    likes = {one["seq"]: one["likes"] for one in messages if "text" in one}
    answers = answers_in(messages)
    asking = (seq for seq, text in said.items() if ASKING.search(text[-LOOKED_INTO:]))
    kinds = {
        "approved": first((seq for seq in said if likes[seq]), likes, answers, rank),
        "answered": first((seq for seq in said if answers[seq]), answers, likes, rank),
        "question": first(asking, answers, likes, rank),
        "central": first((seq for seq in said if seq in rank), rank),
        "last": list(said)[-1:],
    }
    wanted = {}  # {seq: kind}, who comes first is the first
    for row in itertools.zip_longest(*kinds.values()):
        for kind, seq in zip(kinds, row, strict=True):
            wanted.setdefault(seq, kind)
    wanted.pop(None, None)
    enough, found = min(MOST, math.ceil(len(said) / SHARE)), {}
    for seq in wanted:
        if len(found) == enough:
            break
        words = set(terms(said[seq]))
        if not any(is_nearly(words, others) for others in found.values()):
            found[seq] = words
    return [{"seq": seq, "kind": wanted[seq]} for seq in sorted(found)]


def is_nearly(words, others):
    """Whether two messages have nearly the same words. Each has the same weight: by their rarity, as in a rank, the one
    word that differs would be the whole message, or where nobody else has it, nothing of it."""
    return len(words & others) >= SAME * max(len(words), len(others))


def first(seqs, *weights):
    """Those with most of the first weight first, {seq: number}; of the same, those with most of the next."""
    return sorted(seqs, key=lambda seq: [weight.get(seq, 0) for weight in weights], reverse=True)


def answers_in(messages):
    """How many replied to each, but for who said it: {seq: number}."""
    said_by = {one["seq"]: one["user"] for one in messages if "text" in one}
    pairs = {(one["reply"], one["user"]) for one in messages if one.get("reply") in said_by}
    return Counter(seq for seq, user in pairs if said_by[seq] != user)


# --- What it is about -------------------------------------------------------------------------------------------------


def ranks(messages):
    """How central each is: {seq: number}, without those that have nothing in common with another.

    LexRank (Erkan and Radev, 2004): the PageRank of messages, linked by words in common, the rarer the stronger. It is
    reckoned by way of the words, so it takes no table of all pairs.
    """
    said = {}  # {terms: seq}: who says the same again has said it once
    for one in messages:
        if "text" in one:
            said.setdefault(terms(one["text"]), one["seq"])
    found = Counter(itertools.chain.from_iterable(said))
    rarity = {term: math.log(len(said) / many) for term, many in found.items() if many > 1}
    vectors = {seq: unit({term: rarity[term] for term in words if term in rarity}) for words, seq in said.items()}
    links = {seq: link for seq, link in shared(vectors, dict.fromkeys(vectors, 1)).items() if link > 1e-9}
    total = sum(links.values())
    rank = {seq: link / total for seq, link in links.items()}
    for _ in range(ROUNDS):
        given = shared(vectors, {seq: rank[seq] / links[seq] for seq in rank})
        rank = {seq: (1 - DAMPING) / len(rank) + DAMPING * given[seq] for seq in rank}
    return rank


def shared(vectors, weights):
    """What each gets of the weight of the others, as much of it as it is like them."""
    sums = defaultdict(float)
    for seq, weight in weights.items():
        for term, value in vectors[seq].items():
            sums[term] += weight * value
    return {
        seq: sum(value * (sums[term] - weight * value) for term, value in vectors[seq].items())
        for seq, weight in weights.items()
    }


def terms(text):
    """Its first words, each once, whatever their capitals."""
    found = {}
    for word in itertools.islice(WORD.finditer(text[:LOOKED_INTO].casefold()), TERMS):
        pairs = map("".join, itertools.pairwise(word[1] or ""))
        found |= dict.fromkeys(pairs if word[1] else [word[0]])
    return tuple(found)[:TERMS]


def unit(vector):
    length = math.hypot(*vector.values())
    return {term: value / length for term, value in vector.items()} if length else {}
