"""Work on words and short texts, really computed; translation from a small dictionary."""

import base64

from agent_tuning.records import Json

LANGUAGES = ("french", "german", "spanish", "italian")
DICTIONARY = {
    word: dict(zip(LANGUAGES, others, strict=True))
    for en, zh, *others in (
        ("house", "房子", "maison", "Haus", "casa", "casa"),
        ("water", "水", "eau", "Wasser", "agua", "acqua"),
        ("bread", "面包", "pain", "Brot", "pan", "pane"),
        ("friend", "朋友", "ami", "Freund", "amigo", "amico"),
        ("night", "夜晚", "nuit", "Nacht", "noche", "notte"),
        ("book", "书", "livre", "Buch", "libro", "libro"),
        ("tree", "树", "arbre", "Baum", "árbol", "albero"),
        ("cat", "猫", "chat", "Katze", "gato", "gatto"),
        ("dog", "狗", "chien", "Hund", "perro", "cane"),
        ("sun", "太阳", "soleil", "Sonne", "sol", "sole"),
        ("milk", "牛奶", "lait", "Milch", "leche", "latte"),
        ("apple", "苹果", "pomme", "Apfel", "manzana", "mela"),
        ("street", "街道", "rue", "Straße", "calle", "strada"),
        ("heart", "心", "cœur", "Herz", "corazón", "cuore"),
    )
    for word in (en, zh)
}


def translate_word(word: str, language: str) -> dict[str, Json]:
    """A word outside the dictionary stays as it is, like a proper name."""
    translation = DICTIONARY.get(word.casefold(), {}).get(language)
    return {"translation": translation or word, "found": translation is not None}


def reverse_text(text: str) -> dict[str, Json]:
    letters = [character for character in text.casefold() if character.isalnum()]
    return {"reversed": text[::-1], "palindrome": letters == letters[::-1]}


def encode_text(text: str, method: str) -> dict[str, Json]:
    raw = text.encode()
    encoded = {
        "base64": base64.b64encode(raw).decode(),
        "base32": base64.b32encode(raw).decode(),
        "hex": raw.hex(),
    }[method]
    return {"encoded": encoded, "bytes": len(raw)}


def count_characters(text: str, letter: str = "") -> dict[str, Json]:
    """Characters without spaces, or how often one of them occurs."""
    characters = [character for character in text.casefold() if not character.isspace()]
    count = characters.count(letter.casefold()) if letter else len(characters)
    return {"count": count, "distinct": len(set(characters))}


TOOLS = (translate_word, reverse_text, encode_text, count_characters)
